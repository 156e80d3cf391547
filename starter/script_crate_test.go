package main

import (
	"archive/zip"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"rlam/test/crates"
)

// crate holds a Provenance Run Crate against every rule of its profiles: crate FILE. The
// file is a folder, or a ZIP archive that has a crate somewhere in it, as a bundle has.
func crate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: crate FILE")
	}
	var files fs.FS = os.DirFS(ts.MkAbs(args[0]))
	if strings.HasSuffix(args[0], ".zip") {
		z, err := zip.OpenReader(ts.MkAbs(args[0]))
		ts.Check(err)
		defer z.Close()
		files = z
		for _, f := range z.File {
			if path.Base(f.Name) == crates.Metadata {
				files, err = fs.Sub(z, path.Dir(f.Name))
				ts.Check(err)
			}
		}
	}
	c, err := crates.Read(files)
	ts.Check(err)
	problems := crates.Check(c)
	for _, p := range problems {
		ts.Logf("%s", p)
	}
	if len(problems) > 0 {
		ts.Fatalf("the crate breaks %d rules", len(problems))
	}
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/export/rocrate"
)

var rocrateFormat = exportFormat{
	name: "rocrate", suffix: ".crate.zip", about: "a Provenance Run Crate with its files; a NAME/ without an ending is a folder", binary: true,
	write: func(ctx context.Context, w io.Writer, e *evidence, _ exportOptions) error {
		return rocrate.WriteZip(ctx, w, &e.Run)
	},
	folder: func(ctx context.Context, dir string, e *evidence) error {
		return rocrate.WriteFolder(ctx, dir, &e.Run)
	},
}

// describeBundle is the metadata of the crate that a bundle's payload is.
func describeBundle(ctx context.Context, run *export.Run, blobs []bundle.Blob) ([]byte, error) {
	files := make([]rocrate.File, 0, len(blobs))
	for _, b := range blobs {
		files = append(files, rocrate.File{
			Path: b.Path, Digest: b.Digest, Size: b.Size, MediaType: b.MediaType, Role: rocrate.Role(b.Role), Name: b.Name, Call: b.Call, Attempt: b.Attempt,
		})
	}
	return rocrate.Metadata(ctx, run, files)
}

// asFolder says whether the file that was named is to be a folder of the format's.
func (o *exportOptions) asFolder(f *exportFormat) bool {
	return f.folder != nil && o.file != "" && o.file != "-" && (os.IsPathSeparator(o.file[len(o.file)-1]) || filepath.Ext(o.file) == "")
}

// exportFolder writes a run to a folder, and says how many bytes it has and which digest
// the file that describes it.
func (a *app) exportFolder(ctx context.Context, id string, f *exportFormat, o exportOptions) error {
	if there, err := os.ReadDir(o.file); err == nil && len(there) > 0 {
		return badUsage("the folder %q has files: name another", o.file)
	}
	e, err := a.gather(ctx, id, gatherOptions{store: o.store, strays: true})
	if err != nil {
		return err
	}
	if err := f.folder(ctx, o.file, e); err != nil {
		return err
	}
	m := exportedMessage{Run: e.Trace.ID, File: o.file, Format: f.name}
	err = filepath.WalkDir(o.file, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			m.Bytes += info.Size()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking at %q: %w", o.file, err)
	}
	described, err := os.ReadFile(filepath.Join(o.file, rocrate.MetadataFile))
	if err != nil {
		return fmt.Errorf("looking at %q: %w", o.file, err)
	}
	sum := sha256.Sum256(described)
	m.SHA256 = hex.EncodeToString(sum[:])
	a.printer.Print(m)
	return nil
}

package rocrate

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rlam/provenance"
	"rlam/provenance/export"
)

// WriteZip writes a crate of its own as a ZIP archive: metadata, and what [Metadata] calls
// files, under names that people can read. What is withheld, or gone from the store, is
// described and isn't there.
func WriteZip(ctx context.Context, w io.Writer, run *export.Run) error {
	z := zip.NewWriter(w)
	when := modified(run.Trace)
	err := write(ctx, run, func(name string, r io.Reader) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: when})
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the crate of run %q: %w", run.Trace.ID, err)
	}
	return z.Close()
}

// WriteFolder writes the same crate as a folder. It makes dir, which must not be there or
// must be empty; what was written before an error stays there.
func WriteFolder(ctx context.Context, dir string, run *export.Run) error {
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return fmt.Errorf("writing a crate to %q: the folder has files; name another, or empty it", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing a crate to %q: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("writing a crate to %q: %w", dir, err)
	}
	defer root.Close()
	err = write(ctx, run, func(name string, r io.Reader) error {
		name = filepath.FromSlash(name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.Create(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return fmt.Errorf("writing a crate to %q: %w", dir, err)
	}
	return nil
}

// write puts all files of a crate, the metadata first.
func write(ctx context.Context, run *export.Run, put func(name string, r io.Reader) error) error {
	if run.Store == nil || run.Trace.Study == nil {
		_, err := newCrate(ctx, run, nil)
		return err
	}
	pieces, err := gather(ctx, run)
	if err != nil {
		return err
	}
	files := make([]File, len(pieces))
	for i, p := range pieces {
		files[i] = p.File
	}
	metadata, err := Metadata(ctx, run, files)
	if err != nil {
		return err
	}
	if err := put(MetadataFile, bytes.NewReader(metadata)); err != nil {
		return err
	}
	for i := range pieces {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		r, err := pieces[i].open(ctx, run.Store)
		if err != nil {
			return err
		}
		if err := errors.Join(put(pieces[i].Path, r), r.Close()); err != nil {
			return fmt.Errorf("writing %q: %w", pieces[i].Path, err)
		}
	}
	return nil
}

// modified is the time that files of an archive have: the newest that the run knows.
func modified(t *provenance.Trace) time.Time {
	newest := t.Line[len(t.Line)-1]
	if !newest.Closed.IsZero() {
		return newest.Closed.UTC()
	}
	return newest.Started.UTC()
}

// readme is the crate's README.md.
func readme(t *provenance.Trace) []byte {
	var b strings.Builder
	study := t.Study.Study
	fmt.Fprintf(&b, "# %s\n\n", oneLine(study.Title))
	fmt.Fprintf(&b, "Run `%s` of a study with R-LAM %s. It ended as: **%s**.\n\n", t.ID, t.Run.Engine, t.Status)
	fmt.Fprintf(&b, "> %s\n\n", oneLine(study.Goal))
	b.WriteString(`This folder is a Provenance Run Crate (RO-Crate 1.1). ` + "`" + MetadataFile + "`" + ` describes what was asked, decided,
executed and found, failed attempts included, and each file below with its SHA-256.

| | |
| --- | --- |
| ` + "`study.json`" + ` | the study as it was loaded |
| ` + "`result.json`" + ` | the result, if the run has one |
| ` + "`turns/N/`" + ` | what the planner was sent in step N, and what it answered |
| ` + "`calls/N.M/`" + ` | parameters of call N.M; in a folder for each attempt its output, log and files |
| ` + "`inputs/`" + `, ` + "`actions/`" + `, ` + "`environments/`" + ` | what the run started from, what it might do, and where it ran |

A content that was withheld, or that the store has no more, is described and isn't here. A prompt is what was added to
the one before it. To check the bytes of a file, compare ` + "`sha256sum FILE`" + ` with its ` + "`sha256`" + ` in the metadata. That says nothing
of who wrote both: for evidence that is signed, ask for the run's bundle.
`)
	return []byte(b.String())
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

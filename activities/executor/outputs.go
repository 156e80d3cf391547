package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"rlam/internal/canon"
)

const (
	maxResult = 1 << 20
	maxError  = 64 << 10
)

// outputs reads what a program left in its folder. The program has ended, but what it
// left is still hostile: links, devices, pipes, names that lead elsewhere.
type outputs struct {
	root  *os.Root
	blobs Blobs
	named map[canon.Digest]bool // handles that the parameters named
	files map[string]Artifact   // collected, by name
}

func openOutputs(dir string, blobs Blobs, named map[canon.Digest]bool) (*outputs, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the attempt's folder: %w", err)
	}
	return &outputs{root: root, blobs: blobs, named: named, files: make(map[string]Artifact)}, nil
}

func (o *outputs) close() { o.root.Close() }

func (o *outputs) artifacts() []Artifact {
	var all []Artifact
	for _, name := range slices.Sorted(maps.Keys(o.files)) {
		all = append(all, o.files[name])
	}
	return all
}

// written is the value of result.json, files collected and named by handle. It is a
// *Failure if the program is to blame.
func (o *outputs) written(ctx context.Context, returns marks) (any, error) {
	raw, err := o.read("result.json", maxResult)
	if err != nil {
		return nil, err
	}
	raw, err = canon.Transform(raw)
	if err != nil {
		return nil, invalid("reading result.json: %v", err)
	}
	value, err := decode(raw)
	if err != nil {
		return nil, invalid("reading result.json: %v", err)
	}
	return returns.replace(value, func(text, mediaType string) (string, error) {
		if d, err := canon.Parse(text); err == nil && o.named[d] {
			return text, nil // an input that is passed on
		}
		clean := path.Clean(text)
		return o.collect(ctx, clean, clean, mediaType)
	})
}

// declared is what error.json holds.
type declared struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// error is what the program says of its failure; nil if it says nothing.
func (o *outputs) error() (*declared, error) {
	if !o.has("error.json") {
		return nil, nil
	}
	raw, err := o.read("error.json", maxError)
	if err != nil {
		return nil, err
	}
	var d declared
	if err := jsonv2.Unmarshal(raw, &d, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("reading error.json: %w", err)
	}
	return &d, nil
}

func (o *outputs) has(name string) bool {
	_, err := o.root.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

func (o *outputs) read(name string, limit int64) ([]byte, error) {
	f, err := o.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, invalid("reading %q: it is larger than %d bytes; large data is for artifacts", name, limit)
	}
	return b, nil
}

// collect stores a file under a name, and returns its handle.
func (o *outputs) collect(ctx context.Context, name, file, mediaType string) (string, error) {
	for _, n := range []string{name, file} {
		if err := checkArtifactName(n); err != nil {
			return "", invalid("collecting the file %q: %v", head(n, 300), err)
		}
	}
	f, err := o.open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	d, size, err := o.blobs.Put(ctx, f)
	if err != nil {
		return "", fmt.Errorf("collecting the file %q: %w", file, err)
	}
	if mediaType == "" {
		mediaType = mediaTypeOf(file)
	}
	return o.keep(Artifact{Name: name, Digest: d, Size: size, MediaType: mediaType})
}

// open opens a regular file of the folder. No part of its path may be a link: os.Root
// keeps links from leading out, but one that stays inside has a target that the
// program chose, and could be collected under a name that isn't its own. The file is
// looked at before it is opened, as opening a pipe would wait for ever. A file with a
// second name, a hard link, is refused: the other name may be outside of the folder.
func (o *outputs) open(name string) (*os.File, error) {
	var seen os.FileInfo
	parts := strings.Split(name, "/")
	for i := range parts {
		part := path.Join(parts[:i+1]...)
		info, err := o.root.Lstat(filepath.FromSlash(part))
		if err != nil {
			return nil, invalid("opening the file %q: %v", name, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, invalid("opening the file %q: %q is a link", name, part)
		}
		seen = info
	}
	if !seen.Mode().IsRegular() {
		hint := ""
		if seen.IsDir() {
			hint = "; a folder is collected by a path that ends with /"
		}
		return nil, invalid("opening the file %q: it is no regular file%s", name, hint)
	}
	if n := links(seen); n > 1 {
		return nil, invalid("opening the file %q: it has %d names (hard links); the program has to leave a copy", name, n)
	}
	f, err := o.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, invalid("opening the file %q: %v", name, err)
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(seen, opened) {
		f.Close()
		return nil, invalid("opening the file %q: it was exchanged while it was read", name)
	}
	return f, nil
}

func invalid(format string, args ...any) error {
	return &Failure{Type: TypeInvalidOutput, Message: fmt.Sprintf(format, args...)}
}

// mediaTypes has what scientific programs write. The system's table would differ from
// machine to machine.
var mediaTypes = map[string]string{
	".csv": "text/csv", ".tsv": "text/tab-separated-values", ".txt": "text/plain", ".log": "text/plain", ".md": "text/markdown",
	".json": "application/json", ".jsonl": "application/jsonl", ".yaml": "application/yaml", ".xml": "application/xml", ".html": "text/html",
	".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".tiff": "image/tiff", ".pdf": "application/pdf",
	".h5": "application/x-hdf5", ".hdf5": "application/x-hdf5", ".nc": "application/x-netcdf", ".parquet": "application/vnd.apache.parquet",
	".fits": "application/fits", ".cif": "chemical/x-cif", ".pdb": "chemical/x-pdb", ".xyz": "chemical/x-xyz",
	".zip": "application/zip", ".gz": "application/gzip", ".tar": "application/x-tar",
}

func mediaTypeOf(name string) string {
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/schemas"
)

// folder is a program's folder while it is made. Writing goes through an os.Root: no
// script's name leads out of it.
type folder struct {
	root  *os.Root
	blobs Blobs
}

func newFolder(dir string, blobs Blobs) (folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return folder{}, fmt.Errorf("opening the attempt's folder: %w", err)
	}
	if err := root.Mkdir("tmp", 0o700); err != nil {
		root.Close()
		return folder{}, fmt.Errorf("making the attempt's folder: %w", err)
	}
	return folder{root, blobs}, nil
}

func (f folder) close() { f.root.Close() }

// place writes the artifacts that the parameters name, and params.json with their
// paths, which it returns.
func (f folder) place(ctx context.Context, takes, params json.RawMessage) (json.RawMessage, error) {
	m, err := readMarks(takes)
	if err != nil {
		return nil, err
	}
	value, err := decode(params)
	if err != nil {
		return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	placed := make(map[canon.Digest]bool)
	value, err = m.replace(value, func(text, _ string) (string, error) {
		d, err := canon.Parse(text)
		if err != nil {
			return "", &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
		}
		name := path.Join("inputs", d.Hex())
		if placed[d] {
			return name, nil
		}
		placed[d] = true
		return name, f.write(ctx, name, d, 0o444)
	})
	if err != nil {
		return nil, err
	}
	seen, err := canon.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing params.json: %w", err)
	}
	if err := f.copy("params.json", bytes.NewReader(seen), 0o444); err != nil {
		return nil, fmt.Errorf("writing params.json: %w", err)
	}
	return seen, nil
}

// scripts writes the binding's files.
func (f folder) scripts(ctx context.Context, names []string, digests map[string]canon.Digest) error {
	for _, name := range names {
		d, ok := digests[name]
		if !ok {
			return fmt.Errorf("placing script %q: the task has no digest for it", name)
		}
		if err := checkArtifactName(name); err != nil {
			return fmt.Errorf("placing script %q: %w", name, err)
		}
		if top, _, _ := strings.Cut(name, "/"); slices.Contains(schemas.ReservedPaths, top) {
			return fmt.Errorf("placing script %q: the contract with programs takes that name", name)
		}
		if err := f.write(ctx, name, d, 0o555); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) write(ctx context.Context, name string, d canon.Digest, mode os.FileMode) error {
	r, err := f.blobs.Get(ctx, d)
	if err != nil {
		return fmt.Errorf("placing %q: %w", name, err)
	}
	err = f.copy(name, r, mode)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("placing %q: %w", name, err)
	}
	return nil
}

// copy makes a file and gives it its mode when it is whole.
func (f folder) copy(name string, r io.Reader, mode os.FileMode) error {
	if dir := path.Dir(name); dir != "." {
		if err := f.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// decode reads JSON without rounding numbers.
func decode(raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// findProgram looks a program up: a path as it is, relative to dir, and a name in the
// folders of search, those that are relative left out.
func findProgram(name, dir, search string) (string, error) {
	if strings.ContainsRune(name, '/') {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	for _, folder := range filepath.SplitList(search) {
		if file := filepath.Join(folder, name); filepath.IsAbs(folder) && executable(file) == nil {
			return file, nil
		}
	}
	return "", &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("there is no program %q in %q", name, search)}
}

func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("looking for the program: %v", err)}
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("looking for the program: %q is not executable", file)}
	}
	return nil
}

// searchPath is the PATH of a command's environment.
func searchPath(cmd *schemas.Command, standard string) string {
	search := standard
	if v, ok := cmd.Env["PATH"]; ok {
		search = v
	}
	for _, name := range cmd.Pass {
		if v, ok := os.LookupEnv(name); ok && name == "PATH" {
			search = v
		}
	}
	return search
}

package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// Get implements [Store].
func (f *Folder) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	r, err := f.get(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("opening blob %q: %w", d, err)
	}
	return r, nil
}

func (f *Folder) get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, packed := f.readPacked(f.blobPath(d)+packSuffix, row{digest: d})
	if packed == nil {
		return io.NopCloser(&contextReader{ctx, bytes.NewReader(value)}), nil
	}
	// A blob may be in the store both ways, and then either will do.
	r, err := f.getPlain(ctx, d)
	if errors.Is(err, ErrNotFound) {
		return nil, packed
	}
	return r, err
}

// readPacked takes one value out of a pack.
func (f *Folder) readPacked(path string, want row) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	found, err := readRow(file, info.Size(), want)
	if err != nil {
		return nil, damaged(want.name(), path, err)
	}
	value, err := found.read(file)
	if err != nil {
		return nil, damaged(want.name(), path, err)
	}
	return value, nil
}

func open(path string) (*os.File, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return file, err
}

// damaged tells a disk that doesn't answer from one that answers wrongly.
func damaged(name, path string, err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return err
	}
	return &CorruptError{Name: name, Path: path, Reason: err.Error()}
}

func (f *Folder) getPlain(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	path := f.blobPath(d)
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	r := &verifier{ctx: ctx, file: file, hash: sha256.New(), want: d, path: path}
	if info.Size() > copyBuffer {
		return r, nil
	}
	defer file.Close()
	value, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(&contextReader{ctx, bytes.NewReader(value)}), nil
}

// A verifier reads a plain file, and ends with io.EOF only if it is the blob.
type verifier struct {
	ctx  context.Context
	file *os.File
	hash hash.Hash
	want canon.Digest
	path string
}

func (v *verifier) Read(p []byte) (int, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := canon.Digest(v.hash.Sum(nil)); got != v.want {
			return n, &CorruptError{Name: v.want.String(), Path: v.path, Reason: mismatch(got)}
		}
	}
	return n, err
}

func (v *verifier) Close() error { return v.file.Close() }

// verify reads a whole blob.
func (f *Folder) verify(ctx context.Context, d canon.Digest) error {
	r, err := f.get(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Entry implements [Store].
func (f *Folder) Entry(ctx context.Context, key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, fmt.Errorf("reading an entry: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading entry %q: %w", key, err)
	}
	return f.entry(key)
}

func (f *Folder) entry(key string) ([]byte, error) {
	value, err := f.readPacked(f.entryPath(key), row{key: key})
	if err != nil {
		return nil, fmt.Errorf("reading entry %q: %w", key, err)
	}
	return value, nil
}

// List implements [Store]. It reads one directory at a time, and the names of
// each as they are when it gets there.
func (f *Folder) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if dir != "" && CheckKey(strings.TrimSuffix(dir, "/")) != nil {
			return // no key begins like that
		}
		f.walk(ctx, dir, prefix, yield)
	}
}

// walk yields the keys below dir, which is "" or ends with "/", and says
// whether to go on.
func (f *Folder) walk(ctx context.Context, dir, prefix string, yield func(string, error) bool) bool {
	stop := func(err error) bool {
		yield("", fmt.Errorf("listing entries %q: %w", prefix, err))
		return false
	}
	if err := ctx.Err(); err != nil {
		return stop(err)
	}
	found, err := os.ReadDir(f.path("entries", filepath.FromSlash(escape(dir))))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return stop(err)
	}
	// With its "/" a directory stands among the files where its keys belong.
	var names []string
	for _, file := range found {
		name, isFile := strings.CutSuffix(file.Name(), packSuffix)
		segment, ok := unescape(name)
		if !ok || isFile == file.IsDir() {
			continue // not ours
		}
		key := dir + segment
		if file.IsDir() {
			key += "/"
		}
		if strings.HasPrefix(key, prefix) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	for _, key := range names {
		below := strings.HasSuffix(key, "/")
		if below && !f.walk(ctx, key, prefix, yield) || !below && !yield(key, nil) {
			return false
		}
	}
	return true
}

// Package place reads files that are known by their digest and stay where they are.
//
// A file in place can be moved, edited or replaced by anybody, so that it is hashed
// whenever it is used, and bytes with another digest are never passed off as the file:
// a [MissingError] or a [ChangedError] says what is there instead. The package copies
// nothing and writes nothing, and its memory doesn't grow with the file.
package place

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"rlam/internal/canon"
)

// MissingError says that there is no file to be read at a place.
type MissingError struct {
	Path string
	Err  error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("the file %q can't be read: %v", e.Path, e.Err)
}

func (e *MissingError) Unwrap() error { return e.Err }

// ChangedError says that the file at a place has another digest than it had.
type ChangedError struct {
	Path      string
	Want, Got canon.Digest // Got is zero if it changed while it was read
}

func (e *ChangedError) Error() string {
	if e.Got.IsZero() {
		return fmt.Sprintf("the file %q changed while it was read", e.Path)
	}
	return fmt.Sprintf("the file %q has the digest %s, and not %s", e.Path, e.Got, e.Want)
}

// Check says whether there is a file at path that can be opened: a *MissingError if not.
func Check(path string) error {
	f, err := File(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// Sum is the digest of the file at path, and its size in bytes.
func Sum(ctx context.Context, path string) (canon.Digest, int64, error) {
	f, err := File(path)
	if err != nil {
		return canon.Digest{}, 0, err
	}
	defer f.Close()
	return sum(ctx, f)
}

// Open opens the file at path if its bytes have the digest want. They are hashed before
// the first is given out, because a reader may stop early, and again while they are
// read: a file that changes meanwhile ends with a *ChangedError in the place of io.EOF.
func Open(ctx context.Context, path string, want canon.Digest) (io.ReadCloser, error) {
	f, err := File(path)
	if err != nil {
		return nil, err
	}
	got, _, err := sum(ctx, f)
	if err == nil && got != want {
		err = &ChangedError{Path: path, Want: want, Got: got}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &verifier{ctx: ctx, file: f, hash: sha256.New(), want: want}, nil
}

// File opens the file at path as it is. What else may stand there, such as a pipe, could
// block, and is a *MissingError.
func File(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			err = at.Err // the path is said already
		}
		return nil, &MissingError{Path: path, Err: err}
	}
	return f, nil
}

func sum(ctx context.Context, f *os.File) (canon.Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, &reader{ctx, f})
	if err != nil {
		return canon.Digest{}, 0, fmt.Errorf("hashing the file %q: %w", f.Name(), err)
	}
	return canon.Digest(h.Sum(nil)), n, nil
}

// reader ends a long read when ctx is done.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// verifier reads a file, and ends with io.EOF only if it has the digest.
type verifier struct {
	ctx  context.Context
	file *os.File
	hash hash.Hash
	want canon.Digest
}

func (v *verifier) Read(p []byte) (int, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && !bytes.Equal(v.hash.Sum(nil), v.want[:]) {
		return n, &ChangedError{Path: v.file.Name(), Want: v.want}
	}
	return n, err
}

func (v *verifier) Close() error { return v.file.Close() }

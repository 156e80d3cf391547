package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// damage changes a file of a store, which is read-only.
func damage(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[i] ^= 1; return b }
}

func blobPath(f *store.Folder, blob []byte) string {
	return filepath.Join(f.Dir(), "blobs/sha256", canon.Sum(blob).Hex())
}

func isCorrupt(err error) bool {
	var corrupt *store.CorruptError
	return errors.As(err, &corrupt)
}

func TestNoByteOfAPackCanChangeUnseen(t *testing.T) {
	ctx := t.Context()
	f := openFolder(t, t.TempDir())
	blob, other, value := []byte("the blob"), []byte("another"), []byte("the value")
	if _, _, err := store.PutIfAbsent(ctx, f, "k/1", value, blob, other); err != nil {
		t.Fatal(err)
	}
	path := blobPath(f, blob) + "@p"
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, i int) (detected bool) {
		for name, read := range map[string]func() ([]byte, []byte, error){
			"blob": func() ([]byte, []byte, error) { b, err := store.Read(ctx, f, canon.Sum(blob), 99); return b, blob, err },
			"other": func() ([]byte, []byte, error) {
				b, err := store.Read(ctx, f, canon.Sum(other), 99)
				return b, other, err
			},
			"entry": func() ([]byte, []byte, error) { b, err := f.Entry(ctx, "k/1"); return b, value, err },
		} {
			got, want, err := read()
			if err == nil && !bytes.Equal(got, want) {
				t.Errorf("%s %d: %s reads %q", what, i, name, got)
			}
			if err != nil && !isCorrupt(err) {
				t.Errorf("%s %d: %s: %v; want a CorruptError", what, i, name, err)
			}
			detected = detected || err != nil
		}
		return detected
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write := func(b []byte, at int) {
		if _, err := file.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range whole {
		write([]byte{c ^ 1}, i)
		if !check("flipped byte", i) {
			t.Errorf("flipped byte %d of %q is not seen", i, whole)
		}
		if err := file.Truncate(int64(i)); err != nil {
			t.Fatal(err)
		}
		if !check("cut at", i) {
			t.Errorf("nobody sees that %q ends at %d", whole, i)
		}
		write(whole[i:], i)
	}
	if check("restored", 0) {
		t.Error("the pack isn't as it was")
	}
}

func TestAPackUnderAnotherNameIsCorrupt(t *testing.T) {
	f := openFolder(t, t.TempDir())
	if _, _, err := store.PutIfAbsent(t.Context(), f, "right", []byte("v"), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	wrong := []byte("another blob")
	for _, name := range []string{filepath.Join(f.Dir(), "entries/wrong@p"), blobPath(f, wrong) + "@p"} {
		if err := os.Link(filepath.Join(f.Dir(), "entries/right@p"), name); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := f.Entry(t.Context(), "wrong"); !isCorrupt(err) {
		t.Errorf("Entry = %q, %v", v, err)
	}
	if b, err := store.Read(t.Context(), f, canon.Sum(wrong), 99); !isCorrupt(err) {
		t.Errorf("Read = %q, %v", b, err)
	}
}

func TestADamagedPlainBlobNeverEnds(t *testing.T) {
	ctx := t.Context()
	for name, change := range map[string]func([]byte) []byte{
		"first byte": flip(0),
		"last byte":  func(b []byte) []byte { return flip(len(b) - 1)(b) },
		"cut":        func(b []byte) []byte { return b[:len(b)-1] },
		"empty":      func([]byte) []byte { return nil },
		"longer":     func(b []byte) []byte { return append(b, 0) },
	} {
		for _, size := range []int{5, 3 << 20} {
			f := openFolder(t, t.TempDir())
			blob := bytes.Repeat([]byte("b"), size)
			d, _, err := f.Put(ctx, bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			damage(t, blobPath(f, blob), change)
			r, err := f.Get(ctx, d)
			if err == nil {
				if size == 5 {
					t.Errorf("%s: a small blob is opened before it is verified", name)
				}
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			if !isCorrupt(err) {
				t.Errorf("%s of %d: %v; want a CorruptError", name, size, err)
			}
		}
	}
}

func TestACorruptBlobIsReplaced(t *testing.T) {
	put := func(ctx context.Context, f *store.Folder, blob []byte) error {
		_, _, err := f.Put(ctx, bytes.NewReader(blob))
		return err
	}
	commit := func(ctx context.Context, f *store.Folder, blob []byte) error {
		_, _, err := f.Commit(ctx, store.Batch{Blobs: [][]byte{blob}})
		return err
	}
	for name, write := range map[string][2]func(context.Context, *store.Folder, []byte) error{
		"put, put": {put, put}, "put, commit": {put, commit}, "commit, put": {commit, put}, "commit, commit": {commit, commit},
	} {
		for _, size := range []int{50, 3 << 20} {
			ctx := t.Context()
			f := openFolder(t, t.TempDir())
			blob := bytes.Repeat([]byte("b"), size)
			if err := write[0](ctx, f, blob); err != nil {
				t.Fatal(err)
			}
			for _, file := range files(t, f, "blobs/sha256") {
				damage(t, filepath.Join(f.Dir(), "blobs/sha256", file), func(b []byte) []byte { return flip(len(b) - 1)(b) })
			}
			if _, err := store.Read(ctx, f, canon.Sum(blob), 1<<30); !isCorrupt(err) {
				t.Fatalf("%s: the damage isn't seen: %v", name, err)
			}
			if err := write[1](ctx, f, blob); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if b, err := store.Read(ctx, f, canon.Sum(blob), 1<<30); err != nil || !bytes.Equal(b, blob) {
				t.Errorf("%s: after the second write %d bytes, %v", name, len(b), err)
			}
			if left := files(t, f, "tmp"); len(left) > 0 {
				t.Errorf("%s: left in tmp: %q", name, left)
			}
		}
	}
}

func TestACorruptEntryIsNotReplaced(t *testing.T) {
	ctx := t.Context()
	f := openFolder(t, t.TempDir())
	if _, _, err := store.PutIfAbsent(ctx, f, "k", []byte("value")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.Dir(), "entries/k@p")
	damage(t, path, func(b []byte) []byte { return flip(len(b) - 1)(b) })
	damaged, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Entry(ctx, "k"); !isCorrupt(err) {
		t.Errorf("Entry = %q, %v", v, err)
	}
	current, stored, err := store.PutIfAbsent(ctx, f, "k", []byte("value"))
	if !isCorrupt(err) || stored || current != nil {
		t.Errorf("PutIfAbsent = %q, %v, %v", current, stored, err)
	}
	if now, err := os.ReadFile(path); err != nil || !slices.Equal(now, damaged) {
		t.Errorf("the entry's file has changed: %q, %v", now, err)
	}
}

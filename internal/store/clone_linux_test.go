package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/test/need"
)

// copyOut copies a blob into a new file.
func copyOut(t *testing.T, f *store.Folder, d canon.Digest, path string) (*os.File, error) {
	t.Helper()
	r, err := f.Get(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	_, err = io.Copy(to, r)
	return to, err
}

// used is how many bytes of a file system are taken.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	syscall.Sync()
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// TestACopyIsTheBlob: what is copied out of the store can be changed without the blob, and a
// corrupt blob is found, whatever the file system does to make the copy.
func TestACopyIsTheBlob(t *testing.T) {
	t.Parallel()
	copiesAreBlobs(t, t.TempDir())
}

func copiesAreBlobs(t *testing.T, dir string) {
	f := openFolder(t, filepath.Join(dir, "store"))
	blob := make([]byte, 8<<20+5)
	rand.Read(blob)
	d, _, err := f.Put(t.Context(), bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	to, err := copyOut(t, f, d, filepath.Join(dir, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.WriteString("end"); err != nil { // where the copy ended
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to.Name()); err != nil || !bytes.Equal(got, append(bytes.Clone(blob), "end"...)) {
		t.Errorf("the copy has other bytes (%v)", err)
	}
	if _, err := to.WriteAt([]byte("changed"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Read(t.Context(), f, d, int64(len(blob))); err != nil {
		t.Errorf("after the copy was changed: %v", err)
	}
	path := blobPath(f, blob)
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, append([]byte("x"), blob[1:]...), 0o600)); err != nil {
		t.Fatal(err)
	}
	var corrupt *store.CorruptError
	if _, err := copyOut(t, f, d, filepath.Join(dir, "another")); !errors.As(err, &corrupt) {
		t.Errorf("copying a corrupt blob: %v", err)
	}
}

// TestACopyTakesNoSpaceWhereFilesCanBeCloned makes a file system that can, in a file.
func TestACopyTakesNoSpaceWhereFilesCanBeCloned(t *testing.T) {
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20), os.Mkdir(at, 0o700)); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(need.Program(t, "mkfs.btrfs"), "--quiet", image).CombinedOutput(); err != nil {
		t.Fatalf("making a file system: %v: %s", err, said)
	}
	said, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput()
	if err != nil {
		t.Logf("mounting it: %v: %s", err, said)
	}
	need.Need(t, "root, to mount a file system in a file", err == nil)
	t.Cleanup(func() { syscall.Unmount(at, 0) }) // after what is open in it was closed
	copiesAreBlobs(t, at)

	f := openFolder(t, filepath.Join(at, "store"))
	d, _, err := f.Put(t.Context(), io.LimitReader(rand.Reader, 32<<20))
	if err != nil {
		t.Fatal(err)
	}
	before := used(t, at)
	if _, err := copyOut(t, f, d, filepath.Join(at, "large")); err != nil {
		t.Fatal(err)
	}
	if n := used(t, at) - before; n > 8<<20 {
		t.Errorf("a copy of 32 MiB took %d bytes", n)
	}
}

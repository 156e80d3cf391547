package store_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/test/need"
)

// TestAFullDisk fills a small file system, makes it larger, and goes on.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("rlam-test", dir, "tmpfs", 0, "size=256k")
	need.Need(t, "root, to mount a small tmpfs", err == nil)
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	f := openFolder(t, dir)

	blob := make([]byte, 8<<10)
	var kept []canon.Digest
	var full error
	for full == nil {
		rand.Read(blob)
		if len(kept) > 100 {
			t.Fatal("the disk doesn't fill")
		}
		if _, _, full = f.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); full == nil {
			kept = append(kept, canon.Sum(blob))
		}
	}
	if !errors.Is(full, syscall.ENOSPC) || !strings.Contains(full.Error(), "no space left in the store") {
		t.Errorf("Commit: %v", full)
	}
	_, _, err = f.Put(t.Context(), io.LimitReader(rand.Reader, 1<<20))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left in the store") {
		t.Errorf("Put: %v", err)
	}
	if left := files(t, f, "tmp"); len(left) > 0 {
		t.Errorf("left in tmp: %q", left)
	}

	if err := syscall.Mount("rlam-test", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	for _, d := range append(kept, canon.Sum(blob)) {
		if _, err := store.Read(t.Context(), f, d, 1<<20); err != nil {
			t.Error(err)
		}
	}
}

// TestALargeBatchIsSeveralPacks keeps below the names that a file may have.
func TestALargeBatchIsSeveralPacks(t *testing.T) {
	f := openFolder(t, t.TempDir())
	var b store.Batch
	for i := range 1100 {
		b.Blobs = append(b.Blobs, fmt.Append(nil, i))
	}
	if _, _, err := f.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	packs := map[uint64]bool{}
	for _, blob := range b.Blobs {
		var info syscall.Stat_t
		if err := syscall.Stat(blobPath(f, blob)+"@p", &info); err != nil {
			t.Fatal(err)
		}
		if info.Nlink > 1000 {
			t.Fatalf("a pack has %d names", info.Nlink)
		}
		packs[info.Ino] = true
	}
	if len(packs) > 10 {
		t.Errorf("1100 blobs are in %d packs", len(packs))
	}
}

package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rlam/internal/store"
	"rlam/internal/store/storetest"
)

func TestFolder(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return openFolder(t, t.TempDir()) })
}

func TestMem(t *testing.T) {
	storetest.Test(t, func(*testing.T) store.Store { return &store.Mem{} })
}

func TestFolderStreams2GB(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 2 GB")
	}
	storetest.Stream(t, openFolder(t, t.TempDir()), 2<<30)
}

func openFolder(t testing.TB, dir string) *store.Folder {
	t.Helper()
	f, err := store.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// files is the names in a directory of a store.
func files(t *testing.T, f *store.Folder, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(f.Dir(), dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		names = append(names, file.Name())
	}
	return names
}

// BenchmarkCommit compares what an activity writes in one pack, five blobs and
// an entry, with the same in a synced file for each.
func BenchmarkCommit(b *testing.B) {
	batch := func(i int) (batch store.Batch) {
		for j := range 5 {
			batch.Blobs = append(batch.Blobs, bytes.Repeat(fmt.Appendf(nil, "%d.%d ", i, j), 200))
		}
		batch.Entries = []store.Entry{{Key: fmt.Sprintf("journal/%d", i), Value: []byte("done")}}
		return batch
	}
	b.Run("pack", func(b *testing.B) {
		f := openFolder(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			if _, _, err := f.Commit(b.Context(), batch(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("files", func(b *testing.B) {
		f := openFolder(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			batch := batch(i)
			for _, blob := range batch.Blobs {
				if _, _, err := f.Put(b.Context(), bytes.NewReader(blob)); err != nil {
					b.Fatal(err)
				}
			}
			if _, _, err := f.Commit(b.Context(), store.Batch{Entries: batch.Entries}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("packs at once", func(b *testing.B) {
		f := openFolder(b, b.TempDir())
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := f.Commit(b.Context(), batch(int(next.Add(1)))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

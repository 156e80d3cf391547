package place_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/place"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileIsOpenedIfItIsTheSame(t *testing.T) {
	t.Parallel()
	path := write(t, "x,y\n1,2\n")
	d, size, err := place.Sum(t.Context(), path)
	if err != nil || d != canon.Sum([]byte("x,y\n1,2\n")) || size != 8 {
		t.Fatalf("%s, %d bytes, %v", d, size, err)
	}
	r, err := place.Open(t.Context(), path, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "x,y\n1,2\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAnotherFileIsNotOpened(t *testing.T) {
	t.Parallel()
	path, want := write(t, "after"), canon.Sum([]byte("before"))
	_, err := place.Open(t.Context(), path, want)
	var changed *place.ChangedError
	if !errors.As(err, &changed) || changed.Want != want || changed.Got != canon.Sum([]byte("after")) || changed.Path != path {
		t.Errorf("%v", err)
	}
}

// A large file is given out in parts, and may change between two of them.
func TestAFileThatChangesWhileItIsReadDoesNotEnd(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	path := write(t, text)
	r, err := place.Open(t.Context(), path, canon.Sum([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("X"), 5000); err != nil {
		t.Fatal(err)
	}
	var changed *place.ChangedError
	if _, err := io.Copy(io.Discard, r); !errors.As(err, &changed) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoFileIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, path := range map[string]string{
		"nothing": filepath.Join(dir, "none"), "a folder": dir, "below a file": filepath.Join(write(t, ""), "x"), "a device": os.DevNull,
	} {
		var missing *place.MissingError
		_, _, err := place.Sum(t.Context(), path)
		if !errors.As(err, &missing) || missing.Path != path || strings.Count(err.Error(), path) != 1 {
			t.Errorf("hashing %s: %v", name, err)
		}
		if err := place.Check(path); !errors.As(err, &missing) {
			t.Errorf("checking %s: %v", name, err)
		}
		if _, err := place.Open(t.Context(), path, canon.Digest{}); !errors.As(err, &missing) {
			t.Errorf("opening %s: %v", name, err)
		}
	}
}

func TestHashingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := place.Sum(ctx, write(t, "text")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Not parallel: it looks at what the whole process allocates.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	path := write(t, "")
	const size = 64 << 20 // a file with a hole: it takes no room on the disk
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, n, err := place.Sum(t.Context(), path)
	if err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	r, err := place.Open(t.Context(), path, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", grown, size)
	}
}

package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rlam/internal/canon"
	"rlam/internal/store"
)

func TestThePackageCommentShowsARealPack(t *testing.T) {
	f := openFolder(t, t.TempDir())
	blob := []byte(`{"a":1}`)
	if _, _, err := store.PutIfAbsent(t.Context(), f, "journal/demo", []byte("done"), blob); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(blobPath(f, blob) + "@p")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("store.go")
	if err != nil {
		t.Fatal(err)
	}
	comment := "//\t" + strings.ReplaceAll(string(got), "\n", "\n//\t") + "\n"
	if !bytes.Contains(source, []byte(comment)) {
		t.Errorf("the package comment doesn't have\n%s", comment)
	}
	a, err := os.Stat(blobPath(f, blob) + "@p")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(filepath.Join(f.Dir(), "entries/journal/demo@p"))
	if err != nil || !os.SameFile(a, b) || a.Mode().Perm()&0o222 != 0 {
		t.Errorf("%v and %v (%v) are not one read-only file", a, b, err)
	}
}

func TestReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	if _, _, err := store.PutIfAbsent(t.Context(), openFolder(t, dir), "k", []byte("v"), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	f := openFolder(t, dir)
	if v, err := f.Entry(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("Entry = %q, %v", v, err)
	}
	if b, err := store.Read(t.Context(), f, canon.Sum([]byte("blob")), 9); err != nil || string(b) != "blob" {
		t.Errorf("Read = %q, %v", b, err)
	}
	if left := append(files(t, f, "tmp"), files(t, f, "locks")...); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestOpenRefusesAnotherFormat(t *testing.T) {
	for format, want := range map[string]string{
		"rlam store 2\n": "version 2",
		"something else": "no store of R-LAM",
		"":               "no store of R-LAM",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "format"), []byte(format), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := store.OpenFolder(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("format %q: %v; want it to say %q and the directory", format, err, want)
		}
		if found, err := os.ReadDir(dir); err != nil || len(found) != 1 {
			t.Errorf("format %q: the directory was changed: %v, %v", format, found, err)
		}
	}
}

func TestOpenRefusesAFileSystemWithoutHardLinks(t *testing.T) {
	refuse := func(oldname, newname string) error {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: syscall.EPERM}
	}
	dir := t.TempDir()
	_, err := store.OpenOn(dir, (*os.File).Sync, refuse)
	if err == nil || !strings.Contains(err.Error(), "hard links: keep the store on a local disk") {
		t.Errorf("OpenFolder: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "format")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store was made all the same: %v", err)
	}
}

func TestOpenSweepsWhatTheDeadLeft(t *testing.T) {
	f := openFolder(t, t.TempDir())
	unlock, err := f.Lock(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	held := files(t, f, "locks")[0]
	dead := canon.Sum([]byte("dead")).Hex()
	old, young := time.Now().Add(-25*time.Hour), time.Now().Add(-23*time.Hour)
	for name, at := range map[string]time.Time{
		"tmp/rlam-old": old, "tmp/rlam-young": young, "tmp/yours": old,
		"locks/" + dead: old, "locks/yours": old, "locks/" + held: old,
	} {
		path := filepath.Join(f.Dir(), name)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	openFolder(t, f.Dir())
	if got, want := files(t, f, "tmp"), []string{"rlam-young", "yours"}; !slices.Equal(got, want) {
		t.Errorf("tmp has %q; want %q", got, want)
	}
	if got, want := files(t, f, "locks"), []string{held, "yours"}; !slices.Equal(got, want) {
		t.Errorf("locks has %q; want %q", got, want)
	}
}

// TestNamesComeAfterTheirBytes watches the disk: no file has a name before it
// is synced, blobs have theirs before entries, and each directory that got a
// name is synced before Commit returns, once.
func TestNamesComeAfterTheirBytes(t *testing.T) {
	var mu sync.Mutex
	var events []string
	note := func(kind, path string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, kind+" "+path)
	}
	dir := t.TempDir()
	relative := func(path string) string {
		r, err := filepath.Rel(dir, path)
		if err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(r, "tmp/") {
			return "tmp/*"
		}
		return r
	}
	f, err := store.OpenOn(dir,
		func(file *os.File) error { note("sync", relative(file.Name())); return file.Sync() },
		func(oldname, newname string) error { note("link", relative(newname)); return os.Link(oldname, newname) })
	if err != nil {
		t.Fatal(err)
	}
	blob := func(s string) string { return "blobs/sha256/" + canon.Sum([]byte(s)).Hex() }
	commit := store.Batch{
		Blobs:   [][]byte{[]byte("1"), []byte("2")},
		Entries: []store.Entry{{Key: "a/b/2"}, {Key: "a/1"}},
	}
	linked := []string{"sync tmp/*", "link " + blob("1") + "@p", "link " + blob("2") + "@p", "link entries/a/b/2@p", "link entries/a/1@p"}
	for _, c := range []struct {
		what    string
		do      func() error
		ordered []string // then, in any order:
		rest    []string
	}{
		{
			"first", func() error { _, _, err := f.Commit(t.Context(), commit); return err },
			linked,
			[]string{"sync blobs/sha256", "sync entries", "sync entries/a", "sync entries/a/b"},
		},
		{
			// Nothing to write, but another process may have written it, and not synced yet.
			"again", func() error { _, _, err := f.Commit(t.Context(), commit); return err },
			nil,
			[]string{"sync blobs/sha256", "sync entries/a", "sync entries/a/b"},
		},
		{
			"blob", func() error { _, _, err := f.Put(t.Context(), strings.NewReader("3")); return err },
			[]string{"sync tmp/*"},
			[]string{"sync blobs/sha256"},
		},
	} {
		events = nil
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		n := min(len(c.ordered), len(events))
		slices.Sort(events[n:])
		if want := append(slices.Clone(c.ordered), c.rest...); !slices.Equal(events, want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(events, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestADiskThatFailsNamesNothing(t *testing.T) {
	for _, disk := range []error{syscall.ENOSPC, syscall.EIO} {
		dir := t.TempDir()
		openFolder(t, dir)
		opened := false
		f, err := store.OpenOn(dir, func(file *os.File) error {
			if opened {
				return &fs.PathError{Op: "sync", Path: file.Name(), Err: disk}
			}
			return file.Sync()
		}, os.Link)
		if err != nil {
			t.Fatal(err)
		}
		opened = true
		_, _, putErr := f.Put(t.Context(), strings.NewReader("plain"))
		_, _, commitErr := store.PutIfAbsent(t.Context(), f, "k", []byte("v"), []byte("blob"))
		for _, err := range []error{putErr, commitErr} {
			if !errors.Is(err, disk) {
				t.Errorf("%v; want %v", err, disk)
			}
			says := strings.Contains(err.Error(), "no space left in the store") && strings.Contains(err.Error(), "nothing recorded is lost")
			if says != (disk == syscall.ENOSPC) {
				t.Errorf("%v says: %v", disk, err)
			}
		}
		again := openFolder(t, dir)
		if left := append(append(files(t, again, "tmp"), files(t, again, "blobs/sha256")...), files(t, again, "entries")...); len(left) > 0 {
			t.Errorf("after %v there is %q", disk, left)
		}
		if _, stored, err := store.PutIfAbsent(t.Context(), again, "k", []byte("v"), []byte("blob")); err != nil || !stored {
			t.Errorf("resumed after %v: %v, %v", disk, stored, err)
		}
	}
}

package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/provenance/bundle"
)

// entry is one entry of an archive that a test makes.
type entry struct {
	name string
	text string
	mode fs.FileMode // a file's, if 0
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o644)
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func written(t testing.TB, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "run.zip")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// Whatever an archive says, nothing of it may end up outside, take another's place, or use
// up the machine: it is refused before anything is read, and the entry is named.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	good := entry{name: "run/bagit.txt"}
	for _, c := range []struct {
		name    string
		entries []entry
		limits  bundle.Limits
		entry   string // that the error names
		want    string
	}{
		{"parent", []entry{good, {name: "run/../../etc/passwd"}}, bundle.Limits{}, "run/../../etc/passwd", "not a clean relative path"},
		{"absolute", []entry{{name: "/etc/passwd"}}, bundle.Limits{}, "/etc/passwd", "not a clean relative path"},
		{"backslash", []entry{good, {name: `run/..\..\x`}}, bundle.Limits{}, `run/..\\..\\x`, "backslash"},
		{"drive", []entry{good, {name: `C:\x`}}, bundle.Limits{}, `C:\\x`, "backslash"},
		{"control", []entry{good, {name: "run/a\nb"}}, bundle.Limits{}, `run/a\nb`, "control character"},
		{"dot", []entry{good, {name: "run/./a"}}, bundle.Limits{}, "run/./a", "not a clean relative path"},
		{"link", []entry{good, {name: "run/l", text: "/etc/passwd", mode: fs.ModeSymlink | 0o777}}, bundle.Limits{}, "run/l", "it is no file"},
		{"device", []entry{good, {name: "run/d", mode: fs.ModeDevice | 0o666}}, bundle.Limits{}, "run/d", "it is no file"},
		{"pipe", []entry{good, {name: "run/p", mode: fs.ModeNamedPipe | 0o666}}, bundle.Limits{}, "run/p", "it is no file"},
		{"twice", []entry{good, {name: "run/a"}, {name: "run/a"}}, bundle.Limits{}, "run/a", "two of the name"},
		{"case", []entry{good, {name: "run/a"}, {name: "run/A"}}, bundle.Limits{}, "run/A", "two of the name"},
		{"file and folder", []entry{good, {name: "run/a"}, {name: "run/a/b"}}, bundle.Limits{}, "run/a/b", `"run/a" is a file`},
		{"two folders", []entry{good, {name: "other/bagit.txt"}}, bundle.Limits{}, "other/bagit.txt", "in one folder"},
		{"no folder", []entry{{name: "bagit.txt"}}, bundle.Limits{}, "bagit.txt", "in one folder"},
		{"count", []entry{good, {name: "run/a"}, {name: "run/b"}}, bundle.Limits{Files: 2}, "", "3 entries, and 2 is the most"},
		{"size", []entry{good, {name: "run/a", text: strings.Repeat("x", 101)}}, bundle.Limits{Bytes: 100}, "run/a", "more than 100 bytes"},
		{"ratio", []entry{good, {name: "run/zeros", text: strings.Repeat("\x00", 2<<20)}}, bundle.Limits{Ratio: 100}, "run/zeros", "unpack to 2097152"},
		{"empty", nil, bundle.Limits{}, "", "it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := bundle.Open(t.Context(), written(t, archive(t, c.entries...)), c.limits)
			var hostile *bundle.HostileError
			if !errors.As(err, &hostile) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.entry) {
				t.Errorf("got %v, want a refusal of %q: %s", err, c.entry, c.want)
			}
		})
	}
}

// Headers that lie about sizes are found when the file is read, at the latest.
func TestLyingHeaders(t *testing.T) {
	t.Parallel()
	whole := archive(t, entry{name: "run/bagit.txt", text: "x"}, entry{name: "run/data/bundle.json", text: `{"format":"rlam.bundle.v1"}`})
	name := []byte("run/data/bundle.json")
	at := bytes.LastIndex(whole, name) - 46 // the header in the directory
	for _, c := range []struct {
		field string
		off   int
		value []byte
	}{
		{"uncompressed size", 24, []byte{1, 0, 0, 0}},
		{"uncompressed size of another archive", 24, []byte{0xff, 0xff, 0xff, 0xff}},
		{"compressed size", 20, []byte{1, 0, 0, 0}},
		{"offset", 42, []byte{0, 0, 0, 0}},
		{"checksum", 16, []byte{1, 2, 3, 4}},
	} {
		t.Run(c.field, func(t *testing.T) {
			t.Parallel()
			lying := bytes.Clone(whole)
			copy(lying[at+c.off:], c.value)
			if b, err := bundle.Open(t.Context(), written(t, lying), bundle.Limits{}); err == nil {
				b.Close()
				t.Error("it was opened")
			}
		})
	}
}

func TestWhatIsNoBundle(t *testing.T) {
	t.Parallel()
	newer := archive(t, entry{name: "run/bagit.txt"}, entry{name: "run/data/bundle.json", text: `{"format":"rlam.bundle.v9"}`})
	_, err := bundle.Open(t.Context(), written(t, newer), bundle.Limits{})
	var format *bundle.FormatError
	if !errors.As(err, &format) || format.Format != "rlam.bundle.v9" {
		t.Errorf("got %v of a newer format", err)
	}
	for _, entries := range [][]entry{{{name: "a/b"}}, {{name: "a/data/bundle.json", text: "{"}}} {
		if _, err := bundle.Open(t.Context(), written(t, archive(t, entries...)), bundle.Limits{}); err == nil {
			t.Errorf("%v was opened", entries)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bagit.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = bundle.Open(t.Context(), dir, bundle.Limits{})
	var hostile *bundle.HostileError
	if !errors.As(err, &hostile) || hostile.Entry != "etc" {
		t.Errorf("got %v of a folder with a link", err)
	}
}

// FuzzOpen opens whatever it is given, and reads what it could open to its end.
func FuzzOpen(f *testing.F) {
	f.Add(archive(f, entry{name: "run/bagit.txt"}, entry{name: "run/data/bundle.json", text: `{"format":"rlam.bundle.v1","entries":[{"key":"journal/a","value":"x"}]}`}))
	f.Add(archive(f, entry{name: "../a"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx := context.Background()
		b, err := bundle.Open(ctx, written(t, raw), bundle.Limits{Files: 1000, Bytes: 1 << 20})
		if err != nil {
			return
		}
		defer b.Close()
		for _, name := range b.Files() {
			if strings.Contains(name, "..") && !fs.ValidPath(name) {
				t.Errorf("it has the file %q", name)
			}
		}
		if err := b.CheckBag(ctx, func(bundle.Fault) {}); err != nil {
			t.Error(err)
		}
		for key := range b.Store.List(ctx, "") {
			_, _ = b.Store.Entry(ctx, key)
		}
		_ = fmt.Sprint(b.Absences(bundle.Withheld))
	})
}

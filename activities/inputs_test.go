package activities

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// TestWhereACallGetsItsInputs looks at all ways to keep one file, with and without its
// bytes in the store.
func TestWhereACallGetsItsInputs(t *testing.T) {
	t.Parallel()
	text := []byte("a,b\n1,2\n")
	d := canon.Sum(text)
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(changed, []byte("a,b\n1,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	copied := record.Input{Artifact: record.Artifact{Name: "data", Digest: d}}
	kept := func(name string, how record.Keep, path string) record.Input {
		return record.Input{Artifact: record.Artifact{Name: name, Digest: d}, Keep: how, Path: path}
	}
	here, other, gone := kept("data", record.KeepReference, path), kept("data", record.KeepReference, changed), kept("data", record.KeepReference, path+".gone")
	none := kept("data", record.KeepDigest, "")
	asInput := []record.Use{{From: "input", Pointer: "/data", At: "/handle"}}
	asOutput := []record.Use{{From: "1.1", Pointer: "/file", At: "/handle"}}
	for name, c := range map[string]struct {
		inputs []record.Input
		uses   []record.Use
		stored bool   // the store has the bytes
		fails  string // type of the failure
	}{
		"a copy":                                     {inputs: []record.Input{copied}, uses: asInput, stored: true},
		"in its place":                               {inputs: []record.Input{here}, uses: asInput},
		"in its place, all inputs":                   {inputs: []record.Input{here}, uses: []record.Use{{From: "input"}}},
		"in its place, typed by hand":                {inputs: []record.Input{here}},
		"missing":                                    {inputs: []record.Input{gone}, uses: asInput, fails: TypeInputMissing},
		"missing, and in the store":                  {inputs: []record.Input{gone}, uses: asInput, stored: true, fails: TypeInputMissing},
		"changed":                                    {inputs: []record.Input{other}, uses: asInput, fails: TypeInputChanged},
		"changed, and in the store":                  {inputs: []record.Input{other}, uses: asInput, stored: true, fails: TypeInputChanged},
		"changed, but a call made the same":          {inputs: []record.Input{other}, uses: asOutput, stored: true},
		"not kept":                                   {inputs: []record.Input{none}, uses: asInput, fails: TypeInputNotKept},
		"not kept, and in the store":                 {inputs: []record.Input{none}, uses: asInput, stored: true, fails: TypeInputNotKept},
		"not kept, but a call made the same":         {inputs: []record.Input{none}, uses: asOutput, stored: true},
		"not kept, and typed by hand":                {inputs: []record.Input{none}, fails: TypeInputNotKept},
		"not kept, and in its place by another name": {inputs: []record.Input{none, kept("again", record.KeepReference, path)}, uses: asInput},
		"not kept, and copied by another name":       {inputs: []record.Input{none, {Artifact: record.Artifact{Name: "again", Digest: d}}}, uses: asInput, stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store.Mem{}
			if c.stored {
				if _, _, err := s.Put(t.Context(), bytes.NewReader(text)); err != nil {
					t.Fatal(err)
				}
			}
			blobs := newInputBlobs(s, c.inputs, c.uses)
			if blobs == nil {
				blobs = s
			}
			r, err := blobs.Get(t.Context(), d)
			var f *executor.Failure
			if c.fails != "" {
				if !errors.As(err, &f) || f.Type != c.fails || !strings.Contains(f.Message, `input "data"`) {
					t.Errorf("%v, want %s", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, text) {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// What is no input is the store's to give or to miss.
func TestOtherArtifactsComeFromTheStore(t *testing.T) {
	t.Parallel()
	inputs := []record.Input{{Artifact: record.Artifact{Name: "data", Digest: canon.Sum([]byte("data"))}, Keep: record.KeepDigest}}
	_, err := newInputBlobs(&store.Mem{}, inputs, nil).Get(t.Context(), canon.Sum([]byte("else")))
	var f *executor.Failure
	if !errors.Is(err, store.ErrNotFound) || errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

// A file that changes while an action reads it fails the attempt, not the worker.
func TestAnInputThatChangesWhileItIsReadIsAFailure(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("0123456789"), 1000)
	path := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d := canon.Sum(text)
	in := record.Input{Artifact: record.Artifact{Name: "data", Digest: d}, Keep: record.KeepReference, Path: path}
	r, err := newInputBlobs(&store.Mem{}, []record.Input{in}, []record.Use{{From: "input"}}).Get(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(path, 5000); err != nil {
		t.Fatal(err)
	}
	var f *executor.Failure
	if _, err := io.Copy(io.Discard, r); !errors.As(err, &f) || f.Type != TypeInputChanged {
		t.Errorf("%v", err)
	}
}

// TestOrigin shows what the planner is told of an input.
func TestOrigin(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]record.Input{
		"": {},
		"It was made before R-LAM, and no record shows how. Source: a book.": {Given: &record.Given{Source: "a  book."}},
		"It was made before R-LAM, and no record shows how. Source: a book. To be cited as: Book 1987. Only its digest is kept, so that no action can read it.": {
			Given: &record.Given{Source: "a book", Citation: "Book 1987"}, Keep: record.KeepDigest,
		},
		"It comes from another run, one: /table of its result.": {From: &record.Origin{ID: "one", Output: "/table"}},
		"It comes from another run, one: its whole result. That run was not completed (limit_reached): take it as partial.": {
			From: &record.Origin{ID: "one", Ended: record.LimitReached},
		},
		"It comes from another run, one: the artifact 1.1/a.csv.": {From: &record.Origin{ID: "one", Output: "1.1/a.csv"}},
	} {
		if got := origin(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

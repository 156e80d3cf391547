package tree_test

import (
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/tree"
)

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestManifestIsCanonical(t *testing.T) {
	m := tree.New()
	for _, name := range []string{"b", "a/x"} {
		if err := m.Add(name, tree.File{Digest: canon.Sum(nil), Executable: name == "b"}); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := m.Encode()
	want := `{"files":{"a/x":{"digest":"` + empty + `","size":0},"b":{"digest":"` + empty + `","executable":true,"size":0}},"format":"rlam.tree.v1"}`
	if err != nil || string(raw) != want {
		t.Fatalf("manifest %s, %v; want %s", raw, err, want)
	}
	back, err := tree.Decode(raw)
	if err != nil || strings.Join(back.Paths(), " ") != "a/x b" || len(back.Digests()) != 1 {
		t.Errorf("read back %v, %d digests, %v", back.Paths(), len(back.Digests()), err)
	}
}

func TestHostilePathsAreRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "/x", "a//b", "a/./b", "a/../b", "a/", `a\b`, "a\nb", "a\x00b", "a\u0085b", "\xff", strings.Repeat("x", 1025)} {
		if err := tree.New().Add(name, tree.File{}); err == nil {
			t.Errorf("%q was added", name)
		}
	}
}

func TestManifestsThatWereNotWrittenHereAreRefused(t *testing.T) {
	file := `{"digest":"` + empty + `","size":0}`
	for raw, word := range map[string]string{
		`{}`:   "format",
		`[1]`:  "reading a tree",
		`x,y`:  "reading a tree",
		`null`: "format",
		`{"files":{"../x":` + file + `},"format":"rlam.tree.v1"}`:                 "clean relative path",
		`{"files":{"a":` + file + `,"a/b":` + file + `},"format":"rlam.tree.v1"}`: "below it",
		`{"files":{}, "format":"rlam.tree.v1"}`:                                   "canonically",
		`{"files":{},"format":"rlam.tree.v1","more":1}`:                           "canonically",
		`{"FILES":{},"format":"rlam.tree.v1"}`:                                    "canonically",
		`{"files":{},"files":{},"format":"rlam.tree.v1"}`:                         "canonically",
	} {
		if _, err := tree.Decode([]byte(raw)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want a word of %q", raw, err, word)
		}
	}
}

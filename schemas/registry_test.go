package schemas_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/schemas"
)

// folderOf writes files below a temporary folder, and gives its path.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func versioned(name, version, summary string) string {
	return strings.NewReplacer("lab.scale", name, "1.0.0", version, "Multiplies.", summary).Replace(soundAction)
}

func TestResolve(t *testing.T) {
	registry, err := schemas.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	dir := folderOf(t, map[string]string{
		"study.yaml":        "actions:\n  - x\n",
		"scale.yaml":        versioned("lab.scale", "1.0.0", "Multiplies."),
		"again.yaml":        "# the same\n" + versioned("lab.scale", "1.0.0", "Multiplies."),
		"changed.yaml":      versioned("lab.scale", "1.0.0", "Divides."),
		"newer.yaml":        versioned("lab.scale", "1.1.0", "Multiplies."),
		"broken.yaml":       "nmae: x\n",
		"actions/one.yaml":  versioned("lab.one", "1.0.0", "One."),
		"actions/two.json":  `{"name":"lab.two","version":"2","summary":"Two.","params":{"type":"object"},"returns":{},"reproducibility":{"default":"unrepeatable"},"effects":"external","run":{"builtin":"b"}}`,
		"actions/notes.txt": "not an action",
		"empty/README.md":   "nothing here",
	})
	for _, c := range []struct {
		names []string
		want  string // names found, or a part of the problem
	}{
		{[]string{"table.describe", "scale.yaml"}, "lab.scale table.describe"},
		{[]string{"table.describe@1.0.0"}, "table.describe"},
		{[]string{"./scale.yaml", "actions/"}, "lab.one lab.scale lab.two"},
		{[]string{"actions"}, "lab.one lab.two"},
		{[]string{"scale.yaml", "again.yaml"}, "lab.scale"},
		{[]string{"scale.yaml", "changed.yaml"}, `/actions/1: two different specs of action "lab.scale@1.0.0"`},
		{[]string{"scale.yaml", "newer.yaml"}, `"lab.scale@1.0.0" and "lab.scale@1.1.0" would both be called "lab.scale"`},
		{[]string{"tabel.describe"}, `no action is called "tabel.describe" (did you mean "table.describe"?)`},
		{[]string{"table.describe@9"}, `no action is called "table.describe@9" (did you mean "table.describe`},
		{[]string{"missing.yaml"}, `reading "missing.yaml"`},
		{[]string{"empty/"}, `the folder "empty/" holds no action files`},
		{[]string{"broken.yaml"}, `/nmae: there is no such property`},
	} {
		study := &schemas.LoadedStudy{Path: filepath.Join(dir, "study.yaml"), Study: schemas.Study{Actions: schemas.List(c.names...)}}
		found, ps := registry.Resolve(study)
		var names []string
		for name := range found {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " ") + ps.Error(); got != c.want && (len(ps) == 0 || !strings.Contains(got, c.want)) {
			t.Errorf("%q: %s; want %s", c.names, got, c.want)
		}
	}
}

func TestRegistryRefusesTwoMeaningsOfOneName(t *testing.T) {
	parse := func(text string) *schemas.Bound {
		b, ps := schemas.ParseAction("a.yaml", []byte(text), nil)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		return b
	}
	var r schemas.Registry
	if err := r.Add(parse(soundAction), parse(soundAction), parse(versioned("lab.scale", "1.10.0", "New.")), parse(versioned("lab.scale", "1.9.0", "Old."))); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Find("lab.scale"); err != nil || b.Action.Version != "1.10.0" {
		t.Errorf("the highest version is %v, %v", b, err)
	}
	digest := r.Digest()
	for _, text := range []string{strings.Replace(soundAction, "Multiplies.", "Divides.", 1), strings.Replace(soundAction, "builtin: lab.scale", "builtin: other", 1)} {
		if err := r.Add(parse(text)); err == nil {
			t.Error("a second meaning was added")
		}
	}
	if r.Digest() != digest || len(r.All()) != 3 {
		t.Error("a refused action changed the registry")
	}
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// begins matches a command of a script that begins a run under an id.
var begins = regexp.MustCompile(`(?m)^(?:\[.*\] )?exec .*starter .*--id ([^ \n]+)`)

// TestScriptIDs: no two scripts begin runs under the same id. They run at the same time and
// share a server, on which an id that is in use is refused.
func TestScriptIDs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	from := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range begins.FindAllSubmatch(text, -1) {
			id := string(m[1])
			if other := from[id]; other != "" && other != file {
				t.Errorf("%s and %s both begin a run %q", other, file, id)
			}
			from[id] = file
		}
	}
}

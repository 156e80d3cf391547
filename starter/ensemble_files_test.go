package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rlam/provenance/ensemble"
)

// TestReportFiles writes a report to all that it can be written to, and nothing over a file
// that is there.
func TestReportFiles(t *testing.T) {
	t.Parallel()
	r, err := ensemble.Summarise(halfLives(24), ensemble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := reportFiles{filepath.Join(dir, "members.csv"), filepath.Join(dir, "report.html"), filepath.Join(dir, "figures")}
	if err := files.check(); err != nil {
		t.Fatal(err)
	}
	if err := files.write(r); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(files.figures)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"converged.png", "converged.svg", "half_life-by-threshold.png", "half_life-by-threshold.svg", "half_life.png", "half_life.svg", "method.png", "method.svg"}
	if !slices.Equal(names, want) {
		t.Errorf("figures %q, want %q", names, want)
	}
	for _, one := range []reportFiles{{csv: files.csv}, {html: files.html}, {figures: files.figures}} {
		if one.check() == nil || one.write(r) == nil {
			t.Errorf("%+v is written over", one)
		}
	}
}

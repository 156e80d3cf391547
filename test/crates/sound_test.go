package crates

import (
	"embed"
	"os"
	"regexp"
	"testing"
)

//go:embed testdata
var soundFiles embed.FS

// rulesIn are the names of all rules, as the checker's source has them.
func rulesIn(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range []string{"check.go", "rules.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)k\.want\([^\n]*?, "([a-z-]+)", (?:e|r|d|u|Entity\{[^}]*\}),`).FindAllStringSubmatch(string(src), -1) {
			all = append(all, m[1])
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d rules were found in the source", len(all))
	}
	return all
}

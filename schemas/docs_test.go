package schemas_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"rlam/schemas"
)

var (
	fenced = regexp.MustCompile("(?ms)^```(yaml|text)\n(.*?)^```$")
	member = regexp.MustCompile(`(?m)^(\w+):`)
)

// The policies, limits and prices that docs/policies.md shows are sound, and what it
// says of refusals is how they read.
func TestDocumentedPolicies(t *testing.T) {
	text, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := os.ReadFile("testdata/policies.golden")
	if err != nil {
		t.Fatal(err)
	}
	parts, lines := 0, 0
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		if block[1] == "text" {
			for line := range strings.Lines(block[2]) {
				lines++
				if !strings.Contains(string(verdicts), "  "+line) {
					t.Errorf("no verdict reads %s", line)
				}
			}
			continue
		}
		parts++
		if strings.HasPrefix(block[2], "preconditions:") {
			action := strings.Replace(sumAction, "reproducibility:", block[2]+"reproducibility:", 1)
			if _, ps := schemas.ParseAction("action.yaml", []byte(action), nil); len(ps) > 0 {
				t.Errorf("%v in\n%s", ps, block[2])
			}
			continue
		}
		study := labStudy
		for _, m := range member.FindAllStringSubmatch(block[2], -1) {
			study = regexp.MustCompile(`(?m)^`+m[1]+`:.*\n`).ReplaceAllString(study, "")
		}
		l, ps := schemas.ParseStudy("study.yaml", []byte(study+block[2]))
		if len(ps) > 0 {
			t.Errorf("%v in\n%s", ps, block[2])
			continue
		}
		registry := &schemas.Registry{}
		for _, b := range labFacts(t, "").Actions {
			if err := registry.Add(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, ps := registry.Resolve(l); len(ps) > 0 {
			t.Errorf("%v in\n%s", ps, block[2])
		}
	}
	if parts < 7 || lines < 5 {
		t.Errorf("%d parts of files and %d refusals are shown", parts, lines)
	}
}

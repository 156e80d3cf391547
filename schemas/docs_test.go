package schemas_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

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
				if left, ok := strings.CutPrefix(line, "Left: "); ok {
					if left != documentedRemaining()+".\n" {
						t.Errorf("what is left reads %s, and not %s", documentedRemaining(), left)
					}
					continue
				}
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

// documentedRemaining is what docs/policies.md says is left of its budgets.
func documentedRemaining() string {
	steps, calls, attempts, tokens, money, size, wallTime := 12, 30, 391, 400100, 3.82, int64(1988000000), schemas.Duration(41*time.Minute+20*time.Second)
	return schemas.Remaining{
		Steps: &steps, Calls: &calls, Attempts: &attempts, Tokens: &tokens, Actions: map[string]int{"heat": 2},
		Money: &money, Currency: "USD", Bytes: &size, WallTime: &wallTime,
	}.String()
}

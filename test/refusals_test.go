package test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/starter/follow"
	"rlam/test/lab"
)

// TestDocumentedRefusals runs a study whose planner is refused by several gates, and
// finds what docs/policies.md shows of it, word by word, in what the model was sent.
func TestDocumentedRefusals(t *testing.T) {
	t.Parallel()
	type heat struct {
		Temperature float64 `json:"temperature"`
		Minutes     int     `json:"minutes"`
	}
	type heated struct {
		Reached float64 `json:"reached"`
	}
	l := lab.New(t, executor.Typed("lab.heat", func(_ context.Context, in heat) (heated, error) {
		return heated{Reached: in.Temperature}, nil
	}))
	result, h := l.Study("studies/furnace/study.yaml", nil)
	if result.Status != record.Completed || result.Counters.Refused != 5 {
		t.Errorf("%+v", result)
	}
	var sent []string // what the model was told of calls, canonical
	contents := follow.Contents{Store: l.Host.Store}
	for n := 2; n <= result.Counters.Steps; n++ {
		step, err := contents.Step(t.Context(), lab.RunOf(t, h), result.Head, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range step.Prompt.Messages[step.Prompt.New:] {
			text, _, _ := strings.Cut(m.Content, "\n") // what is left of the limits stands below
			if canonical, err := canon.Transform([]byte(text)); err == nil && m.Role == planner.RoleTool {
				sent = append(sent, string(canonical))
			}
		}
	}
	shown := 0
	for _, b := range blocks(read(t, "../docs/policies.md")) {
		if b.language != "json" {
			continue
		}
		shown++
		canonical, err := canon.Transform([]byte(b.text))
		if err != nil || !slices.Contains(sent, string(canonical)) {
			t.Errorf("the model was not told %s%v; it was told\n%s", b.text, err, strings.Join(slices.Compact(sent), "\n"))
		}
	}
	if shown < 4 {
		t.Errorf("docs/policies.md shows %d refusals", shown)
	}
}

// TestDocumentedChecks finds what docs/policies.md shows of starter check in the script
// that tries it.
func TestDocumentedChecks(t *testing.T) {
	t.Parallel()
	script := read(t, "../starter/testdata/script/policies.txtar")
	policies := read(t, "../docs/policies.md")
	shown := 0
	for _, b := range blocks(policies) {
		if b.language != "console" {
			continue
		}
		shown++
		command, output, _ := strings.Cut(b.text, "\n")
		if !strings.Contains(script, strings.TrimPrefix(command, "$ ")+"\n") {
			t.Errorf("the script doesn't try %q", command)
		}
		for part := range strings.SplitSeq(output, "…\n") {
			if !strings.Contains(script, part) {
				t.Errorf("after %q the script doesn't have\n%s", command, part)
			}
		}
	}
	if shown < 4 {
		t.Errorf("docs/policies.md shows %d checks", shown)
	}
	// The policies that are tried are those that are shown.
	tried := 0
	for _, b := range blocks(policies) {
		if b.language == "yaml" && strings.Contains(script, b.text) {
			tried++
		}
	}
	if tried < 3 {
		t.Errorf("the script tries %d of the policies that are shown, want 3", tried)
	}
}

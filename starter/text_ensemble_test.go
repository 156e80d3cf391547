package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"

	"rlam/internal/canon"
	"rlam/provenance/ensemble"
)

var updateSummaries = flag.Bool("update-summaries", false, "write the golden texts of ensembles anew")

// TestSummarised compares summaries with golden texts, none of whose lines is too long.
func TestSummarised(t *testing.T) {
	t.Parallel()
	for name, members := range map[string][]ensemble.Member{
		"one":    halfLives(1),
		"two":    halfLives(2),
		"grid":   halfLives(24),
		"absent": {{ID: "m1", Status: "failed", Failure: "the model is gone"}, {ID: "m2", Status: "limit", Failure: "12 of 12 steps are used.", Result: json.RawMessage(`{"a":1}`)}, {ID: "m3"}},
		"hostile": {
			{ID: "m1\x1b[2J", Status: "completed", Result: json.RawMessage(`{"\u001b[31m":"\u001b[2J","` + strings.Repeat("long", 60) + `":1}`)},
			{ID: "m3", Status: "completed", Result: json.RawMessage(`{"huge":-1.7e308,"close":1234567.000000001}`)},
			{ID: "m4", Status: "completed", Result: json.RawMessage(`{"huge":-1.6e308,"close":1234567.000000002}`)},
			{ID: "m5", Status: "completed", Result: json.RawMessage(`{"huge":1.7e308,"close":1234567.000000003}`)},
			{ID: "m2", Status: "failed\n\x07", Failure: "\x1b]0;title\x07 and\nmore"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := ensemble.Summarise(members, ensemble.Options{Ensemble: "half-lives", Schema: json.RawMessage(`{"properties":{"half_life":{"type":"number","unit":"min"}}}`)})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			newTextPrinter(&b, func(string) string { return "" }).Print(summaryMessage{r})
			for line := range strings.Lines(b.String()) {
				if line = strings.TrimSuffix(line, "\n"); lipgloss.Width(line) > 80 || strings.ContainsAny(line, "\x1b\x07") {
					t.Errorf("the line has %d columns, or could drive the terminal: %q", lipgloss.Width(line), line)
				}
			}
			golden(t, "summary-"+name+".txt", b.Bytes())
		})
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *updateSummaries {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s\nIf that is better: go test ./starter -run Summarised -update-summaries", name, got, want)
	}
}

// halfLives are members of a grid of two thresholds, of which every seventh fails.
func halfLives(n int) []ensemble.Member {
	var members []ensemble.Member
	for i := range n {
		m := ensemble.Member{
			ID: fmt.Sprintf("m%04d", i+1), RunID: fmt.Sprintf("half-lives.m%04d", i+1), Seed: uint64(i), Status: ensemble.Completed,
			Varied: []ensemble.Setting{{Path: "fit/params/threshold", Value: json.RawMessage([]string{"0.01", "0.1"}[i%2])}},
			Plan:   []ensemble.Call{call(1, "table.describe@1.0.0", `{"data":"counts"}`), call(2, "decay.half-life@1.0.0", fmt.Sprintf(`{"from":%d}`, i%3))},
		}
		if i%4 == 3 {
			m.Plan = append(m.Plan, call(3, "fit.compare@1.0.0", `{}`))
		}
		m.Result = fmt.Appendf(nil, `{"half_life":%g,"converged":%t,"method":%q,"plot":%q}`, 5.27+0.013*float64((i*7)%11-5), i%5 != 4, []string{"Newton", "simplex"}[i%2], canon.Sum([]byte{byte(i % 3)}))
		if i%7 == 6 {
			m.Status, m.Failure, m.Result = "failed", "table.describe: the column \"counts\" is text in line 3: \"n/a\"", nil
		}
		members = append(members, m)
	}
	return members
}

func call(step int, action, params string) ensemble.Call {
	return ensemble.Call{Step: step, Action: action, Params: canon.Sum([]byte(params)), Outcome: "completed", Given: json.RawMessage(params)}
}

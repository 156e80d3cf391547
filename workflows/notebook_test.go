package workflows

import (
	"fmt"
	"strings"
	"testing"

	"rlam/internal/record"
	"rlam/schemas"
)

// TestNotebookStaysWithinWhatTemporalShows fills it with the longest rows, of characters
// that would end a cell.
func TestNotebookStaysWithinWhatTemporalShows(t *testing.T) {
	t.Parallel()
	var n notebook
	for step := range 1000 {
		n.propose(PlanResult{Outcome: OutcomeCalls, Calls: []Call{{
			ID: fmt.Sprintf("%d.1", step+1), Action: strings.Repeat("|x\n", 1000), Decision: schemas.Refused, Note: strings.Repeat("a|b\nc", 1000),
		}}})
	}
	text := n.markdown("", "")
	if len(text) > 18<<10 { // of 20 kB: title and doing come before it
		t.Errorf("%d bytes", len(text))
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 5+notebookRows {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines[2:] {
		if strings.Count(l, "|") != 4 {
			t.Errorf("row %q has not three cells", l)
		}
	}
	if want := fmt.Sprintf("%d earlier rows", 1000-notebookRows); !strings.Contains(text, want) {
		t.Errorf("it does not say %q", want)
	}
}

func TestNotebookSaysWhatCameOfEachCall(t *testing.T) {
	t.Parallel()
	var n notebook
	n.propose(PlanResult{Outcome: OutcomeCalls, Calls: []Call{
		{ID: "1.1", Action: "fit", Decision: schemas.Admitted},
		{ID: "1.2", Action: "plot", Decision: schemas.Refused, Note: "schema: no such member"},
		{ID: "1.3", Action: "check", Decision: schemas.Deferred},
	}})
	n.result(CallOutcome{ID: "1.1", Status: record.CallFailed, Type: "rlam.NotConverged", Attempts: make([]AttemptOutcome, 3)})
	n.propose(PlanResult{Outcome: OutcomeRepair})
	n.propose(PlanResult{Outcome: OutcomeResult})
	n.propose(PlanResult{Outcome: OutcomeGiveUp})
	want := `**a title** · step 2

| call | action | came to |
|---|---|---|
| 1.1 | fit | failed: rlam.NotConverged (3 attempts) |
| 1.2 | plot | refused: schema: no such member |
| 1.3 | check | running |
|  | no call | sent back to the planner |
|  | result | accepted |
|  | give up | no result |
`
	if got := n.markdown("a title", "step 2"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

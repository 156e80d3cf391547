package activities_test

import (
	"strings"
	"testing"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/workflows"
)

// countText proposes one call a turn, and is busy the first time it is asked for the second.
const countText = `
model: scripted/test
rules:
  - when: {last: {contains: This is your last turn}}
    reply: {calls: [{id: late, action: test.count, params: {n: 9}}]}
  - when: {turn: 0}
    reply: {calls: [{id: a, action: test.count, params: {n: 1}}, {id: b, action: test.count, params: {n: one}}]}
  - when: {turn: 1}
    reply: {calls: [{id: c, action: test.count, params: {n: 3}}]}
    fault: {status: 503, times: 1}
`

// second is a run whose first step is over.
func second(t *testing.T, limits string) (*bench, workflows.PlanInput) {
	t.Helper()
	b := newBench(t, scriptText, countText, "planner: {scripted: script.yaml}", "planner: {scripted: script.yaml}\nlimits: "+limits)
	first := b.plan(workflows.PlanInput{Head: b.run, Step: 1, LastTurn: true})
	done, err := b.act(call(first, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b, workflows.PlanInput{Run: b.run, Head: first.Head, Step: 2, LastTurn: true, Outcomes: []workflows.CallOutcome{
		{ID: "1.1", Status: record.CallCompleted, Attempts: []workflows.AttemptOutcome{{N: 1, Status: record.AttemptCompleted, Execution: done.Execution}}},
		{ID: "1.2", Status: record.CallRefused},
	}}
}

// newest is the last message of the request that an execution of step 2 sent.
func (b *bench) newest(n int) (said string, body canon.Digest) {
	b.t.Helper()
	executions, err := (journal.Journal{Store: b.store}).Executions(b.t.Context(), journal.TurnKey("default-test-run-id", 2))
	if err != nil || len(executions) < n {
		b.t.Fatalf("%d executions, %v; want %d", len(executions), err, n)
	}
	var sent planner.Kept
	if err := record.OpenContent(b.t.Context(), b.store, executions[n-1].Intent.Request, &sent); err != nil {
		b.t.Fatal(err)
	}
	return sent.Messages[len(sent.Messages)-1].Content, sent.Body
}

// TestWhatIsLeftIsSaid at the end of the observations, in the same words by whoever asks.
func TestWhatIsLeftIsSaid(t *testing.T) {
	b, in := second(t, "{steps: 7, calls: 5, wall_time: 2h, actions: {test.count: 4}}")
	if _, err := b.env.ExecuteActivity(b.acts.Plan, in); typeOf(err) != workflows.TypeModelUnavailable {
		t.Fatalf("%v", err)
	}
	b.restart()
	if out := b.plan(in); out.Outcome != workflows.OutcomeCalls || !out.Last.Digest.IsZero() {
		t.Fatalf("%+v", out)
	}
	said, body := b.newest(1)
	again, same := b.newest(2)
	if body != same || said != again {
		t.Errorf("asked again it says %q (%s), and not %q (%s)", again, same, said, body)
	}
	before, after, _ := strings.Cut(again, "\n")
	if !strings.HasPrefix(before, `{"call":"1.2"`) || !strings.HasPrefix(after, "Left: 6 steps, 4 calls (3 of test.count), 399 attempts, ") || !strings.HasSuffix(after, ", 2h0m.") {
		t.Errorf("the last observation is %q", again)
	}
}

// TestALastTurnIsSaid, and everything but a result is refused in it. A workflow that knows
// of no last turn is given none.
func TestALastTurnIsSaid(t *testing.T) {
	b, in := second(t, "{steps: 2}")
	out := b.plan(in)
	said, _ := b.newest(1)
	if !strings.Contains(said, "\nThis is your last turn: the limit of 2 steps is reached. Calls are refused now.") {
		t.Errorf("it says %q", said)
	}
	if out.Outcome != workflows.OutcomeRepair || out.Last.Preview != `"the limit of 2 steps is reached"` || !strings.HasPrefix(out.Calls[0].Note, "limits: ") {
		t.Errorf("%+v", out)
	}
	b.restart()
	if stored := b.plan(in); stored.Last != out.Last || stored.Head != out.Head {
		t.Errorf("the stored answer is %+v", stored)
	}

	b, in = second(t, "{steps: 2}")
	in.LastTurn = false
	if _, err := b.env.ExecuteActivity(b.acts.Plan, in); typeOf(err) != workflows.TypeModelUnavailable {
		t.Fatalf("%v", err)
	}
	if out := b.plan(in); out.Outcome != workflows.OutcomeCalls || !out.Last.Digest.IsZero() {
		t.Errorf("%+v", out)
	}
}

// TestALimitThatTheWorkflowFound makes the turn the last one, and a failure says so.
func TestALimitThatTheWorkflowFound(t *testing.T) {
	b, in := second(t, "{wall_time: 2h}")
	in.Limit = "wall_time"
	if out := b.plan(in); out.Last.Preview != `"the wall-time limit of 2h0m0s is reached"` {
		t.Errorf("%+v", out)
	}
}

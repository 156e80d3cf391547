//go:build linux || darwin

package faults_test

import (
	"testing"

	"rlam/internal/record"
)

// TestReusedBesideAKill has a call answered from the record in a step in which the worker
// dies: what counts outside of R-LAM counts no execution of it, before and after.
func TestReusedBesideAKill(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{
		{call("a", "work"), call("p", "program")},
		{{id: "again", action: "work", params: map[string]any{"label": "a"}}, held("h", "work")},
		{{id: "more", action: "program", params: map[string]any{"label": "p"}}},
	}, nil, "a", "h"))
	x.open("p")
	one := x.worker("one", workerOptions{})
	r := x.start(nil)
	x.begun("h", 1)
	x.await("the call is answered from the record", func() bool { _, closed := r.event("2.1#1"); return closed != nil })
	one.kill()
	x.open("h")
	x.worker("two", workerOptions{})
	r.completed("a", "h")
	for _, c := range []struct{ id, of string }{{"2.1", "1.1"}, {"3.1", "1.2"}} {
		again := r.call(c.id)
		if len(again.Attempts) != 1 || again.Status != record.CallCompleted {
			t.Fatalf("call %s is on record as %+v", c.id, again)
		}
		first, at := r.call(c.of).Attempts[0], again.Attempts[0]
		if at.Reused == nil || at.Reused.Call != c.of || at.Reused.Execution != 1 || at.Execution != 0 || at.Output != first.Output {
			t.Errorf("call %s is on record as %+v, want it answered by execution 1 of call %s with the output %s", c.id, at, c.of, first.Output)
		}
	}
	if n, programs := x.count("begin", "a"), x.count("begin", "p"); n != 1 || programs != 1 {
		t.Errorf("%d and %d executions, want one of each that was asked for twice", n, programs)
	}
	// Of five attempts on record and one that was lost, the two that were answered have none.
	if a := r.agree(); a.Executed != 4 || a.Intents != 4 || a.Outcomes != 3 || a.TimedOut != 1 || a.Scheduled != 6 || a.Attempts != 6 {
		t.Errorf("account %+v", a)
	}
}

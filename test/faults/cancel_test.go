//go:build linux || darwin

package faults_test

import (
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/activities/executor"
	"rlam/internal/journal"
	"rlam/internal/record"
)

// cancelLimit is how long what runs may go on after a cancel.
const cancelLimit = 5 * time.Second

// cancelled cancels the run, and checks that it ended in time, sealed as cancelled.
func (r *run) cancelled(activity string) {
	r.t.Helper()
	if err := r.client.CancelWorkflow(r.t.Context(), r.handle.GetID(), r.handle.GetRunID()); err != nil {
		r.t.Fatal(err)
	}
	if status := r.ended(); status != enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		r.t.Errorf("Temporal says %s, want Canceled\n%s", status, describe(r.history()))
	}
	var asked time.Time
	for _, e := range r.history().Events {
		if e.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED {
			asked = at(e)
		}
	}
	if _, closed := r.event(activity); closed == nil || closed.EventType != enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED {
		r.t.Errorf("%s was not cancelled\n%s", activity, describe(r.history()))
	} else if took := at(closed).Sub(asked); took > cancelLimit {
		r.t.Errorf("%s ended %s after the cancel, want at most %s", activity, took, cancelLimit)
	}
	if a := r.agree(); !a.Sealed || a.RunStatus != record.Cancelled {
		r.t.Errorf("account %+v, want a seal that says cancelled", a)
	}
}

func TestCancelOfAProgram(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("p", "program")}}, nil, "p"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	x.await("the program's own process is alive", func() bool { return x.count("alive", "p") > 0 })
	r.cancelled("1.1#1")
	c := r.call("1.1")
	if c.Status != record.CallCancelled || len(c.Attempts) != 1 {
		t.Fatalf("call 1.1 is on record as %+v", c)
	}
	at := c.Attempts[0]
	if at.Status != record.AttemptCancelled || at.Execution != 1 || at.Error == nil || at.Error.Type != executor.TypeCancelled {
		t.Fatalf("the attempt is on record as %+v, want execution 1 cancelled", at)
	}
	if f := value[executor.Failure](x, at.Error.Detail); string(f.Partial) != `{"digits":"partial"}` {
		t.Errorf("partial output %s of %+v", f.Partial, f)
	}
	// The process that ignores SIGTERM is gone: it counts itself no more.
	n := x.count("alive", "p")
	quiet := time.Now()
	x.await("the leftover is silent", func() bool {
		if now := x.count("alive", "p"); now != n {
			t.Fatalf("a process of the program outlived the cancel: %d signs of life after the run had ended", now-n)
		}
		return time.Since(quiet) > 500*time.Millisecond
	})
}

func TestCancelOfAHandler(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{held("a", "work"), call("b", "work")}, {call("c", "work")}}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	x.begun("a", 1)
	r.await("the other call is done", func() bool { return r.endOf("1.2#1") == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED })
	r.cancelled("1.1#1")
	c := r.call("1.1")
	if c.Status != record.CallCancelled || len(c.Attempts) != 1 || c.Attempts[0].Error == nil {
		t.Fatalf("call 1.1 is on record as %+v", c)
	}
	if f := value[executor.Failure](x, c.Attempts[0].Error.Detail); len(f.Partial) == 0 {
		t.Errorf("no partial output: %+v", f)
	}
	if other := r.call("1.2"); other.Status != record.CallCompleted {
		t.Errorf("call 1.2 is on record as %+v, want completed as before the cancel", other)
	}
}

func TestCancelOfAModelCall(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, map[int]string{1: "{stall: 1h}"}, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	x.asked(2)
	r.cancelled("2.plan#1")
	if c := r.call("1.1"); c.Status != record.CallCompleted {
		t.Errorf("call 1.1 is on record as %+v, want completed as before the cancel", c)
	}
	ended := 0
	for _, e := range x.journal() {
		if e.Intent.Kind == "plan" && e.Outcome != nil && e.Outcome.Status == journal.Cancelled {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d model calls are on the journal as cancelled, want 1", ended)
	}
}

// TestTerminated leaves no seal: the head is what the last Plan returned, and the intents
// tell what was running.
func TestTerminated(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}, {held("b", "work")}}, nil, "a", "b"))
	one := x.worker("one", workerOptions{})
	r := x.start(nil)
	x.begun("b", 1)
	one.stop() // so that the intent stays without an outcome
	if err := r.client.TerminateWorkflow(t.Context(), r.handle.GetID(), r.handle.GetRunID(), "a test"); err != nil {
		t.Fatal(err)
	}
	if status := r.ended(); status != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED {
		t.Errorf("Temporal says %s", status)
	}
	a := r.agree()
	if a.Sealed || a.Intents != 2 || a.Outcomes != 1 || a.Scheduled != 2 {
		t.Errorf("account %+v, want no seal and one intent without an outcome", a)
	}
	links := r.chain()
	if p, ok := links[len(links)-1].Record.(*record.Proposal); !ok || p.Index != 2 || p.Calls[0].ID != "2.1" {
		t.Errorf("the head is %s, want the proposal of step 2", mustJSON(links[len(links)-1].Record))
	}
	var running []string
	for _, e := range x.journal() {
		if e.Outcome == nil {
			running = append(running, e.Intent.Kind+" "+e.Intent.Call)
		}
	}
	if got := mustJSON(running); got != `["call 2.1"]` {
		t.Errorf("the journal says that %s was running, want call 2.1", got)
	}
	one.resume()
}

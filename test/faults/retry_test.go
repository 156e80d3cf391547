//go:build linux || darwin

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/activities/executor"
	"rlam/internal/record"
	"rlam/workflows"
)

// TestFailedAttemptsAreEvents counts the failures of a flaky action in the history alone.
func TestFailedAttemptsAreEvents(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("f", "flaky", "times", 3)}, {call("g", "flaky", "times", 9)}}, nil, "f"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("f")
	h := r.history()
	if got := failures(h, "1.1#"); len(got) != 1 || got["rlam.Transient"] != 3 {
		t.Errorf("the history has the failures %v of call 1.1, want 3 of rlam.Transient", got)
	}
	if got := failures(h, "2.1#"); len(got) != 1 || got["rlam.Transient"] != 4 {
		t.Errorf("the history has the failures %v of call 2.1, want 4 of rlam.Transient", got)
	}
	if a := r.agree(); a.Executed != 8 || a.Intents != 8 || a.Outcomes != 8 || a.Attempts != 8 || a.Failed != 7 {
		t.Errorf("account %+v", a)
	}
	c := r.call("2.1")
	if c.Status != record.CallFailed {
		t.Errorf("call 2.1 is on record as %s", c.Status)
	}
	for i, at := range c.Attempts {
		f := value[executor.Failure](x, at.Error.Detail)
		if want := fmt.Sprintf("failure %d of 9", i+1); f.Message != want || string(f.Partial) != fmt.Sprintf(`{"digits":"%d"}`, i+1) {
			t.Errorf("attempt %d is on record as %+v, want %q with its partial output", at.N, f, want)
		}
	}
}

// waited is the longest timer of a history that began after an activity had failed, as it
// was set and as it passed.
func (r *run) waited(activity string) (set, passed time.Duration) {
	r.t.Helper()
	_, failed := r.event(activity)
	if failed == nil {
		r.t.Fatalf("%s has not ended\n%s", activity, describe(r.history()))
	}
	for _, e := range r.history().Events {
		if e.EventId < failed.EventId {
			continue
		}
		if s := e.GetTimerStartedEventAttributes(); s != nil && set == 0 {
			set = s.GetStartToFireTimeout().AsDuration()
		}
		if e.EventType == enumspb.EVENT_TYPE_TIMER_FIRED && passed == 0 {
			passed = at(e).Sub(at(failed))
		}
	}
	return set, passed
}

// TestRetryAfter waits as long as the server asked for, by a timer that survives a worker.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for name, asked := range map[string]string{"seconds": "2", "date": "3s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{call("a", "work")}}, map[int]string{0: "{status: 429, retry_after: " + asked + ", times: 1}"}, "a"))
			x.worker("one", workerOptions{})
			r := x.start(nil)
			r.completed("a")
			if got := failures(r.history(), "1.plan#"); got[workflows.TypeRateLimited] != 1 || len(got) != 1 {
				t.Errorf("the history has the failures %v, want one of %s", got, workflows.TypeRateLimited)
			}
			// A date has whole seconds, so three of them are more than two.
			if set, passed := r.waited("1.plan#1"); set < 2*time.Second || passed < 2*time.Second {
				t.Errorf("the timer was set to %s and the model asked again after %s, want at least 2s", set, passed)
			}
			r.agree()
		})
	}
}

// always is a model that gives the same answer to everything.
func always(reply string) string {
	return "model: scripted/faults\nrules:\n  - reply: " + reply + "\n"
}

// TestLimits ends a run at each limit, with a reason and everything so far on record.
func TestLimits(t *testing.T) {
	t.Parallel()
	many := []step{{call("a", "work")}, {call("b", "work")}, {call("c", "work")}, {call("d", "work")}, {call("e", "work")}}
	for _, c := range []struct {
		name, script, reason string
		set                  map[string]string
		executed, proposals  int
	}{
		{
			name: "steps", script: script(many, nil), set: map[string]string{"/limits/steps": "2"},
			reason: "the limit of 2 steps", executed: 1, proposals: 2, // the second is the last turn
		},
		{
			name: "calls", script: script(many, nil), set: map[string]string{"/limits/calls": "2"},
			reason: "the limit of 2 calls", executed: 2, proposals: 3,
		},
		{
			name: "attempts", script: script([]step{{call("a", "flaky", "times", 9)}, {call("b", "work")}}, nil), set: map[string]string{"/limits/attempts": "2"},
			reason: "the limit of 2 attempts", executed: 2, proposals: 2,
		},
		{
			name: "repairs", script: always(`{text: Let me think.}`), set: map[string]string{"/limits/repairs": "3"},
			reason: "3 proposals in a row", executed: 0, proposals: 4, // the last turn is the fourth
		},
		{
			name: "tokens", script: script(many, nil), set: map[string]string{"/limits/tokens": "100"},
			reason: "the limit of 100 tokens", executed: 0, proposals: 0, // the first turn could take more
		},
		{
			name: "context", script: script(many, nil), set: map[string]string{"/planner/context": "256"},
			reason: "context budget", executed: 0, proposals: 0,
		},
		{
			name: "wall time", script: script([]step{{held("a", "work")}, {call("b", "work")}}, nil), set: map[string]string{"/limits/wall_time": `"10s"`},
			reason: "the wall-time limit of 10s", executed: 1, proposals: 2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := try(t, c.script)
			if c.proposals == 0 {
				x.quiet()
			}
			x.worker("one", workerOptions{})
			r := x.start(c.set)
			result := r.result()
			if result.Status != record.LimitReached {
				t.Fatalf("the run ended as %s: %s\n%s", result.Status, result.Reason.Preview, describe(r.history()))
			}
			if reason := value[string](x, result.Reason.Digest); !strings.Contains(reason, c.reason) {
				t.Errorf("reason %q, want %q", reason, c.reason)
			}
			a := r.agree()
			if !a.Sealed || a.RunStatus != record.LimitReached || a.Executed != c.executed || a.Intents != c.executed || a.Proposals != c.proposals {
				t.Errorf("account %+v, want %d executions and %d proposals", a, c.executed, c.proposals)
			}
		})
	}
}

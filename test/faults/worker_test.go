//go:build linux || darwin

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/workflows"
)

// TestNoFault is what all other tests compare themselves with.
func TestNoFault(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}, {call("b", "once"), call("c", "program")}}, nil, "a", "b", "c"))
	x.open("c")
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a", "b", "c")
	a := r.agree()
	if a.Executed != 3 || a.Intents != 3 || a.Scheduled != 3 || a.Attempts != 3 || a.Requests != 3 || a.Turns != 3 || a.Proposals != 3 || !a.Sealed {
		t.Errorf("account %+v", a)
	}
	// The action "once" names no timeout, and may take as long as the run: ten minutes.
	scheduled, _ := r.event("2.1#1")
	if d := scheduled.GetActivityTaskScheduledEventAttributes().GetStartToCloseTimeout().AsDuration(); d < 10*time.Minute {
		t.Errorf("an action without a timeout has %s", d)
	}
}

// lost checks that the first attempt of a call is on record as lost, and gives the second.
func (r *run) lost(id string) record.AttemptRecord {
	r.t.Helper()
	c := r.call(id)
	if len(c.Attempts) != 2 {
		r.t.Fatalf("call %s has %d attempts on record, want 2\n%s", id, len(c.Attempts), describe(r.history()))
	}
	first := c.Attempts[0]
	if first.Status != record.AttemptLost || first.Error == nil || first.Error.Type != workflows.TypeLost || first.Started == "" || first.Ended == "" {
		r.t.Errorf("the first attempt of call %s is on record as %+v, want lost, with type and times", id, first)
	}
	return c.Attempts[1]
}

func TestKilledInAnAttempt(t *testing.T) {
	t.Parallel()
	t.Run("idempotent", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{held("a", "work")}, {call("b", "work")}}, nil, "a", "b"))
		one := x.worker("one", workerOptions{})
		r := x.start(nil)
		x.begun("a", 1)
		one.kill()
		x.open("a")
		x.worker("two", workerOptions{})
		r.completed("a", "b")
		if second := r.lost("1.1"); second.Status != record.AttemptCompleted || second.Execution != 2 || second.Adopted {
			t.Errorf("the second attempt is on record as %+v, want execution 2 completed", second)
		}
		if a := r.agree(); a.Executed != 3 || a.Intents != 3 || a.Outcomes != 2 || a.TimedOut != 1 {
			t.Errorf("account %+v", a)
		}
	})

	// What the first execution left running has ended before the second begins, also when the
	// worker died in the moment between the program's start and the handle on the journal.
	for _, name := range []string{"program", "program without a handle"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{call("p", "program")}}, nil, "p"))
			one := x.worker("one", workerOptions{})
			r := x.start(nil)
			x.begun("p", 1)
			var first journal.Execution
			x.await("the program's own process is alive, and its handle on the journal", func() bool {
				first, _ = x.execution(1)
				return first.Handle != nil && x.count("alive", "p") > 0
			})
			one.kill()
			if name != "program" {
				// As if it had died a little earlier.
				if err := os.Remove(filepath.Join(x.storeDir, "entries", "journal", first.Intent.Key.Hex()+".1.handle@p")); err != nil {
					t.Fatal(err)
				}
			}
			x.worker("two", workerOptions{})
			x.begun("p", 2)
			x.open("p")
			r.completed("p")
			r.lost("1.1")
			if a := r.agree(); a.Executed != 2 || a.Intents != 2 || a.Outcomes != 1 {
				t.Errorf("account %+v", a)
			}
			second := 0
			for i, e := range x.effects() {
				switch {
				case e.Event == "begin" && i > 0:
					second = e.PID
				case e.Event == "alive" && second != 0 && e.PID != second:
					t.Fatalf("process %d of the first execution was alive after the second began", e.PID)
				}
			}
		})
	}

	// Nobody knows what the first execution did: nothing runs again, and the planner hears of it.
	t.Run("not idempotent", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{held("a", "once")}, {call("b", "work")}}, nil, "b"))
		one := x.worker("one", workerOptions{})
		r := x.start(nil)
		x.begun("a", 1)
		one.kill()
		x.open("a")
		x.worker("two", workerOptions{})
		r.completed("b")
		second := r.lost("1.1")
		if second.Status != record.AttemptFailed || second.Error == nil || second.Error.Type != workflows.TypeInDoubt || second.Error.Detail.IsZero() {
			t.Errorf("the second attempt is on record as %+v, want failed as %s, with details", second, workflows.TypeInDoubt)
		}
		if n := x.count("begin", "a"); n != 1 {
			t.Errorf("it ran %d times", n)
		}
		if told := r.told(2); !strings.Contains(told, workflows.TypeInDoubt) || !strings.Contains(told, "left no outcome") {
			t.Errorf("the planner was told %s, want %s and why", told, workflows.TypeInDoubt)
		}
		r.agree()
	})
}

// told is the conversation's new messages of a step's request.
func (r *run) told(index int) string {
	r.t.Helper()
	for _, l := range r.chain() {
		if p, ok := l.Record.(*record.Proposal); ok && p.Index == index {
			return mustJSON(value[map[string]any](r.trial, p.Request)["messages"])
		}
	}
	r.t.Fatalf("no proposal of step %d", index)
	return ""
}

// TestKilledInAModelCall has the model asked again, both times on the journal.
func TestKilledInAModelCall(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, map[int]string{0: "{stall: 1h, times: 1}"}, "a"))
	one := x.worker("one", workerOptions{})
	r := x.start(nil)
	x.asked(1)
	one.kill()
	x.worker("two", workerOptions{})
	r.completed("a")
	a := r.agree()
	if a.Requests != 3 || a.Turns != 3 || a.Answers != 2 || len(a.Unused) != 0 {
		t.Errorf("account %+v, want 3 requests, 3 intents and 2 answers", a)
	}
}

// TestKilledBetweenOutcomeAndCompletion cuts the worker off before the outcome, so that
// the completion can't get through, and kills it after: the next worker adopts.
func TestKilledBetweenOutcomeAndCompletion(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"work", "once"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{held("a", action)}}, nil, "a"))
			net := newLink(t, x.server.Address)
			one := x.worker("one", workerOptions{address: net.address})
			r := x.start(nil)
			x.begun("a", 1)
			net.cut()
			x.open("a")
			x.outcomes("call", 1)
			one.kill()
			x.worker("two", workerOptions{})
			r.completed("a")
			if second := r.lost("1.1"); second.Status != record.AttemptCompleted || !second.Adopted || second.Execution != 1 {
				t.Errorf("the second attempt is on record as %+v, want execution 1 adopted", second)
			}
			if a := r.agree(); a.Executed != 1 || a.Intents != 1 || a.Outcomes != 1 || a.Scheduled != 2 {
				t.Errorf("account %+v, want one execution and two attempts", a)
			}
		})
	}

	t.Run("model call", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{call("a", "work")}}, nil, "a"))
		gate := newTurnstile(t, x.modelURL, 1)
		net := newLink(t, x.server.Address)
		one := x.worker("one", workerOptions{address: net.address})
		r := x.start(map[string]string{"/planner/base_url": fmt.Sprintf("%q", gate.url)})
		<-gate.arrived
		net.cut()
		gate.let()
		x.outcomes("plan", 1)
		one.kill()
		x.worker("two", workerOptions{})
		r.completed("a")
		if a := r.agree(); a.Requests != 2 || a.Turns != 2 || a.Answers != 2 || len(a.Unused) != 0 {
			t.Errorf("account %+v, want the first answer used and nothing asked twice", a)
		}
	})
}

// outcomes waits until the journal has so many outcomes of a kind, "call" or "plan".
func (x *trial) outcomes(kind string, want int) {
	x.t.Helper()
	x.await(fmt.Sprintf("the journal has %d outcomes of kind %s", want, kind), func() bool {
		n := 0
		for _, e := range x.journal() {
			if e.Intent.Kind == kind && e.Outcome != nil {
				n++
			}
		}
		return n >= want
	})
}

// timedOut waits until the server has given up an activity.
func (r *run) timedOut(id string) {
	r.t.Helper()
	r.await("the server gives up "+id, func() bool { return r.endOf(id) == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT })
}

// TestStoppedInAnAttempt tells the worker to end, which it does with its attempts. What the
// action says of that is no failure of the action.
func TestStoppedInAnAttempt(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"work", "once"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{held("a", action)}, {call("b", "work")}}, nil, "b"))
			one := x.worker("one", workerOptions{})
			r := x.start(nil)
			x.begun("a", 1)
			one.leave()
			x.open("a")
			x.worker("two", workerOptions{})
			r.completed("b")
			c := r.call("1.1")
			if len(c.Attempts) != 2 {
				t.Fatalf("the call has %d attempts on record, want 2\n%s", len(c.Attempts), describe(r.history()))
			}
			if first := c.Attempts[0]; first.Status != record.AttemptLost || first.Error.Type != workflows.TypeWorkerShutdown && first.Error.Type != workflows.TypeLost {
				t.Errorf("the first attempt is on record as %+v, want lost by the worker's end", first)
			}
			a := r.agree()
			if action == "work" && (c.Status != record.CallCompleted || x.count("begin", "a") != 2 || a.Intents != 3) {
				t.Errorf("an idempotent call ended as %s, account %+v", c.Status, a)
			}
			if action == "once" && (c.Attempts[1].Error.Type != workflows.TypeInDoubt || x.count("begin", "a") != 1 || a.Intents != 2) {
				t.Errorf("the second attempt is on record as %+v, account %+v", c.Attempts[1], a)
			}
		})
	}
}

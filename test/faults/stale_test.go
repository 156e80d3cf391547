//go:build linux || darwin

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/internal/journal"
	"rlam/internal/record"
)

// startedOn waits until a worker carries out an activity.
func (r *run) startedOn(id, worker string) {
	r.t.Helper()
	r.await(fmt.Sprintf("worker %s begins %s", worker, id), func() bool {
		d, err := r.client.DescribeWorkflowExecution(r.t.Context(), r.handle.GetID(), r.handle.GetRunID())
		if err != nil {
			r.t.Fatal(err)
		}
		for _, p := range d.GetPendingActivities() {
			if p.GetActivityId() == id && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED && p.GetLastWorkerIdentity() == worker {
				return true
			}
		}
		return false
	})
}

// afar is the trial's store as another machine mounts it: the same files, and locks that
// nobody else sees.
func (x *trial) afar() string {
	x.t.Helper()
	dir := filepath.Join(x.dir, "afar")
	if err := os.Mkdir(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	for _, name := range []string{"format", "blobs", "entries", "tmp"} {
		if err := os.Symlink(filepath.Join(x.storeDir, name), filepath.Join(dir, name)); err != nil {
			x.t.Fatal(err)
		}
	}
	return dir
}

// execution is one of the first call's executions in the journal.
func (x *trial) execution(n int) (journal.Execution, bool) {
	for _, e := range x.journal() {
		if e.Intent.Call == "1.1" && e.N == n {
			return e, true
		}
	}
	return journal.Execution{}, false
}

// TestStoppedForLongerThanTheHeartbeatTimeout freezes a worker in the middle of an attempt,
// while another one serves.
func TestStoppedForLongerThanTheHeartbeatTimeout(t *testing.T) {
	t.Parallel()
	// The one that took over waits for the lock: the work is not done twice, and what the
	// stopped one did when it went on is adopted.
	for _, action := range []string{"work", "once"} {
		t.Run("one machine, "+action, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{held("a", action)}, {call("b", "work")}}, nil, "a", "b"))
			one := x.worker("one", workerOptions{})
			r := x.start(nil)
			x.begun("a", 1)
			one.stop()
			x.worker("two", workerOptions{})
			r.startedOn("1.1#2", "two")
			x.open("a")
			one.resume()
			r.completed("a", "b")
			if second := r.lost("1.1"); second.Status != record.AttemptCompleted || !second.Adopted || second.Execution != 1 {
				t.Errorf("the second attempt is on record as %+v, want execution 1 adopted", second)
			}
			if a := r.agree(); a.Executed != 2 || a.Intents != 2 || a.Outcomes != 2 {
				t.Errorf("account %+v, want nothing done twice", a)
			}
		})
	}

	// Without a lock the work is done twice, both times on the journal; the first that
	// completed is on record, and the stale one can't change that.
	t.Run("two machines", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{held("a", "work")}, {call("b", "work")}}, nil, "a", "b"))
		one := x.worker("one", workerOptions{})
		r := x.start(nil)
		x.begun("a", 1)
		one.stop()
		x.worker("two", workerOptions{store: x.afar()})
		x.begun("a", 2)
		x.open("a")
		before := r.completed("a", "b")
		one.resume()
		x.await("the stale execution ends", func() bool {
			e, ok := x.execution(1)
			return ok && e.Outcome != nil
		})
		a := r.agree()
		if a.Executed != 3 || a.Intents != 3 || a.Outcomes != 3 || a.HeadRecord != before.Head {
			t.Errorf("account %+v, want 3 executions and head %s", a, before.Head)
		}
		second := r.lost("1.1")
		e, _ := x.execution(2)
		if second.Status != record.AttemptCompleted || second.Execution != 2 || e.Intent.Worker != "two" {
			t.Errorf("on record is %+v by worker %s, want execution 2 by worker two", second, e.Intent.Worker)
		}
	})
}

// TestCutOffForLongerThanTheHeartbeatTimeout takes the network away in the middle of work that
// must not be done twice. Temporal's library wants it ended; it goes on, and is adopted.
func TestCutOffForLongerThanTheHeartbeatTimeout(t *testing.T) {
	t.Parallel()
	t.Run("attempt", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{held("a", "once")}}, nil, "a"))
		net := newLink(t, x.server.Address)
		x.worker("one", workerOptions{address: net.address})
		r := x.start(nil)
		x.begun("a", 1)
		net.cut()
		r.timedOut("1.1#1")
		net.mend()
		r.startedOn("1.1#2", "one")
		x.open("a")
		r.completed("a")
		if second := r.lost("1.1"); second.Status != record.AttemptCompleted || !second.Adopted || second.Execution != 1 {
			t.Errorf("the second attempt is on record as %+v, want execution 1 adopted", second)
		}
		if a := r.agree(); a.Executed != 1 || a.Intents != 1 {
			t.Errorf("account %+v, want one execution", a)
		}
	})

	t.Run("model call", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{call("a", "work")}}, nil, "a"))
		gate := newTurnstile(t, x.modelURL, 1)
		net := newLink(t, x.server.Address)
		x.worker("one", workerOptions{address: net.address})
		r := x.start(map[string]string{"/planner/base_url": fmt.Sprintf("%q", gate.url)})
		<-gate.arrived
		net.cut()
		r.timedOut("1.plan#1")
		net.mend()
		r.startedOn("1.plan#2", "one")
		gate.let()
		r.completed("a")
		if a := r.agree(); a.Requests != 2 || a.Turns != 2 || a.Answers != 2 || len(a.Unused) != 0 {
			t.Errorf("account %+v, want the first answer used and nothing asked twice", a)
		}
	})

	// Nobody waits for the work of a run that has ended meanwhile.
	t.Run("terminated", func(t *testing.T) {
		t.Parallel()
		x := try(t, script([]step{{held("a", "once")}}, nil, "a"))
		net := newLink(t, x.server.Address)
		x.worker("one", workerOptions{address: net.address})
		r := x.start(nil)
		x.begun("a", 1)
		net.cut()
		r.timedOut("1.1#1")
		if err := r.client.TerminateWorkflow(t.Context(), r.handle.GetID(), r.handle.GetRunID(), "a test"); err != nil {
			t.Fatal(err)
		}
		net.mend()
		x.outcomes("call", 1)
		if e, _ := x.execution(1); e.Outcome.Status != journal.Interrupted {
			t.Errorf("the journal says that it was %s, want %s", e.Outcome.Status, journal.Interrupted)
		}
		r.agree()
	})
}

// TestDeliveredTwiceInOneProcess loses the heartbeats only, so that the server gives the
// same call to the same worker again while the first execution goes on.
func TestDeliveredTwiceInOneProcess(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"work", "once"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			x := try(t, script([]step{{held("a", action)}}, nil, "a"))
			x.worker("one", workerOptions{mute: true})
			r := x.start(nil)
			x.begun("a", 1)
			r.startedOn("1.1#2", "one")
			x.open("a")
			r.completed("a")
			if a := r.agree(); x.count("begin", "a") != 1 || a.Intents != 1 || a.Scheduled < 2 {
				t.Errorf("account %+v, want one execution and more than one attempt", a)
			}
			c := r.call("1.1")
			if last := c.Attempts[len(c.Attempts)-1]; !last.Adopted || last.Execution != 1 {
				t.Errorf("the last attempt is on record as %+v, want execution 1 adopted", last)
			}
		})
	}
}

// TestLateAnswerOfTheModel has two workers ask, since nothing was heard of the first one; its
// answer comes when the run has used the other's, and is listed with its cost.
func TestLateAnswerOfTheModel(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, nil, "a"))
	gate := newTurnstile(t, x.modelURL, 1)
	net := newLink(t, x.server.Address)
	// It is mute as well, since Temporal's library ends an activity whose heartbeats fail.
	x.worker("one", workerOptions{address: net.address, mute: true})
	r := x.start(map[string]string{"/planner/base_url": fmt.Sprintf("%q", gate.url)})
	<-gate.arrived
	net.cut()
	r.timedOut("1.plan#1")
	x.worker("two", workerOptions{store: x.afar()})
	before := r.completed("a")
	gate.let()
	x.outcomes("plan", 3)
	a := r.agree()
	if a.Requests != 3 || a.Turns != 3 || a.Answers != 3 || a.HeadRecord != before.Head {
		t.Errorf("account %+v, want 3 answers and head %s", a, before.Head)
	}
	if len(a.Unused) != 1 || a.Unused[0].Step != 1 || a.Unused[0].Execution != 1 || a.Unused[0].Usage.Total() == 0 {
		t.Errorf("unused answers %+v, want that of step 1's first execution, with its cost", a.Unused)
	}
}

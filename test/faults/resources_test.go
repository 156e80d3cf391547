//go:build linux || darwin

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rlam/internal/record"
	"rlam/worker/host"
	"rlam/workflows"
)

// waiting is what the attempts under way say that they wait for, as Temporal UI shows it.
func (r *run) waiting() []string {
	r.t.Helper()
	d, err := r.client.DescribeWorkflowExecution(r.t.Context(), r.handle.GetID(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, p := range d.GetPendingActivities() {
		var text string
		if p.GetHeartbeatDetails() != nil && host.DataConverter().FromPayloads(p.GetHeartbeatDetails(), &text) == nil {
			all = append(all, text)
		}
	}
	return all
}

func (r *run) awaitWaiting(n int, text string) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d attempts say %q", n, text), func() bool {
		said := r.waiting()
		return len(said) == n && strings.HasPrefix(strings.Join(said, ""), text)
	})
}

// atOnce is the most calls of the labels that were under way at one moment, by what they
// wrote about themselves.
func (x *trial) atOnce() int {
	now, most := 0, 0
	for _, e := range x.effects() {
		if e.Event == "begin" {
			now++
		} else {
			now--
		}
		most = max(most, now)
	}
	return most
}

// TestExclusive: what is exclusive is used by one attempt at a time.
func TestExclusive(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{held("a", "laser"), held("b", "laser"), held("c", "laser"), call("d", "work")}}, nil, "a", "b", "c", "d"))
	x.worker("one", workerOptions{})
	x.worker("two", workerOptions{})
	r := x.start(nil)
	r.awaitWaiting(2, `waiting for "laser", which another attempt uses`)
	if n := x.atOnce(); n > 2 || x.count("begin", "d") != 1 {
		t.Errorf("%d at once; what needs no laser began %d times", n, x.count("begin", "d"))
	}
	for _, label := range []string{"a", "b", "c"} {
		x.open(label)
	}
	r.completed("a", "b", "c", "d")
	now := 0
	for _, e := range x.effects() {
		switch {
		case e.Label == "d":
		case e.Event == "begin":
			now++
		default:
			now--
		}
		if now > 1 {
			t.Errorf("%d attempts used the laser at once: %+v", now, x.effects())
		}
	}
	if a := r.agree(); a.Executed != 4 || a.Intents != 4 {
		t.Errorf("account %+v", a)
	}
}

// rivals are two runs of one store, on workers of their own, that want the same laser: the
// first has it, the second waits.
func rivals(t *testing.T) (holder, waiter *run, holding *worker) {
	t.Helper()
	x := try(t, script([]step{{held("a", "laser")}}, nil, "a"))
	y := tryOn(t, x.server, x.storeDir, script([]step{{call("b", "laser")}}, nil, "b"))
	holding = x.worker("one", workerOptions{})
	holder = x.start(nil)
	x.begun("a", 1)
	y.worker("two", workerOptions{})
	waiter = y.start(nil)
	waiter.awaitWaiting(1, `waiting for "laser", which another attempt uses`)
	if n := y.count("begin", "b"); n != 0 {
		t.Errorf("with the laser in use, another worker's attempt began %d times", n)
	}
	return holder, waiter, holding
}

// TestExclusiveAmongWorkers: a worker waits for what another worker uses.
func TestExclusiveAmongWorkers(t *testing.T) {
	t.Parallel()
	holder, waiter, _ := rivals(t)
	holder.open("a")
	holder.completed("a")
	waiter.completed("b")
	holder.agree()
	waiter.agree()
}

// TestExclusiveIsFreedByDeath: a worker that is killed holds nothing any more.
func TestExclusiveIsFreedByDeath(t *testing.T) {
	t.Parallel()
	holder, waiter, holding := rivals(t)
	holding.kill()
	waiter.completed("b")
	if n := holder.count("end", "a"); n != 0 {
		t.Errorf("what held it ended %d times", n)
	}
	holder.open("a")
	holder.worker("three", workerOptions{})
	holder.completed("a")
}

// TestNoMoreThanFits: no worker runs more at once than it has processors for, and what
// waits is cancelled at once.
func TestNoMoreThanFits(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{held("a", "wide"), held("b", "wide"), held("c", "wide")}}, nil, "a", "b", "c"))
	x.worker("one", workerOptions{cpus: 5})
	r := x.start(nil)
	r.awaitWaiting(1, "waiting for 2 cpus and 1 MiB: 1 cpu and ")
	if n := x.atOnce(); n != 2 {
		t.Errorf("%d at once on 5 processors, want 2", n)
	}
	began := time.Now()
	if err := r.client.CancelWorkflow(t.Context(), r.handle.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	r.ended()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the cancel took %s", took)
	}
	if n := x.atOnce(); n != 2 {
		t.Errorf("what waited began: %d", n)
	}
}

// TestHandedBack: what waits for long goes back to the queue, and its timer says for what.
// It costs no attempt, and its own timeout doesn't run. What never fits goes back as well.
func TestHandedBack(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "laser"), call("b", "work")}}, nil, "a", "b"))
	unlock, err := x.store.Lock(t.Context(), "exclusive/laser")
	if err != nil {
		t.Fatal(err)
	}
	x.worker("one", workerOptions{patience: 300 * time.Millisecond})
	r := x.start(nil)
	says := func(text string) func() bool {
		return func() bool { return strings.Contains(describeTimers(r), text) }
	}
	x.await("a timer says what is waited for", says(`laser@1.0.0 again after rlam.Busy, waiting for "laser", which another attempt uses`))
	unlock()
	r.completed("a", "b")
	if c := r.call("1.1"); len(c.Attempts) != 1 || c.Attempts[0].Status != record.AttemptCompleted {
		t.Errorf("attempts %+v", c.Attempts)
	}
	r.agree()

	y := try(t, script([]step{{call("a", "huge")}}, nil, "a"))
	y.worker("one", workerOptions{})
	large := y.start(nil)
	y.await("a timer says that it doesn't fit", func() bool {
		return strings.Contains(describeTimers(large), "again after "+workflows.TypeNoBinding+", waiting for a larger worker")
	})
	if n := len(y.effects()); n != 0 {
		t.Errorf("it began %d times", n)
	}
}

// describeTimers is what the run's timers say that they are for.
func describeTimers(r *run) string {
	var all strings.Builder
	for _, e := range r.history().Events {
		var summary string
		if e.GetTimerStartedEventAttributes() != nil && host.DataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &summary) == nil {
			fmt.Fprintln(&all, summary)
		}
	}
	return all.String()
}

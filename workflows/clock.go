package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// clock ends the work at the deadline of the wall-time limit: a timer, never an execution
// timeout, so that the run can seal its chain.
//
// No coroutine waits for it. Temporal wakes every coroutine at every task of a workflow, at
// least twice, and a check of the stack comes with each time: one for the clock and one for
// each call were two thirds of that cost, which is most of a replay's. So whoever blocks
// looks at the clock, see [run.until].
type clock struct {
	work  workflow.Context // nil before the chain is open
	stop  workflow.CancelFunc
	left  time.Duration   // when the chain was opened
	timer workflow.Future // nil before anything blocks
	seen  bool            // the timer has ended
}

// watch looks at the clock. The timer starts when something blocks for the first time, and
// not before: the activity that is blocked on comes before it in every history.
func (r *run) watch() {
	c := &r.clock
	switch {
	case c.work == nil || c.seen:
	case c.timer == nil:
		c.timer = timer(c.work, max(c.left, time.Millisecond), WallTimeSummary)
	case c.timer.IsReady():
		c.seen = true
		if c.timer.Get(c.work, nil) != nil { // cancelled with the work
			return
		}
		r.stopped = limitReached("the wall-time limit of %s is reached", time.Duration(r.state.Limits.WallTime))
		r.stopped.timeUp = true
		c.stop()
	}
}

// ticked says whether there is something to see at the clock.
func (c *clock) ticked() bool { return c.timer != nil && !c.seen && c.timer.IsReady() }

// until blocks until ready, also of work that is cancelled meanwhile.
//
// Where what is waited for and the clock are ready in the same task, the run takes note of
// the former first, and calls of the latter. Recorded histories have it so.
func (r *run) until(ctx workflow.Context, ready func() bool) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	for !ready() {
		r.watch()
		// It can't fail: nothing cancels its context.
		_ = workflow.Await(detached, func() bool { return ready() || r.clock.ticked() })
	}
	if r.dispatching {
		r.watch()
	}
}

// get waits for what an activity or a timer comes to.
func (r *run) get(ctx workflow.Context, f workflow.Future, out any) error {
	r.until(ctx, f.IsReady)
	return f.Get(ctx, out)
}

// wait waits for a timer.
func (r *run) wait(ctx workflow.Context, d time.Duration, summary string) error {
	return r.get(ctx, timer(ctx, d, summary), nil)
}

// timer is a durable one that says what it is for.
func timer(ctx workflow.Context, d time.Duration, summary string) workflow.Future {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary})
}

package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/record"
	"rlam/schemas"
)

const (
	engineTimeout = 5 * time.Minute
	planTimeout   = 15 * time.Minute
	// slack is what an attempt has beyond its action's own timeout, which Act enforces
	// itself so that a timeout has an outcome.
	slack = time.Minute
	// heartbeat is how long a worker may be silent before its attempt counts as lost.
	heartbeat = 5 * time.Second
	// lastTurnTime bounds the turn in which a planner that has no time left may hand in
	// what it has: its attempts and the waits between them together.
	lastTurnTime = 2 * time.Minute
	// handBacks bounds how often a call waits for a worker that can carry it out.
	handBacks = 20
	// leastLosses are forgiven the engine's own activities, whatever a study says.
	leastLosses = 5
)

// lossBackoff is the wait before an attempt that follows a loss.
var lossBackoff = schemas.Backoff{
	Initial: schemas.Duration(time.Second), Coefficient: 2, Max: schemas.Duration(30 * time.Second),
}

// options of an activity: one attempt, an ID of its own, and a summary for people.
func options(id, summary string, timeout time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		ActivityID:          id,
		Summary:             summary,
		StartToCloseTimeout: timeout,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	}
}

// dispatch carries out the calls that were admitted and that a fork doesn't keep, in
// parallel where the graph of their references allows, and returns what came of every
// call, by position.
func (r *run) dispatch(ctx workflow.Context, turn PlanResult) []CallOutcome {
	outcomes := make([]CallOutcome, len(turn.Calls))
	ended := make([]bool, len(turn.Calls))
	var open []int
	for i, c := range turn.Calls {
		outcomes[i] = CallOutcome{ID: c.ID, Status: record.CallRefused}
		switch {
		case c.Decision == schemas.Refused:
			ended[i] = true
		case c.Kept != "":
			outcomes[i].Status, ended[i] = c.Kept, true
		default:
			open = append(open, i)
		}
	}
	carryOut := func(ctx workflow.Context, i int) {
		outcomes[i] = r.call(ctx, turn, turn.Calls[i], outcomes, ended)
		ended[i] = true
		r.notebook.result(outcomes[i])
	}
	r.dispatching = true
	switch len(open) {
	case 0:
	case 1: // of most turns, and a coroutine is woken far more often than it has something to do
		r.watch()
		carryOut(ctx, open[0])
	default:
		for _, i := range open {
			workflow.Go(ctx, func(ctx workflow.Context) {
				carryOut(ctx, i)
				r.show(ctx)
			})
		}
		r.until(ctx, func() bool { return !slices.Contains(ended, false) })
	}
	r.dispatching = false
	return outcomes
}

// call waits for a call's sources, has it judged if that was deferred, and attempts it.
func (r *run) call(ctx workflow.Context, turn PlanResult, c Call, outcomes []CallOutcome, ended []bool) CallOutcome {
	out := CallOutcome{ID: c.ID, Status: record.CallCancelled}
	sources := make([]int, 0, len(c.After))
	for _, id := range c.After {
		sources = append(sources, slices.IndexFunc(turn.Calls, func(o Call) bool { return o.ID == id }))
	}
	err := workflow.Await(ctx, func() bool {
		return !slices.ContainsFunc(sources, func(i int) bool { return i >= 0 && !ended[i] })
	})
	if err != nil {
		return out
	}
	siblings := make([]CallOutcome, 0, len(sources))
	for _, i := range sources {
		if i < 0 || outcomes[i].Status != record.CallCompleted {
			out.Status, out.Type = record.CallSkipped, "rlam.SourceFailed"
			return out
		}
		siblings = append(siblings, outcomes[i])
	}
	params := c.Params
	if c.Decision == schemas.Deferred {
		var judged JudgeResult
		r.at(ctx, fmt.Sprintf("%s: judging %s with what its sources gave", c.ID, c.Action))
		err := r.engine(ctx, JudgeName, c.ID+".judge", fmt.Sprintf("%s %s: judging with what its sources gave", c.ID, c.Action),
			JudgeInput{Run: r.in.Run, Proposal: turn.Head, Call: c.ID, Siblings: siblings}, &judged)
		if err != nil {
			if ctx.Err() == nil {
				out.Status, out.Type = record.CallFailed, classify(err).typ
			}
			return out
		}
		out.Judgement, params = judged.Judgement, judged.Params
		if judged.Decision != schemas.Admitted {
			out.Status = record.CallRefused
			return out
		}
	}
	return r.attempts(ctx, turn, c, params, out)
}

// attempts makes attempts of an admitted call until one completes or a bound is reached.
func (r *run) attempts(ctx workflow.Context, turn PlanResult, c Call, params record.Ref, out CallOutcome) CallOutcome {
	seen, failures, losses, handed, busy := 0, 0, 0, 0, 0
	for n := 1; ; n++ {
		if r.state.Counters.Attempts >= r.state.Limits.Attempts {
			out.Status, out.Type = record.CallSkipped, TypeLimitReached
			if n > 1 {
				out.Status = record.CallFailed
			}
			return out
		}
		r.state.Counters.Attempts++
		r.at(ctx, fmt.Sprintf("%s: %s, attempt %d", c.ID, c.Action, n))
		started := workflow.Now(ctx)
		opts := options(fmt.Sprintf("%s#%d", c.ID, n), attemptSummary(c, n), time.Duration(c.Timeout)+time.Duration(c.Wait)+slack)
		var done ActResult
		act := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), ActName, ActInput{
			Run: r.in.Run, Proposal: turn.Head, Call: c.ID, Params: params, Judgement: out.Judgement, Seen: seen, Attempt: n,
		})
		err := r.get(ctx, act, &done)
		if err == nil {
			out.Status = record.CallCompleted
			attempt := AttemptOutcome{N: n, Status: record.AttemptCompleted, Execution: done.Execution, Adopted: done.Adopted}
			if done.Reused != nil { // it cost no attempt
				r.state.Counters.Attempts--
				r.state.Counters.Reused++
				attempt.Answer = done.Reused.Answer
			}
			out.Attempts = append(out.Attempts, attempt)
			return out
		}
		f := classify(err)
		seen = max(seen, f.execution)
		attempt := AttemptOutcome{N: n, Status: record.AttemptFailed, Execution: f.execution, Adopted: f.adopted, Type: f.typ}
		if f.execution == 0 {
			attempt.Detail = f.detail.Digest
		}
		var wait time.Duration
		switch {
		case f.cancelled || ctx.Err() != nil && (f.lost || f.typ == TypeCancelled):
			attempt.Status = record.AttemptCancelled
			out.Status, out.Attempts = record.CallCancelled, append(out.Attempts, attempt)
			return out
		case f.typ == TypeBusy: // handed back: no attempt. The run's wall time bounds how often
			r.state.Counters.Attempts--
			busy++
			wait = lossBackoff.Wait(busy)
		case f.typ == TypeNoBinding: // handed back: no attempt
			r.state.Counters.Attempts--
			if handed++; handed > handBacks {
				out.Status, out.Type = record.CallFailed, f.typ
				return out
			}
			wait = lossBackoff.Wait(handed)
		case f.lost:
			r.state.Counters.Attempts--
			r.state.Counters.Losses++
			attempt.Status, attempt.Started, attempt.Ended = record.AttemptLost, started, workflow.Now(ctx)
			out.Attempts = append(out.Attempts, attempt)
			if losses++; losses > r.state.Limits.Losses {
				out.Status, out.Type = record.CallFailed, f.typ
				return out
			}
			wait = lossBackoff.Wait(losses)
		default:
			out.Attempts = append(out.Attempts, attempt)
			if failures++; failures >= c.Attempts.Max || !slices.Contains(c.Attempts.Retry, f.typ) {
				out.Status, out.Type = record.CallFailed, f.typ
				return out
			}
			wait = max(c.Attempts.Backoff.Wait(failures), f.after)
		}
		summary := fmt.Sprintf("%s: %s again after %s", c.ID, c.Action, f.typ)
		if f.waiting != "" {
			summary += ", " + f.waiting
		}
		if r.wait(ctx, wait, summary) != nil {
			out.Status = record.CallCancelled
			return out
		}
	}
}

// failure is an activity's error, told apart.
type failure struct {
	typ       string
	lost      bool // by infrastructure: no outcome of the work itself
	cancelled bool
	retryable bool
	execution int
	adopted   bool
	after     time.Duration // the least wait before another attempt
	detail    record.Ref
	last      record.Ref // of a planner's turn that would have been the last: why
	waiting   string     // for what, if it was handed back
}

func classify(err error) failure {
	var timeout *temporal.TimeoutError
	var cancelled *temporal.CanceledError
	var app *temporal.ApplicationError
	f := failure{typ: "rlam.Unknown"}
	var d Failure
	switch {
	case errors.As(err, &cancelled):
		f.typ, f.cancelled = TypeCancelled, true
		if cancelled.HasDetails() && cancelled.Details(&d) == nil {
			f.execution, f.detail = d.Execution, d.Detail
		}
	case errors.As(err, &timeout):
		f.typ, f.lost = TypeLost, true
	case errors.As(err, &app):
		f.typ, f.after = app.Type(), app.NextRetryDelay()
		if app.HasDetails() && app.Details(&d) == nil {
			f.execution, f.adopted, f.detail, f.retryable, f.last = d.Execution, d.Adopted, d.Detail, d.Retryable, d.Last
			f.waiting = d.Waiting
		}
		f.lost = IsLoss(f.typ)
	}
	return f
}

// IsLoss says whether a failure of this type is infrastructure's: the work may be fine.
func IsLoss(typ string) bool {
	switch typ {
	case TypeWorkerShutdown, TypeStorage, TypeNoBinding, TypeBusy, TypeLost, "ActivityNotRegisteredError":
		return true
	}
	return false
}

func isModel(typ string) bool {
	switch typ {
	case TypeRateLimited, TypeModelUnavailable, TypeModelGarbled, TypeModelRejected:
		return true
	}
	return false
}

func attemptSummary(c Call, n int) string {
	s := c.ID + " " + c.Action
	if c.Name != "" && c.Name != c.ID {
		s += " (" + c.Name + ")"
	}
	if n > 1 {
		s += fmt.Sprintf(", attempt %d", n)
	}
	return s
}

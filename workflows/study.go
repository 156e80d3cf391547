package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/canon"
	"rlam/internal/record"
)

// Study runs a study from a head of its chain to the chain's seal: Plan, verdicts,
// Act, next. What it decides, it decides from what activities returned.
func Study(ctx workflow.Context, in StudyInput) (StudyResult, error) {
	r := &run{in: in, head: in.Head, doing: "opening the chain"}
	if err := r.open(ctx); ctx.Err() != nil {
		return r.seal(ctx, *r.cancelled())
	} else if err != nil {
		return StudyResult{}, err
	}
	work, stop := workflow.WithCancel(ctx)
	r.clock = clock{work: work, stop: stop, left: r.state.Deadline.Sub(workflow.Now(work))}

	for {
		if e := r.bound(ctx, work); e != nil {
			return r.seal(ctx, r.handIn(ctx, *e))
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && r.stepsHere > 0 {
			if err := r.closeStep(ctx); ctx.Err() != nil {
				continue // to the seal: the next workflow run would not hear of the cancel
			} else if err != nil {
				return StudyResult{}, err
			}
			return StudyResult{}, r.continueAsNew(ctx)
		}
		turn, e := r.plan(work, "")
		if e == nil {
			e = endOf(turn)
		}
		if e != nil {
			return r.seal(ctx, r.handIn(ctx, *e))
		}
		r.outcomes = r.dispatch(work, turn) // of calls, or of refusals that the planner has to hear of
	}
}

// run is a Study between two steps.
type run struct {
	in       StudyInput
	state    State
	head     canon.Digest
	outcomes []CallOutcome // of the newest proposal, not yet on the chain

	stepsHere int  // steps planned since this workflow run began
	asked     int  // how often the planner was asked for the next step
	stopped   *end // a bound reached while something was under way
	clock     clock
	model     string // that answered last
	doing     string
	notebook  notebook

	dispatching bool // calls are under way
}

// end is why a run ends.
type end struct {
	status  record.Status
	result  record.Ref
	partial bool
	reason  record.Ref
	message string
	timeUp  bool // by the wall-time limit
}

func (r *run) open(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, r.progress); err != nil {
		return err
	}
	err := r.engine(ctx, OpenName, "open", "reading the chain", OpenInput{Run: r.in.Run, Head: r.in.Head}, &r.state)
	if err != nil {
		return err
	}
	r.publish(ctx, StatusAttribute, "running")
	r.show(ctx)
	return nil
}

func limitReached(format string, args ...any) *end {
	return &end{status: record.LimitReached, message: fmt.Sprintf(format, args...)}
}

// bound says whether the run must end before another step.
func (r *run) bound(ctx, work workflow.Context) *end {
	c, l, last := r.state.Counters, r.state.Limits, r.state.LastTurn
	switch {
	case ctx.Err() != nil:
		return &end{status: record.Cancelled, message: "cancelled by request"}
	case r.stopped != nil:
		return r.stopped
	case work.Err() != nil:
		return &end{status: record.Cancelled, message: "cancelled by request"}
	case c.Steps >= l.Steps:
		return limitReached("the limit of %d steps is reached", l.Steps)
	// Where there is a last turn, Plan finds it when it knows what the turn could take.
	// Where there is none, calls and attempts that are used up still leave the planner
	// one turn, to finish with what there is.
	case !last && c.Calls >= l.Calls && c.Repairs > 0:
		return limitReached("the limit of %d calls is reached", l.Calls)
	case !last && c.Attempts >= l.Attempts && c.Repairs > 0:
		return limitReached("the limit of %d attempts is reached", l.Attempts)
	case !last && c.Repairs >= l.Repairs:
		return limitReached("%d proposals in a row held nothing that could be dispatched, and that is the limit", c.Repairs)
	case c.Usage.Total() >= l.Tokens:
		return limitReached("the limit of %d tokens is reached (%d used)", l.Tokens, c.Usage.Total())
	}
	return nil
}

// endOf is the end that a turn brings; nil if the run goes on.
func endOf(turn PlanResult) *end {
	switch {
	case turn.Outcome == OutcomeResult && turn.Partial:
		return &end{status: record.LimitReached, result: turn.Result, partial: true, reason: turn.Last}
	case turn.Outcome == OutcomeResult:
		return &end{status: record.Completed, result: turn.Result}
	case !turn.Last.Digest.IsZero():
		return &end{status: record.LimitReached, reason: turn.Last}
	case turn.Outcome == OutcomeGiveUp:
		return &end{status: record.NoResult, reason: turn.Reason}
	}
	return nil
}

// handIn gives the planner of a run that has no time left a bounded last turn, to hand
// in what it has. A run that ends for another reason, or without a result all the
// same, ends as e says.
func (r *run) handIn(ctx workflow.Context, e end) end {
	if !e.timeUp || !r.state.LastTurn || r.state.Counters.Steps == 0 || ctx.Err() != nil {
		return e
	}
	turn, late := workflow.WithCancel(ctx)
	workflow.Go(turn, func(ctx workflow.Context) {
		if timer(ctx, lastTurnTime, LastTurnSummary).Get(ctx, nil) == nil {
			late()
		}
	})
	proposed, failed := r.plan(turn, "wall_time")
	late()
	if failed != nil {
		return e
	}
	if last := endOf(proposed); last != nil && !last.result.Digest.IsZero() {
		return *last
	}
	return e
}

// plan gets the next proposal, from the first model that answers. limit is one that is
// reached, if the workflow knows of it.
func (r *run) plan(ctx workflow.Context, limit string) (PlanResult, *end) {
	step := r.state.Step
	tries, losses := 0, 0
	var last record.Ref // the limit that would have made this turn the last
	for {
		if r.state.LastTurn && ctx.Err() != nil { // an older run finds it in the activity that it can't schedule
			return PlanResult{}, r.cancelled()
		}
		if r.state.Candidate >= len(r.state.Models) {
			if !last.Digest.IsZero() {
				return PlanResult{}, &end{status: record.LimitReached, reason: last}
			}
			return PlanResult{}, &end{status: record.ModelUnavailable, message: fmt.Sprintf("no model answered (asked: %q); see the failed attempts of step %d", r.state.Models, step)}
		}
		model := r.state.Models[r.state.Candidate]
		r.at(ctx, fmt.Sprintf("step %d: asking %s", step, model))
		r.asked++
		id := fmt.Sprintf("%d.plan#%d", step, r.asked)
		var turn PlanResult
		opts := options(id, fmt.Sprintf("step %d: %s proposes", step, model), planTimeout)
		err := r.get(ctx, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), PlanName, PlanInput{
			Run: r.in.Run, Head: r.head, Step: step, Candidate: r.state.Candidate, Outcomes: r.outcomes,
			LastTurn: r.state.LastTurn, Limit: limit,
		}), &turn)
		if err == nil {
			r.proposed(ctx, turn)
			return turn, nil
		}
		f := classify(err)
		last = f.last
		switch {
		case f.cancelled || ctx.Err() != nil:
			return PlanResult{}, r.cancelled()
		case f.lost:
			if losses++; losses > r.state.Limits.Losses {
				return PlanResult{}, &end{status: record.Failed, message: fmt.Sprintf("step %d: planning was lost %d times, the last time by %s; resume when the cause is mended", step, losses, f.typ)}
			}
			r.wait(ctx, lossBackoff.Wait(losses), fmt.Sprintf("step %d: planning again after %s", step, f.typ))
		case f.typ == TypeLimitReached:
			return PlanResult{}, &end{status: record.LimitReached, reason: f.detail}
		case f.typ == TypeContextFull:
			return PlanResult{}, limitReached("the conversation does not fit into the planner's context budget any more")
		case !isModel(f.typ):
			return PlanResult{}, &end{status: record.Failed, reason: f.detail, message: fmt.Sprintf("step %d: planning failed with %s", step, f.typ)}
		default:
			if tries++; !f.retryable || tries >= r.state.Retry.Max {
				r.state.Candidate, tries = r.state.Candidate+1, 0
				continue
			}
			wait := max(r.state.Retry.Backoff.Wait(tries), f.after)
			r.wait(ctx, wait, fmt.Sprintf("step %d: asking %s again after %s", step, model, f.typ))
		}
	}
}

// proposed takes over what a proposal changes.
func (r *run) proposed(ctx workflow.Context, turn PlanResult) {
	r.head, r.outcomes = turn.Head, nil
	r.state.Counters = turn.Counters
	r.state.Step++
	r.stepsHere++
	r.asked = 0
	if turn.Model != r.model {
		r.model = turn.Model
		r.publish(ctx, ModelAttribute, turn.Model)
	}
	r.notebook.propose(turn) // shown with what the run does next
}

func (r *run) cancelled() *end {
	if r.stopped != nil {
		return r.stopped
	}
	return &end{status: record.Cancelled, message: "cancelled by request"}
}

// continueAsNew goes on in a new workflow run. No call, handler or message is open here.
func (r *run) continueAsNew(ctx workflow.Context) error {
	return workflow.NewContinueAsNewError(ctx, StudyName, StudyInput{Run: r.in.Run, Head: r.head, SearchAttributes: r.in.SearchAttributes})
}

func (r *run) closeStep(ctx workflow.Context) error {
	r.at(ctx, "closing a step, to continue as new")
	var head canon.Digest
	err := r.engine(ctx, AppendName, fmt.Sprintf("%d.append", r.state.Step-1), "closing the step before continuing as new",
		AppendInput{Run: r.in.Run, Head: r.head, Outcomes: r.outcomes}, &head)
	if err == nil {
		r.head, r.outcomes = head, nil
	}
	return err
}

// seal closes the chain, also when the run was cancelled, and ends the workflow.
func (r *run) seal(ctx workflow.Context, e end) (StudyResult, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.at(ctx, "sealing: "+string(e.status))
	var sealed SealResult
	err := r.engine(ctx, SealName, "seal", "sealing: "+string(e.status), SealInput{
		Run: r.in.Run, Head: r.head, Outcomes: r.outcomes, Status: e.status,
		Result: e.result, Partial: e.partial, Reason: e.reason, Message: e.message, Ended: workflow.Now(ctx),
	}, &sealed)
	if err != nil {
		return StudyResult{}, err
	}
	result := StudyResult{Status: e.status, Head: sealed.Head, Result: e.result, Partial: e.partial, Reason: sealed.Reason, Counters: sealed.Counters}
	r.head, r.state.Counters = sealed.Head, sealed.Counters
	r.publish(ctx, StatusAttribute, string(e.status))
	r.at(ctx, string(e.status))
	switch e.status {
	case record.Cancelled:
		return StudyResult{}, temporal.NewCanceledError(result)
	case record.Failed:
		return StudyResult{}, temporal.NewNonRetryableApplicationError(e.message, "rlam.Failed", nil, result)
	}
	return result, nil
}

// engine runs one of the engine's own activities, with as many losses as the run may have.
func (r *run) engine(ctx workflow.Context, name, id, summary string, in, out any) error {
	return engine(ctx, r.get, r.lossLimit(), name, id, summary, in, out)
}

// engine runs one of the engine's own activities, which has nothing to report but
// that it is done; attempts that are lost are made again, up to so many losses. get is how
// it waits.
func engine(ctx workflow.Context, get func(workflow.Context, workflow.Future, any) error, lossLimit int, name, id, summary string, in, out any) error {
	losses := 0
	for n := 1; ; n++ {
		opts := options(fmt.Sprintf("%s#%d", id, n), summary, engineTimeout)
		err := get(ctx, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), name, in), out)
		if err == nil {
			return nil
		}
		f := classify(err)
		if losses++; !f.lost || losses > lossLimit {
			return fmt.Errorf("%s: %w", summary, err)
		}
		again := summary + " again after " + f.typ
		if err := get(ctx, timer(ctx, lossBackoff.Wait(losses), again), nil); err != nil && !isCancelled(err) {
			return err
		}
	}
}

// lossLimit is the bound on losses; before the chain is open it isn't known.
func (r *run) lossLimit() int { return max(r.state.Limits.Losses, leastLosses) }

func isCancelled(err error) bool {
	var c *temporal.CanceledError
	return errors.As(err, &c)
}

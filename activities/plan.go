package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/workflows"
)

// Plan closes the step before, asks the planner for the next, judges what it
// proposes and appends the proposal. Run again, it gives the stored answer.
func (a *Activities) Plan(ctx context.Context, in workflows.PlanInput) (workflows.PlanResult, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	result, err := a.plan(ctx, in)
	for errors.Is(err, journal.ErrTaken) { // by a worker on another machine: see what it came to
		result, err = a.plan(ctx, in)
	}
	if err != nil {
		return workflows.PlanResult{}, a.trouble(ctx, err)
	}
	return result, nil
}

func (a *Activities) plan(ctx context.Context, in workflows.PlanInput) (workflows.PlanResult, error) {
	run, err := a.pinned(ctx, in.Run)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	info := activity.GetInfo(ctx)
	key := journal.TurnKey(info.WorkflowExecution.RunID, in.Step)
	unlock, err := a.lock(ctx, key)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	defer unlock()

	executions, err := a.journal.Executions(ctx, key)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	winner, err := a.journal.Winner(ctx, key)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	if winner > 0 {
		return a.stored(ctx, run, key, winner)
	}

	c, blobs, err := a.advance(ctx, run, in.Head, in.Outcomes)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	defer func() { a.chains.put(c) }()
	intent := journal.Intent{
		Key: key, Kind: "plan", Run: in.Run, Step: in.Step, Activity: info.ActivityID,
		Workflow: info.WorkflowExecution.RunID, Worker: a.cfg.Identity, Started: journal.Time(time.Now()),
	}
	q, err := a.ask(ctx, run, c, in)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	intent.Request = q.digest
	if intent, err = a.journal.Begin(ctx, intent, len(executions)+1, append(blobs, q.blobs...)...); err != nil {
		return workflows.PlanResult{}, err
	}
	working, done := a.working(ctx)
	defer done()
	asking, stop := a.untilStopped(working)
	defer stop()
	answer, err := q.send(asking)
	if err != nil {
		return workflows.PlanResult{}, a.unanswered(ctx, run, intent, q, err)
	}
	return a.propose(context.WithoutCancel(ctx), run, c, in, intent, q, answer)
}

// unanswered writes down a turn that failed, and says what the workflow may do about it.
func (a *Activities) unanswered(ctx context.Context, run *pinned, in journal.Intent, q *question, cause error) error {
	status, typ := journal.Failed, workflows.TypeModelUnavailable
	details := workflows.Failure{Execution: in.N}
	var wait time.Duration
	var u *planner.Unavailable
	switch {
	case errors.As(cause, &u):
		typ, details.Retryable, wait = u.Type, u.Retryable, u.RetryAfter
	case cancelRequested(ctx):
		status, typ = journal.Cancelled, workflows.TypeCancelled
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		status, typ = journal.Interrupted, workflows.TypeWorkerShutdown
		cause = errors.New("the worker stopped before the model had answered")
	}
	ref, blob, err := run.secret.Content(map[string]any{"type": typ, "message": cause.Error()})
	if err != nil {
		return err
	}
	details.Detail = ref
	blobs := [][]byte{blob}
	if q.last() {
		if details.Last, blob, err = run.secret.Content(q.turn.Reason); err != nil {
			return err
		}
		blobs = append(blobs, blob)
	}
	body, err := canon.Marshal(record.TurnOutcome{Asked: q.model, Error: &record.Error{Type: typ, Detail: ref.Digest}})
	if err != nil {
		return err
	}
	out := journal.Outcome{Status: status, Ended: journal.Time(time.Now()), Body: body}
	if _, err := a.journal.End(context.WithoutCancel(ctx), in, out, blobs...); err != nil {
		return err
	}
	if status == journal.Cancelled {
		return cancelled(details)
	}
	return failedAfter(typ, cause.Error(), details, wait)
}

// propose judges an answer and appends the proposal's record.
func (a *Activities) propose(ctx context.Context, run *pinned, c *chain, in workflows.PlanInput, intent journal.Intent, q *question, answer planner.Answer) (workflows.PlanResult, error) {
	p, w, err := a.draft(ctx, run, c, in.Candidate, q, answer)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	p.Turn = record.Turn{Key: intent.Key, Execution: intent.N}
	d, blob, err := record.Encode(p)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	body, err := canon.Marshal(record.TurnOutcome{Proposal: d, Usage: p.Usage, Asked: answer.Asked})
	if err != nil {
		return workflows.PlanResult{}, err
	}
	out := journal.Outcome{Status: journal.Completed, Ended: journal.Time(time.Now()), Body: body}
	winner, err := a.journal.End(ctx, intent, out, append(w.blobs, blob)...)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	if winner != intent.N {
		return a.stored(ctx, run, intent.Key, winner)
	}
	told, err := a.told(ctx, p, answer)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	c.window = q.window
	c.propose(d, p, answer, told)
	a.proposals.put(d, p)
	return a.planResult(ctx, run, d, p, c.counters, w.refs)
}

// stored gives the proposal of an execution that completed.
func (a *Activities) stored(ctx context.Context, run *pinned, key canon.Digest, n int) (workflows.PlanResult, error) {
	e, err := a.journal.Execution(ctx, key, n)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	if e.Outcome == nil {
		return workflows.PlanResult{}, fmt.Errorf("execution %d of turn %s completed and has no outcome", n, key)
	}
	var t record.TurnOutcome
	if err := json.Unmarshal(e.Outcome.Body, &t); err != nil {
		return workflows.PlanResult{}, fmt.Errorf("reading the outcome of turn %s: %w", key, err)
	}
	p, err := a.proposals.load(ctx, a.cfg.Store, t.Proposal)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	c, err := a.chainAt(ctx, run, t.Proposal)
	if err != nil {
		return workflows.PlanResult{}, err
	}
	defer a.chains.put(c)
	return a.planResult(ctx, run, t.Proposal, p, c.counters, nil)
}

// planResult is what the workflow needs of a proposal: a function of the record alone.
// known are Refs of contents that need not be read again.
func (a *Activities) planResult(ctx context.Context, run *pinned, d canon.Digest, p *record.Proposal, counters record.Counters, known map[canon.Digest]record.Ref) (workflows.PlanResult, error) {
	result := workflows.PlanResult{Head: d, Outcome: workflows.OutcomeRepair, Model: p.Model.Answered, Counters: counters, Calls: make([]workflows.Call, 0, len(p.Calls))}
	for _, call := range p.Calls {
		c, err := a.dispatchable(ctx, run, call, known)
		if err != nil {
			return workflows.PlanResult{}, err
		}
		if c.Decision != schemas.Refused {
			result.Outcome = workflows.OutcomeCalls
		}
		result.Calls = append(result.Calls, c)
	}
	var err error
	if p.Last != nil {
		if result.Last, err = a.refOf(ctx, p.Last.Reason, known); err != nil {
			return workflows.PlanResult{}, err
		}
	}
	switch {
	case p.Outcome == string(planner.OutcomeGiveUp):
		result.Outcome = workflows.OutcomeGiveUp
	case p.Result != nil && p.Result.Decision == string(schemas.Admitted):
		result.Outcome, result.Partial = workflows.OutcomeResult, p.Result.Partial
		if result.Result, err = a.refOf(ctx, p.Result.Value, known); err != nil {
			return workflows.PlanResult{}, err
		}
	}
	result.Reason, err = a.refOf(ctx, p.Reason, known)
	return result, err
}

func (a *Activities) dispatchable(ctx context.Context, run *pinned, call record.Call, known map[canon.Digest]record.Ref) (workflows.Call, error) {
	c := workflows.Call{ID: call.ID, Name: call.Name, Action: call.Action, Decision: schemas.Decision(call.Decision), After: call.After}
	var err error
	if c.Params, err = a.refOf(ctx, call.Params, known); err != nil {
		return c, err
	}
	if call.Kept != nil {
		c.Kept = call.Kept.Status
		return c, nil
	}
	if c.Decision == schemas.Refused {
		c.Note, err = a.note(ctx, call.Verdicts)
		return c, err
	}
	bound, err := run.bound(call.Spec, call.Binding)
	if err != nil {
		return c, err
	}
	// An action that names no timeout has all the time that the run has.
	c.Timeout, c.Attempts = cmp.Or(bound.Action.Timeout, run.study.Study.Limits.WallTime), bound.Action.Attempts
	if bound.MayWait() {
		c.Wait = schemas.Duration(patience)
	}
	return c, nil
}

// note is the first refusal's reason, shortened for people.
func (a *Activities) note(ctx context.Context, verdicts []record.Verdict) (string, error) {
	for _, v := range verdicts {
		if v.Decision == string(schemas.Refused) {
			var reason string
			err := record.OpenContent(ctx, a.cfg.Store, v.Reason, &reason)
			return record.Preview(v.Gate + ": " + reason), err
		}
	}
	return "", nil
}

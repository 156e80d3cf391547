package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// RefusedError says that a gate refuses what a person changed in a call.
type RefusedError struct {
	Call, Gate, Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the gate %s refuses call %s as it is changed: %s", e.Gate, e.Call, e.Reason)
}

// StoppedError says why a fork would stop before it does anything.
type StoppedError struct{ Reason string }

func (e *StoppedError) Error() string { return e.Reason }

// Rehearse goes through what a fork does first, as its activities will, and says what
// would stop it: a [*RefusedError], a [*StoppedError], a *change.NoPlaceError, or the
// *schemas.Breach of an output. It reads s, and nothing is executed, asked or written.
func Rehearse(ctx context.Context, s store.Store, fork canon.Digest) error {
	a := &Activities{cfg: Config{Store: s}, gate: schemas.NewGate()}
	run, err := loadPinned(ctx, s, fork)
	if err != nil {
		return fmt.Errorf("loading the fork: %w", err)
	}
	if ch := run.record.Changes; ch != nil && ch.Policy {
		if problems := run.study.Check(run.actions); len(problems) > 0 {
			return problems
		}
	}
	c, err := a.chainAt(ctx, run, fork)
	if err != nil {
		return err
	}
	if step, ok := run.again(c); ok {
		return a.rehearse(ctx, run, c, step)
	}
	if c.candidate >= len(run.record.Models) {
		return fmt.Errorf("the fork is to ask model %d of %d", c.candidate+1, len(run.record.Models))
	}
	if run.plan != nil {
		return nil
	}
	_, turn, err := a.compose(run, c, workflows.PlanInput{LastTurn: true}, run.record.Models[c.candidate])
	if err == nil && c.spent >= run.study.Study.Limits.WallTime {
		turn = schemas.Turn{Allowance: schemas.AskNot, Limit: "wall_time", Reason: fmt.Sprintf("the wall-time limit of %s is reached", time.Duration(run.study.Study.Limits.WallTime))}
	}
	switch {
	case errors.Is(err, planner.ErrContextFull):
		return &StoppedError{err.Error() + ": fork at an earlier step"}
	case err == nil && turn.Allowance == schemas.AskNot:
		return &StoppedError{fmt.Sprintf("%s already where the run is to go on: give it more, as in --limits %s=…", turn.Reason, turn.Limit)}
	}
	return err
}

// rehearse judges the calls of a step that is repeated.
func (a *Activities) rehearse(ctx context.Context, run *pinned, c *chain, step canon.Digest) error {
	q, err := a.again(ctx, run, c, step)
	if err != nil {
		return err
	}
	answer, err := q.send(ctx)
	if err != nil {
		return err
	}
	p, w, err := a.draft(ctx, run, c, c.candidate, q, answer)
	if err != nil {
		return err
	}
	for _, call := range p.Calls {
		if len(call.Edited) == 0 || call.Decision != string(schemas.Refused) {
			continue
		}
		for _, v := range call.Verdicts {
			if v.Decision == string(schemas.Refused) {
				return &RefusedError{Call: call.ID, Gate: v.Gate, Reason: w.text(v.Reason)}
			}
		}
	}
	return nil
}

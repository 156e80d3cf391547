package main

import (
	"context"
	"fmt"

	"rlam/activities/executor"
	"rlam/internal/quantity"
	"rlam/provenance/reproduce"
	"rlam/schemas"
	"rlam/worker/host"
)

// requireEnvironments refuses to execute calls again where that can't be in the recorded
// environments, as far as the worker within can tell before anything is executed. Another
// worker that serves the store may still carry a call out.
func (a *app) requireEnvironments(ctx context.Context, origin *evidence, planned *reproduce.Planned, own map[string]*schemas.Bound) error {
	left := map[string]bool{}
	for _, l := range planned.Left {
		left[l.Call] = true
	}
	others := []string{}
	first, where := "", ""
	for _, c := range planned.Calls {
		if left[c.ID] {
			continue
		}
		piece, err := a.otherEnvironment(ctx, origin, c, own[c.Action])
		if err != nil {
			return fmt.Errorf("comparing where call %s ran with this machine: %w", c.ID, err)
		}
		if piece == "" {
			continue
		}
		if others = append(others, c.ID); first == "" {
			first, where = piece, c.Of.ID+"/"+c.ID
		}
	}
	if len(others) == 0 {
		return nil
	}
	return badUsage("--environment require: nothing was executed, since this machine isn't the recorded environment of %s (%s); the first difference is in the %s. To see all: %s environment diff %s here; to execute all the same: --environment warn",
		quantity.Of(len(others), "call"), quantity.Listed(others, 8), first, a.program(), where)
}

// otherEnvironment names the first piece in which this machine's environment of a call differs
// from the recorded one, or that another binding would carry it out: "" where none does,
// and where the record doesn't say in which it was.
func (a *app) otherEnvironment(ctx context.Context, origin *evidence, c *reproduce.Call, own *schemas.Bound) (string, error) {
	study, bound, err := pinnedAction(ctx, origin.Store, c.Of.Run, c.Action)
	if err != nil {
		return "", err
	}
	if own != nil {
		bound = own
	}
	walls := host.ReadWalls(a.getenv)
	if bound, err = walls.Choose(origin.Store, bound); err != nil {
		return "", err
	}
	switch {
	case bound == nil || bound.Binding != c.Ran():
		return "binding", nil
	case c.Last.Environment.IsZero():
		return "", nil
	}
	was, err := readEnvironment(ctx, origin.Store, c.Last.Environment)
	if err != nil {
		return "", err
	}
	now, err := walls.Environment(ctx, origin.Store, executor.NewTask(bound, study.Isolation))
	if err != nil {
		return "", err
	}
	d, err := executor.Compare(was, now)
	if err != nil || d.Same() {
		return "", err
	}
	return d.Identity[0].Piece, nil
}

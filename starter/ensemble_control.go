package main

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"rlam/internal/store"
	"rlam/worker/host"
)

// showEnsemble says how an ensemble stands, and what its members show so far. That members
// did not complete is no error of show.
func (a *app) showEnsemble(ctx context.Context, s *store.Folder, e *host.ListedEnsemble, o showOptions) error {
	if o.step > 0 {
		return badUsage("--step %d is of a run, and %q is an ensemble: name a member, such as %s", o.step, e.Record.ID, firstMember(e))
	}
	c := a.reached(ctx)
	if c != nil {
		defer c.close()
	}
	_, err := a.sayEnsemble(ctx, c, s, *e, reportFiles{}, a.printer)
	return err
}

// reached is a server that is there, or nil.
func (a *app) reached(ctx context.Context) *connection {
	c, err := a.reach(ctx)
	if err != nil {
		return nil
	}
	return c
}

func firstMember(e *host.ListedEnsemble) string { return e.Record.ID + "." + e.Record.Members[0].ID }

// locateEnsemble describes the newest workflow of an ensemble. It is neither open nor has a
// Temporal run if the server has none.
func (c *connection) locateEnsemble(ctx context.Context, s *store.Folder, e *host.ListedEnsemble) (*located, error) {
	l := &located{ID: e.Record.ID, StoreDir: s.Dir(), TaskQueue: host.DefaultTaskQueue(s.Dir()), Record: e.Digest}
	d, err := c.client.DescribeWorkflowExecution(ctx, l.ID, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up ensemble %q: %w", l.ID, err)
	}
	info := d.GetWorkflowExecutionInfo()
	l.RunID, l.Status, l.TaskQueue = info.GetExecution().GetRunId(), info.GetStatus(), info.GetTaskQueue()
	return l, nil
}

// resumeEnsemble goes on with an ensemble and follows it.
func (a *app) resumeEnsemble(ctx context.Context, s *store.Folder, e *host.ListedEnsemble, o resumeOptions) error {
	if o.parallel < 0 {
		return badUsage("--parallel %d: want at least 1", o.parallel)
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	l, err := c.locateEnsemble(ctx, s, e)
	if err != nil {
		return err
	}
	if l.open() && o.parallel > 0 {
		return badUsage("--parallel %d: the ensemble is open, and keeps to what it was started with; cancel it, and resume it with another", o.parallel)
	}
	start := func() (bool, error) { return true, nil }
	if !l.open() {
		start = func() (bool, error) { return c.goOn(ctx, s, e, l, o) }
	}
	if o.detach {
		log, err := c.background(ctx, l.TaskQueue, l.StoreDir, o.idle)
		if err != nil {
			return err
		}
		if began, err := start(); err != nil || !began {
			return err
		}
		a.printer.Print(c.launched(l.ID, l.RunID, log))
		return nil
	}
	began, err := start()
	if err != nil {
		return err
	}
	if !began {
		return allCompleted(a.sayEnsemble(ctx, c, s, *e, reportFiles{}, a.words))
	}
	stop, err := c.serveIfNeeded(ctx, l)
	if err != nil {
		return err
	}
	defer stop()
	return c.attachEnsemble(ctx, l.ID, l.RunID, s, reportFiles{})
}

// goOn starts the workflow of a closed ensemble again. It is false if no member is missing.
func (c *connection) goOn(ctx context.Context, s *store.Folder, e *host.ListedEnsemble, l *located, o resumeOptions) (bool, error) {
	r, err := host.ReadRoster(ctx, c.client, s, *e)
	if err != nil {
		return false, err
	}
	todo, ended, err := r.Missing(ctx, s)
	if err != nil || len(todo) == 0 {
		return false, err
	}
	c.notef("Going on with %d of %d members; %d have ended and stay as they are.", len(todo), len(r.Members), len(ended))
	run, err := host.GoOn(ctx, c.client, r, todo, ended, host.EnsembleOptions{
		LaunchOptions: host.LaunchOptions{ID: l.ID, TaskQueue: l.TaskQueue, StoreDir: l.StoreDir, SearchAttributes: c.searchAttributes(ctx)},
		Parallel:      atOnce(o.parallel),
	})
	if err == nil {
		l.RunID, l.Status = run.GetRunID(), enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	}
	return err == nil, err
}

// cancelEnsemble stops an ensemble, and waits until what ran has been written down.
func (a *app) cancelEnsemble(ctx context.Context, s *store.Folder, e *host.ListedEnsemble) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	l, err := c.locateEnsemble(ctx, s, e)
	if err != nil {
		return err
	}
	if !l.open() {
		a.notef("Ensemble %s had ended already.", l.ID)
	} else if err := c.endEnsemble(ctx, l); err != nil {
		return err
	}
	r, err := host.ReadRoster(ctx, c.client, s, *e)
	if err != nil {
		return err
	}
	a.printer.Print(a.endOfEnsemble(c, r))
	return nil
}

// endEnsemble cancels an ensemble's workflow and waits for its end.
func (c *connection) endEnsemble(ctx context.Context, l *located) error {
	err := c.client.CancelWorkflow(ctx, l.ID, "")
	var over *serviceerror.NotFound // it ended just now
	if err != nil && !errors.As(err, &over) {
		return fmt.Errorf("cancelling ensemble %q: %w", l.ID, err)
	}
	stop, err := c.serveIfNeeded(ctx, l)
	if err != nil {
		return err
	}
	defer stop()
	// How it ended doesn't matter here.
	_ = c.client.GetWorkflow(ctx, l.ID, "").Get(ctx, nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

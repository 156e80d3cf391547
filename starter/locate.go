package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
	"rlam/workflows"
)

// located is a run as the server describes it.
type located struct {
	ID        string
	RunID     string // Temporal's newest
	Status    enumspb.WorkflowExecutionStatus
	TaskQueue string
	StoreDir  string       // as its memo names it
	Record    canon.Digest // of the run, likewise
}

func (l *located) open() bool { return l.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING }

// store opens the run's store, or says why it can't be reached.
func (l *located) store() (*store.Folder, error) {
	s, err := existingStore(l.StoreDir)
	if err != nil {
		return nil, fmt.Errorf("the server has run %q, and its records are in the store of whoever started it: %w; where that store is, export the run, and import the bundle here", l.ID, err)
	}
	return s, nil
}

// last is how people spell the newest run of the store.
const last = "@last"

// unknownRunError says that there is no such run.
type unknownRunError struct {
	id, nearest string
	what        string // a run, if empty
}

func (e *unknownRunError) Error() string {
	switch {
	case e.id == last:
		return fmt.Sprintf("there is no %s in the store yet", cmp.Or(e.what, "run"))
	case e.nearest == "":
		return fmt.Sprintf("there is no %s %q", cmp.Or(e.what, "run"), e.id)
	}
	return fmt.Sprintf("there is no %s %q; did you mean %q?", cmp.Or(e.what, "run"), e.id, e.nearest)
}

// find connects to the server and finds a run, by its id or one of the words that stand
// for one; storeDir is the value of --store. The caller closes the connection.
func (a *app) find(ctx context.Context, id, storeDir string) (*connection, *located, error) {
	dir, err := a.storeDir(storeDir)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	l, err := c.locate(ctx, id, dir)
	if err != nil {
		c.close()
		return nil, nil, err
	}
	return c, l, nil
}

// locate looks up a run by its id or as @last; storeDir is where @last and ids that are
// near are looked for.
func (c *connection) locate(ctx context.Context, id, storeDir string) (*located, error) {
	if id == last {
		runs, err := listRuns(ctx, storeDir)
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 {
			return nil, &unknownRunError{id: id}
		}
		id = runs[0].Record.ID
	}
	d, err := c.client.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	var malformed *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &none), errors.As(err, &malformed):
		return nil, &unknownRunError{id: id, nearest: schemas.Nearest(id, c.knownIDs(ctx, storeDir))}
	case err != nil:
		return nil, fmt.Errorf("looking up run %q: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	if info.GetType().GetName() != workflows.StudyName {
		return nil, &foreignError{id: id, runID: info.GetExecution().GetRunId(), kind: info.GetType().GetName()}
	}
	l := &located{ID: id, RunID: info.GetExecution().GetRunId(), Status: info.GetStatus(), TaskQueue: info.GetTaskQueue()}
	var run string
	memo := info.GetMemo().GetFields()
	err = errors.Join(fromMemo(memo[host.MemoStore], &l.StoreDir), fromMemo(memo[host.MemoRun], &run))
	if err == nil && run != "" {
		l.Record, err = canon.Parse(run)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the memo of run %q: %w", id, err)
	}
	return l, c.ambiguous(ctx, l, storeDir)
}

// ambiguous refuses an id by which the server has a run of another store, where the store in
// storeDir has a run of its own of that id: they are of two homes that share a server, or
// the server has forgotten the one.
func (c *connection) ambiguous(ctx context.Context, l *located, storeDir string) error {
	if storeDir == "" || storeDir == l.StoreDir {
		return nil
	}
	runs, err := listRuns(ctx, storeDir)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Record.ID == l.ID && r.Digest != l.Record {
			return badUsage("%q names two runs: the server has one, with its records in the store %q, and the store %q has another: name the first with --store %s, and the second by its record, %s", l.ID, l.StoreDir, storeDir, l.StoreDir, r.Digest)
		}
	}
	return nil
}

func fromMemo(p *commonpb.Payload, v any) error {
	if p == nil {
		return nil
	}
	return host.DataConverter().FromPayload(p, v)
}

// knownIDs are the ids of the store's runs and of the server's newest. They only serve
// to guess what was meant, so that errors count for nothing.
func (c *connection) knownIDs(ctx context.Context, storeDir string) []string {
	var ids []string
	if runs, err := listRuns(ctx, storeDir); err == nil {
		for _, r := range runs {
			ids = append(ids, r.Record.ID)
		}
	}
	if s, err := existingStore(storeDir); err == nil {
		ensembles, _ := host.Ensembles(ctx, s)
		for _, e := range ensembles {
			ids = append(ids, e.Record.ID)
		}
	}
	list, err := c.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.namespace(), PageSize: 500, Query: fmt.Sprintf("WorkflowType = '%s'", workflows.StudyName),
	})
	if err == nil {
		for _, e := range list.GetExecutions() {
			ids = append(ids, e.GetExecution().GetWorkflowId())
		}
	}
	return ids
}

// listRuns reads the store's runs, the newest first. A store that isn't there has none.
func listRuns(ctx context.Context, storeDir string) ([]host.ListedRun, error) {
	s, err := existingStore(storeDir)
	if err != nil {
		return nil, nil
	}
	runs, err := host.Runs(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("reading the store %q: %w", storeDir, err)
	}
	return runs, nil
}

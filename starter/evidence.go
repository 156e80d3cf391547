package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/worker/host"
)

// evidence is all that tells of a run.
type evidence struct {
	export.Run
	histories map[string]*historypb.History // by Temporal run ID
}

// gatherOptions say where a run is looked for, and how closely.
type gatherOptions struct {
	store  string // the value of --store
	strays bool   // see [provenance.Evidence]
}

// gather brings together what tells of a run: the histories that a server has and those
// that the store or a bundle keeps, records and journal.
func (a *app) gather(ctx context.Context, id string, o gatherOptions) (*evidence, error) {
	c, l, k, err := a.lookUp(ctx, id, o.store)
	switch {
	case err != nil:
		return nil, err
	case k != nil:
		return k.evidence(ctx, o.strays)
	}
	defer c.close()
	return c.evidence(ctx, l, o.strays)
}

// evidence gathers the histories of a run from the server, and from the store what the
// server has no more.
func (c *connection) evidence(ctx context.Context, l *located, strays bool) (*evidence, error) {
	s, err := l.store()
	if err != nil {
		return nil, err
	}
	archived, err := host.Archived(ctx, s, l.Record)
	if err != nil {
		return nil, err
	}
	histories, err := c.histories(ctx, l, archived)
	if err != nil {
		return nil, err
	}
	e, err := join(ctx, s, histories, strays)
	if err != nil {
		return nil, err
	}
	e.Namespace = c.namespace()
	return e, nil
}

// histories reads the histories that lead to a run's newest, and those that resets went
// back from, by Temporal run ID: from the server, or from archived what it has no more.
// What was rewound more than once may hang together by no event, so that the server is
// asked for all that has the run's ID.
func (c *connection) histories(ctx context.Context, l *located, archived map[string]*historypb.History) (map[string]*historypb.History, error) {
	histories := map[string]*historypb.History{}
	todo := append([]string{l.RunID}, slices.Sorted(maps.Keys(archived))...)
	var run canon.Digest
	asked := false
	for ; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		if id == "" || histories[id] != nil {
			continue
		}
		h, err := c.historyOf(ctx, l.ID, id, archived[id])
		if err != nil {
			return nil, err
		}
		if h == nil {
			c.notef("The history of Temporal run %s is neither with the server nor in the store; what only it tells is left out.", id)
			continue
		}
		r, err := readHistory(id, h)
		if err != nil {
			return nil, err
		}
		if len(histories) == 0 {
			run = r.Record
		}
		if r.Record != run { // another run had the ID before
			continue
		}
		histories[id] = h
		if len(r.Bases) > 0 && !asked {
			asked = true
			todo = append(todo, c.withID(ctx, l.ID)...)
		}
		todo = append(append(todo, r.Before, r.Next), r.Bases...)
	}
	return histories, nil
}

// withID are the Temporal runs that have a workflow ID, as far as the server lists them.
func (c *connection) withID(ctx context.Context, id string) []string {
	list, err := c.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.namespace(), Query: fmt.Sprintf("WorkflowId = %q", id),
	})
	if err != nil {
		return nil
	}
	var runs []string
	for _, e := range list.GetExecutions() {
		runs = append(runs, e.GetExecution().GetRunId())
	}
	return runs
}

// historyOf reads a history from the server, or takes the archived one where the server
// has none any more. It is nil if there is neither.
func (c *connection) historyOf(ctx context.Context, id, runID string, archived *historypb.History) (*historypb.History, error) {
	h := &historypb.History{}
	for e, err := range history.FromServer(ctx, c.client, id, runID) {
		var none *serviceerror.NotFound
		if errors.As(err, &none) {
			return archived, nil
		}
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}

func readHistory(runID string, h *historypb.History) (*history.Run, error) {
	return history.Read(history.FromHistory(h), history.Options{RunID: runID, Payloads: host.DataConverter()})
}

// join builds the trace of histories, by Temporal run ID, and a store.
func join(ctx context.Context, s store.Store, histories map[string]*historypb.History, strays bool) (*evidence, error) {
	var runs []*history.Run
	for id, h := range histories {
		r, err := readHistory(id, h)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *history.Run) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.RunID, b.RunID))
	})
	e := &evidence{histories: histories}
	e.Store = s
	var err error
	if e.Trace, err = provenance.Build(ctx, provenance.Evidence{Runs: runs, Store: s, Strays: strays}); err != nil {
		return nil, err
	}
	for i, r := range append(slices.Clone(e.Trace.Line), e.Trace.Aside...) {
		b, err := host.EncodeHistory(histories[r.RunID])
		if err != nil {
			return nil, err
		}
		e.Histories = append(e.Histories, export.History{RunID: r.RunID, Protobuf: b, Aside: i >= len(e.Trace.Line)})
	}
	return e, nil
}

// measure says how well the run is documented. It replays the run, and reads its outputs.
func (e *evidence) measure(ctx context.Context) (provenance.Metrics, error) {
	replayed, err := e.replayed(ctx)
	if err != nil {
		return provenance.Metrics{}, err
	}
	return e.Trace.Measure(ctx, e.Store, replayed)
}

// replayed runs the workflow code against each history of the run's line, and counts the
// decisions that it made again.
func (e *evidence) replayed(ctx context.Context) (provenance.Replayed, error) {
	var out provenance.Replayed
	code := replayer()
	for _, r := range e.Trace.Line {
		made, divergent, err := r.Decisions(ctx, code, e.histories[r.RunID])
		if err != nil {
			return out, err
		}
		out.Decisions += made
		out.Total += len(r.Activities)
		out.Divergent = cmp.Or(out.Divergent, divergent)
	}
	return out, nil
}

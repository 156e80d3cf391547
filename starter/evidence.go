package main

import (
	"cmp"
	"context"
	"errors"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"rlam/internal/replay"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/history"
	"rlam/worker/host"
)

// evidence is all that tells of a run.
type evidence struct {
	store     *store.Folder
	trace     *provenance.Trace
	histories map[string]*historypb.History // by Temporal run ID
}

// evidence gathers the histories of a run, from the server and from the store's archive,
// and joins them with records and journal. strays: see [provenance.Evidence].
func (c *connection) evidence(ctx context.Context, l *located, strays bool) (*evidence, error) {
	s, err := l.store()
	if err != nil {
		return nil, err
	}
	archived, err := host.Archived(ctx, s, l.Record)
	if err != nil {
		return nil, err
	}
	e := &evidence{store: s, histories: map[string]*historypb.History{}}
	var runs []*history.Run
	for todo := []string{l.RunID}; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		if id == "" || e.histories[id] != nil {
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
		r, err := history.Read(history.FromHistory(h), history.Options{RunID: id, Payloads: host.DataConverter()})
		if err != nil {
			return nil, err
		}
		e.histories[id] = h
		runs = append(runs, r)
		todo = append(append(todo, r.Before), r.Bases...)
	}
	e.trace, err = provenance.Build(ctx, provenance.Evidence{Runs: runs, Store: s, Strays: strays})
	return e, err
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

// replayed runs the workflow code against each history of the run's line, and counts the
// decisions that it made again.
func (e *evidence) replayed(ctx context.Context) (provenance.Replayed, error) {
	var out provenance.Replayed
	code := replay.Replayer{Register: host.Register, DataConverter: host.DataConverter(), FailureConverter: host.FailureConverter()}
	for _, r := range e.trace.Line {
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

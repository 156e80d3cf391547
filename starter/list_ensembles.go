package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// listable is a run or an ensemble.
type listable struct {
	run      host.ListedRun
	ensemble *host.ListedEnsemble
	started  string
}

// listables are the runs and ensembles of a store, the newest first; and members of
// ensembles only if they are wanted.
func listables(ctx context.Context, dir string, members bool) ([]listable, error) {
	runs, err := listRuns(ctx, dir)
	if err != nil {
		return nil, err
	}
	var all []listable
	for _, r := range runs {
		if members || r.Record.Ensemble == nil {
			all = append(all, listable{run: r, started: r.Record.Started})
		}
	}
	if s, err := existingStore(dir); err == nil {
		ensembles, err := host.Ensembles(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, e := range ensembles {
			all = append(all, listable{ensemble: &e, started: e.Record.Started})
		}
	}
	slices.SortStableFunc(all, func(a, b listable) int { return strings.Compare(b.started, a.started) })
	return all, nil
}

func (l listable) row(ctx context.Context, c *connection, s store.Store) (listedRun, error) {
	if l.ensemble == nil {
		return listedRunOf(ctx, c, s, l.run)
	}
	e := l.ensemble.Record
	row := listedRun{Run: e.ID, Title: e.Title, Status: incomplete}
	var err error
	if row.Started, err = time.Parse(time.RFC3339Nano, e.Started); err != nil {
		return row, err
	}
	r, err := host.ReadRoster(ctx, c.asked(), s, *l.ensemble)
	if err != nil {
		return row, err
	}
	members := standing(r)
	switch row.Ensemble = &members; {
	case r.Open:
		row.Status = follow.Running
	case members.Completed == members.Members:
		row.Status = record.Completed
	}
	return row, nil
}

// incomplete is the status of an ensemble that isn't open, and of which not all members
// completed.
const incomplete record.Status = "incomplete"

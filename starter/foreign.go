package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/bundle"
	"rlam/workflows"
)

// foreignError says that a workflow of the server is no run of a study.
type foreignError struct{ id, runID, kind string }

func (e *foreignError) Error() string {
	if e.kind == workflows.EnsembleName {
		return fmt.Sprintf("%q is an ensemble, and this is done with one run: name a member, such as %s", e.id, record.MemberRunID(e.id, record.MemberID(1), 1))
	}
	return fmt.Sprintf("%q is a workflow of type %q and no run of a study", e.id, e.kind)
}

// gatherAny is gather for what needs no records: of workflows that aren't R-LAM's, and of
// histories in files.
func (a *app) gatherAny(ctx context.Context, id string, o gatherOptions) (*evidence, error) {
	if info, err := os.Stat(id); err == nil && info.Mode().IsRegular() && !bundle.Is(id) {
		return a.fromFile(ctx, id, o)
	}
	e, err := a.gather(ctx, id, o)
	var foreign *foreignError
	if !errors.As(err, &foreign) {
		return e, err
	}
	c, err := a.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	histories, err := c.histories(ctx, &located{ID: foreign.id, RunID: foreign.runID}, nil)
	if err != nil {
		return nil, err
	}
	if e, err = join(ctx, nil, histories, false); err != nil {
		return nil, err
	}
	e.Namespace = c.namespace()
	return e, nil
}

// fromFile joins what a history in a file tells with what the store has of the run, if
// it has its record.
func (a *app) fromFile(ctx context.Context, path string, o gatherOptions) (*evidence, error) {
	h, err := fileSource(path).open()
	if err != nil {
		return nil, &codedError{exitUsage, fmt.Errorf("reading the history %q: %w", path, err)}
	}
	r, err := readHistory("", h)
	if err != nil {
		return nil, &codedError{exitUsage, fmt.Errorf("reading the history %q: %w", path, err)}
	}
	dir, err := a.storeDir(o.store)
	if err != nil {
		return nil, err
	}
	var records store.Store
	if s, err := existingStore(dir); err == nil && r.Study {
		if found, err := s.Get(ctx, r.Record); err == nil {
			found.Close()
			records = s
		}
	}
	return join(ctx, records, map[string]*historypb.History{r.RunID: h}, o.strays)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/devserver"
	"rlam/internal/store"
	"rlam/provenance/bundle"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// archive is a run of which no server tells: from the store, or from a bundle.
type archive struct {
	ID        string
	Record    canon.Digest
	Store     store.Store // what is in the bundle; it says of what isn't, why that is so
	Histories map[string]*historypb.History
	Namespace string       // "" if it isn't known
	Mark      *bundle.Mark // of a run that was imported; else nil
	Bundle    string       // the file, of a run that is still in its bundle
}

// follower reads the run as one on a server is read.
func (k *archive) follower() follow.Follower {
	return follow.Follower{Contents: follow.Contents{Store: k.Store}, ID: k.ID, Archived: k.Histories}
}

// lookUp finds what RUN names: a bundle (a file NAME.zip, or a folder that is spelled as a
// path: shared/run, ./run), a run that a server has, or one that only the
// store tells of. Either the archive is nil, or connection and location are. Of a run
// whose history the store keeps no server is needed: where none can be reached, none is
// started.
func (a *app) lookUp(ctx context.Context, id, storeFlag string) (*connection, *located, *archive, error) {
	if path := strings.ContainsAny(id, `/\`) || strings.HasSuffix(id, ".zip"); path && bundle.Is(id) {
		k, err := openBundle(ctx, id)
		return nil, nil, k, err
	}
	if strings.HasSuffix(id, ".zip") {
		return nil, nil, nil, &codedError{exitNotFound, fmt.Errorf("there is no bundle %q", id)}
	}
	dir, err := a.storeDir(storeFlag)
	if err != nil {
		return nil, nil, nil, err
	}
	c, unreached := a.reach(ctx)
	if unreached != nil {
		if k, err := a.archived(ctx, id, dir); k != nil || err != nil {
			return nil, nil, k, err
		}
		if err := a.nowhere(ctx, id, dir, unreached); err != nil {
			return nil, nil, nil, err
		}
		if c, err = a.connect(ctx); err != nil {
			return nil, nil, nil, err
		}
	}
	l, err := c.locate(ctx, id, dir)
	if err == nil {
		return c, l, nil, nil
	}
	c.close()
	var unknown *unknownRunError
	if errors.As(err, &unknown) { // it may have forgotten the run, or never have had it
		if k, archiveErr := a.archived(ctx, id, dir); k != nil || archiveErr != nil {
			return nil, nil, k, archiveErr
		}
	}
	return nil, nil, nil, err
}

// nowhere says that there is no such run, as far as that is known without starting a server:
// the store has none, or neither it nor a server that was ever started below this home.
func (a *app) nowhere(ctx context.Context, id, storeDir string, unreached error) error {
	listed, err := listRuns(ctx, storeDir)
	if err != nil || id == last && len(listed) > 0 {
		return err
	}
	if id != last {
		if slices.ContainsFunc(listed, func(r host.ListedRun) bool { return r.Record.ID == id || r.Digest.String() == id }) || !errors.Is(unreached, devserver.ErrNotRunning) {
			return nil
		}
		home, err := a.home()
		if err != nil {
			return err
		}
		if kept, err := devserver.Kept(home); kept || err != nil {
			return err
		}
	}
	var ids []string
	for _, r := range listed {
		ids = append(ids, r.Record.ID)
	}
	return &unknownRunError{id: id, nearest: schemas.Nearest(id, ids)}
}

// archived is what the store keeps of a run, as [app.kept] finds it, and says to a person
// that no server tells of the run.
func (a *app) archived(ctx context.Context, id, storeDir string) (*archive, error) {
	k, err := a.kept(ctx, id, storeDir)
	if k != nil && k.Mark == nil {
		a.notef("No Temporal server tells of run %s: its history is taken from the store, as it was when the run closed.", k.ID)
	}
	return k, err
}

// kept is what the store keeps of a run, which is named by its id or by the digest of its
// record. It is nil of a run whose histories the store has not.
func (a *app) kept(ctx context.Context, id, storeDir string) (*archive, error) {
	listed, err := listRuns(ctx, storeDir)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(listed, func(r host.ListedRun) bool { return id == last || r.Record.ID == id || r.Digest.String() == id })
	if i < 0 {
		return nil, nil
	}
	s, err := existingStore(storeDir)
	if err != nil {
		return nil, err
	}
	k := &archive{ID: listed[i].Record.ID, Record: listed[i].Digest, Store: s}
	if k.Histories, err = host.Archived(ctx, s, k.Record); err != nil || len(k.Histories) == 0 {
		return nil, err
	}
	if k.Mark, err = bundle.ReadMark(ctx, s, k.Record); err != nil {
		return nil, err
	}
	if k.Mark != nil {
		k.Store, k.Namespace = k.Mark.Recalling(s), k.Mark.Namespace
	}
	return k, nil
}

// openBundle reads a run in its bundle. The file stays open for as long as the command runs.
func openBundle(ctx context.Context, name string) (*archive, error) {
	b, err := bundle.Open(ctx, name, bundle.Limits{})
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	context.AfterFunc(ctx, func() { b.Close() })
	k := &archive{ID: b.Index.Run.ID, Record: b.Index.Run.Record, Store: b.Store, Namespace: b.Index.Run.Namespace, Bundle: name}
	if k.Histories, err = host.Archived(ctx, b.Store, k.Record); err != nil {
		return nil, fmt.Errorf("reading bundle %q: %w", name, err)
	}
	return k, nil
}

// evidence joins what an archive tells.
func (k *archive) evidence(ctx context.Context, strays bool) (*evidence, error) {
	e, err := join(ctx, k.Store, k.Histories, strays)
	if err != nil {
		return nil, err
	}
	e.Namespace = k.Namespace
	return e, nil
}

// retold is a run told again by other histories and another store.
func retold(ctx context.Context, histories map[string][]byte, s store.Store) (*evidence, error) {
	decoded := map[string]*historypb.History{}
	for id, b := range histories {
		h := &historypb.History{}
		for e, err := range history.FromProtobuf(b) {
			if err != nil {
				return nil, err
			}
			h.Events = append(h.Events, e)
		}
		decoded[id] = h
	}
	return join(ctx, s, decoded, true)
}

// standstill says that a run had not ended when it was archived.
func (k *archive) standstill() string {
	return fmt.Sprintf("run %q had not ended when its history was kept, and its server isn't here: this is how it stood then", k.ID)
}

// imported says where a run comes from that was not run with this store.
func (k *archive) imported() string {
	switch {
	case k.Bundle != "":
		return "read from the bundle " + k.Bundle
	case k.Mark != nil:
		return "imported; the SHA-512 of its bundle's tag manifest is " + k.Mark.Manifest
	}
	return ""
}

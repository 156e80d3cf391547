package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

// Enrol puts a member of an ensemble on record: what its design pins, with an id and the
// time at which it begins. Asked again it gives the same record.
func (a *Activities) Enrol(ctx context.Context, in workflows.EnrolInput) (workflows.EnrolResult, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	result, err := a.enrol(ctx, in)
	if err != nil {
		return workflows.EnrolResult{}, a.trouble(ctx, err)
	}
	return result, nil
}

func (a *Activities) enrol(ctx context.Context, in workflows.EnrolInput) (workflows.EnrolResult, error) {
	e, err := a.ensemble(ctx, in.Ensemble)
	if err != nil {
		return workflows.EnrolResult{}, err
	}
	if in.N < 1 || in.N > len(e.Members) {
		return workflows.EnrolResult{}, failed(workflows.TypeNotAdmitted, fmt.Sprintf("ensemble %s has no member %d", e.ID, in.N), workflows.Failure{})
	}
	m := e.Members[in.N-1]
	var run record.Run
	raw, err := store.Read(ctx, a.cfg.Store, m.Run, record.MaxContent)
	if err == nil {
		err = json.Unmarshal(raw, &run)
	}
	if err != nil {
		return workflows.EnrolResult{}, fmt.Errorf("reading what member %s of ensemble %s is to be: %w", m.ID, e.ID, err)
	}
	run.ID, run.Engine, run.Started = record.MemberRunID(e.ID, m.ID, in.Go), e.Engine, journal.Time(in.Started)
	run.Ensemble = &record.Membership{ID: e.ID, Ensemble: in.Ensemble, Member: m.ID, Go: in.Go, Paths: e.Paths}
	d, blob, err := record.Encode(&run)
	if err != nil {
		return workflows.EnrolResult{}, err
	}
	secret := record.NewSecret() // the first one stays
	if _, _, err := a.cfg.Store.Commit(ctx, store.Batch{Blobs: [][]byte{blob}, Entries: []store.Entry{
		{Key: record.SecretKey(d), Value: secret[:]},
		{Key: record.RunKey(run), Value: []byte(d.String())},
		{Key: record.MemberKey(in.Ensemble, m.ID, in.Go), Value: []byte(d.String())},
	}}); err != nil {
		return workflows.EnrolResult{}, err
	}
	return workflows.EnrolResult{
		ID: run.ID, Run: d, Title: record.Preview(e.Title), Model: record.Preview(run.Models[0]), Summary: record.Preview(summaryOf(e, m)),
	}, nil
}

// summaryOf says what sets a member apart.
func summaryOf(e *record.Ensemble, m record.EnsembleMember) string {
	var parts []string
	for i, path := range e.Paths {
		parts = append(parts, path+"="+string(m.Values[i]))
	}
	if m.Repeat > 0 {
		parts = append(parts, fmt.Sprintf("repeat %d", m.Repeat))
	}
	return fmt.Sprintf("%s, member %s: %s", e.Title, m.ID, strings.Join(parts, ", "))
}

// ensemble reads the record of an ensemble, and keeps the newest: its members come one
// after the other.
func (a *Activities) ensemble(ctx context.Context, d canon.Digest) (*record.Ensemble, error) {
	if kept := a.newest.Load(); kept != nil && kept.digest == d {
		return kept.ensemble, nil
	}
	e := &record.Ensemble{}
	if err := record.Load(ctx, a.cfg.Store, d, e); err != nil {
		return nil, err
	}
	a.newest.Store(&keptEnsemble{d, e})
	return e, nil
}

// keptEnsemble is an ensemble's record that was read.
type keptEnsemble struct {
	digest   canon.Digest
	ensemble *record.Ensemble
}

// Conclude writes down what became of an ensemble's members, and returns the seal.
func (a *Activities) Conclude(ctx context.Context, in workflows.ConcludeInput) (canon.Digest, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	d, err := a.conclude(ctx, in)
	if err != nil {
		return canon.Digest{}, a.trouble(ctx, err)
	}
	a.closing(ctx, in.Ensemble)
	return d, nil
}

func (a *Activities) conclude(ctx context.Context, in workflows.ConcludeInput) (canon.Digest, error) {
	seal := record.EnsembleSeal{
		Kind: record.KindEnsembleSeal, Parent: in.Head, Status: in.Status, Ended: journal.Time(in.Ended), Members: []record.EndedMember{},
	}
	for _, m := range in.Members {
		ended := record.EndedMember{ID: record.MemberID(m.N), Go: m.Go, Head: m.Head, Status: m.Status}
		var err error
		if ended.Run, err = memberRun(ctx, a.cfg.Store, in.Ensemble, ended.ID, m.Go); err != nil {
			return canon.Digest{}, err
		}
		seal.Members = append(seal.Members, ended)
	}
	d, blob, err := record.Encode(&seal)
	if err != nil {
		return canon.Digest{}, err
	}
	_, _, err = a.cfg.Store.Commit(ctx, store.Batch{Blobs: [][]byte{blob}, Entries: []store.Entry{
		{Key: record.EnsembleSealKey(in.Ensemble, in.Head), Value: []byte(d.String())},
	}})
	return d, err
}

// memberRun is the record of one go of a member; none if it was never put on record.
func memberRun(ctx context.Context, s store.Store, ensemble canon.Digest, member string, n int) (canon.Digest, error) {
	value, err := s.Entry(ctx, record.MemberKey(ensemble, member, n))
	if errors.Is(err, store.ErrNotFound) {
		return canon.Digest{}, nil
	}
	if err != nil {
		return canon.Digest{}, err
	}
	return canon.Parse(string(value))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/ensemble"
	"rlam/worker/host"
)

// settingsOf are the values that a design gave to a member.
func settingsOf(e *record.Ensemble, m *record.EnsembleMember) []ensemble.Setting {
	var out []ensemble.Setting
	for i, path := range e.Paths {
		out = append(out, ensemble.Setting{Path: path, Value: m.Values[i]})
	}
	return out
}

// membersOf reads what came of an ensemble's members.
func membersOf(ctx context.Context, s store.Store, r *host.Roster) ([]ensemble.Member, error) {
	all := make([]ensemble.Member, 0, len(r.Members))
	for i := range r.Members {
		m := &r.Members[i]
		out := ensemble.Member{
			ID: m.ID, RunID: m.RunID, Varied: settingsOf(r.Record, m.EnsembleMember), Seed: m.Seed,
			Status: string(m.Status), Failure: whyNone(m),
		}
		if m.Status == host.MemberWaits {
			out.Status = "not_begun"
		}
		if !m.Head.IsZero() {
			if err := readMember(ctx, s, m.Head, &out); err != nil {
				return nil, fmt.Errorf("reading what member %s of ensemble %q left: %w", m.ID, r.Record.ID, err)
			}
		}
		all = append(all, out)
	}
	return all, nil
}

// whyNone says of a member that left no seal why that is so.
func whyNone(m *host.Member) string {
	switch m.Status {
	case host.MemberWaits:
		return "it has not begun"
	case host.MemberRunning:
		return "it is under way"
	case host.MemberUnknown:
		return "nothing tells how it ended"
	case record.Terminated:
		return "it was terminated, and left no seal"
	case record.NotStarted:
		return "it could not be started"
	case record.Cancelled:
		return "it was cancelled"
	}
	return ""
}

// readMember reads the chain of a member's run: its result, why there is none, and the
// calls that its planner chose.
func readMember(ctx context.Context, s store.Store, head canon.Digest, out *ensemble.Member) error {
	links, err := record.Lineage(ctx, s, head)
	if err != nil {
		return err
	}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Step:
			for _, c := range rec.Calls {
				call, err := readCall(ctx, s, rec.Index, c)
				if err != nil {
					return err
				}
				out.Plan = append(out.Plan, call)
			}
		case *record.Seal:
			if !rec.Reason.IsZero() {
				if err := record.OpenContent(ctx, s, rec.Reason, &out.Failure); err != nil {
					return err
				}
			}
			if !rec.Result.IsZero() {
				if err := record.OpenContent(ctx, s, rec.Result, &out.Result); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// readCall reads a call as it was planned: where a value came from another call, the
// reference stands in its place, so that equal plans are equal whatever was computed.
func readCall(ctx context.Context, s store.Store, step int, c record.CallRecord) (ensemble.Call, error) {
	call := ensemble.Call{Step: step, Action: c.Action, Outcome: string(c.Status)}
	if c.Params.IsZero() {
		return call, nil
	}
	if err := record.OpenContent(ctx, s, c.Params, &call.Given); err != nil {
		return call, err
	}
	for _, use := range c.Uses {
		ref, err := json.Marshal(map[string]string{"$from": use.From, "pointer": use.Pointer})
		if err != nil {
			return call, err
		}
		if planned, err := change.Put(call.Given, use.At, ref, false); err == nil { // else it isn't resolved yet
			call.Given = planned
		}
	}
	given, err := canon.Transform(call.Given)
	if err != nil {
		return call, err
	}
	call.Given, call.Params = given, canon.Sum(given)
	return call, nil
}

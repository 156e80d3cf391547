package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// Rejudge judges again what the planner of a run proposed, on the facts of then, which it
// rebuilds from the chain that ends at head, and returns where the gates' opinion is
// another one now. Nothing is changed. A step that is still open is judged as far as it
// was judged when it was proposed.
func Rejudge(ctx context.Context, s store.Store, run, head canon.Digest, g *schemas.Gate) ([]schemas.Difference, error) {
	r := &rejudging{Activities: &Activities{cfg: Config{Store: s}, gate: g}, versions: map[string]int{}}
	var err error
	if r.run, err = readPinned(ctx, s, run); err != nil {
		return nil, fmt.Errorf("loading run %s: %w", run, err)
	}
	for _, gate := range r.run.record.Gates {
		r.versions[gate.Name] = gate.Version
	}
	if r.chain, err = newChain(r.run); err != nil {
		return nil, err
	}
	own := false // what comes before the run's own record was judged in another run
	for l, err := range record.Along(ctx, s, head) {
		if err != nil {
			return r.found, err
		}
		switch rec := l.Record.(type) {
		case *record.Run:
			own = l.Digest == run
			err = r.chain.begin(ctx, r.Activities, l.Digest, rec)
		case *record.Proposal:
			if !own {
				err = r.reread(ctx, r.chain, l.Digest, rec)
				break
			}
			err = r.proposal(ctx, l.Digest, rec)
		case *record.Step:
			if !own {
				err = r.chain.close(ctx, r.Activities, r.run, l.Digest, rec)
				break
			}
			err = r.step(ctx, l.Digest, rec)
		}
		if err != nil {
			return r.found, fmt.Errorf("judging %s again: %w", l.Digest, err)
		}
	}
	return r.found, nil
}

// rejudging is the chain up to what is judged next.
type rejudging struct {
	*Activities
	run      *pinned
	chain    *chain
	versions map[string]int // of the gates, when the run was begun
	proposed *record.Proposal
	found    []schemas.Difference
}

// factsAt are the facts at the chain's end, at a time that a record tells of.
func (r *rejudging) factsAt(c *chain, elapsed string) (schemas.Facts, error) {
	f := r.facts(r.run, c)
	d, err := time.ParseDuration(elapsed)
	if elapsed != "" && err != nil {
		return f, fmt.Errorf("reading how long the run had taken: %w", err)
	}
	f.Counters.Elapsed = schemas.Duration(d)
	return f, nil
}

func (r *rejudging) proposal(ctx context.Context, d canon.Digest, p *record.Proposal) error {
	f, err := r.factsAt(r.chain, p.Elapsed)
	if err != nil {
		return err
	}
	if p.Last != nil {
		f.LastTurn = p.Last.Limit
	}
	var answer planner.Answer
	if err := record.OpenContent(ctx, r.cfg.Store, p.Answer, &answer); err != nil {
		return err
	}
	switch {
	case p.Result != nil:
		recorded, err := r.recorded(ctx, p.Result.Verdicts)
		if err != nil {
			return err
		}
		r.found = append(r.found, r.gate.RejudgeResult(answer.Finish, recorded, r.versions, f)...)
	case len(p.Calls) > 0:
		calls := proposed(p.Index, answer.Calls)
		if len(calls) != len(p.Calls) {
			return fmt.Errorf("the answer has %d calls, and the record %d", len(calls), len(p.Calls))
		}
		recorded := make([][]schemas.Verdict, len(calls))
		for i, call := range p.Calls {
			if recorded[i], err = r.recorded(ctx, call.Verdicts); err != nil {
				return err
			}
		}
		r.found = append(r.found, slices.DeleteFunc(r.gate.Rejudge(calls, recorded, r.versions, f), func(d schemas.Difference) bool {
			return slices.ContainsFunc(p.Calls, func(c record.Call) bool { return c.ID == d.Call && c.Kept != nil }) // judged in another run
		})...)
	}
	r.proposed = p
	return r.reread(ctx, r.chain, d, p)
}

// step judges the deferred calls of a step again, each with what had ended when it was judged.
func (r *rejudging) step(ctx context.Context, d canon.Digest, s *record.Step) error {
	for _, call := range s.Calls {
		if call.Judgement.IsZero() {
			continue
		}
		j, err := r.judgement(ctx, call.Judgement, s.Parent, call.ID)
		if err != nil {
			return err
		}
		now := r.chain.snapshot()
		for _, sibling := range s.Calls {
			if slices.Contains(j.Siblings, sibling.ID) {
				if err := r.sibling(ctx, now, sibling); err != nil {
					return err
				}
			}
		}
		at := slices.IndexFunc(r.proposed.Calls, func(c record.Call) bool { return c.ID == call.ID })
		if at < 0 {
			return fmt.Errorf("no call %q was proposed", call.ID)
		}
		was := r.proposed.Calls[at]
		var params json.RawMessage
		if err := record.OpenContent(ctx, r.cfg.Store, was.Params, &params); err != nil {
			return err
		}
		recorded, err := r.recorded(ctx, j.Call.Verdicts)
		if err != nil {
			return err
		}
		now.forget(was)
		f, err := r.factsAt(now, j.Elapsed)
		if err != nil {
			return err
		}
		again := []schemas.Proposed{{ID: was.ID, Name: was.Name, Action: was.Action, Params: params}}
		r.found = append(r.found, r.gate.Rejudge(again, [][]schemas.Verdict{recorded}, r.versions, f)...)
	}
	return r.chain.close(ctx, r.Activities, r.run, d, s)
}

// sibling puts a call that had ended among the sources, as [Activities.addSiblings] does.
func (r *rejudging) sibling(ctx context.Context, c *chain, ended record.CallRecord) error {
	source := schemas.Source{Status: sourceStatus(ended.Status)}
	if n := len(ended.Attempts); n > 0 && ended.Status == record.CallCompleted {
		var err error
		if source.Output, err = r.output(ctx, ended); err != nil {
			return err
		}
		for _, a := range ended.Attempts[n-1].Artifacts {
			c.artifacts[a.Digest.String()] = true
		}
	}
	for _, call := range r.proposed.Calls {
		if call.ID == ended.ID {
			c.source(call, source)
		}
	}
	return nil
}

// recorded are verdicts with their reasons.
func (r *rejudging) recorded(ctx context.Context, from []record.Verdict) ([]schemas.Verdict, error) {
	to := make([]schemas.Verdict, len(from))
	for i, v := range from {
		to[i] = schemas.Verdict{Gate: v.Gate, Version: v.Version, Decision: schemas.Decision(v.Decision), Rule: v.Rule, Facts: v.Facts}
		if v.Reason.IsZero() {
			continue
		}
		if err := record.OpenContent(ctx, r.cfg.Store, v.Reason, &to[i].Reason); err != nil {
			return nil, err
		}
	}
	return to, nil
}

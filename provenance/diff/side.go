package diff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/schemas"
)

// side is one run, read.
type side struct {
	*export.Run
	ctx     context.Context
	run     *record.Run
	links   []record.Link // all records that lead to the head, those of runs it continues first
	calls   []*call       // that are not shared
	turns   []turn        // likewise
	seal    *record.Seal
	notes   []string
	actions map[canon.Digest]*schemas.Action
}

// turn is a planner's turn.
type turn struct {
	digest canon.Digest
	*record.Proposal
}

// call is a proposed call, with what came of it.
type call struct {
	record.CallRecord
	step   int
	params export.Content
	key    string // equal of equal calls: action and parameters
}

// last is the attempt that says what came of the call; nil if none ended.
func (c *call) last() *record.AttemptRecord {
	if len(c.Attempts) == 0 {
		return nil
	}
	return &c.Attempts[len(c.Attempts)-1]
}

// read reads a run's records.
func read(ctx context.Context, r *export.Run) (*side, error) {
	s := &side{Run: r, ctx: ctx, actions: map[canon.Digest]*schemas.Action{}}
	for d := r.Trace.Head; !d.IsZero(); {
		rec, err := record.LoadAny(ctx, r.Store, d)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			s.notes = append(s.notes, fmt.Sprintf("run %s can't be followed further back: %v", r.Trace.ID, err))
			break
		}
		s.links = append(s.links, record.Link{Digest: d, Record: rec})
		if run, ok := rec.(*record.Run); ok && d == r.Trace.Record {
			s.run = run
		}
		d = record.Parent(rec)
	}
	slices.Reverse(s.links)
	if s.run == nil {
		return nil, fmt.Errorf("comparing run %q: its record %s can't be read", r.Trace.ID, r.Trace.Record)
	}
	return s, nil
}

func (s *side) summary() Side {
	out := Side{ID: s.Trace.ID, Record: s.Trace.Record, Head: s.Trace.Head, Status: s.Trace.Status}
	for _, l := range s.links {
		if p, ok := l.Record.(*record.Proposal); ok {
			out.Steps++
			out.Calls += len(p.Calls)
		}
	}
	return out
}

// own takes what comes after the first n records.
func (s *side) own(n int) {
	for _, l := range s.links[n:] {
		switch rec := l.Record.(type) {
		case *record.Proposal:
			s.turns = append(s.turns, turn{digest: l.Digest, Proposal: rec})
			for _, c := range rec.Calls {
				s.calls = append(s.calls, &call{CallRecord: record.CallRecord{Call: c, Status: record.CallStatus(c.Decision)}, step: rec.Index})
			}
		case *record.Step:
			s.came(rec)
		case *record.Seal:
			s.seal = rec
		}
	}
	for _, c := range s.calls {
		c.params = s.content(c.Params)
		value := string(c.params.Value)
		if c.params.State != export.Present {
			value = c.Params.String() // equal within a run, and where both share the secret
		}
		c.key = c.Action + "\n" + value
	}
}

// came completes the calls of the newest turn.
func (s *side) came(rec *record.Step) {
	for _, of := range rec.Calls {
		for i := len(s.calls) - 1; i >= 0 && s.calls[i].step == rec.Index; i-- {
			if s.calls[i].ID == of.ID {
				of.Attempts = s.attempts(of)
				s.calls[i].CallRecord = of
			}
		}
	}
}

// attempts are those of a call; of one that a fork kept, those of the run that carried it
// out, with the output that a person put in its place.
func (s *side) attempts(of record.CallRecord) []record.AttemptRecord {
	all := of.Attempts
	if of.Kept != nil && len(all) == 0 {
		var step record.Step
		if err := record.Load(s.ctx, s.Store, of.Kept.Step, &step); err != nil {
			s.notes = append(s.notes, fmt.Sprintf("what came of call %s can't be compared: %v", of.ID, err))
			return nil
		}
		if i := slices.IndexFunc(step.Calls, func(k record.CallRecord) bool { return k.ID == of.ID }); i >= 0 {
			all = slices.Clone(s.attempts(step.Calls[i]))
		}
	}
	if of.Asserted != nil {
		if len(all) == 0 {
			all = []record.AttemptRecord{{}}
		}
		all[len(all)-1].Output = of.Asserted.Output
	}
	return all
}

// content reads a content. That a digest is none, or can't be read, is in its State.
func (s *side) content(d canon.Digest) export.Content {
	if d.IsZero() {
		return export.Content{State: export.Missing}
	}
	c, err := s.Content(s.ctx, d)
	if err != nil {
		return export.Content{Digest: d, State: export.Missing, Why: err.Error()}
	}
	return c
}

// blob reads a blob of JSON that is no content: a study, a schema, an environment.
func (s *side) blob(d canon.Digest) (json.RawMessage, error) {
	if d.IsZero() {
		return nil, nil
	}
	return store.Read(s.ctx, s.Store, d, record.MaxContent)
}

// action is the formal schema of a call's action; nil where it can't be read.
func (s *side) action(spec canon.Digest) *schemas.Action {
	a, ok := s.actions[spec]
	if !ok {
		a = &schemas.Action{}
		if raw, err := s.blob(spec); err != nil || len(raw) == 0 || json.Unmarshal(raw, a) != nil {
			a = nil
		}
		s.actions[spec] = a
	}
	return a
}

// part finds the records that both runs have, and leaves them out.
func (c *comparison) part() {
	at := map[canon.Digest]int{}
	for i, l := range c.a.links {
		at[l.Digest] = i
	}
	shared := [2]int{}
	for i := len(c.b.links) - 1; i >= 0; i-- {
		if k, both := at[c.b.links[i].Digest]; both {
			shared = [2]int{k + 1, i + 1}
			c.d.Shared = &Shared{Record: c.b.links[i].Digest}
			break
		}
	}
	for _, l := range c.a.links[:shared[0]] {
		if _, ok := l.Record.(*record.Proposal); ok {
			c.d.Shared.Steps++
		}
	}
	c.a.own(shared[0])
	c.b.own(shared[1])
}

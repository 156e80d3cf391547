// Package reproduce says what it takes to execute a recorded run again without its model,
// and what came of it. [PlanOf] makes a plan of the run's recorded calls, with references
// where values came from other calls; [Compare] holds what that plan's run left against
// the record, each output field and artifact by the class that its action declares.
//
// The package reads records and contents, and executes nothing.
package reproduce

import (
	"context"
	"encoding/json"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/schemas"
)

// Call is a call as the record has it.
type Call struct {
	record.CallRecord
	Of     Owner           // the run that the attempts are of: of a fork's, perhaps one that it continues
	Spec   *schemas.Action // nil of a call of an unknown action
	Values json.RawMessage // its parameters, references replaced; nil if they are withheld or lost
	Last   *record.AttemptRecord
	Output json.RawMessage // of a call that completed; nil if it is withheld or lost
	Drawn  *uint64         // the seed it was executed with, of a seeded action
}

// Owner is the run that executed a call.
type Owner struct {
	ID   string
	Run  canon.Digest // its record
	Head canon.Digest // a record of it, at or after the call's
}

// executed says whether something ran, and how it ended is known.
func (c *Call) executed() bool {
	return c.Last != nil && (c.Status == record.CallCompleted || c.Status == record.CallFailed && c.Last.Status == record.AttemptFailed)
}

// Calls are the calls that lead to a run's head and have a step record, in the order in
// which they were proposed. Of a fork, those of the runs that it continues come first: its
// result rests on them as on its own.
func Calls(ctx context.Context, run *export.Run) ([]*Call, error) {
	if run.Store == nil || run.Trace.Run == nil {
		return nil, fmt.Errorf("reading the calls of %q: its records can't be read", run.Trace.ID)
	}
	links, err := record.Lineage(ctx, run.Store, run.Trace.Head)
	if err != nil {
		return nil, err
	}
	r := reader{ctx: ctx, run: run, specs: map[canon.Digest]*schemas.Action{}, studies: map[canon.Digest]*schemas.Study{}}
	var calls []*Call
	for _, l := range links {
		step, ok := l.Record.(*record.Step)
		if !ok {
			continue
		}
		for _, rec := range step.Calls {
			c, err := r.call(rec, l.Digest)
			if err != nil {
				return nil, fmt.Errorf("reading call %s: %w", rec.ID, err)
			}
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// reader reads calls, and each action's schema and each run's study once.
type reader struct {
	ctx     context.Context
	run     *export.Run
	specs   map[canon.Digest]*schemas.Action
	studies map[canon.Digest]*schemas.Study // by a run's record
}

// call reads a call of the step whose record is at.
func (r *reader) call(rec record.CallRecord, at canon.Digest) (*Call, error) {
	c := &Call{CallRecord: rec}
	if n := len(rec.Attempts); n > 0 {
		c.Last = &rec.Attempts[n-1]
	}
	if rec.Kept != nil {
		at = rec.Kept.Step
	}
	study, err := r.owner(c, at)
	if err != nil {
		return nil, err
	}
	if c.Spec, err = r.spec(rec.Call.Spec); err != nil {
		return nil, err
	}
	if c.Spec != nil {
		c.Drawn = study.SeedOf(c.Spec, c.ID, c.Seed)
	}
	if c.Values, err = r.value(rec.Params); err != nil {
		return nil, err
	}
	if c.Status == record.CallCompleted && c.Last != nil {
		c.Output, err = r.value(c.Last.Output)
	}
	return c, err
}

// owner notes whose step a call is of that stands in the record at, and reads the study
// of that run.
func (r *reader) owner(c *Call, at canon.Digest) (*schemas.Study, error) {
	d, run, err := record.RunOf(r.ctx, r.run.Store, at)
	if err != nil {
		return nil, err
	}
	c.Of = Owner{ID: run.ID, Run: d, Head: at}
	if d == r.run.Trace.Record {
		c.Of.Head = r.run.Trace.Head
	}
	if s := r.studies[d]; s != nil {
		return s, nil
	}
	raw, err := store.Read(r.ctx, r.run.Store, run.Study, record.MaxContent)
	if err != nil {
		return nil, fmt.Errorf("reading the study of run %q: %w", run.ID, err)
	}
	study, err := schemas.ReadStudy(raw)
	if err != nil {
		return nil, err
	}
	r.studies[d] = &study.Study
	return &study.Study, nil
}

// value is a content's; nil if it can't be read.
func (r *reader) value(d canon.Digest) (json.RawMessage, error) {
	content, err := r.run.Content(r.ctx, d)
	return content.Value, err
}

func (r *reader) spec(d canon.Digest) (*schemas.Action, error) {
	if d.IsZero() {
		return nil, nil
	}
	if a := r.specs[d]; a != nil {
		return a, nil
	}
	raw, err := store.Read(r.ctx, r.run.Store, d, record.MaxContent)
	if err != nil {
		return nil, fmt.Errorf("reading an action's schema: %w", err)
	}
	a := &schemas.Action{}
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("reading the action's schema %s: %w", d, err)
	}
	r.specs[d] = a
	return a, nil
}

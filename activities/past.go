package activities

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"go.temporal.io/sdk/activity"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/reuse"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// past is what the store knows of executions like the one that a call asks for.
type past struct {
	components reuse.Components // of what would run now
	found      reuse.Found
	passed     []record.PassedOver // found, and of no use
}

// What is wrong with an execution that was passed over.
const (
	problemMissing = "missing" // what it left is not in the store
	problemCorrupt = "corrupt" // what it left isn't what it was
	problemUnfit   = "unfit"   // its output isn't what the action promises now
)

// fromPast answers a call of which nothing has begun from the record, if the study allows
// it and an equal execution is there with all that it left. Nothing is executed then, and
// the journal has nothing of it.
func (a *Activities) fromPast(ctx context.Context, w *work) (workflows.ActResult, error, bool) {
	began := time.Now()
	err := a.recall(ctx, w)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err), true
	}
	if w.past == nil || !w.run.study.Study.Reuse.Allows(&w.bound.Action) {
		return workflows.ActResult{}, nil, false
	}
	for _, e := range w.past.found.Entries {
		x, output, passed, err := a.outcomeOf(ctx, w, e)
		if err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err), true
		}
		if passed != nil {
			w.past.passed = append(w.past.passed, *passed)
			continue
		}
		result, err := a.answer(ctx, w, e, x, output, began)
		if err != nil {
			err = a.trouble(ctx, err)
		}
		return result, err, true
	}
	return workflows.ActResult{}, nil, false
}

// recall looks up the executions that are equal to the one that w asks for. It leaves
// w.past nil if w's action can't be reused, or its environment can't be described: then an
// execution fails, and says of what.
func (a *Activities) recall(ctx context.Context, w *work) error {
	if !w.bound.Action.Reusable() {
		return nil
	}
	env, err := a.environment(ctx, a.task(w, ""))
	if err != nil {
		activity.GetLogger(ctx).Debug("describing where a call would run", "call", w.in.Call, "error", err)
		return nil
	}
	params, err := canon.Marshal(w.params)
	if err != nil {
		return err
	}
	p := &past{components: reuse.Components{
		Spec: w.bound.Spec, Binding: w.bound.Binding, Params: canon.Sum(params), Seed: w.run.seed(w.bound, w.call), Identity: env.identity,
	}}
	runs := []canon.Digest{w.run.digest}
	said := w.run.study.Study.Reuse
	if said.Source() != schemas.ReuseNever {
		if runs, err = a.ancestors(ctx, w.run); err != nil {
			return err
		}
	}
	p.found, err = reuse.Index{Store: a.cfg.Store}.Find(ctx, w.bound.Action.Name, p.components.Key(), runs, said.Source() == schemas.ReuseStore)
	w.past = p
	return err
}

// ancestors are a run and those that it was forked from.
func (a *Activities) ancestors(ctx context.Context, run *pinned) ([]canon.Digest, error) {
	if known, ok := a.ancestry.Load(run.digest); ok {
		return known.([]canon.Digest), nil
	}
	all, err := reuse.Ancestry(ctx, a.cfg.Store, run.digest, run.record.Parent)
	if err == nil {
		a.ancestry.Store(run.digest, all)
	}
	return all, err
}

// outcomeOf reads again what an execution came to, and checks all that it left. It is
// passed over if something of that can't be had.
func (a *Activities) outcomeOf(ctx context.Context, w *work, e reuse.Entry) (x record.Execution, output json.RawMessage, passed *record.PassedOver, err error) {
	o, err := a.journal.Outcome(ctx, journal.CallKey(e.Proposal, e.Call), e.Execution)
	if err == nil && o.Status != journal.Completed {
		return x, nil, &record.PassedOver{Reused: e.Reused, Problem: problemMissing}, nil
	}
	var what canon.Digest
	if err == nil {
		err = json.Unmarshal(o.Body, &x)
	}
	if err == nil {
		what = x.Output.Digest
		err = record.OpenContent(ctx, a.cfg.Store, what, &output)
	}
	for _, d := range leftBy(x) {
		if err == nil {
			what = d
			err = a.whole(ctx, d)
		}
	}
	var corrupt *store.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return x, nil, &record.PassedOver{Reused: e.Reused, Problem: problemCorrupt, What: what}, nil
	case errors.Is(err, store.ErrNotFound):
		return x, nil, &record.PassedOver{Reused: e.Reused, Problem: problemMissing, What: what}, nil
	case err != nil:
		return x, nil, nil, err
	}
	if a.gate.CheckOutput(w.bound, w.params, output) != nil {
		return x, nil, &record.PassedOver{Reused: e.Reused, Problem: problemUnfit}, nil
	}
	return x, output, nil, nil
}

// leftBy is all that an execution left besides its output.
func leftBy(x record.Execution) []canon.Digest {
	all := []canon.Digest{x.Environment}
	for _, art := range x.Artifacts {
		all = append(all, art.Digest)
	}
	if !x.Log.IsZero() {
		all = append(all, x.Log)
	}
	return all
}

// whole reads a blob to its end: a store checks what it reads.
func (a *Activities) whole(ctx context.Context, d canon.Digest) error {
	r, err := a.cfg.Store.Get(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// answer writes down what the record answers a call with, and reports it. The output is
// a content of this run's own, under its secret.
func (a *Activities) answer(ctx context.Context, w *work, e reuse.Entry, x record.Execution, output json.RawMessage, began time.Time) (workflows.ActResult, error) {
	ref, content, err := w.run.secret.Content(output)
	if err != nil {
		return workflows.ActResult{}, err
	}
	x.Started, x.Ended, x.Output, x.Binding = journal.Time(began), journal.Time(time.Now()), ref, w.chosen()
	x.Reused, x.PassedOver = &e.Reused, w.past.passed
	digest, blob, err := canon.Of(x)
	if err != nil {
		return workflows.ActResult{}, err
	}
	batch := store.Batch{Blobs: [][]byte{content, blob}}
	if e.Run != w.run.digest { // those that are forked from this run find it by this run
		if batch.Entries, err = w.past.found.With(e, w.run.digest, false); err != nil {
			return workflows.ActResult{}, err
		}
	}
	if _, _, err := a.cfg.Store.Commit(ctx, batch); err != nil {
		return workflows.ActResult{}, err
	}
	return workflows.ActResult{Output: ref, Reused: &workflows.Reused{Reused: e.Reused, Answer: digest}}, nil
}

// passedOver are executions that would have answered, and couldn't.
func (p *past) passedOver() []record.PassedOver {
	if p == nil {
		return nil
	}
	return p.passed
}

// enter is what puts an execution that completed into the index. Where the environment
// changed while it ran, nobody knows in which of the two it came to its outcome.
func (p *past) enter(w *work, in journal.Intent, out journal.Outcome, env environment) ([]store.Entry, error) {
	if p == nil || env.identity != p.components.Identity {
		return nil, nil
	}
	e := reuse.Entry{Components: p.components, Given: w.call.Params, Environment: env.digest, Reused: record.Reused{
		Key: p.components.Key(), Run: w.run.digest, ID: w.run.record.ID, Proposal: in.Proposal, Call: in.Call, Execution: in.N,
		Started: in.Started, Ended: out.Ended,
	}}
	return p.found.With(e, w.run.digest, true)
}

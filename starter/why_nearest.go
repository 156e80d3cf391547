package main

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/reuse"
	"rlam/provenance/bundle"
	"rlam/schemas"
	"rlam/worker/host"
)

// compare finds the earlier execution that came nearest, and says in what it differed.
func (w *inquiry) compare(ctx context.Context, m *whyMessage) error {
	mine, err := w.components(ctx)
	if err != nil {
		return err
	}
	if m.Imported, err = w.imported(ctx); err != nil {
		return err
	}
	name, _, _ := strings.Cut(w.call.Action, "@")
	all, err := reuse.Index{Store: w.store}.Of(ctx, name)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(e reuse.Entry) bool {
		return e.Proposal == w.proposal && e.Call == w.call.ID || !before(e.Ended, w.at.Started)
	})
	if len(all) == 0 {
		m.Because = becauseFirst
		return nil
	}
	family, err := reuse.Ancestry(ctx, w.store, w.record, w.run.Parent)
	if err != nil {
		return err
	}
	answers := func(e reuse.Entry) bool {
		return w.study.Reuse.Source() == schemas.ReuseStore || slices.Contains(family, e.Run)
	}
	nearest := w.nearest(ctx, mine, all, answers)
	m.Nearest = &nearest.Reused
	differing := mine.Components.Differing(nearest.Components)
	switch {
	case len(differing) > 0:
		m.Because = becauseDiffers
		m.Differs, err = w.differences(ctx, differing, mine, nearest)
	case !answers(nearest):
		m.Because, m.Said = becauseScope, string(w.study.Reuse.Source())
	default:
		m.Because = becauseUnknown
	}
	return err
}

// imported are the runs of the store that were imported and may use the action, where the
// study would take what any run executed.
func (w *inquiry) imported(ctx context.Context) ([]string, error) {
	if w.study.Reuse.Source() != schemas.ReuseStore {
		return nil, nil
	}
	runs, err := host.Runs(ctx, w.store)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range runs {
		if !slices.ContainsFunc(r.Record.Actions, func(p record.Pin) bool { return p.Spec == w.call.Spec }) {
			continue
		}
		if mark, err := bundle.ReadMark(ctx, w.store, r.Digest); err != nil {
			return nil, err
		} else if mark != nil {
			ids = append(ids, r.Record.ID)
		}
	}
	return ids, nil
}

// nearest is the execution that shares most with what is asked after: that differs in the
// fewest components, of those in the fewest pieces of them (a parameter, a library); then
// what may answer comes first, then the call of the same id, as that of a run forked from
// is, and then what ended last. There is at least one.
func (w *inquiry) nearest(ctx context.Context, mine reuse.Entry, all []reuse.Entry, answers func(reuse.Entry) bool) reuse.Entry {
	components := func(e reuse.Entry) int { return len(mine.Components.Differing(e.Components)) }
	fewest := components(slices.MinFunc(all, func(a, b reuse.Entry) int { return cmp.Compare(components(a), components(b)) }))
	all = slices.DeleteFunc(all, func(e reuse.Entry) bool { return components(e) > fewest })
	pieces := map[record.Reused]int{}
	for _, e := range all {
		d, err := w.differences(ctx, mine.Components.Differing(e.Components), mine, e)
		if pieces[e.Reused] = len(d); err != nil { // it can't be said in what it differs: any other tells more
			pieces[e.Reused] = math.MaxInt
		}
	}
	return slices.MinFunc(all, func(a, b reuse.Entry) int {
		return cmp.Or(
			cmp.Compare(pieces[a.Reused], pieces[b.Reused]),
			first(answers(a), answers(b)),
			first(a.Call == w.call.ID, b.Call == w.call.ID),
			first(before(b.Ended, a.Ended), before(a.Ended, b.Ended)),
		)
	})
}

// first orders what has a property before what has not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// before compares times as records spell them.
func before(a, b string) bool {
	x, err := time.Parse(time.RFC3339Nano, a)
	y, endErr := time.Parse(time.RFC3339Nano, b)
	return err == nil && endErr == nil && x.Before(y)
}

// components are those of the attempt that is asked after, as an entry of the index would
// have them.
func (w *inquiry) components(ctx context.Context) (reuse.Entry, error) {
	e := reuse.Entry{Given: w.call.Params, Environment: w.at.Environment, Components: reuse.Components{
		Spec: w.call.Spec, Binding: w.call.Binding, Seed: w.study.SeedOf(w.action, w.call.ID, w.call.Seed),
	}}
	if !w.at.Binding.IsZero() {
		e.Components.Binding = w.at.Binding
	}
	var params json.RawMessage
	if err := record.OpenContent(ctx, w.store, w.call.Params, &params); err != nil {
		return e, err
	}
	spelled, err := canon.Marshal(params)
	if err != nil {
		return e, err
	}
	e.Components.Params = canon.Sum(spelled)
	env, err := readEnvironment(ctx, w.store, w.at.Environment)
	if err != nil {
		return e, err
	}
	e.Components.Identity, _, err = canon.Of(env.Identity)
	return e, err
}

// differences says of each component that differs in which of its pieces, from what it was
// in the earlier execution to what it is.
func (w *inquiry) differences(ctx context.Context, components []string, now, then reuse.Entry) ([]componentDiff, error) {
	var all []componentDiff
	for _, name := range components {
		pieces, err := w.pieces(ctx, name, now, then)
		if err != nil {
			return nil, err
		}
		for _, d := range pieces {
			component := name
			if name == reuse.Params && (isDigest(d.A) || isDigest(d.B)) {
				component = "inputs"
			}
			all = append(all, componentDiff{component, d})
		}
	}
	return all, nil
}

func isDigest(v string) bool {
	_, err := canon.Parse(v)
	return err == nil
}

func (w *inquiry) pieces(ctx context.Context, component string, now, then reuse.Entry) ([]executor.Difference, error) {
	var a, b json.RawMessage
	var err error
	switch component {
	case reuse.Spec:
		a, b, err = w.both(ctx, then.Components.Spec, now.Components.Spec)
	case reuse.Binding:
		a, b, err = w.both(ctx, then.Components.Binding, now.Components.Binding)
	case reuse.Params:
		if err = record.OpenContent(ctx, w.store, then.Given, &a); err == nil {
			err = record.OpenContent(ctx, w.store, now.Given, &b)
		}
	case reuse.Seed:
		return []executor.Difference{{A: seedWords(then.Components.Seed), B: seedWords(now.Components.Seed)}}, nil
	case reuse.Identity:
		from, err := readEnvironment(ctx, w.store, then.Environment)
		if err != nil {
			return nil, err
		}
		to, err := readEnvironment(ctx, w.store, now.Environment)
		if err != nil {
			return nil, err
		}
		return executor.Differing(from.Identity, to.Identity)
	}
	if err != nil {
		return nil, err
	}
	return executor.Differing(a, b)
}

func (w *inquiry) both(ctx context.Context, then, now canon.Digest) (a, b json.RawMessage, err error) {
	if err = readJSON(ctx, w.store, then, &a); err == nil {
		err = readJSON(ctx, w.store, now, &b)
	}
	return a, b, err
}

func seedWords(seed *uint64) string {
	if seed == nil {
		return ""
	}
	return strconv.FormatUint(*seed, 10)
}

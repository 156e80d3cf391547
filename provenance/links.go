package provenance

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// Audit holds the evidence of a study's run against each other as [Build] does, with one
// Temporal run in memory at a time, and keeps no graph: of what is behind it, it knows a few
// bytes for each step. e.Runs are bare (see [history.Run.Bare]); read gives one with its
// activities.
//
// The trace is nil where the evidence can't be told link by link: where a reset left
// something aside, where the run is a fork, where links tell of each other's steps, or where
// there is anything to find but what is harmless. What is wrong is then for Build to say,
// which sees all at once; a trace that Audit gives says what Build's would.
func Audit(ctx context.Context, e Evidence, read func(bare *history.Run) (*history.Run, error)) (*Trace, error) {
	line, aside, err := order(e.Runs)
	if err != nil {
		return nil, err
	}
	w := &walk{
		e: e, line: line, outputs: map[callID]struct{}{}, keys: canon.NewSet(),
		found: &audited{read: read, parts: make([]part, parts)},
	}
	if e.Store == nil || len(aside) > 0 || !line[len(line)-1].Study {
		return nil, nil
	}
	for i := range line {
		if whole, err := w.link(ctx, i); err != nil || !whole {
			return nil, err
		}
	}
	if e.Strays {
		if stray, err := w.stray(ctx); err != nil || stray {
			return nil, err
		}
	}
	w.trace.audited = w.found
	for _, p := range w.found.parts {
		w.trace.Findings = append(w.trace.Findings, p.findings...)
	}
	return w.trace, nil
}

// The parts of an audit, in the order in which Build finds what is in them.
const (
	partTold = iota
	partChain
	partCalls
	partTurns
	partLeft
	partEnd
	parts
)

// part is what one part of all links came to.
type part struct {
	findings []graph.Finding // harmless ones
	counted  Metrics
}

// audited is what an audit keeps of a run.
type audited struct {
	read  func(*history.Run) (*history.Run, error)
	parts []part
}

func (a *audited) executed() int {
	n := 0
	for _, p := range a.parts {
		n += p.counted.Completeness.Total
	}
	return n
}

// into counts all parts into m.
func (a *audited) into(m *Metrics) {
	for _, p := range a.parts {
		m.Reproducibility.add(p.counted.Reproducibility)
		m.Completeness.add(p.counted.Completeness)
		m.Visibility.add(p.counted.Visibility)
	}
}

// walk goes along a line.
type walk struct {
	e       Evidence
	line    []*history.Run
	step    int                 // the last one of the links behind
	outputs map[callID]struct{} // the calls of the links behind that have one
	keys    *canon.Set          // that the journal may have
	found   *audited
	trace   *Trace // of the newest link
}

// callID is a call's step and its place in it.
type callID struct{ step, place int32 }

func parseCall(id string) (callID, bool) {
	step, place, _ := strings.Cut(id, ".")
	s, err := strconv.ParseInt(step, 10, 32)
	if err != nil {
		return callID{}, false
	}
	p, err := strconv.ParseInt(place, 10, 32)
	is := callID{int32(s), int32(p)}
	return is, err == nil && fmt.Sprintf("%d.%d", is.step, is.place) == id
}

// link takes in the i-th Temporal run; false says that it doesn't stand for itself, or that
// something is to be found.
func (w *walk) link(ctx context.Context, i int) (bool, error) {
	told, err := w.found.read(w.line[i])
	if err != nil {
		return false, err
	}
	b := newBuilder(ctx, w.e, w.line, nil)
	b.runs = []*history.Run{told}
	b.before = func(call string) bool {
		id, ok := parseCall(call)
		_, has := w.outputs[id]
		return ok && has
	}
	last := i == len(w.line)-1
	if i > 0 {
		b.until = told.Base
	}
	if !last {
		b.from = w.line[i+1].Base
	}
	j := journal.Journal{Store: w.e.Store}
	b.held = func(key canon.Digest) (map[int]journal.Held, error) { return j.Held(ctx, key) }
	if len(told.Findings) > 0 || !w.follows(told) {
		return false, nil
	}
	b.people()
	b.open()
	if b.run == nil || b.run.Fork() {
		return false, nil
	}
	stages := [parts]func() error{
		partTold:  func() error { b.told(); return nil },
		partChain: func() error { b.chain(); return nil },
		partCalls: func() error { return b.journalledCalls(j) },
		partTurns: func() error { return b.journalledTurns(j) },
		partLeft:  func() error { b.attempted(); b.data(); return nil },
		partEnd:   func() error { b.ends(last); return nil },
	}
	for at, stage := range stages {
		if err := stage(); err != nil {
			return false, err
		}
		if clean, err := w.take(ctx, b.t, &w.found.parts[at]); err != nil || !clean {
			return false, err
		}
	}
	if !last && !b.seal.IsZero() {
		return false, nil // a seal ends the newest one
	}
	return w.remember(b), nil
}

// ends finds what Build looks for at the end.
func (b *builder) ends(last bool) {
	b.failures()
	if last {
		b.standing()
	}
	if around := b.g.Cycle(); len(around) > 0 {
		b.find(DataCycle, around[0], 0, "data goes round in %d nodes", len(around))
	}
}

// follows says whether a link has turns and attempts of steps alone that no link before has.
func (w *walk) follows(r *history.Run) bool {
	newest := w.step
	for _, k := range r.Activities {
		step := k.Study.Step
		if id, ok := parseCall(k.Study.Call); ok {
			step = int(id.step)
		} else if k.Study.Call != "" {
			return false
		}
		if step > 0 && step <= w.step {
			return false
		}
		newest = max(newest, step)
	}
	w.step = newest
	return true
}

// take moves what was found since into a part. False says that not all of it is harmless.
func (w *walk) take(ctx context.Context, t *Trace, into *part) (bool, error) {
	for _, f := range t.Findings {
		if !Harmless(f.Name) {
			return false, nil
		}
	}
	into.findings = append(into.findings, t.Findings...)
	if err := t.measure(ctx, w.e.Store, &into.counted); err != nil {
		return false, err
	}
	t.Findings, t.Contents, t.Executions, t.Failures = nil, nil, nil, nil
	return true, nil
}

// remember keeps what later links may refer to. False says that a call's id isn't spelled as
// those of R-LAM are.
func (w *walk) remember(b *builder) bool {
	for _, t := range b.ordered {
		for _, c := range t.calls {
			w.keys.Add(c.key)
			if b.outputs[c.id] != nil {
				id, ok := parseCall(c.id)
				if !ok {
					return false
				}
				w.outputs[id] = struct{}{}
			}
		}
	}
	for key := range b.keys {
		w.keys.Add(key)
	}
	t := b.t
	w.trace = &Trace{ID: t.ID, Record: t.Record, Head: t.Head, Status: t.Status, Run: t.Run, Study: t.Study, Line: t.Line}
	return true
}

// stray says whether the journal has an intent of the run under a key that no link has.
func (w *walk) stray(ctx context.Context) (bool, error) {
	j := journal.Journal{Store: w.e.Store}
	for x, err := range j.Intents(ctx) {
		if err != nil {
			return false, err
		}
		if w.keys.Has(x.Key) {
			continue
		}
		in, err := j.Intent(ctx, x.Key, x.N)
		if err != nil || in.Run == w.trace.Record {
			return true, err
		}
	}
	return false, nil
}

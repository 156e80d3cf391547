package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/quantity"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// past is what a run has behind it, with the runs that it continues.
type past struct {
	base   canon.Digest // the oldest run's record
	closed canon.Digest // the newest record that nothing is open after
	steps  []closedStep // in order
	next   int          // the number of the first step that isn't closed
	open   bool         // that step has been proposed
}

// closedStep is a step that has a record.
type closedStep struct {
	digest canon.Digest
	before canon.Digest // the record that its proposal follows
	record *record.Step
}

func readPast(links []record.Link) past {
	p := past{next: 1}
	before := map[canon.Digest]canon.Digest{}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Run:
			if p.base.IsZero() {
				p.base = l.Digest
			}
			p.closed = l.Digest
		case *record.Proposal:
			before[l.Digest], p.open = rec.Parent, true
		case *record.Step:
			p.steps = append(p.steps, closedStep{l.Digest, before[rec.Parent], rec})
			p.closed, p.next, p.open = l.Digest, rec.Index+1, false
		}
	}
	return p
}

// part finds where the fork leaves the run, from the options and from the calls that the
// changes name.
func (f *forking) part() error {
	at, edited := f.o.At, 0
	for _, e := range f.o.Changes.Edits {
		step, call, err := f.past.call(e)
		if err != nil {
			return err
		}
		value, err := f.content(e.Value)
		if err != nil {
			return err
		}
		f.changes.Edits = append(f.changes.Edits, record.Edit{Call: call, Part: string(e.Part), Pointer: e.Pointer, Value: value})
		switch {
		case edited == 0 || f.o.Recorded && step < edited:
			edited = step
		case step != edited && !f.o.Recorded:
			return impossible("calls of step %d and of step %d are changed, and after the first of them a planner that is asked may propose others: change calls of one step, or follow what is on record with --planner recorded", min(step, edited), max(step, edited))
		}
	}
	switch {
	case edited > 0 && f.o.End, edited > 0 && at > 0 && at != edited && !(f.o.Recorded && at < edited):
		return &ChangeError{What: fmt.Sprintf("what is changed belongs to step %d, which says where the fork begins", edited), Nearest: fmt.Sprintf("--at %d", edited)}
	case f.o.End:
		at = f.past.next
	case at == 0 && edited > 0:
		at = edited
	case at == 0 && f.o.Recorded:
		at = 1
	case at == 0:
		return impossible("it isn't said where the fork begins: want --at STEP (the steps before it are kept), --at end, or a change of a call by --set")
	}
	return f.leave(at, edited)
}

// leave makes the record before step at the fork's parent.
func (f *forking) leave(at, edited int) error {
	p := f.past
	f.first = at
	switch i := slices.IndexFunc(p.steps, func(s closedStep) bool { return s.record.Index == at }); {
	case i >= 0:
		f.run.Parent = p.steps[i].before
		again := p.steps[i:]
		if !f.o.Recorded {
			again = again[:min(edited, 1)] // live: the step of which a call is changed, if one is
		}
		for _, s := range again {
			f.changes.Steps = append(f.changes.Steps, s.digest)
		}
		f.changes.Recorded = f.o.Recorded
	case at == p.next && !f.o.Recorded:
		f.run.Parent = p.closed
	case at == p.next:
		return impossible("nothing is on record from step %d on: leave out --planner recorded", at)
	default:
		return &ChangeError{What: fmt.Sprintf("the run has the steps 1 to %d so far, and no step %d to fork at", p.next-1, at), Nearest: fmt.Sprintf("--at %d (which is --at end)", p.next)}
	}
	return nil
}

// call finds the call that an edit names, by its id or the planner's name of it.
func (p past) call(e change.Edit) (step int, id string, err error) {
	var known []string
	for _, s := range slices.Backward(p.steps) { // a name that was refused may be used again
		for _, c := range s.record.Calls {
			if c.ID == e.Call || c.Name == e.Call {
				return s.record.Index, c.ID, nil
			}
			known = append(known, c.ID)
			if c.Name != "" {
				known = append(known, c.Name)
			}
		}
	}
	if number, _, _ := strings.Cut(e.Call, "."); p.open && number == fmt.Sprint(p.next) {
		return 0, "", impossible("step %d is still open: the calls of the steps 1 to %d can be changed", p.next, p.next-1)
	}
	missing := &ChangeError{What: fmt.Sprintf("--set %s: the run has no call %q that has ended", e.Place(), e.Call), Nearest: schemas.Nearest(e.Call, known)}
	if missing.Nearest == "" {
		missing.What += "; it has " + p.calls()
	}
	return 0, "", missing
}

// calls lists the calls that can be changed.
func (p past) calls() string {
	var ids []string
	for _, s := range p.steps {
		for _, c := range s.record.Calls {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return "none"
	}
	return quantity.Listed(ids, mostCalls)
}

// mostCalls is how many calls are listed to who named one that isn't there.
const mostCalls = 20

// rehearsal is a store with more in it than is stored.
type rehearsal struct {
	store.Store
	blobs   map[canon.Digest][]byte
	entries map[string][]byte
}

// Commit keeps a batch in memory.
func (r *rehearsal) Commit(_ context.Context, b store.Batch) ([]bool, [][]byte, error) {
	r.blobs, r.entries = map[canon.Digest][]byte{}, map[string][]byte{}
	for _, blob := range b.Blobs {
		r.blobs[canon.Sum(blob)] = blob
	}
	for _, e := range b.Entries {
		r.entries[e.Key] = e.Value
	}
	return nil, nil, nil
}

// Get opens a blob.
func (r *rehearsal) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if b, ok := r.blobs[d]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return r.Store.Get(ctx, d)
}

// Entry reads an entry.
func (r *rehearsal) Entry(ctx context.Context, key string) ([]byte, error) {
	if v, ok := r.entries[key]; ok {
		return v, nil
	}
	return r.Store.Entry(ctx, key)
}

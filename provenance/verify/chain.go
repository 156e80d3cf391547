package verify

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/quantity"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/history"
	"rlam/workflows"
)

// maxRecord bounds a record that is read.
const maxRecord = 64 << 20

// chaining follows the records of a run.
type chaining struct {
	*verification
	seen     *canon.Set
	outcomes map[canon.Digest]told // by the proposals' records: of one Temporal run, or of all
	heard    *canon.Set            // the proposals of which outcomes were told
	twice    bool                  // one of them by two activities
	faults   []Fault
	newer    []string // of another version, not looked into
	records  int
	steps    int // made anew from their outcomes
	skipped  int // steps of which no history here tells
}

// told is what the history says came of a proposal's calls.
type told struct {
	outcomes []workflows.CallOutcome
	run      string
	event    int64
}

// chain checks each record from every head that a history names back to the first.
func (v *verification) chain() (Check, error) {
	if v.run == nil {
		return Check{Name: Chain, State: Unchecked, Says: "without a history nobody says where the chain ends"}, nil
	}
	if v.run.Trace.Record.IsZero() {
		return Check{Name: Chain, State: Unchecked, Says: "the workflow isn't R-LAM's: it has no records"}, nil
	}
	c, err := v.chaining(false)
	if err == nil && len(v.runs()) > 1 && (len(c.faults) > 0 || c.skipped > 0 || c.twice) {
		c, err = v.chaining(true) // what came of a step may be told by another Temporal run
	}
	if err != nil {
		return Check{}, err
	}
	check := outcome(Chain, c.faults,
		fmt.Sprintf("%s, each with its digest and its parent; %s made again from proposals and outcomes", quantity.Of(c.records, "record"), quantity.Of(c.steps, "step")),
		"records don't follow from each other")
	if c.skipped > 0 {
		check.Notes = append(check.Notes, fmt.Sprintf("of %s no more than digests and parents were checked: the history of the run that this one was forked from isn't here", quantity.Of(c.skipped, "step")))
	}
	if check.State == Passed && len(c.newer) > 0 {
		check.State, check.Says, check.Notes = Skew, "a newer version wrote records that this one doesn't know", append(check.Notes, c.newer...)
	}
	return check, nil
}

// chaining follows all records. What came of a step's calls is taken from the history of the
// Temporal run that it is in, or, with all of them in memory, from any.
func (v *verification) chaining(all bool) (*chaining, error) {
	c := &chaining{verification: v, seen: canon.NewSet(), heard: canon.NewSet(), outcomes: map[canon.Digest]told{}}
	v.named, v.unlisted, v.verdicts, v.strange = map[canon.Digest]bool{}, nil, 0, false
	if all {
		for _, bare := range v.runs() {
			r, err := v.run.Trace.Told(bare)
			if err != nil {
				return nil, err
			}
			c.hear(r)
		}
	}
	for _, bare := range v.runs() {
		r, err := v.run.Trace.Told(bare)
		if err != nil {
			return nil, err
		}
		if !all {
			clear(c.outcomes)
			c.hear(r)
		}
		heads := []canon.Digest{r.Head, r.Sealed, r.Base, r.Record}
		for _, k := range r.Activities { // a branch that a reset left
			heads = append(heads, k.Study.Head)
		}
		for _, head := range heads {
			if err := c.back(head); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// hear takes in what the history of a Temporal run says came of its steps' calls.
func (c *chaining) hear(r *history.Run) {
	for _, k := range r.Activities {
		if k.State == history.Completed && !k.Study.From.IsZero() {
			c.outcomes[k.Study.From] = told{k.Study.Outcomes, r.RunID, k.Scheduled}
			c.twice = !c.heard.Add(k.Study.From) || c.twice
		}
	}
}

func (c *chaining) fault(d canon.Digest, field, format string, args ...any) {
	c.faults = append(c.faults, Fault{File: c.paths(d), Record: d, Field: field, What: fmt.Sprintf(format, args...)})
}

// maxWalked is how many records are kept while a chain is followed back. Those before them
// are read again on the way forth.
const maxWalked = 2000

// back follows a chain from its head to a record that was seen, or to the first, and checks
// its records from there on.
func (c *chaining) back(head canon.Digest) error {
	var walked []record.Link
	d := head
	for !d.IsZero() && c.seen.Add(d) {
		rec, err := c.load(d)
		if err != nil {
			return err
		}
		if rec == nil {
			break
		}
		if walked = append(walked, record.Link{Digest: d, Record: rec}); len(walked) > maxWalked {
			walked[len(walked)-1-maxWalked].Record = nil
		}
		d = record.Parent(rec)
	}
	if len(walked) == 0 {
		return nil
	}
	kind, step := c.standing(d)
	for _, l := range slices.Backward(walked) {
		if l.Record == nil {
			var err error
			if l.Record, err = record.LoadAny(c.ctx, c.in.Store, l.Digest); err != nil {
				return err // it was read before
			}
		}
		if err := c.check(l, kind, step); err != nil {
			return err
		}
		kind, step = place(l.Record, step)
	}
	return nil
}

// standing is the kind of a record that was checked before, and the step that it is of. A
// record that can't be read has none: that has been told of.
func (c *chaining) standing(d canon.Digest) (kind record.Kind, step int) {
	if b, err := store.Read(c.ctx, c.in.Store, d, maxRecord); err == nil {
		kind, _ = record.Decode(b, nil)
	}
	for !d.IsZero() {
		rec, err := record.LoadAny(c.ctx, c.in.Store, d)
		if err != nil {
			break
		}
		var is record.Kind
		if is, step = place(rec, 0); is == record.KindProposal || is == record.KindStep {
			break
		}
		d = record.Parent(rec)
	}
	return kind, step
}

// place is the kind of a record, and the step that it is of: of a run and a seal, the one
// before it.
func place(rec any, before int) (record.Kind, int) {
	switch rec := rec.(type) {
	case *record.Run:
		return record.KindRun, before
	case *record.Proposal:
		return record.KindProposal, rec.Index
	case *record.Step:
		return record.KindStep, rec.Index
	}
	return record.KindSeal, before
}

// load reads a record; nil if it can't be looked into.
func (c *chaining) load(d canon.Digest) (any, error) {
	b, err := store.Read(c.ctx, c.in.Store, d, maxRecord)
	if c.ctx.Err() != nil {
		return nil, fmt.Errorf("reading record %s: %w", d, err)
	}
	if err != nil {
		c.fault(d, "", "%v", err)
		return nil, nil
	}
	kind, rec, err := record.DecodeAny(b)
	if err != nil {
		c.fault(d, "", "%v", err)
		return nil, nil
	}
	if rec == nil {
		c.newer, c.strange = append(c.newer, fmt.Sprintf("record %s is of the kind %q", d, kind)), true
		return nil, nil
	}
	c.records++
	if _, again, err := record.Encode(rec); err != nil || !bytes.Equal(again, b) {
		_, body, _ := bytes.Cut(b, []byte("\n"))
		if plain, err := canon.Transform(body); err != nil || !bytes.Equal(plain, body) {
			c.fault(d, "", "it isn't spelled in canonical JSON")
		} else {
			c.newer = append(c.newer, fmt.Sprintf("record %s has members that this version doesn't know", d))
		}
	}
	return rec, nil
}

// check holds a record against its parent, by the kind and the step of that.
func (c *chaining) check(l record.Link, parent record.Kind, from int) error {
	c.nameAll(l)
	switch rec := l.Record.(type) {
	case *record.Proposal:
		if rec.Index != from+1 {
			c.fault(l.Digest, "/index", "it is of step %d, and comes after step %d", rec.Index, from)
		}
		c.follows(l.Digest, parent, record.KindRun, record.KindStep)
		c.proposed(l.Digest, rec)
	case *record.Step:
		if rec.Index != from {
			c.fault(l.Digest, "/index", "it is of step %d, and its proposal of step %d", rec.Index, from)
		}
		c.follows(l.Digest, parent, record.KindProposal)
		return c.remade(l.Digest, rec)
	case *record.Seal:
		c.follows(l.Digest, parent, record.KindRun, record.KindProposal, record.KindStep)
	}
	return nil
}

// follows checks that a parent is of a kind that may be one. One that can't be read has none,
// and has been told of.
func (c *chaining) follows(d canon.Digest, parent record.Kind, allowed ...record.Kind) {
	if parent != "" && !slices.Contains(allowed, parent) {
		c.fault(d, "/parent", "its parent is a %s record", parent)
	}
}

// proposing is the newest record of the chain that proposes a call.
func (v *verification) proposing(call string) canon.Digest {
	for d := v.run.Trace.Head; !d.IsZero(); {
		rec, err := record.LoadAny(v.ctx, v.in.Store, d)
		if err != nil {
			break
		}
		if p, ok := rec.(*record.Proposal); ok && slices.ContainsFunc(p.Calls, func(c record.Call) bool { return c.ID == call }) {
			return d
		}
		d = record.Parent(rec)
	}
	return canon.Digest{}
}

func (c *chaining) proposed(d canon.Digest, p *record.Proposal) {
	for i, call := range p.Calls {
		c.verdicts += len(call.Verdicts)
		if want := fmt.Sprintf("%d.%d", p.Index, i+1); call.ID != want {
			c.fault(d, fmt.Sprintf("/calls/%d/id", i), "it is %q, want %q", call.ID, want)
		}
	}
	if p.Result != nil {
		c.verdicts += len(p.Result.Verdicts)
	}
}

// remade makes a step anew from what the history says came of its calls.
func (c *chaining) remade(d canon.Digest, s *record.Step) error {
	t, ok := c.outcomes[s.Parent]
	if !ok {
		c.skipped++
		return nil
	}
	got, err := c.in.Step(c.ctx, c.in.Store, s.Parent, t.outcomes)
	switch {
	case c.ctx.Err() != nil:
		return fmt.Errorf("making step %d anew: %w", s.Index, err)
	case err != nil:
		c.faults = append(c.faults, Fault{File: c.paths(d), Record: d, Run: t.run, Event: t.event, What: err.Error()})
	case got != d:
		c.faults = append(c.faults, Fault{File: c.paths(d), Record: d, Run: t.run, Event: t.event, What: fmt.Sprintf("made anew from its proposal and outcomes, the step has the digest %s", got)})
	default:
		c.steps++
	}
	return nil
}

// nameAll checks that what a record names is here, or is listed as left out.
func (c *chaining) nameAll(l record.Link) {
	naming(reflect.ValueOf(l.Record).Elem(), "", func(field string, d canon.Digest) {
		if c.held(d) {
			return
		}
		c.named[d] = true
		if elsewhere(field) {
			return
		}
		c.unlisted = append(c.unlisted, Fault{File: c.paths(l.Digest), Record: l.Digest, Field: field, What: fmt.Sprintf("it names %s, which is neither here nor listed as left out", d)})
	})
}

// elsewhere says whether a field's digest names nothing that a bundle should have: facts
// follow from the chain, keys are no blobs, what an input or an answer was taken from is
// another run's, and the design of a member's ensemble is the ensemble's.
func elsewhere(field string) bool {
	for _, part := range []string{"/turn/", "/from/", "/reused/", "/passed_over/", "/ensemble/"} {
		if strings.Contains(field, part) {
			return true
		}
	}
	return strings.HasSuffix(field, "/facts")
}

// naming calls f for each digest in v, with a JSON pointer to it.
func naming(v reflect.Value, at string, f func(field string, d canon.Digest)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			naming(v.Elem(), at, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			naming(v.Index(i), fmt.Sprintf("%s/%d", at, i), f)
		}
	case reflect.Array:
		if d, ok := v.Interface().(canon.Digest); ok && !d.IsZero() {
			f(at, d)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if v.Type().Field(i).Anonymous {
				naming(v.Field(i), at, f)
			} else {
				naming(v.Field(i), at+"/"+name, f)
			}
		}
	}
}

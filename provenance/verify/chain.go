package verify

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"rlam/internal/canon"
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
	seen     map[canon.Digest]bool
	index    map[canon.Digest]int // of proposals and steps: the step's number
	outcomes map[canon.Digest]told
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
	c := &chaining{verification: v, seen: map[canon.Digest]bool{}, index: map[canon.Digest]int{}, outcomes: map[canon.Digest]told{}}
	v.proposals, v.named = map[string]canon.Digest{}, map[canon.Digest]bool{}
	for _, r := range append(v.run.Trace.Line[:len(v.run.Trace.Line):len(v.run.Trace.Line)], v.run.Trace.Aside...) {
		for _, k := range r.Activities {
			if k.State == history.Completed && !k.Study.From.IsZero() {
				c.outcomes[k.Study.From] = told{k.Study.Outcomes, r.RunID, k.Scheduled}
			}
		}
	}
	for _, r := range append(v.run.Trace.Line[:len(v.run.Trace.Line):len(v.run.Trace.Line)], v.run.Trace.Aside...) {
		for _, head := range []canon.Digest{r.Head, r.Sealed, r.Base, r.Record} {
			if err := c.back(head, r.RunID); err != nil {
				return Check{}, err
			}
		}
		for _, k := range r.Activities { // a branch that a reset left
			if err := c.back(k.Study.Head, r.RunID); err != nil {
				return Check{}, err
			}
		}
	}
	check := outcome(Chain, c.faults,
		fmt.Sprintf("%d records, each with its digest and its parent; steps that follow from their proposals and outcomes: %d", c.records, c.steps),
		"records don't follow from each other")
	if c.skipped > 0 {
		check.Notes = append(check.Notes, fmt.Sprintf("%d steps are of runs whose history isn't here, such as the one that this run was forked from: only their digests and parents were checked", c.skipped))
	}
	if check.State == Passed && len(c.newer) > 0 {
		check.State, check.Says, check.Notes = Skew, "a newer version wrote records that this one doesn't know", append(check.Notes, c.newer...)
	}
	return check, nil
}

func (c *chaining) fault(d canon.Digest, field, format string, args ...any) {
	c.faults = append(c.faults, Fault{File: c.paths(d), Record: d, Field: field, What: fmt.Sprintf(format, args...)})
}

// back follows a chain from its head to a record that was seen, or to the first.
func (c *chaining) back(head canon.Digest, runID string) error {
	var walked []link
	for d := head; !d.IsZero() && !c.seen[d]; {
		c.seen[d] = true
		rec, err := c.load(d)
		if err != nil {
			return err
		}
		if rec == nil {
			break
		}
		walked = append(walked, link{d, rec})
		d = record.Parent(rec)
	}
	for i := len(walked) - 1; i >= 0; i-- {
		if err := c.check(walked[i], runID); err != nil {
			return err
		}
	}
	return nil
}

type link struct {
	digest canon.Digest
	rec    any
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
	kind, err := record.Decode(b, nil)
	if err != nil {
		c.fault(d, "", "%v", err)
		return nil, nil
	}
	rec := map[record.Kind]any{
		record.KindRun: &record.Run{}, record.KindProposal: &record.Proposal{}, record.KindStep: &record.Step{}, record.KindSeal: &record.Seal{},
	}[kind]
	if rec == nil {
		c.newer, c.strange = append(c.newer, fmt.Sprintf("record %s is of the kind %q", d, kind)), true
		return nil, nil
	}
	if _, err := record.Decode(b, rec); err != nil {
		c.fault(d, "", "%v", err)
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

// check holds a record against its parent.
func (c *chaining) check(l link, runID string) error {
	parent := record.Parent(l.rec)
	from := c.index[parent]
	c.nameAll(l)
	switch rec := l.rec.(type) {
	case *record.Run:
		c.index[l.digest] = from
	case *record.Proposal:
		c.index[l.digest] = rec.Index
		if rec.Index != from+1 {
			c.fault(l.digest, "/index", "it is of step %d, and comes after step %d", rec.Index, from)
		}
		c.kind(l.digest, parent, record.KindRun, record.KindStep)
		c.proposed(l.digest, rec)
	case *record.Step:
		c.index[l.digest] = rec.Index
		if rec.Index != from {
			c.fault(l.digest, "/index", "it is of step %d, and its proposal of step %d", rec.Index, from)
		}
		c.kind(l.digest, parent, record.KindProposal)
		return c.remade(l.digest, rec)
	case *record.Seal:
		c.index[l.digest] = from
		c.kind(l.digest, parent, record.KindRun, record.KindProposal, record.KindStep)
	}
	return nil
}

// kind checks that a parent is of a kind that may be one. A parent that can't be read has
// been told of.
func (c *chaining) kind(d, parent canon.Digest, allowed ...record.Kind) {
	b, err := store.Read(c.ctx, c.in.Store, parent, maxRecord)
	if err != nil {
		return
	}
	got, err := record.Decode(b, nil)
	if err != nil {
		return
	}
	for _, k := range allowed {
		if got == k {
			return
		}
	}
	c.fault(d, "/parent", "its parent is a %s record", got)
}

func (c *chaining) proposed(d canon.Digest, p *record.Proposal) {
	for i, call := range p.Calls {
		c.proposals[call.ID] = d
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
func (c *chaining) nameAll(l link) {
	naming(reflect.ValueOf(l.rec).Elem(), "", func(field string, d canon.Digest) {
		c.named[d] = true
		if c.held(d) || elsewhere(field) {
			return
		}
		c.unlisted = append(c.unlisted, Fault{File: c.paths(l.digest), Record: l.digest, Field: field, What: fmt.Sprintf("it names %s, which is neither here nor listed as left out", d)})
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

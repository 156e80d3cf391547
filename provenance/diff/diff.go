// Package diff says in what two runs differ, and where they part: by what they were given
// (code, data, policy, model, seed, …), by what was proposed, where it ran and what came of
// it. A run and its fork, and forks of one run, share records by digest: they are compared
// from where they part.
//
// Calls are aligned by what they are (the action, its parameters, the planner's own name
// and the id), so that an inserted call is one difference and not all that follow it.
// Contents are salted for each run and compared by value. What can't be read, because it
// was withheld or is lost, is a note and never a difference.
//
// It is a pure function of two runs: it executes nothing, and of B and A it says the same
// as of A and B, the sides exchanged.
package diff

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"rlam/internal/canon"
	"rlam/provenance/export"
	"rlam/schemas"
)

// Area says of what kind a difference is.
type Area string

// The areas, in the order in which differences are told.
const (
	Engine      Area = "engine"      // R-LAM's version, versions of the gates
	Code        Area = "code"        // an action's schema, what carries it out, which actions are allowed
	Data        Area = "data"        // inputs
	Model       Area = "model"       // who is asked, and who answered
	Prompt      Area = "prompt"      // goal, instructions, and what the planner was sent
	Policy      Area = "policy"      // rules, preconditions, what a result must be
	Limits      Area = "limits"      //
	Seed        Area = "seed"        //
	Plan        Area = "plan"        // what was proposed: calls and their parameters; a file with a plan
	Environment Area = "environment" // identity of where attempts ran
	Course      Area = "course"      // verdicts, attempts, failures: how a call went
	Output      Area = "output"      // what calls made
	Result      Area = "result"      // the run's own, and how it ended
	Study       Area = "study"       // what else the study says
)

// Diff is in what two runs differ.
type Diff struct {
	A      Side     `json:"a"`
	B      Side     `json:"b"`
	Same   bool     `json:"same"`             // nothing differs, but for what was declared to
	Shared *Shared  `json:"shared,omitempty"` // the beginning that both have
	Given  []Item   `json:"given"`            // in what the runs start from
	Turns  []Item   `json:"turns"`            // between planner and runs
	Calls  []Pair   `json:"calls"`            // all that are not shared, aligned
	Result []Item   `json:"result"`           // in how they ended, and with what
	First  *First   `json:"first,omitempty"`  // where they part
	Notes  []string `json:"notes,omitempty"`  // what couldn't be compared
}

// Side is one of the runs.
type Side struct {
	ID     string       `json:"run"`
	Record canon.Digest `json:"record,omitzero"`
	Head   canon.Digest `json:"head,omitzero"`
	Status string       `json:"status"`
	Steps  int          `json:"steps"` // those of the runs that it continues included
	Calls  int          `json:"calls"`
}

// Shared is the beginning of two runs of which one continues the other, or both a third.
type Shared struct {
	Record canon.Digest `json:"record"` // the last that both have
	Steps  int          `json:"steps"`
}

// Item is one difference. The sides are JSON, or words where there is no value; an empty
// one has nothing there.
type Item struct {
	Area    Area           `json:"area"`
	Subject string         `json:"subject"`      // "action fit.linear", "input data", "call 4.1", …
	At      string         `json:"at,omitempty"` // JSON pointer into the subject
	A       string         `json:"a,omitempty"`
	B       string         `json:"b,omitempty"`
	Numbers *Numbers       `json:"numbers,omitempty"`
	Grade   *schemas.Grade `json:"declared,omitempty"` // of an output: what the action says of it
	// Expected says why a difference is none that counts: the action declares that this
	// output differs, or by how much. "" is a difference.
	Expected string `json:"expected,omitempty"`
	Why      string `json:"why,omitempty"` // where it comes from, as far as that is on record
}

// Numbers say how far numbers are apart: a single one, or those of an array.
type Numbers struct {
	Differ   int     `json:"differ"` // how many do
	Of       int     `json:"of"`
	Absolute float64 `json:"absolute"` // the largest |a − b|
	Relative float64 `json:"relative"` // the largest |a − b| / max(|a|, |b|)
}

// Call names one side of a pair.
type Call struct {
	ID     string `json:"id"`
	Step   int    `json:"step"`
	Name   string `json:"name,omitempty"` // the planner's own
	Action string `json:"action"`
	Status string `json:"status"`
}

// Pair is a call of each run, or of one that the other has none like.
type Pair struct {
	A     *Call  `json:"a,omitempty"`
	B     *Call  `json:"b,omitempty"`
	Items []Item `json:"items,omitempty"`
	Why   string `json:"why,omitempty"` // what explains that the outputs differ, or that nothing does
}

// Same says whether the calls have no difference that counts.
func (p Pair) Same() bool { return p.A != nil && p.B != nil && count(p.Items) == 0 }

// Subject names the pair in words.
func (p Pair) Subject() string {
	switch {
	case p.A == nil:
		return "call " + p.B.ID
	case p.B == nil || p.A.ID == p.B.ID:
		return "call " + p.A.ID
	}
	return fmt.Sprintf("call %s, %s of the other run", p.A.ID, p.B.ID)
}

// First is where two runs part: the first difference in the order in which it happened.
type First struct {
	StepA int    `json:"step_a,omitempty"` // 0 if this run has nothing there
	StepB int    `json:"step_b,omitempty"`
	Call  string `json:"subject"`
	Item  Item   `json:"item"`
}

// count is how many differences count.
func count(items []Item) int {
	n := 0
	for _, i := range items {
		if i.Expected == "" {
			n++
		}
	}
	return n
}

// Runs compares two runs. Both need a store: histories alone hold no contents.
func Runs(ctx context.Context, a, b *export.Run) (*Diff, error) {
	for _, r := range []*export.Run{a, b} {
		if r.Store == nil || r.Trace == nil || r.Trace.Record.IsZero() {
			id := ""
			if r.Trace != nil {
				id = r.Trace.ID
			}
			return nil, fmt.Errorf("comparing run %q: its records can't be read; name its store with --store", id)
		}
	}
	// One orientation for both: so ties of the alignment are decided alike.
	if cmp.Or(cmp.Compare(a.Trace.Record.String(), b.Trace.Record.String()), cmp.Compare(a.Trace.Head.String(), b.Trace.Head.String())) > 0 {
		d, err := compare(ctx, b, a)
		if err != nil {
			return nil, err
		}
		d.exchange()
		return d, nil
	}
	return compare(ctx, a, b)
}

func compare(ctx context.Context, a, b *export.Run) (*Diff, error) {
	c := &comparison{ctx: ctx, d: &Diff{Given: []Item{}, Turns: []Item{}, Calls: []Pair{}, Result: []Item{}}, environments: map[[2]canon.Digest]bool{}, differing: [2]map[string]bool{{}, {}}}
	var err error
	if c.a, err = read(ctx, a); err != nil {
		return nil, err
	}
	if c.b, err = read(ctx, b); err != nil {
		return nil, err
	}
	c.d.A, c.d.B = c.a.summary(), c.b.summary()
	c.part()
	c.d.Notes = slices.Concat(c.a.notes, c.b.notes)
	c.given()
	c.turns()
	c.calls()
	c.result()
	c.first()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	slices.Sort(c.d.Notes)
	c.d.Notes = slices.Compact(c.d.Notes)
	c.d.Same = c.d.First == nil && count(c.d.Given) == 0
	return c.d, nil
}

// comparison makes one Diff.
type comparison struct {
	ctx          context.Context
	d            *Diff
	a, b         *side
	environments map[[2]canon.Digest]bool // that have been told of
	turnSteps    []int                    // of the items in Turns
	differing    [2]map[string]bool       // ids of calls, of a and of b, whose outputs differ
}

func (c *comparison) note(format string, args ...any) {
	c.d.Notes = append(c.d.Notes, fmt.Sprintf(format, args...))
}

// exchange swaps the sides.
func (d *Diff) exchange() {
	d.A, d.B = d.B, d.A
	for _, items := range [][]Item{d.Given, d.Turns, d.Result} {
		exchange(items)
	}
	for i := range d.Calls {
		p := &d.Calls[i]
		p.A, p.B = p.B, p.A
		exchange(p.Items)
		for k := range p.Items {
			p.Items[k].Subject = p.Subject()
		}
	}
	if f := d.First; f != nil {
		f.StepA, f.StepB = f.StepB, f.StepA
		f.Item.A, f.Item.B = f.Item.B, f.Item.A
	}
}

func exchange(items []Item) {
	for i := range items {
		items[i].A, items[i].B = items[i].B, items[i].A
	}
}

// first finds where the runs part.
func (c *comparison) first() {
	d := c.d
	for i, t := range d.Turns {
		if t.Expected == "" {
			d.First = &First{StepA: c.turnSteps[i], StepB: c.turnSteps[i], Call: t.Subject, Item: t}
			break
		}
	}
	for _, p := range d.Calls {
		f := firstOf(p)
		if f == nil {
			continue
		}
		if d.First == nil || cmp.Or(f.StepA, f.StepB) < d.First.StepA {
			d.First = f
		}
		break
	}
	if i := slices.IndexFunc(d.Result, func(i Item) bool { return i.Expected == "" }); i >= 0 && d.First == nil {
		d.First = &First{Call: "result", Item: d.Result[i]}
	}
}

func firstOf(p Pair) *First {
	f := &First{Call: p.Subject()}
	if p.A != nil {
		f.StepA = p.A.Step
	}
	if p.B != nil {
		f.StepB = p.B.Step
	}
	i := slices.IndexFunc(p.Items, func(i Item) bool { return i.Expected == "" })
	if i < 0 {
		return nil
	}
	f.Item = p.Items[i]
	return f
}

package reproduce

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/export"
	"rlam/schemas"
)

// Options say what is executed again.
type Options struct {
	Only []string // names of actions; all if there are none
	Runs int      // executions of a call with a statistical output; 0 is [DefaultRuns]
}

// DefaultRuns is how often a call with a statistical output is executed again: from
// fewer, an interval says little.
const DefaultRuns = 5

// Planned is a plan that executes recorded calls again.
type Planned struct {
	Plan   schemas.Plan
	Inputs []record.Input // artifacts of calls that are not executed again, for those that are
	Calls  []*Call        // all that lead to the run's head
	// Actions are pinned by runs that this one continues, and no more by itself.
	Actions []record.Pin
	Left    []Left // which of them are not in the plan, and why
}

// Left is a call that is not executed again.
type Left struct {
	Call string `json:"call"`
	Why  string `json:"why"`
	// Idle says that nobody expects it to be: nothing was executed in the run itself, or
	// other actions were named.
	Idle bool `json:"idle,omitempty"`
}

// callID is the plan's id of the n-th execution of a recorded call, n counted from 1.
func callID(call string, n int) string {
	if n == 1 {
		return "c" + call
	}
	return fmt.Sprintf("c%s.r%d", call, n)
}

// PlanOf plans to execute a run's recorded calls again. A parameter that came from
// another call, by a reference or as the handle of an artifact, comes from that call's new
// execution; where that call isn't executed again it keeps the recorded value. Calls
// that change the world are made in their recorded order, and only if they are named.
func PlanOf(ctx context.Context, run *export.Run, o Options) (*Planned, error) {
	calls, err := Calls(ctx, run)
	if err != nil {
		return nil, err
	}
	if run.Trace.Study == nil {
		return nil, fmt.Errorf("planning to execute %q again: its study can't be read", run.Trace.ID)
	}
	p := &planning{
		Planned: Planned{Calls: calls, Plan: schemas.Plan{Failures: schemas.PlanGoesOn}},
		run:     run, o: o, planned: map[string]*Call{}, inputs: map[canon.Digest]bool{},
	}
	p.o.Runs = cmp.Or(p.o.Runs, DefaultRuns)
	for _, in := range run.Trace.Run.Inputs {
		p.inputs[in.Digest] = true
	}
	if err := p.continued(ctx); err != nil {
		return nil, err
	}
	for _, c := range calls {
		if why, idle := p.unfit(c); why != "" {
			p.Left = append(p.Left, Left{Call: c.ID, Why: why, Idle: idle})
			continue
		}
		if err := p.add(c); err != nil {
			return nil, fmt.Errorf("planning call %s again: %w", c.ID, err)
		}
	}
	p.Plan.Result = json.RawMessage(fmt.Sprintf(`{"executions":%d}`, len(p.Plan.Calls)))
	return &p.Planned, nil
}

// continued notes what the runs that this one continues had: data, and actions that this
// one may use no more.
func (p *planning) continued(ctx context.Context) error {
	run := p.run.Trace.Run
	for at := run.Parent; !at.IsZero(); {
		_, other, err := record.RunOf(ctx, p.run.Store, at)
		if err != nil {
			return err
		}
		p.before = append(p.before, other.Inputs...)
		for _, pin := range other.Actions {
			same := func(o record.Pin) bool { return o.Name == pin.Name && o.Version == pin.Version }
			if !slices.ContainsFunc(run.Actions, same) && !slices.ContainsFunc(p.Actions, same) {
				p.Actions = append(p.Actions, pin)
			}
		}
		at = other.Parent
	}
	return nil
}

// planning makes a plan.
type planning struct {
	Planned
	run     *export.Run
	o       Options
	planned map[string]*Call // by id
	order   []*Call          // those, in their order
	inputs  map[canon.Digest]bool
	before  []record.Input // of the runs that this one continues
	changes []string       // plan ids of calls that change the world
}

// unfit says why a call is not executed again; "" if it is.
func (p *planning) unfit(c *Call) (why string, idle bool) {
	name, _, _ := strings.Cut(c.Action, "@")
	switch {
	case c.Asserted != nil:
		return "a person asserted its output: nothing was executed that could come out again", false
	case !c.executed() && c.Status == record.CallFailed:
		return "how its last execution ended is not known: " + cmp.Or(errorType(c.Last), "no outcome"), false
	case !c.executed():
		return "not executed in the run itself (" + string(c.Status) + ")", true
	case len(p.o.Only) > 0 && !slices.Contains(p.o.Only, name) && !slices.Contains(p.o.Only, c.Action):
		return "left out by --only", true
	case c.Values == nil:
		return "its parameters are withheld or lost", false
	case c.Spec == nil:
		return "its action is not on record", false
	case c.Status == record.CallCompleted && c.Output == nil:
		return "its recorded output is withheld or lost", false
	case unrepeatable(c.Spec.Reproducibility):
		return "its action is declared unrepeatable", false
	case c.Spec.Effects == schemas.EffectsExternal && len(p.o.Only) == 0:
		return "it changes the world outside; name its action with --only to do that again", false
	}
	return "", false
}

func errorType(a *record.AttemptRecord) string {
	if a == nil || a.Error == nil {
		return ""
	}
	return a.Error.Type
}

// unrepeatable says whether nothing of an output can be had again.
func unrepeatable(r schemas.Reproducibility) bool {
	if r.Default != schemas.Unrepeatable {
		return false
	}
	for _, grades := range []map[string]schemas.Grade{r.Fields, r.Artifacts} {
		for _, g := range grades {
			if g.Class != schemas.Unrepeatable && g.Class != schemas.Ignore {
				return false
			}
		}
	}
	return true
}

// statistical says whether one execution can't show whether an output is had again.
func statistical(r schemas.Reproducibility) bool {
	if r.Default == schemas.Statistical {
		return true
	}
	for _, grades := range []map[string]schemas.Grade{r.Fields, r.Artifacts} {
		for _, g := range grades {
			if g.Class == schemas.Statistical {
				return true
			}
		}
	}
	return false
}

// add plans a call, as often as it takes.
func (p *planning) add(c *Call) error {
	params, err := p.params(c)
	if err != nil {
		return err
	}
	times := 1
	if c.Status == record.CallCompleted && statistical(c.Spec.Reproducibility) {
		times = p.o.Runs
	}
	changes := c.Spec.Effects == schemas.EffectsExternal
	for n := 1; n <= times; n++ {
		planned := schemas.PlannedCall{ID: callID(c.ID, n), Action: c.Action, Params: params, Seed: seedOf(c.Drawn, n)}
		for _, id := range c.After {
			if p.planned[id] != nil {
				planned.After = append(planned.After, callID(id, 1))
			}
		}
		if changes {
			planned.After = append(planned.After, p.changes...)
			p.changes = []string{planned.ID}
		}
		slices.Sort(planned.After)
		planned.After = slices.Compact(planned.After)
		p.Plan.Calls = append(p.Plan.Calls, planned)
	}
	p.planned[c.ID] = c
	p.order = append(p.order, c)
	return nil
}

// seedOf is the seed of a call's n-th execution: the first has the recorded one, to see
// whether it decides the outcome; the others have their own, to see how the outcome scatters.
func seedOf(recorded *uint64, n int) *uint64 {
	if recorded == nil || n == 1 {
		return recorded
	}
	var text [16]byte
	binary.BigEndian.PutUint64(text[:8], *recorded)
	binary.BigEndian.PutUint64(text[8:], uint64(n))
	sum := canon.Sum(append([]byte("rlam.reproduce.v1\n"), text[:]...))
	seed := binary.BigEndian.Uint64(sum[:8]) >> 11 // 53 bits, which JSON holds
	return &seed
}

// params are a call's parameters with references to what is executed again.
func (p *planning) params(c *Call) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(c.Values))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	for _, u := range c.Uses {
		from := p.planned[u.From] // nil of an input, and of what isn't executed again
		if from == nil || from.Status != record.CallCompleted || u.At == "" {
			continue
		}
		var err error
		if v, err = put(v, u.At, reference(callID(from.ID, 1), u.Pointer)); err != nil {
			return nil, fmt.Errorf("putting a reference at %q: %w", u.At, err)
		}
	}
	return canon.Marshal(p.handles(v))
}

func reference(id, pointer string) map[string]any {
	ref := map[string]any{"$from": id}
	if pointer != "" {
		ref["pointer"] = pointer
	}
	return ref
}

// handles replaces handles of artifacts that a planned call made by references to its new
// ones. An artifact of any other call becomes an input.
func (p *planning) handles(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if _, is := v["$from"]; is {
			return v
		}
		for key := range v {
			v[key] = p.handles(v[key])
		}
	case []any:
		for i := range v {
			v[i] = p.handles(v[i])
		}
	case string:
		d, err := canon.Parse(v)
		if err != nil || p.inputs[d] {
			return v
		}
		for _, c := range slices.Backward(p.order) {
			if pointer, ok := find(c.Output, v); ok {
				return reference(callID(c.ID, 1), pointer)
			}
		}
		p.input(d)
	}
	return v
}

// input makes an artifact known to the plan's run: of a call that isn't executed again, or
// an input of a run that this one continues, in whose place it has other data.
func (p *planning) input(d canon.Digest) {
	for _, c := range p.Calls {
		for _, at := range c.Attempts {
			for _, a := range at.Artifacts {
				if a.Digest != d {
					continue
				}
				p.take(record.Input{Artifact: a, From: &record.Origin{ID: c.Of.ID, Run: c.Of.Run, Head: c.Of.Head, Output: c.ID + "/" + a.Name}})
				return
			}
		}
	}
	for _, in := range p.before {
		if in.Digest == d {
			p.take(in)
			return
		}
	}
}

// take makes data an input of the plan's run, under a name of its own.
func (p *planning) take(in record.Input) {
	p.inputs[in.Digest] = true
	in.Name = fmt.Sprintf("recorded_%d", len(p.Inputs)+1)
	p.Inputs = append(p.Inputs, in)
}

// find is where a text stands in a JSON value, as a JSON pointer.
func find(raw json.RawMessage, text string) (pointer string, found bool) {
	if !bytes.Contains(raw, []byte(text)) {
		return "", false
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	return findIn(v, text)
}

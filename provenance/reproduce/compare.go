package reproduce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
	"rlam/internal/record"
	"rlam/internal/repeatability"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/schemas"
)

// rounding is the relative difference that is no scatter where no tolerance is declared.
// It only names a class: what is declared bitwise must be the same bytes.
var rounding = repeatability.Bounds{Relative: 1e-12}

// Environments says what tells two environments apart that can change a result, by the
// digests of what is on record of them.
type Environments func(ctx context.Context, recorded, now canon.Digest) ([]Difference, error)

// Comparison says how two runs are compared.
type Comparison struct {
	Environments Environments // nil: environments are not looked at
	// Same says that an execution in another environment decides nothing.
	Same bool
}

// Compare holds what a plan's run left against the run that the plan was made of.
func (o Comparison) Compare(ctx context.Context, p *Planned, origin, again *export.Run) (*Report, error) {
	calls, err := Calls(ctx, again)
	if err != nil {
		return nil, err
	}
	c := &comparing{ctx: ctx, o: o, origin: origin, again: again, made: map[string]*Call{}}
	for _, call := range calls {
		c.made[call.Name] = call
	}
	left := map[string]Left{}
	for _, l := range p.Left {
		left[l.Call] = l
	}
	r := &Report{Run: origin.Trace.ID, Reproduction: again.Trace.ID, Calls: []CallReport{}}
	for _, call := range p.Calls {
		report := CallReport{Call: call.ID, Action: call.Action, Executions: []string{}, Fields: []Field{}}
		if call.Of.Run != origin.Trace.Record {
			report.Of = call.Of.ID
		}
		if l, is := left[call.ID]; is {
			report.Verdict, report.Why, report.Idle = NotReexecutable, l.Why, l.Idle
		} else if err := c.call(call, &report); err != nil {
			return nil, fmt.Errorf("comparing call %s: %w", call.ID, err)
		}
		r.Calls = append(r.Calls, report)
		if report.Verdict == Refuted && r.First == "" {
			r.First = call.ID
		}
	}
	if r.First != "" {
		if r.Affects, err = affected(ctx, p.Calls, r.First, origin); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// comparing compares the calls of two runs.
type comparing struct {
	ctx           context.Context
	o             Comparison
	origin, again *export.Run
	made          map[string]*Call // by the plan's ids
}

// call compares one call with its new executions.
func (c *comparing) call(was *Call, r *CallReport) error {
	var now []*Call
	for n := 1; ; n++ {
		call := c.made[callID(was.ID, n)]
		if call == nil {
			break
		}
		now = append(now, call)
		r.Executions = append(r.Executions, call.ID)
	}
	if len(now) == 0 {
		r.Verdict, r.Why = NotReexecutable, "the reproduction ended before it"
		return nil
	}
	if err := c.environment(was, now[0], r); err != nil {
		return err
	}
	if c.o.Same && len(r.Environment) > 0 {
		r.Verdict, r.Why = NotReexecutable, "it ran in another environment than the recorded one; the first difference is in its "+r.Environment[0].Piece
		return nil
	}
	if err := c.outcomes(was, now, r); err != nil {
		return err
	}
	if r.Verdict == Refuted && !same(was.Values, now[0].Values) {
		r.Verdict, r.Why = DriftedInputs, "a call before it gave other parameters; "+r.Why
		for i := range r.Fields {
			if r.Fields[i].Verdict == Refuted {
				r.Fields[i].Verdict = DriftedInputs
			}
		}
	}
	return nil
}

// environment notes what tells the environment of a new execution from the recorded one,
// and that another binding carried it out.
func (c *comparing) environment(was, now *Call, r *CallReport) error {
	if a, b := was.Ran(), now.Ran(); a != b {
		r.Environment = []Difference{{Piece: "binding", Recorded: a.String(), Now: b.String()}}
	}
	if c.o.Environments == nil || now.Last == nil || was.Last.Environment.IsZero() || now.Last.Environment.IsZero() || was.Last.Environment == now.Last.Environment {
		return nil
	}
	more, err := c.o.Environments(c.ctx, was.Last.Environment, now.Last.Environment)
	r.Environment = append(r.Environment, more...)
	return err
}

// Ran is the binding that carried the call out.
func (c *Call) Ran() canon.Digest {
	if c.Last != nil && !c.Last.Binding.IsZero() {
		return c.Last.Binding
	}
	return c.Binding
}

// outcomes compares how executions ended.
func (c *comparing) outcomes(was *Call, now []*Call, r *CallReport) error {
	var completed []*Call
	for _, call := range now {
		switch {
		case call.Status == record.CallCompleted:
			completed = append(completed, call)
		case !call.executed():
			r.Verdict, r.Why = NotReexecutable, call.ended()
			return nil
		case was.Status == record.CallCompleted:
			r.Verdict, r.Why = Refuted, "completed on record, and now "+call.ended()
			return nil
		case errorType(was.Last) != errorType(call.Last):
			r.Verdict, r.Why = Refuted, fmt.Sprintf("failed on record as %s, and now %s", errorType(was.Last), call.ended())
			return nil
		}
	}
	switch {
	case was.Status == record.CallFailed && len(completed) > 0:
		r.Verdict, r.Why = Refuted, fmt.Sprintf("failed on record as %s, and now completed", errorType(was.Last))
		return nil
	case was.Status == record.CallFailed:
		r.Verdict = Confirmed
		return nil
	}
	return c.outputs(was, completed, r)
}

// ended is how a call that did not complete ended, in words.
func (c *Call) ended() string {
	if t := errorType(c.Last); t != "" {
		return string(c.Status) + " as " + t
	}
	return "was " + string(c.Status)
}

// outputs compares what executions that completed left, field by field.
func (c *comparing) outputs(was *Call, now []*Call, r *CallReport) error {
	outputs := []repeatability.Output{output(was)}
	for _, call := range now {
		if call.Output == nil {
			r.Verdict, r.Why = NotReexecutable, fmt.Sprintf("the output of %s can't be read", call.ID)
			return nil
		}
		outputs = append(outputs, output(call))
	}
	if err := c.texts(outputs); err != nil {
		return err
	}
	first, err := repeatability.Judge(*was.Spec, outputs[:2], rounding)
	if err != nil {
		return err
	}
	all := first
	if len(outputs) > 2 {
		if all, err = repeatability.Judge(*was.Spec, outputs, rounding); err != nil {
			return err
		}
	}
	r.Verdict = Confirmed
	for i, f := range all {
		field := field(f, len(now))
		if field.Class == schemas.Statistical && f.Field != nil {
			field = scattered(field, *f.Field, was, now)
		}
		if i < len(first) && first[i].Name() == f.Name() && first[i].Class == schemas.Bitwise && len(now) > 1 && was.Spec.Seeded {
			// The recorded seed gave the recorded bytes; the others show how it scatters.
			field.Verdict, field.Why = Confirmed, ""
		}
		if field.Verdict == Confirmed && field.Interval == nil {
			continue
		}
		r.Fields = append(r.Fields, field)
		if rank[field.Verdict] > rank[r.Verdict] {
			r.Verdict, r.Why = field.Verdict, field.Name+": "+field.Why
		}
	}
	return nil
}

var rank = map[Verdict]int{Confirmed: 0, WithinTolerance: 1, NotReexecutable: 2, DriftedInputs: 3, Refuted: 4}

// field is what a finding means for the record.
func field(f repeatability.Finding, executions int) Field {
	out := Field{Name: f.Name(), Class: f.Declared.Class, Verdict: Confirmed, Spread: f.Spread}
	switch {
	case f.Class == schemas.Bitwise && f.In == executions+1, f.Declared.Class == schemas.Ignore:
		out.Spread = nil
	case f.Declared.Class == schemas.Unrepeatable:
		out.Verdict, out.Why = NotReexecutable, "it is declared unrepeatable, and differs"
	case f.Judgement != repeatability.TooStrong && f.Declared.Class == schemas.Tolerance:
		out.Verdict, out.Why = WithinTolerance, "it differs by "+spread(f.Spread)
	case f.Declared.Class == schemas.Statistical && f.Class != schemas.Unrepeatable:
		out.Verdict, out.Why = NotReexecutable, "it is statistical: how its distribution compares isn't shown by this"
	case f.In != executions+1:
		out.Verdict, out.Why = Refuted, "it is not in each of record and new executions"
	case f.Spread != nil:
		out.Verdict, out.Why = Refuted, fmt.Sprintf("it is declared %s, and differs by %s", f.Declared.Class, spread(f.Spread))
	default:
		out.Verdict, out.Why = Refuted, fmt.Sprintf("it is declared %s, and differs, not in numbers alone", f.Declared.Class)
	}
	return out
}

func spread(s *repeatability.Spread) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%.3g, relative %.2g", s.Absolute, s.Relative)
}

// scattered judges a single number by its prediction interval.
func scattered(f Field, pointer string, was *Call, now []*Call) Field {
	recorded, ok := number(was.Output, pointer)
	if !ok || len(now) < 2 {
		if len(now) < 2 {
			f.Why = "it is statistical, and one execution decides nothing: ask for more with --runs"
		}
		return f
	}
	values := make([]float64, len(now))
	for i, call := range now {
		if values[i], ok = number(call.Output, pointer); !ok {
			return f
		}
	}
	f.Interval = repeatability.NewInterval(recorded, values)
	if f.Interval.Holds() {
		f.Verdict, f.Why = WithinTolerance, "the recorded value lies in the 95 % prediction interval"
		return f
	}
	f.Verdict, f.Why = Refuted, fmt.Sprintf("the recorded value %.6g lies outside of the 95 %% prediction interval, %.6g to %.6g", recorded, f.Interval.Lower, f.Interval.Upper)
	return f
}

// number is the number at a JSON pointer.
func number(raw json.RawMessage, pointer string) (float64, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return 0, false
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		object, ok := v.(map[string]any)
		if !ok {
			return 0, false
		}
		v = object[jsonpointer.Unescape(token)]
	}
	n, ok := v.(float64)
	return n, ok
}

func output(c *Call) repeatability.Output {
	out := repeatability.Output{Value: c.Output}
	for _, a := range c.Last.Artifacts {
		out.Artifacts = append(out.Artifacts, repeatability.Artifact{Name: a.Name, Digest: a.Digest})
	}
	return out
}

// longestText is the size from which an artifact's numbers are not compared one by one.
const longestText = 16 << 20

// texts reads the artifacts that differ, where they are text: of those that don't, the
// digests say all. One whose bytes are gone is compared by its digest alone.
func (c *comparing) texts(outputs []repeatability.Output) error {
	seen := map[string]canon.Digest{}
	differ := map[string]bool{}
	for _, o := range outputs {
		for _, a := range o.Artifacts {
			d, ok := seen[a.Name]
			differ[a.Name] = differ[a.Name] || ok && d != a.Digest
			seen[a.Name] = a.Digest
		}
	}
	for i, o := range outputs {
		from := c.again.Store
		if i == 0 {
			from = c.origin.Store
		}
		for j, a := range o.Artifacts {
			if !differ[a.Name] {
				continue
			}
			b, err := store.Read(c.ctx, from, a.Digest, longestText)
			if c.ctx.Err() != nil {
				return c.ctx.Err()
			}
			if err == nil && len(b) < longestText && utf8.Valid(b) && !bytes.ContainsRune(b, 0) {
				o.Artifacts[j].Text = b
			}
		}
	}
	return nil
}

// same says whether two JSON values are the same.
func same(a, b json.RawMessage) bool {
	x, err1 := canon.Transform(a)
	y, err2 := canon.Transform(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// affected are the calls whose parameters came from a call, at any remove, and "result" if
// the run's result did.
func affected(ctx context.Context, calls []*Call, from string, origin *export.Run) ([]string, error) {
	reached := map[string]bool{from: true}
	made := map[string]bool{} // handles of what those calls left
	var out []string
	touches := func(uses []record.Use, values json.RawMessage) bool {
		for _, u := range uses {
			if reached[u.From] {
				return true
			}
		}
		for handle := range made {
			if bytes.Contains(values, []byte(handle)) {
				return true
			}
		}
		return false
	}
	for _, c := range calls {
		if c.ID != from && touches(c.Uses, c.Values) {
			reached[c.ID] = true
			out = append(out, c.ID)
		}
		if reached[c.ID] && c.Last != nil {
			for _, a := range c.Last.Artifacts {
				made[a.Digest.String()] = true
			}
		}
	}
	links, err := record.Lineage(ctx, origin.Store, origin.Trace.Head)
	if err != nil {
		return nil, err
	}
	for _, l := range slices.Backward(links) {
		if p, ok := l.Record.(*record.Proposal); ok && p.Result != nil {
			value, err := origin.Content(ctx, p.Result.Value)
			if err != nil {
				return nil, err
			}
			if touches(p.Result.Uses, value.Value) {
				out = append(out, "result")
			}
			break
		}
	}
	return out, nil
}

package diff

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/repeatability"
	"rlam/provenance/export"
	"rlam/schemas"
)

// calls aligns and compares the calls.
func (c *comparison) calls() {
	for _, pair := range align(c.a.calls, c.b.calls) {
		p := Pair{A: named(pair[0]), B: named(pair[1])}
		switch {
		case pair[0] == nil:
			p.Items = []Item{{Area: Plan, Subject: p.Subject(), B: "proposed: " + p.B.Action}}
			c.differing[1][p.B.ID] = true
		case pair[1] == nil:
			p.Items = []Item{{Area: Plan, Subject: p.Subject(), A: "proposed: " + p.A.Action}}
			c.differing[0][p.A.ID] = true
		default:
			c.pair(&p, pair[0], pair[1])
		}
		c.d.Calls = append(c.d.Calls, p)
	}
}

func named(k *call) *Call {
	if k == nil {
		return nil
	}
	return &Call{ID: k.ID, Step: k.step, Name: k.Name, Action: k.Action, Status: string(k.Status)}
}

// pair compares two calls: what was proposed, where it ran, how it went, what it made.
func (c *comparison) pair(p *Pair, a, b *call) {
	subject := p.Subject()
	add := func(items ...Item) {
		for _, i := range items {
			i.Subject = subject
			p.Items = append(p.Items, i)
		}
	}
	var causes []string
	because := func(differs bool, cause string) {
		if differs {
			causes = append(causes, cause)
		}
	}
	params := c.params(a, b)
	add(params...)
	causes = causesOf(params)
	because((a.Asserted == nil) != (b.Asserted == nil), "a person's assertion stands in place of what was computed")
	because(a.Spec != b.Spec, "the action's schema differs")
	because(ran(a) != ran(b), "what carries it out differs")
	if x, y := c.seed(a, c.a), c.seed(b, c.b); x != y && !refused(a) && !refused(b) { // a refused call has none
		add(Item{Area: Seed, At: "/seed", A: x, B: y})
		because(true, "its seed differs")
	}
	differ, items := c.environment(a, b)
	add(items...)
	because(differ, "it ran in another environment")
	add(course(a, b)...)
	made := c.outputs(a, b, len(causes) == 0)
	add(made...)
	if count(made) > 0 {
		c.differing[0][a.ID], c.differing[1][b.ID] = true, true
	}
	if len(made) > 0 {
		p.Why = "its outputs differ, and code, parameters, seed and environment are the same on record"
		if len(causes) > 0 {
			p.Why = "its outputs differ: " + strings.Join(causes, ", ")
		}
	}
}

// ran is the binding that carried a call out.
func ran(k *call) canon.Digest {
	if last := k.last(); last != nil && !last.Binding.IsZero() {
		return last.Binding
	}
	return k.Binding
}

// params compares what was proposed.
func (c *comparison) params(a, b *call) []Item {
	var items []Item
	// The action of a call may have no version: where the study has no such action.
	if a.Action != b.Action && strings.Contains(a.Action, "@") == strings.Contains(b.Action, "@") {
		items = append(items, Item{Area: Plan, At: "/action", A: a.Action, B: b.Action})
	}
	if a.key == b.key {
		return items
	}
	if !c.comparable(a.ID, "parameters", a.params, b.params) {
		return items
	}
	taken := map[string]bool{} // pointers that are told of as a whole
	open := unresolved(a, b)
	for _, v := range values(a.params.Value, b.params.Value) {
		if slices.ContainsFunc(open, func(at string) bool { return within(v.at, at) }) {
			continue
		}
		at, why := c.source(a, b, v)
		if taken[at] {
			continue
		}
		i := Item{Area: Plan, At: "/params" + at, A: v.a, B: v.b, Numbers: v.numbers, Why: why}
		if at != v.at {
			i.A, i.B, i.Numbers = show(lookUp(parse(a.params.Value), at)), show(lookUp(parse(b.params.Value), at)), nil
			taken[at] = true
		}
		items = append(items, i)
	}
	return items
}

func refused(k *call) bool { return k.Status == record.CallRefused }

// seed is the seed of a call, if it has one.
func (c *comparison) seed(k *call, s *side) string {
	n := s.Trace.Graph.Node("call:" + k.ID)
	if n == nil || n.Seed == nil {
		return ""
	}
	return fmt.Sprint(*n.Seed)
}

// environment compares the identities of where two calls ran. What differs is told with
// the first call that ran in the two.
func (c *comparison) environment(a, b *call) (bool, []Item) {
	x, y := a.last(), b.last()
	if x == nil || y == nil || x.Environment == y.Environment {
		return false, nil
	}
	type env struct {
		Identity json.RawMessage `json:"identity"`
	}
	rawX, errX := c.a.blob(x.Environment)
	rawY, errY := c.b.blob(y.Environment)
	var p, q env
	if errX != nil || errY != nil || json.Unmarshal(rawX, &p) != nil || json.Unmarshal(rawY, &q) != nil {
		if !x.Environment.IsZero() && !y.Environment.IsZero() {
			c.note("the environments of call %s can't be compared: one can't be read", a.ID)
		}
		return false, nil
	}
	all := values(p.Identity, q.Identity)
	if len(all) == 0 || c.environments[[2]canon.Digest{x.Environment, y.Environment}] {
		return len(all) > 0, nil
	}
	c.environments[[2]canon.Digest{x.Environment, y.Environment}] = true
	var items []Item
	for _, v := range all {
		items = append(items, Item{Area: Environment, At: v.at, A: v.a, B: v.b, Numbers: v.numbers})
	}
	return true, items
}

// course compares how two calls went.
func course(a, b *call) []Item {
	var items []Item
	add := func(at, x, y string) {
		if x != y {
			items = append(items, Item{Area: Course, At: at, A: x, B: y})
		}
	}
	add("/decision", a.Decision, b.Decision)
	add("/verdicts", refusals(a), refusals(b))
	add("/status", string(a.Status), string(b.Status))
	add("/attempts", attempts(a), attempts(b))
	return items
}

// refusals are the gates that refused a call, with their rules.
func refusals(k *call) string {
	var out []string
	for _, v := range k.Verdicts {
		if v.Decision == string(schemas.Refused) {
			out = append(out, strings.TrimSpace("refused by "+v.Gate+" "+v.Rule))
		}
	}
	return strings.Join(out, ", ")
}

// attempts are a call's attempts in words: how many, and how those ended that failed.
func attempts(k *call) string {
	var out []string
	for _, a := range k.Attempts {
		word := string(a.Status)
		if a.Error != nil {
			word += " " + a.Error.Type
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

// outputs compares what two calls made, by what the action declares. alike says that they
// were the same call: only then a declaration that outputs vary explains that they do.
func (c *comparison) outputs(a, b *call, alike bool) []Item {
	x, y := a.last(), b.last()
	if x == nil || y == nil {
		return nil
	}
	var items []Item
	left := map[string]bool{}
	for _, art := range append(slices.Clone(x.Artifacts), y.Artifacts...) {
		left[show(art.Digest.String())] = true
	}
	for _, v := range c.contents("output of call "+a.ID, x.Output, y.Output) {
		if left[v.a] && left[v.b] { // handles: the artifacts are compared themselves
			continue
		}
		g := c.grade(a, func(r schemas.Reproducibility) schemas.Grade { return repeatability.DeclaredField(r, v.at) })
		items = append(items, Item{Area: Output, At: v.at, A: v.a, B: v.b, Numbers: v.numbers, Grade: g, Expected: expected(g, &v, alike)})
	}
	if x.Error != nil && y.Error != nil {
		for _, v := range c.contents("failure of call "+a.ID, x.Error.Detail, y.Error.Detail) {
			if v.at == "/message" {
				items = append(items, Item{Area: Course, At: "/error/message", A: v.a, B: v.b})
			}
		}
	}
	return append(items, c.artifacts(a, x.Artifacts, y.Artifacts, alike)...)
}

func (c *comparison) artifacts(k *call, a, b []record.Artifact, alike bool) []Item {
	byName := func(all []record.Artifact) map[string]string {
		out := map[string]string{}
		for _, art := range all {
			out[art.Name] = fmt.Sprintf("%s, %d bytes", art.Digest, art.Size)
		}
		return out
	}
	x, y := byName(a), byName(b)
	var items []Item
	for _, name := range names(x, y) {
		if x[name] == y[name] {
			continue
		}
		g := c.grade(k, func(r schemas.Reproducibility) schemas.Grade { return repeatability.DeclaredArtifact(r, name) })
		i := Item{Area: Output, At: "artifact " + name, A: x[name], B: y[name], Grade: g}
		if i.A != "" && i.B != "" {
			i.Expected = expected(g, &value{}, alike)
		}
		items = append(items, i)
	}
	return items
}

// expected says why a difference of outputs is one that the action declares; "" if it
// doesn't.
func expected(g *schemas.Grade, v *value, alike bool) string {
	switch {
	case g == nil:
		return ""
	case g.Class == schemas.Ignore:
		return "carries no result"
	case g.Class == schemas.Tolerance && v.agree(g.Relative, g.Absolute):
		return "within its tolerance"
	case !alike:
		return ""
	case g.Class == schemas.Statistical:
		return "varies by declaration"
	case g.Class == schemas.Unrepeatable:
		return "can't be had again, by declaration"
	}
	return ""
}

// contents are the differences of two contents. That one can't be read is a note, unless
// they are the same blob.
func (c *comparison) contents(what string, a, b canon.Digest) []value {
	if a == b {
		return nil
	}
	x, y := c.a.content(a), c.b.content(b)
	if !a.IsZero() && !b.IsZero() && !c.comparable("", what, x, y) {
		return nil
	}
	return values(x.Value, y.Value)
}

// comparable says whether both contents can be read, and notes it otherwise.
func (c *comparison) comparable(call, what string, x, y export.Content) bool {
	for _, one := range []export.Content{x, y} {
		if one.State != export.Present {
			if call != "" {
				what += " of call " + call
			}
			c.note("%s can't be compared: of one run it is %s", what, one.State)
			return false
		}
	}
	return true
}

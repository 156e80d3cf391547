package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
)

// given compares what the runs start from.
func (c *comparison) given() {
	a, b := c.a.run, c.b.run
	if c.a.Trace.Record == c.b.Trace.Record {
		return
	}
	c.give(Engine, "R-LAM", "", a.Engine, b.Engine)
	c.gates(a.Gates, b.Gates)
	c.study(a.Study, b.Study)
	c.actions(a.Actions, b.Actions)
	c.inputs(a.Inputs, b.Inputs)
	if a.Planner != b.Planner {
		c.file(Plan, "planner's file", a.Planner, b.Planner)
	}
	slices.SortStableFunc(c.d.Given, func(x, y Item) int { return cmp.Compare(order(x.Area), order(y.Area)) })
}

// order is the place of an area among those of what is given.
func order(a Area) int {
	return slices.Index([]Area{Engine, Code, Data, Model, Prompt, Policy, Limits, Seed, Plan, Environment, Study}, a)
}

// give adds a difference of what is given.
func (c *comparison) give(area Area, subject, at, a, b string) {
	if a != b {
		c.d.Given = append(c.d.Given, Item{Area: area, Subject: subject, At: at, A: a, B: b})
	}
}

func (c *comparison) gates(a, b []record.Gate) {
	versions := func(all []record.Gate) map[string]string {
		out := map[string]string{}
		for _, g := range all {
			out[g.Name] = fmt.Sprintf("version %d", g.Version)
		}
		return out
	}
	x, y := versions(a), versions(b)
	for _, name := range names(x, y) {
		c.give(Engine, "gate "+name, "", x[name], y[name])
	}
}

// studyAreas say what the members of a study are about: the longest pointer counts.
var studyAreas = []struct {
	at   string
	area Area
}{
	{"/planner/instructions", Prompt},
	{"/planner/plan", Plan},
	{"/planner/scripted", Plan},
	{"/planner", Model},
	{"/goal", Prompt},
	{"/title", Prompt},
	{"/limits", Limits},
	{"/policy", Policy},
	{"/accept", Policy},
	{"/result", Policy},
	{"/seeds", Seed},
	{"/seed", Seed},
	{"/actions", Code},
	{"/isolation", Environment},
	{"", Study},
}

func (c *comparison) study(a, b canon.Digest) {
	if a == b {
		return
	}
	x, errX := c.a.blob(a)
	y, errY := c.b.blob(b)
	if errX != nil || errY != nil {
		c.note("the studies %s and %s differ, and can't both be read", min(a.String(), b.String()), max(a.String(), b.String()))
		c.give(Study, "study", "", a.String(), b.String())
		return
	}
	for _, v := range values(x, y) {
		if within(v.at, "/inputs") { // the run's record says more of them
			continue
		}
		for _, s := range studyAreas {
			if within(v.at, s.at) {
				c.d.Given = append(c.d.Given, Item{Area: s.area, Subject: "study", At: v.at, A: v.a, B: v.b, Numbers: v.numbers})
				break
			}
		}
	}
}

// within says whether a pointer leads to what another one leads to, or into it.
func within(at, of string) bool { return at == of || strings.HasPrefix(at, of+"/") }

// actions compares the actions that the runs may use, by name.
func (c *comparison) actions(a, b []record.Pin) {
	byName := func(pins []record.Pin) map[string]record.Pin {
		out := map[string]record.Pin{}
		for _, p := range pins {
			out[p.Name] = p
		}
		return out
	}
	x, y := byName(a), byName(b)
	for _, name := range names(x, y) {
		p, inA := x[name]
		q, inB := y[name]
		subject := "action " + name
		switch {
		case !inA:
			c.give(Code, subject, "", "", "allowed")
		case !inB:
			c.give(Code, subject, "", "allowed", "")
		default:
			c.give(Code, subject, "/version", p.Version, q.Version)
			if p.Spec != q.Spec {
				c.file(Code, subject+", schema", p.Spec, q.Spec)
			}
			if p.Binding != q.Binding {
				c.file(Code, subject+", binding", p.Binding, q.Binding)
			}
			c.give(Code, subject+", bindings", "", digests(p.Bindings), digests(q.Bindings))
		}
	}
}

func digests(all []canon.Digest) string {
	var out []string
	for _, d := range all {
		out = append(out, d.String())
	}
	return strings.Join(out, " ")
}

// file compares two blobs member by member where they are JSON, or else at their first
// line that differs.
func (c *comparison) file(area Area, subject string, a, b canon.Digest) {
	x, errX := c.a.blob(a)
	y, errY := c.b.blob(b)
	if errX != nil || errY != nil || len(x) == 0 || len(y) == 0 {
		c.give(area, subject, "", zeroless(a), zeroless(b))
		return
	}
	if !json.Valid(x) || !json.Valid(y) {
		p, q := whereTextsPart(string(x), string(y))
		one, other := showBoth(p, q)
		c.give(area, subject, "", one, other)
		return
	}
	for _, v := range values(x, y) {
		c.d.Given = append(c.d.Given, Item{Area: area, Subject: subject, At: v.at, A: v.a, B: v.b, Numbers: v.numbers})
	}
}

func zeroless(d canon.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func (c *comparison) inputs(a, b []record.Input) {
	byName := func(all []record.Input) map[string]record.Input {
		out := map[string]record.Input{}
		for _, in := range all {
			out[in.Name] = in
		}
		return out
	}
	x, y := byName(a), byName(b)
	for _, name := range names(x, y) {
		c.give(Data, "input "+name, "", inputWords(x[name]), inputWords(y[name]))
	}
}

func inputWords(in record.Input) string {
	switch {
	case in.Digest.IsZero():
		return ""
	case in.Unseen:
		return in.Digest.String()
	}
	return fmt.Sprintf("%s, %d bytes", in.Digest, in.Size)
}

// turns compares what the planner was sent and who answered, turn by turn. Of requests the
// first that differs is told: all later ones hold it.
func (c *comparison) turns() {
	prompted := false
	models := map[[2]string]bool{}
	for i := range min(len(c.a.turns), len(c.b.turns)) {
		a, b := c.a.turns[i], c.b.turns[i]
		add := func(item Item) {
			item.Subject = fmt.Sprintf("step %d", a.Index)
			c.d.Turns, c.turnSteps = append(c.d.Turns, item), append(c.turnSteps, a.Index)
		}
		if !prompted && !a.Request.IsZero() && !b.Request.IsZero() {
			for _, v := range c.requests(a, b) {
				prompted = true
				add(Item{Area: Prompt, At: v.at, A: v.a, B: v.b, Numbers: v.numbers})
			}
		}
		who := [2]string{a.Model.Answered, b.Model.Answered}
		if who[0] != who[1] && !models[who] {
			models[who] = true
			add(Item{Area: Model, At: "/answered", A: who[0], B: who[1]})
		}
		if a.Model.Answered == b.Model.Answered && a.Model.Fingerprint != b.Model.Fingerprint {
			if key := [2]string{a.Model.Fingerprint, b.Model.Fingerprint}; !models[key] {
				models[key] = true
				add(Item{Area: Model, At: "/fingerprint", A: a.Model.Fingerprint, B: b.Model.Fingerprint})
			}
		}
		if a.Outcome != b.Outcome {
			add(Item{Area: Plan, At: "/outcome", A: a.Outcome, B: b.Outcome})
		}
	}
}

// requests are the differences of what two turns sent: none if the bodies are the same
// bytes, and else what is new in them.
func (c *comparison) requests(a, b turn) []value {
	type kept struct {
		Body canon.Digest `json:"body"`
	}
	x, y := c.a.content(a.Request), c.b.content(b.Request)
	var p, q kept
	if json.Unmarshal(x.Value, &p) != nil || json.Unmarshal(y.Value, &q) != nil {
		if a.Request != b.Request {
			c.note("the requests of step %d can't be compared: one can't be read", a.Index)
		}
		return nil
	}
	if p.Body == q.Body {
		return nil
	}
	var out []value
	for _, v := range values(x.Value, y.Value) {
		// The others follow from these, or name blobs.
		if within(v.at, "/messages") || v.at == "/model" || v.at == "/temperature" || v.at == "/max_tokens" || v.at == "/mode" || v.at == "/tools" {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		out = []value{{at: "/body", a: p.Body.String(), b: q.Body.String()}}
	}
	return out
}

// result compares how the runs ended, and with what.
func (c *comparison) result() {
	add := func(i Item) {
		i.Area, i.Subject = Result, cmp.Or(i.Subject, "result")
		c.d.Result = append(c.d.Result, i)
	}
	if a, b := c.a.Trace.Status, c.b.Trace.Status; a != b {
		add(Item{Subject: "status", A: a, B: b})
	}
	a, b := c.a.seal, c.b.seal
	if a == nil || b == nil {
		return // what is shared, or not sealed
	}
	if a.Partial != b.Partial {
		add(Item{Subject: "partial", A: fmt.Sprint(a.Partial), B: fmt.Sprint(b.Partial)})
	}
	for _, v := range c.contents("result", a.Result, b.Result) {
		add(Item{At: v.at, A: v.a, B: v.b, Numbers: v.numbers})
	}
	for _, v := range c.contents("reason", a.Reason, b.Reason) {
		add(Item{Subject: "reason", At: v.at, A: v.a, B: v.b})
	}
}

// names are the keys of two maps, in alphabetical order.
func names[V any](a, b map[string]V) []string {
	all := make([]string, 0, len(a))
	for name := range a {
		all = append(all, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// grade is what an action declares of an output; nil where the action can't be read.
func (c *comparison) grade(k *call, of func(schemas.Reproducibility) schemas.Grade) *schemas.Grade {
	a := c.a.action(k.Spec)
	if a == nil {
		a = c.b.action(k.Spec)
	}
	if a == nil {
		return nil
	}
	g := of(a.Reproducibility)
	return &g
}

package diff_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/diff"
	"rlam/provenance/export"
	"rlam/provenance/graph"
	"rlam/schemas"
)

// proposed is a call of a made-up run, each a step of its own.
type proposed struct {
	action, name string
	params, out  any
	uses         []record.Use
	refused      bool // of an action that the study hasn't got any more
}

// maker writes runs into one store.
type maker struct {
	t     *testing.T
	store store.Store
	spec  canon.Digest
	study map[string]any
}

func newMaker(t *testing.T) *maker {
	m := &maker{t: t, store: &store.Mem{}, study: map[string]any{"title": "T", "goal": "G", "limits": map[string]any{"steps": 5}}}
	m.spec = m.blob(schemas.Action{Name: "lab.make", Version: "1.0.0", Returns: json.RawMessage(`{}`), Params: json.RawMessage(`{}`), Reproducibility: schemas.Reproducibility{
		Default: schemas.Bitwise, Fields: map[string]schemas.Grade{
			"/near": {Class: schemas.Tolerance, Relative: 1e-6}, "/drawn": {Class: schemas.Statistical}, "/when": {Class: schemas.Ignore},
		},
	}})
	return m
}

func (m *maker) put(b []byte) canon.Digest {
	d, _, err := m.store.Put(m.t.Context(), bytes.NewReader(b))
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

func (m *maker) blob(v any) canon.Digest {
	b, err := canon.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.put(b)
}

func (m *maker) record(v any) canon.Digest {
	_, b, err := record.Encode(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.put(b)
}

// run makes a run. One with a parent is a fork, and its steps are numbered from there on.
func (m *maker) run(id string, parent canon.Digest, before int, calls ...proposed) *export.Run {
	secret := record.NewSecret()
	content := func(v any) canon.Digest {
		ref, b, err := secret.Content(v)
		if err != nil {
			m.t.Fatal(err)
		}
		m.put(b)
		return ref.Digest
	}
	rec := record.Run{Kind: record.KindRun, ID: id, Engine: "rlam test", Started: "2026-01-01T00:00:00Z", Study: m.blob(m.study), Parent: parent}
	run := m.record(rec)
	head := run
	for i, c := range calls {
		n := before + i + 1
		k := record.Call{ID: fmt.Sprintf("%d.1", n), Name: c.name, Action: c.action + "@1.0.0", Spec: m.spec, Params: content(c.params), Uses: c.uses, Decision: "admitted"}
		came := record.CallRecord{Status: record.CallCompleted, Attempts: []record.AttemptRecord{{N: 1, Status: record.AttemptCompleted, Output: content(c.out)}}}
		if c.refused {
			k.Action, k.Spec, k.Decision = c.action, canon.Digest{}, "refused"
			came = record.CallRecord{Status: record.CallRefused}
		}
		came.Call = k
		head = m.record(record.Proposal{Kind: record.KindProposal, Parent: head, Index: n, Outcome: "calls", Calls: []record.Call{k}, Answer: content("a")})
		head = m.record(record.Step{Kind: record.KindStep, Parent: head, Index: n, Calls: []record.CallRecord{came}})
	}
	last := head
	seal := m.record(record.Seal{Kind: record.KindSeal, Parent: last, Status: record.Completed, Result: content(map[string]any{"calls": before + len(calls)})})
	return &export.Run{Store: m.store, Trace: &provenance.Trace{ID: id, Record: run, Head: seal, Status: "completed", Run: &rec, Graph: &graph.Graph{}}}
}

// step is the record of the n-th step of a run.
func (m *maker) step(r *export.Run, n int) canon.Digest {
	links, err := record.Chain(m.t.Context(), m.store, r.Trace.Record, r.Trace.Head)
	if err != nil {
		m.t.Fatal(err)
	}
	return links[2*n].Digest
}

func compare(t *testing.T, a, b *export.Run) *diff.Diff {
	t.Helper()
	d, err := diff.Runs(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// object is parameters or an output.
type object = map[string]any

func make3(middle float64) []proposed {
	return []proposed{
		{action: "lab.make", name: "first", params: object{"x": 1}, out: object{"y": 2}},
		{action: "lab.make", name: "second", params: object{"x": 2}, out: object{"y": middle}},
		{action: "lab.make", name: "third", params: object{"x": middle}, out: object{"y": middle + 1}, uses: []record.Use{{From: "2.1", Pointer: "/y", At: "/x"}}},
	}
}

func TestARunDoesNotDifferFromItselfOrItsLike(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	a, b := m.run("a", canon.Digest{}, 0, make3(3)...), m.run("b", canon.Digest{}, 0, make3(3)...)
	for _, pair := range [][2]*export.Run{{a, a}, {a, b}} {
		d := compare(t, pair[0], pair[1])
		if !d.Same || d.First != nil || len(d.Given)+len(d.Turns)+len(d.Result)+len(d.Notes) > 0 {
			t.Errorf("%s and %s: %+v, want nothing", pair[0].Trace.ID, pair[1].Trace.ID, d)
		}
	}
}

// TestWhy follows an output that differs, for no reason on record, to what took from it.
func TestWhy(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	d := compare(t, m.run("a", canon.Digest{}, 0, make3(3)...), m.run("b", canon.Digest{}, 0, make3(3.3)...))
	if d.Same || !d.Calls[0].Same() {
		t.Fatalf("%+v", d)
	}
	second, third := d.Calls[1], d.Calls[2]
	if !strings.Contains(second.Why, "are the same on record") || second.Items[0].Numbers.Relative < 0.09 || second.Items[0].Numbers.Relative > 0.0910 {
		t.Errorf("second: %+v", second)
	}
	if want := "it is taken from call 2.1, whose output differs"; third.Items[0].Why != want || !strings.Contains(third.Why, want) {
		t.Errorf("third: %+v, want %q", third, want)
	}
	if d.First == nil || d.First.StepA != 2 || d.First.Item.At != "/y" || d.First.Item.Area != diff.Output {
		t.Errorf("they part at %+v, want /y in step 2", d.First)
	}
}

// TestAnInsertedCall is one difference, and what follows it is aligned.
func TestAnInsertedCall(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	calls := make3(3)
	more := slices.Insert(slices.Clone(calls), 1, proposed{action: "lab.look", params: object{"q": 1}, out: object{"r": 1}})
	more[3].uses = nil
	d := compare(t, m.run("a", canon.Digest{}, 0, calls...), m.run("b", canon.Digest{}, 0, more...))
	var got []string
	for _, p := range d.Calls {
		switch {
		case p.A == nil:
			got = append(got, "+"+p.B.ID)
		case p.B == nil:
			got = append(got, "-"+p.A.ID)
		default:
			got = append(got, p.A.ID+"="+p.B.ID)
			if !p.Same() {
				t.Errorf("%s: %+v", p.Subject(), p.Items)
			}
		}
	}
	if want := []string{"1.1=1.1", "+2.1", "2.1=3.1", "3.1=4.1"}; !slices.Equal(got, want) {
		t.Errorf("aligned %q, want %q", got, want)
	}
}

// TestARefusedCall differs in its verdict alone: that its reference was not looked up, that
// it has no seed and that its action has no version any more follows from that.
func TestARefusedCall(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	calls := make3(3)
	a := m.run("a", canon.Digest{}, 0, calls...)
	calls[2].params, calls[2].refused = object{"x": object{"$from": "second", "pointer": "/y"}}, true
	b := m.run("b", canon.Digest{}, 0, calls...)
	d := compare(t, a, b)
	if d.Same || len(d.Calls) != 3 || !d.Calls[0].Same() || !d.Calls[1].Same() {
		t.Fatalf("%+v", d)
	}
	for _, i := range d.Calls[2].Items {
		if i.Area != diff.Course && i.Area != diff.Output {
			t.Errorf("a refused call differs in %s %s: %s → %s", i.Area, i.At, i.A, i.B)
		}
	}
	calls[2].params = object{"x": object{"$from": "second", "pointer": "/z"}}
	calls[2].uses = []record.Use{{From: "2.1", Pointer: "/z", At: "/x"}}
	if d := compare(t, a, m.run("c", canon.Digest{}, 0, calls...)); d.Calls[2].Items[0].At != "/params/x" {
		t.Errorf("another reference is %+v, want a difference of /params/x", d.Calls[2].Items)
	}
}

// TestDeclared says of each class what a difference of it is called.
func TestDeclared(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	made := func(out object) *export.Run {
		return m.run("r", canon.Digest{}, 0, proposed{action: "lab.make", params: object{"x": 1}, out: out})
	}
	for _, c := range []struct {
		field    string
		a, b     any
		expected string
	}{
		{"exact", 1.0, 1.0000001, ""},
		{"near", 1.0, 1.0000001, "within its tolerance"},
		{"near", 1.0, 1.1, ""},
		{"near", []any{1, 1e-300}, []any{1.0000001, 2e-300}, ""},
		{"near", "1", "2", ""},
		{"drawn", 1, 2, "varies by declaration"},
		{"when", "noon", "night", "carries no result"},
	} {
		d := compare(t, made(object{c.field: c.a}), made(object{c.field: c.b}))
		i := d.Calls[0].Items[0]
		if i.Expected != c.expected || d.Same != (c.expected != "") {
			t.Errorf("%s, %v and %v: %q, the same %t, want %q", c.field, c.a, c.b, i.Expected, d.Same, c.expected)
		}
	}
}

// TestForksAreComparedFromTheForkPoint has a fork that shares two steps.
func TestForksAreComparedFromTheForkPoint(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	a := m.run("a", canon.Digest{}, 0, make3(3)...)
	m.study["limits"] = object{"steps": 9}
	fork := func(id string) *export.Run {
		return m.run(id, m.step(a, 2), 2, proposed{action: "lab.make", name: "third", params: object{"x": 30}, out: object{"y": 4}})
	}
	b := fork("b")
	d := compare(t, a, b)
	if d.Shared == nil || d.Shared.Steps != 2 || d.Shared.Record != m.step(a, 2) {
		t.Fatalf("shared %+v, want the first 2 steps", d.Shared)
	}
	if len(d.Calls) != 1 || len(d.Calls[0].Items) != 1 || d.Calls[0].Items[0].At != "/params/x" || len(d.Given) != 1 || d.Given[0].At != "/limits/steps" {
		t.Errorf("calls %+v, given %+v: want the changes of the fork alone", d.Calls, d.Given)
	}
	if d.B.Steps != 3 {
		t.Errorf("the fork has %d steps, want 3 with those it shares", d.B.Steps)
	}
	if d := compare(t, b, fork("c")); d.Shared == nil || d.Shared.Steps != 2 || len(d.Calls) != 1 || !d.Same {
		t.Errorf("two forks of one run: %+v", d)
	}
}

// TestWithheld compares what is there, and notes the rest.
func TestWithheld(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	a, b := m.run("a", canon.Digest{}, 0, make3(3)...), m.run("b", canon.Digest{}, 0, make3(3)...)
	links, err := record.Chain(t.Context(), m.store, b.Trace.Record, b.Trace.Head)
	if err != nil {
		t.Fatal(err)
	}
	out := links[2].Record.(*record.Step).Calls[0].Attempts[0].Output
	b.Store = without{Store: m.store, withheld: out}
	d := compare(t, a, b)
	if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "output of call 1.1") || !strings.Contains(d.Notes[0], "withheld") || !d.Same {
		t.Errorf("notes %q, the same %t", d.Notes, d.Same)
	}
}

// TestSymmetry compares runs made by chance, both ways.
func TestSymmetry(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newMaker(t)
		some := func() *export.Run {
			var calls []proposed
			for range r.IntN(7) {
				calls = append(calls, proposed{action: []string{"lab.make", "lab.look"}[r.IntN(2)], params: object{"x": r.IntN(3)}, out: object{"y": r.IntN(3)}})
			}
			m.study["seed"] = r.IntN(2)
			return m.run(fmt.Sprint("run", r.IntN(1000)), canon.Digest{}, 0, calls...)
		}
		a, b := some(), some()
		there, back := compare(t, a, b), compare(t, b, a)
		if len(there.Calls) < max(there.A.Calls, there.B.Calls) {
			t.Errorf("seed %d: %d pairs of %d and %d calls", seed, len(there.Calls), there.A.Calls, there.B.Calls)
		}
		if x, y := listing(there, false), listing(back, true); !reflect.DeepEqual(x, y) {
			t.Errorf("seed %d: there\n%q\nback\n%q", seed, x, y)
		}
		if d := compare(t, a, a); !d.Same || len(d.Calls) > 0 {
			t.Errorf("seed %d: a run and itself: %+v", seed, d)
		}
	}
}

// listing is what a diff lists, the sides exchanged if it was asked for the other way round.
func listing(d *diff.Diff, exchanged bool) []string {
	var out []string
	add := func(what, a, b string, more ...any) {
		if exchanged {
			a, b = b, a
		}
		out = append(out, fmt.Sprint(what, " ", a, " ", b, more))
	}
	for _, i := range slices.Concat(d.Given, d.Turns, d.Result) {
		add(string(i.Area)+i.At, i.A, i.B, i.Expected, i.Why)
	}
	for _, p := range d.Calls {
		var a, b string
		if p.A != nil {
			a = p.A.ID
		}
		if p.B != nil {
			b = p.B.ID
		}
		add("pair", a, b, p.Why)
		for _, i := range p.Items {
			add(string(i.Area)+i.At, i.A, i.B, i.Expected, i.Why)
		}
	}
	if d.First != nil {
		add("first "+d.First.Item.At, fmt.Sprint(d.First.StepA), fmt.Sprint(d.First.StepB))
	}
	return out
}

// TestPage writes what a tool wrote as text, under a policy that runs nothing.
func TestPage(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	evil := `</td><script>alert(1)</script>`
	a := m.run("a", canon.Digest{}, 0, proposed{action: "lab.make", params: object{"x": 1}, out: object{"y": evil}})
	b := m.run(evil, canon.Digest{}, 0, proposed{action: "lab.make", params: object{"x": 1}, out: object{"y": 1}})
	var page bytes.Buffer
	if err := diff.WriteHTML(&page, compare(t, a, b)); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if strings.Contains(text, "<script") || !strings.Contains(text, "&lt;script&gt;alert(1)") {
		t.Errorf("what a tool wrote is no text in the page:\n%s", text)
	}
	if !strings.Contains(text, `content="default-src 'none'; script-src 'none'; style-src 'sha256-`) {
		t.Errorf("the page has no policy that forbids scripts:\n%.600s", text)
	}
}

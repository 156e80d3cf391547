package schemas_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Whatever a file holds, loading it ends, and either gives a study whose record
// reads back as the same study, or says what is wrong.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{soundStudy, soundAction, gateStudy, fitAction, heatAction, labStudy + maxTemperature, labStudy + labPolicy, pricedStudy + priced, "1e1000001", "a: 1e1000001", "{", "a: &x [*x]", "? [a]\n: b", "\xff", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, file := range []string{"f.yaml", "f.json"} {
			l, ps := schemas.ParseStudy(file, text)
			if (l == nil) != (len(ps) > 0) {
				t.Fatalf("%v with %v", l, ps)
			}
			schemas.ParseDraft(file, text)
			if l != nil {
				if back, err := schemas.ReadStudy(l.JSON); err != nil || back.Digest != l.Digest {
					t.Fatalf("%s reads back as %v, %v", l.JSON, back, err)
				}
			}
			b, ps := schemas.ParseAction(file, text, nil)
			if (b == nil) != (len(ps) > 0) {
				t.Fatalf("%v with %v", b, ps)
			}
			if b != nil {
				if back, err := schemas.ReadBound(b.SpecJSON, b.BindingJSON); err != nil || back.Spec != b.Spec || back.Binding != b.Binding {
					t.Fatalf("%s reads back as %v, %v", b.SpecJSON, back, err)
				}
			}
			schemas.ParsePlan(file, text)
		}
	})
}

// A schema that compiles judges any value without a panic, and the same way
// however the value is spelled.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`{"maximum":1e1000001}`, `{"$ref":"#"}`, `{"definitions":true}`, `{"enum":[1,"a",null,{"b":[]}]}`, `{"pattern":"((a{0,30}){0,30}){0,1}b"}`, `{"items":[{"type":"number"}],"uniqueItems":true,"contains":{"const":1}}`} {
		for _, v := range []string{"1e1000001", "1", `"aaab"`, `[1,1.0,"x"]`, `{"a":{"b":null}}`} {
			f.Add([]byte(s), []byte(v))
		}
	}
	f.Fuzz(func(t *testing.T, schema, instance []byte) {
		s, err := schemas.Compile(schema)
		if err != nil {
			return
		}
		first := s.Validate(instance)
		if canonical, err := canon.Transform(instance); err == nil {
			if second := s.Validate(canonical); (len(first) == 0) != (len(second) == 0) {
				t.Fatalf("%s: %v; as %s: %v", instance, first, canonical, second)
			}
		} else if len(first) == 0 {
			t.Fatalf("%q was admitted, which is refused as JSON: %v", instance, err)
		}
	})
}

// Whatever a planner writes, the gate ends with a verdict; what it admits is
// canonical, fits the schema, and has no references left.
func FuzzGate(f *testing.F) {
	for _, s := range []string{`{"start":{"b":1e1000001}}`, `{` + data + `,"start":{"b":1}}`, `{` + data + `,"start":{"$from":"good","pointer":"/parameters"}}`, `{"$from":"a"}`, `{"$from":"good"}`, `[]`, `{"a":{"$from":"x","pointer":"~"}}`} {
		f.Add("a", s)
	}
	facts := gateFacts(f)
	g := schemas.NewGate()
	schema := compile(f, string(facts.Actions["fit"].Action.Params))
	f.Fuzz(func(t *testing.T, name, params string) {
		step := calls(`b {` + data + `,"start":{"$from":"a","pointer":"/parameters"}}`)
		step = append(step, schemas.Proposed{ID: "2.9", Name: name, Action: "fit", Params: []byte(params), Position: 1})
		for _, j := range g.Judge(step, facts) {
			if (j.Decision == schemas.Admitted) != (j.Resolved != nil) || (j.Decision == schemas.Refused) != (j.Reason() != "") {
				t.Fatalf("%+v", j)
			}
			if j.Resolved == nil {
				continue
			}
			if canonical, err := canon.Transform(j.Resolved); err != nil || string(canonical) != string(j.Resolved) {
				t.Fatalf("%s is not canonical: %v", j.Resolved, err)
			}
			if vs := schema.Validate(j.Resolved); len(vs) > 0 {
				t.Fatalf("%s was admitted: %v", j.Resolved, vs)
			}
			if _, err := json.Marshal(j); err != nil {
				t.Fatal(err)
			}
		}
		g.JudgeResult([]byte(params), facts)
	})
}

// Whatever an expression says, loading a study and an action with it ends, and so
// does judging a call: with a verdict, whatever the parameters are.
func FuzzExpression(f *testing.F) {
	for _, expr := range []string{
		`params.temperature * 2.0 > 500.0`, `params.temperature > 1e1000001`, `action.effects == "external" && lineage.external`, `"fit" in lineage.actions`,
		`lineage.params.exists(p, lineage.params[p].typed)`, `[1.0].map(a, [2.0].map(b, a / b))[0][0] > 0.0`, `counters.calls / 0.0 > 1.0`, `params.notes.who.matches("(a*)*b")`,
		`math.greatest(counters.calls, study.limits.calls) < 3.0`, `size(study.title) == 3`, `has(params.minutes) ? true : study.title`, `timestamp("x") < timestamp("y")`,
		`calls["fit"].last == calls["heat"].last`, `params == params`, `type(params) == map`, `"a" + "b" + study.title > ""`, `step % 2 == 0`, `1e308 * 10.0 > 0.0`, `params["tempe\u0000rature"]`,
		`[[[[1]]]].all(a, a.all(b, b.all(c, true)))`, `study.title.format([1])`, `((((((((((((true))))))))))))`, "\xff", "", `true`,
	} {
		f.Add(expr, `{"temperature":300}`)
	}
	f.Add("1e1000001 > params.temperature", `{"temperature":1e1000001}`)
	base := labFacts(f, "")
	f.Fuzz(func(t *testing.T, expr, params string) {
		quoted, err := json.Marshal(expr)
		if err != nil {
			t.Fatal(err)
		}
		facts := base
		facts.Actions = maps.Clone(base.Actions)
		rule := `policy: {rules: [{name: one, actions: [heat], when: ` + string(quoted) + `, then: deny}, {name: two, when: ` + string(quoted) + `, then: allow}]}`
		if study, ps := schemas.ParseStudy("study.yaml", []byte(labStudy+rule)); len(ps) == 0 {
			facts.Study = study
		}
		action := strings.Replace(heatAction, "reproducibility:", "  - {expr: "+string(quoted)+"}\nreproducibility:", 1)
		if b, ps := schemas.ParseAction("heat.yaml", []byte(action), nil); len(ps) == 0 {
			facts.Actions["heat"] = b
		}
		for _, j := range schemas.NewGate().Judge(lab("a:heat "+params, `b:heat {"temperature":{"$from":"a","pointer":"/reached"}}`), facts) {
			if (j.Decision == schemas.Admitted) != (j.Resolved != nil) || (j.Decision == schemas.Refused) != (j.Reason() != "") {
				t.Fatalf("%q: %+v", expr, j)
			}
		}
	})
}

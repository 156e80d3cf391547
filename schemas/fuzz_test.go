package schemas_test

import (
	"encoding/json"
	"testing"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Whatever a file holds, loading it ends, and either gives a study whose record
// reads back as the same study, or says what is wrong.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{soundStudy, soundAction, gateStudy, fitAction, "1e1000001", "a: 1e1000001", "{", "a: &x [*x]", "? [a]\n: b", "\xff", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, file := range []string{"f.yaml", "f.json"} {
			l, ps := schemas.ParseStudy(file, text)
			if (l == nil) != (len(ps) > 0) {
				t.Fatalf("%v with %v", l, ps)
			}
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

package schemas_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/schemas"
)

var update = flag.Bool("update", false, "write testdata anew")

const (
	table = "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
	other = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
)

const fitAction = `name: fit
version: 1.0.0
summary: Fits.
params:
  type: object
  additionalProperties: false
  required: [data, start]
  properties:
    data: {type: string, format: artifact}
    start: {type: object, additionalProperties: {type: number}, minProperties: 1}
    from: {type: number, unit: s}
    to: {type: number, unit: s}
    label: {type: string}
    weights: {oneOf: [{type: array, items: {type: number}}, {type: string}]}
returns:
  type: object
  additionalProperties: false
  required: [rss]
  properties:
    rss: {type: number}
    half_life: {type: number, unit: min}
    parameters: {type: object, additionalProperties: {type: number}}
    plot: {type: string, format: artifact}
preconditions:
  - {expr: "!has(params.from) || !has(params.to) || params.from < params.to", message: the range is empty}
postconditions:
  - {expr: output.rss >= 0.0, message: a sum of squares is not negative}
reproducibility: {default: bitwise}
effects: none
run: {builtin: fit}
`

const gateStudy = `title: A study
goal: Find it
inputs: {data: {file: data.csv}}
actions: [fit]
limits: {calls: 10, attempts: 20}
planner: {model: m}
result:
  type: object
  additionalProperties: false
  required: [rss]
  properties: {rss: {type: number}, plot: {type: string, format: artifact}}
accept:
  - {expr: result.rss < 0.5, message: the fit is too bad}
`

func gateFacts(t testing.TB) schemas.Facts {
	t.Helper()
	study, ps := schemas.ParseStudy("study.yaml", []byte(gateStudy))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	fit, ps := schemas.ParseAction("fit.yaml", []byte(fitAction), nil)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	done := schemas.Source{Call: "1.1", Action: "fit", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"rss":0.25,"half_life":3,"parameters":{"b1":25,"b2":1e-7},"plot":"` + table + `"}`)}
	failed := schemas.Source{Call: "1.2", Action: "fit", Status: schemas.StatusFailed}
	refused := schemas.Source{Call: "1.3", Action: "fit", Status: schemas.StatusRefused}
	return schemas.Facts{
		Study: study, Actions: map[string]*schemas.Bound{"fit": fit},
		Sources: map[string]schemas.Source{
			"1.1": done, "good": done, "1.2": failed, "bad": failed, "1.3": refused, "never": refused,
			"input": {Status: schemas.StatusCompleted, Output: json.RawMessage(`{"data":"` + table + `"}`)},
		},
		HasArtifact: func(handle string) bool { return handle == table },
	}
}

const data = `"data":{"$from":"input","pointer":"/data"}`

// calls are proposals "NAME PARAMS", one a line, "NAME:ACTION" for another action than fit.
func calls(lines ...string) []schemas.Proposed {
	var out []schemas.Proposed
	for i, line := range lines {
		name, params, _ := strings.Cut(line, " ")
		name, action, ok := strings.Cut(name, ":")
		if !ok {
			action = "fit"
		}
		out = append(out, schemas.Proposed{ID: fmt.Sprintf("2.%d", i+1), Name: name, Action: action, Params: []byte(params), Position: i})
	}
	return out
}

// The verdicts of every gate, admitted and refused, are in testdata/verdicts.golden.
func TestVerdicts(t *testing.T) {
	cases := []struct {
		name  string
		calls []schemas.Proposed
		facts func(*schemas.Facts)
	}{
		{name: "admitted", calls: calls(`a {` + data + `,"start":{"b":1.50}}`)},
		{name: "parse: no JSON", calls: calls(`a {"start":{"b":1}`)},
		{name: "parse: duplicate keys", calls: calls(`a {` + data + `,"start":{"b":1},"start":{"b":2}}`)},
		{name: "parse: names that differ by case", calls: calls(`a {` + data + `,"start":{"b":1},"Start":{"b":2}}`)},
		{name: "parse: names that differ by case in Unicode", calls: calls(`a {` + data + `,"start":{"k":1,"` + "\u212a" + `":2}}`)},
		{name: "parse: trailing data", calls: calls(`a {} {}`)},
		{name: "parse: NaN", calls: calls(`a {"start":{"b":NaN}}`)},
		{name: "parse: a number no double holds", calls: calls(`a {"start":{"b":1e1000001}}`)},
		{name: "parse: an inexact integer", calls: calls(`a {"start":{"b":9007199254740993}}`)},
		{name: "parse: an unknown action", calls: calls(`a:fti {}`)},
		{name: "parse: another version", calls: calls(`a:fit@2.0.0 {}`)},
		{name: "parse: an id twice in the step", calls: calls(`a {`+data+`,"start":{"b":1}}`, `a {`+data+`,"start":{"b":1}}`)},
		{name: "parse: an id of an earlier call", calls: calls(`good {` + data + `,"start":{"b":1}}`)},
		{name: "parse: an id of a refused call is free", calls: calls(`never {` + data + `,"start":{"b":1}}`)},
		{name: "parse: an id that looks like the engine's", calls: calls(`1.1 {` + data + `,"start":{"b":1}}`)},
		{name: "parse: a reserved id", calls: calls(`input {}`)},
		{name: "references: resolved", calls: calls(`a {` + data + `,"start":{"$from":"good","pointer":"/parameters"},"from":{"$from":"1.1","pointer":"/rss"}}`)},
		{name: "references: an unknown call", calls: calls(`a {` + data + `,"start":{"$from":"goood","pointer":"/parameters"}}`)},
		{name: "references: a failed call", calls: calls(`a {` + data + `,"start":{"$from":"bad","pointer":"/parameters"}}`)},
		{name: "references: a missing path", calls: calls(`a {` + data + `,"start":{"$from":"good","pointer":"/parameter"}}`)},
		{name: "references: below a number", calls: calls(`a {` + data + `,"start":{"b":{"$from":"good","pointer":"/rss/x"}}}`)},
		{name: "references: an unknown input", calls: calls(`a {"data":{"$from":"input","pointer":"/dta"},"start":{"b":1}}`)},
		{name: "references: another unit", calls: calls(`a {` + data + `,"start":{"b":1},"from":{"$from":"good","pointer":"/half_life"}}`)},
		{name: "references: more than a reference", calls: calls(`a {` + data + `,"start":{"$from":"good","pointer":"/parameters","scale":2}}`)},
		{name: "references: no pointer", calls: calls(`a {` + data + `,"start":{"$from":"good","pointer":"parameters"}}`)},
		{name: "references: no id", calls: calls(`a {` + data + `,"start":{"$from":3}}`)},
		{name: "references: an unknown artifact", calls: calls(`a {"data":"` + other + `","start":{"b":1}}`)},
		{name: "references: a known artifact", calls: calls(`a {"data":"` + table + `","start":{"b":1}}`)},
		{name: "references: a digest where no artifact is meant", calls: calls(`a {` + data + `,"start":{"b":1},"label":"` + other + `"}`)},
		{name: "references: itself", calls: calls(`a {` + data + `,"start":{"$from":"a"}}`)},
		{name: "references: a circle", calls: calls(`a {`+data+`,"start":{"$from":"b","pointer":"/parameters"}}`, `b {`+data+`,"start":{"$from":"2.1","pointer":"/parameters"}}`, `c {`+data+`,"start":{"b":1}}`)},
		{name: "schema: every violation", calls: calls(`a {"data":7,"start":{},"too":1}`)},
		{name: "schema: a resolved value of the wrong type", calls: calls(`a {` + data + `,"start":{"$from":"good","pointer":"/rss"}}`)},
		{name: "preconditions: not met", calls: calls(`a {` + data + `,"start":{"b":1},"from":2,"to":1}`)},
		{name: "preconditions: met", calls: calls(`a {` + data + `,"start":{"b":1},"from":1,"to":2}`)},
		{name: "limits: the last call", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"b":2}}`), facts: func(f *schemas.Facts) { f.Counters.Calls = 9 }},
		{name: "limits: attempts", calls: calls(`a {` + data + `,"start":{"b":1}}`), facts: func(f *schemas.Facts) { f.Counters.Attempts = 20 }},
		{name: "limits: a refused call takes nothing", calls: calls(`a {`, `b {`+data+`,"start":{"b":2}}`), facts: func(f *schemas.Facts) { f.Counters.Calls = 9 }},
		{name: "plan: deferred", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"$from":"a","pointer":"/parameters"},"weights":{"$from":"a"}}`)},
		{name: "plan: a pending source", calls: calls(`a {` + data + `,"start":{"$from":"running"}}`), facts: func(f *schemas.Facts) {
			f.Sources["running"] = schemas.Source{Call: "1.4", Action: "fit", Status: schemas.StatusPending}
		}},
		{name: "plan: wrong though deferred", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"strat":{"$from":"a","pointer":"/parameters"}}`)},
		{name: "plan: a path that can't come", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"$from":"a","pointer":"/params"}}`)},
		{name: "plan: a type that can't fit", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"$from":"a","pointer":"/rss"}}`)},
		{name: "plan: a unit that will differ", calls: calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"b":1},"to":{"$from":"a","pointer":"/half_life"}}`)},
		{name: "plan: one bad call refuses what is linked", calls: calls(`a {"start":{"b":1}}`, `b {`+data+`,"start":{"$from":"a","pointer":"/parameters"}}`, `c {`+data+`,"start":{"$from":"b","pointer":"/parameters"}}`, `d {`+data+`,"start":{"b":1}}`)},
	}
	var b strings.Builder
	for _, c := range cases {
		f := gateFacts(t)
		if c.facts != nil {
			c.facts(&f)
		}
		fmt.Fprintf(&b, "# %s\n", c.name)
		for _, j := range schemas.NewGate().Judge(c.calls, f) {
			fmt.Fprintf(&b, "%s %s: %s\n", j.ID, j.Name, j.Decision)
			if j.Resolved != nil {
				fmt.Fprintf(&b, "  params %s\n", j.Resolved)
			}
			for _, u := range j.Uses {
				fmt.Fprintf(&b, "  uses %s %q at %s\n", u.From, u.Pointer, u.At)
			}
			if j.After != nil {
				fmt.Fprintf(&b, "  after %s\n", strings.Join(j.After, ", "))
			}
			for _, v := range j.Verdicts {
				if canonical, err := canon.Transform(v.Basis); err != nil || string(canonical) != string(v.Basis) {
					t.Errorf("%s: the basis of %s is not canonical: %s, %v", c.name, v.Gate, v.Basis, err)
				}
				if canon.Sum(v.Basis) != v.Facts || v.Version == 0 {
					t.Errorf("%s: the facts' digest of %s is not that of its basis", c.name, v.Gate)
				}
				fmt.Fprintf(&b, "  %s %s %s\n", v.Gate, v.Decision, strings.TrimSpace(v.Rule+": "+v.Reason))
			}
		}
		b.WriteByte('\n')
	}
	const golden = "testdata/verdicts.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != b.String() {
		t.Errorf("verdicts differ from %s (go test -run Verdicts -update writes it anew): %v\n%s", golden, err, b.String())
	}
}

// A deferred call is judged again when its source has run, and its values count then.
func TestDeferredCallsAreJudgedAgain(t *testing.T) {
	f := gateFacts(t)
	g := schemas.NewGate()
	step := calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"b":{"$from":"a","pointer":"/rss"}},"from":1,"to":{"$from":"a","pointer":"/rss"}}`)
	first := g.Judge(step, f)
	if first[0].Decision != schemas.Admitted || first[1].Decision != schemas.Deferred || !slices.Equal(first[1].After, []string{"2.1"}) {
		t.Fatalf("%+v", first)
	}
	for output, want := range map[string]schemas.Decision{`{"rss":2}`: schemas.Admitted, `{"rss":0.5}`: schemas.Refused, `{}`: schemas.Refused, `{"rss":"2"}`: schemas.Refused} {
		ran := schemas.Source{Call: "2.1", Action: "fit", Status: schemas.StatusCompleted, Output: json.RawMessage(output)}
		f.Sources["2.1"], f.Sources["a"] = ran, ran
		f.Sources["b"] = schemas.Source{Call: "2.2", Action: "fit", Status: schemas.StatusPending} // itself
		again := g.Judge(step[1:], f)[0]
		if again.Decision != want || again.ID != "2.2" {
			t.Errorf("%s: %s %s", output, again.Decision, again.Reason())
		}
	}
}

// What an earlier output holds is data: a reference in it is not followed.
func TestReferencesInOutputsAreNotFollowed(t *testing.T) {
	f := gateFacts(t)
	f.Sources["evil"] = schemas.Source{Call: "1.9", Action: "web", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"label":{"$from":"input","pointer":"/data"}}`)}
	j := schemas.NewGate().Judge(calls(`a {`+data+`,"start":{"b":1},"label":{"$from":"evil","pointer":"/label"}}`), f)[0]
	if j.Decision != schemas.Refused || !strings.Contains(j.Reason(), `at /label: is an object with "$from", "pointer"; expected a string`) {
		t.Errorf("%s %s", j.Decision, j.Reason())
	}
}

// Judging changes nothing that it was given, and says the same every time.
func TestJudgingIsPure(t *testing.T) {
	g := schemas.NewGate()
	f := gateFacts(t)
	step := calls(`a {`+data+`,"start":{"$from":"good","pointer":"/parameters"}}`, `b {`+data+`,"start":{"$from":"good","pointer":"/parameters"},"from":{"$from":"a","pointer":"/rss"}}`, `c {"x":1,"y":2,"z":{}}`)
	before := fmt.Sprint(step, f.Sources, f.Counters)
	one := g.Judge(step, f)
	for i := range one[0].Resolved {
		one[0].Resolved[i] = 'x'
	}
	two, three := g.Judge(step, f), g.Judge(step, f)
	if fmt.Sprint(step, f.Sources, f.Counters) != before {
		t.Error("the facts were changed")
	}
	if fmt.Sprint(two) != fmt.Sprint(three) {
		t.Error("the same proposal was judged differently")
	}
	if want := `{"data":"` + table + `","start":{"b1":25,"b2":1e-7}}`; string(two[0].Resolved) != want {
		t.Errorf("resolved %s", two[0].Resolved)
	}
}

func TestOrderWithoutReferences(t *testing.T) {
	step := calls(`a {`+data+`,"start":{"b":1}}`, `b {`+data+`,"start":{"b":1}}`)
	step[1].After = []string{"a", "good"}
	got := schemas.NewGate().Judge(step, gateFacts(t))
	if got[1].Decision != schemas.Admitted || !slices.Equal(got[1].After, []string{"2.1"}) {
		t.Errorf("%+v", got[1])
	}
	step[1].After = []string{"aa"}
	if got := schemas.NewGate().Judge(step, gateFacts(t)); got[1].Decision != schemas.Refused || !strings.Contains(got[1].Reason(), `did you mean "a"`) {
		t.Errorf("%+v", got[1])
	}
}

func TestJudgeResult(t *testing.T) {
	f := gateFacts(t)
	f.Sources["running"] = schemas.Source{Call: "1.4", Action: "fit", Status: schemas.StatusPending}
	g := schemas.NewGate()
	for result, want := range map[string]string{
		`{"rss":{"$from":"good","pointer":"/rss"},"plot":{"$from":"good","pointer":"/plot"}}`: "",
		`{"rss":0.5}`:   `the result is not accepted: "result.rss < 0.5" does not hold: the fit is too bad (result.rss is 0.5)`,
		`{"rss":"0.1"}`: `the result doesn't fit the study's schema: at /rss: is "0.1"; expected a number`,
		`{"rss":{"$from":"running","pointer":"/rss"}}`: `the result refers to calls that have not ended: "1.4"`,
		`{"rss":0.1,"plot":"` + other + `"}`:           `at /plot: this run has no artifact ` + other + `; refer to an input, {"$from":"input","pointer":"/NAME"}, or to the handle in an earlier output`,
		`{"rss":{"$from":"bad","pointer":"/rss"}}`:     `at /rss: the call "bad" is failed, and has no output`,
		`{"rss":0.1`: `result: JSON: `,
	} {
		j := g.JudgeResult([]byte(result), f)
		if !strings.HasPrefix(j.Reason(), want) || (j.Decision == schemas.Admitted) != (want == "") || (j.Reason() == "") != (want == "") {
			t.Errorf("%s:\n got %s %s\nwant %s", result, j.Decision, j.Reason(), want)
		}
		if want == "" && (string(j.Resolved) != `{"plot":"`+table+`","rss":0.25}` || len(j.Uses) != 2) {
			t.Errorf("%+v", j)
		}
	}
}

func TestCheckOutput(t *testing.T) {
	fit := gateFacts(t).Actions["fit"]
	g := schemas.NewGate()
	for output, want := range map[string]string{
		`{"rss":1}`:           "",
		`{"rss":"1"}`:         "rlam.InvalidOutput",
		`{"rss":1,"rss":2}`:   "rlam.InvalidOutput",
		`{"rss":NaN}`:         "rlam.InvalidOutput",
		`{"rss":1e400}`:       "rlam.InvalidOutput",
		`{"rss":1,"other":2}`: "rlam.InvalidOutput",
		`{"rss":-1}`:          "rlam.PostconditionFailed",
		``:                    "rlam.InvalidOutput",
	} {
		breach := g.CheckOutput(fit, []byte(`{}`), []byte(output))
		if got := ""; breach != nil {
			if got = breach.Type; got != want || breach.Message == "" {
				t.Errorf("%s: %v", output, breach)
			}
		} else if want != "" {
			t.Errorf("%s was accepted", output)
		}
	}
}

// The schema that a model sees admits what the gate admits: values and references.
func TestToolSchema(t *testing.T) {
	f := gateFacts(t)
	s := compile(t, string(schemas.ToolSchema(f.Actions["fit"])))
	for arguments, ok := range map[string]bool{
		`{"id":"a","params":{"data":"` + table + `","start":{"b":1}}}`:                                               true,
		`{"id":"a","why":"w","params":{` + data + `,"start":{"b":{"$from":"x","pointer":"/y"}},"to":{"$from":"z"}}}`: true,
		`{"id":"a","params":{` + data + `,"start":{"$from":"x"},"weights":[{"$from":"x"},2]}}`:                       true,
		`{"id":"1","params":{` + data + `,"start":{"b":1}}}`:                                                         false,
		`{"id":"a","params":{` + data + `,"start":{"$from":"x","scale":2}}}`:                                         false,
		`{"id":"a","params":{` + data + `,"start":{"b":"1"}}}`:                                                       false,
		`{"id":"a","params":{` + data + `}}`:                                                                         false,
		`{"params":{` + data + `,"start":{"b":1}}}`:                                                                  false,
	} {
		if vs := s.Validate([]byte(arguments)); (len(vs) == 0) != ok {
			t.Errorf("%s: %v", arguments, vs)
		}
	}
	result := compile(t, string(schemas.ResultToolSchema(f.Study)))
	for arguments, ok := range map[string]bool{`{"result":{"rss":{"$from":"a","pointer":"/rss"}}}`: true, `{"result":{"rss":1}}`: true, `{"result":{}}`: false, `{}`: false} {
		if vs := result.Validate([]byte(arguments)); (len(vs) == 0) != ok {
			t.Errorf("%s: %v", arguments, vs)
		}
	}
}

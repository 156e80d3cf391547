package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rlam/internal/canon"
	"rlam/schemas"
)

const heatAction = `name: heat
version: 1.0.0
summary: Heats the furnace.
params:
  type: object
  additionalProperties: false
  required: [temperature]
  properties:
    temperature: {type: number, unit: K}
    minutes: {type: integer, minimum: 1}
    notes: {type: object, properties: {who: {type: string}}}
returns: {type: object, additionalProperties: false, required: [reached], properties: {reached: {type: number, unit: K}}}
preconditions:
  - {expr: 'calls["fit"].completed >= 1.0', message: fit first}
  - {expr: 'step <= 40.0 && seed == 7.0'}
  - {expr: '!has(calls["heat"].last) || calls["heat"].last.reached < 1000.0', message: the furnace is hot}
reproducibility: {default: unrepeatable, fields: {/reached: {class: statistical}}}
effects: external
undo: cool
run: {builtin: heat}
`

var coolAction = strings.NewReplacer("name: heat", "name: cool", "undo: cool\n", "").Replace(heatAction[:strings.Index(heatAction, "preconditions")] + heatAction[strings.Index(heatAction, "reproducibility"):])

const fetchAction = `name: fetch
version: 1.0.0
summary: Fetches a number.
params: {type: object, properties: {url: {type: string}}}
returns: {type: object, required: [x], properties: {x: {type: number}}}
reproducibility: {default: unrepeatable}
effects: external
run: {builtin: fetch}
`

const sumAction = `name: sum
version: 1.0.0
summary: Adds.
params: {type: object, properties: {terms: {type: array, items: {type: number}}, scale: {type: number}}, additionalProperties: false}
returns: {type: object, required: [x], properties: {x: {type: number}}, additionalProperties: false}
reproducibility: {default: bitwise}
effects: none
run: {builtin: sum}
`

const labStudy = `title: A laboratory
goal: Heat it
seed: 7
actions: [fit, heat, cool, fetch, sum]
planner: {model: m}
result: {type: object}
`

// labFacts are those of a study in a laboratory after three steps: a fit, a number
// from outside, and a sum of that number.
func labFacts(t testing.TB, more string) schemas.Facts {
	t.Helper()
	study, ps := schemas.ParseStudy("study.yaml", []byte(labStudy+more))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	f := schemas.Facts{Study: study, Actions: map[string]*schemas.Bound{}, HasArtifact: func(handle string) bool { return handle == table }}
	for _, text := range []string{fitAction, heatAction, coolAction, fetchAction, sumAction} {
		b, ps := schemas.ParseAction("action.yaml", []byte(text), nil)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		f.Actions[b.Action.Name] = b
	}
	f.Sources = map[string]schemas.Source{"input": {Call: "input", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"data":"` + table + `"}`)}}
	add := func(id, name, action, output, rule string, from ...string) {
		s := schemas.Source{Call: id, Action: action, Status: schemas.StatusCompleted, Output: json.RawMessage(output), From: from, Rule: rule}
		if output == "" {
			s.Status = schemas.StatusFailed
		}
		f.Sources[id], f.Sources[name] = s, s
	}
	add("1.1", "fitted", "fit", `{"rss":0.25}`, "few", "input")
	add("1.2", "unfitted", "fit", "", "few")
	add("2.1", "fetched", "fetch", `{"x":300}`, "")
	add("3.1", "summed", "sum", `{"x":301}`, "", "2.1", "1.1")
	f.Counters = schemas.Counters{Steps: 3, Calls: 4, Attempts: 4, Tokens: 900, Money: 0.5, Elapsed: schemas.Duration(time.Minute)}
	return f
}

// lab are calls of step 4: "NAME:ACTION PARAMS", one a line.
func lab(lines ...string) []schemas.Proposed {
	out := calls(lines...)
	for i := range out {
		out[i].ID = fmt.Sprintf("4.%d", i+1)
	}
	return out
}

// golden compares text with a file of testdata, or writes it.
func golden(t *testing.T, file, text string) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != text {
		t.Errorf("differs from %s (go test -update writes it anew): %v\n%s", file, err, text)
	}
}

// labCases are what the policy and the limits of a laboratory decide.
var labCases = []struct {
	name, study string
	calls       []schemas.Proposed
	facts       func(*schemas.Facts)
}{
	{name: "no policy", calls: lab(`a:heat {"temperature":400}`)},
	{name: "a temperature within the limit", study: maxTemperature, calls: lab(`a:heat {"temperature":500}`)},
	{name: "a temperature beyond the limit", study: maxTemperature, calls: lab(`a:heat {"temperature":500.5}`)},
	{name: "beyond the limit by reference", study: maxTemperature, calls: lab(`a:heat {"temperature":{"$from":"hot","pointer":"/x"}}`), facts: func(f *schemas.Facts) {
		f.Sources["hot"] = schemas.Source{Call: "3.2", Action: "sum", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"x":900}`)}
	}},
	{name: "a rule for another action", study: maxTemperature, calls: lab(`a:sum {"terms":[900]}`)},
	{name: "approval", study: approveOutside, calls: lab(`a:heat {"temperature":400}`, `b:sum {"terms":[1]}`)},
	{
		name: "the first rule that matches decides", study: `policy: {rules: [{name: quiet, actions: [heat], when: 'params.temperature < 350.0', then: allow}, {name: loud, actions: [heat], then: deny, reason: it is night}]}`,
		calls: lab(`a:heat {"temperature":340}`, `b:heat {"temperature":360}`),
	},
	{name: "deny by default", study: onlyCheap, calls: lab(`a:sum {"terms":[1]}`, `b:heat {"temperature":300}`, `c:fetch {}`)},
	{name: "deny by default, nothing allowed", study: `policy: {default: deny}`, calls: lab(`a:sum {}`)},
	{name: "an expression that can't be evaluated refuses", study: `policy: {rules: [{name: hot, when: 'params.temperature > 500.0', then: deny}]}`, calls: lab(`a:sum {"terms":[1]}`, `b:heat {"temperature":300}`)},
	{name: "lineage: typed", study: byLineage, calls: lab(`a:heat {"temperature":300}`)},
	{name: "lineage: from outside", study: byLineage, calls: lab(`a:heat {"temperature":{"$from":"fetched","pointer":"/x"}}`)},
	{name: "lineage: from outside through another call", study: byLineage, calls: lab(`a:heat {"temperature":{"$from":"summed","pointer":"/x"}}`)},
	{
		name: "lineage: of one parameter", study: `policy: {rules: [{name: time, actions: [heat], when: 'has(lineage.params.minutes) && lineage.params["minutes"].external', then: deny, reason: how long is not for others to say}]}`,
		calls: lab(`a:heat {"temperature":{"$from":"fetched","pointer":"/x"},"minutes":3}`, `b:heat {"temperature":3,"minutes":{"$from":"fetched","pointer":"/x"}}`),
	},
	{name: "lineage: actions and calls", study: `policy: {rules: [{name: fits, when: '"fit" in lineage.actions && lineage.params.exists(p, "3.1" in lineage.params[p].calls)', then: deny}]}`, calls: lab(`a:sum {"scale":{"$from":"summed","pointer":"/x"}}`, `b:sum {"scale":1}`)},
	{name: "lineage: of an action that is gone", study: byLineage, calls: lab(`a:heat {"temperature":{"$from":"gone","pointer":"/x"}}`), facts: func(f *schemas.Facts) {
		f.Sources["gone"] = schemas.Source{Call: "3.2", Action: "retired", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"x":300}`)}
	}},
	{name: "a limit of a rule", study: few(3), calls: lab(`a:fit {`+data+`,"start":{"b":1}}`, `b:fit {`+data+`,"start":{"b":2}}`, `c:sum {}`)},
	{name: "a limit of a rule, used up", study: few(2), calls: lab(`a:fit {` + data + `,"start":{"b":1}}`)},
	{name: "a limit of a rule, held by a deferred call", study: few(3), calls: lab(`a:fetch {}`, `b:fit {`+data+`,"start":{"b":{"$from":"a","pointer":"/x"}}}`, `c:fit {`+data+`,"start":{"b":2}}`)},
	{
		name: "a limit of a rule, that a deferred call could need", study: `policy: {rules: [{name: few, actions: [fit], when: 'params.start.exists(k, params.start[k] > 5.0)', then: limit, limit: {calls: 2}}]}`,
		calls: lab(`a:fetch {}`, `b:fit {`+data+`,"start":{"b":{"$from":"a","pointer":"/x"}}}`, `c:fit {`+data+`,"start":{"b":2}}`),
	},
	{name: "counters: the step's earlier calls count", study: `policy: {rules: [{name: two, when: 'counters.of_action >= 2.0 || counters.calls >= 6.0', then: deny}]}`, calls: lab(`a:sum {}`, `b:sum {}`, `c:fetch {}`, `d:heat {"temperature":1}`)},
	{name: "counters and limits", study: "limits: {tokens: 1000, wall_time: 2m}\npolicy: {rules: [{name: late, when: 'counters.tokens > 0.8 * study.limits.tokens && counters.seconds < study.limits.seconds && study.title == \"A laboratory\"', then: deny}]}", calls: lab(`a:sum {}`)},
	{name: "what is certain is said at once", study: `policy: {rules: [{name: dark, when: 'action.effects == "external" && "unrepeatable" in action.classes', then: deny}]}`, calls: lab(`a:sum {}`, `b:heat {"temperature":{"$from":"a","pointer":"/x"}}`)},
	{name: "what is not certain is deferred", study: maxTemperature + "\n", calls: lab(`a:sum {}`, `b:heat {"temperature":{"$from":"a","pointer":"/x"}}`)},
	{name: "limits: of an action", study: `limits: {actions: {fit: 3, heat: 0}}`, calls: lab(`a:fit {`+data+`,"start":{"b":1}}`, `b:fit {`+data+`,"start":{"b":2}}`, `c:heat {"temperature":1}`)},
	{name: "limits: what a refused plan held is given back", study: `limits: {actions: {sum: 2}}`, calls: lab(`a:sum {}`, `b:heat {"temperature":{"$from":"a","pointer":"/x"},"minutes":"long"}`, `c:sum {"scale":2}`)},
	{name: "limits: what waits for approval holds nothing", study: "limits: {calls: 5}\n" + approveOutside, calls: lab(`a:heat {"temperature":400}`, `b:sum {}`)},
	{name: "limits: bytes", study: `limits: {bytes: 1000}`, calls: lab(`a:sum {}`), facts: func(f *schemas.Facts) { f.Counters.Bytes = 1000 }},
	{name: "limits: wall time", study: `limits: {wall_time: 1m}`, calls: lab(`a:sum {}`)},
	{name: "limits: the last turn", calls: lab(`a:sum {}`, `b:smu {}`), facts: func(f *schemas.Facts) { f.LastTurn = "tokens" }},
	{name: "narrower: what the study allows", study: narrowed, calls: lab(`a:heat {"temperature":320}`)},
	{name: "narrower: what only the action allows", study: narrowed, calls: lab(`a:heat {"temperature":420}`)},
	{name: "narrower: what only the study allows", study: narrowed, calls: lab(`a:heat {"temperature":320,"minutes":0}`)},
	{name: "narrower: what is certain of a deferred call", study: narrowed, calls: lab(`a:sum {}`, `b:heat {"temperature":{"$from":"a","pointer":"/x"},"notes":{"who":"a b"}}`)},
	{name: "preconditions: earlier outcomes", calls: lab(`a:heat {"temperature":1}`), facts: func(f *schemas.Facts) {
		delete(f.Sources, "1.1")
		f.Sources["3.2"] = schemas.Source{Call: "3.2", Action: "heat", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"reached":1200}`)}
	}},
	{name: "preconditions: the last output counts", calls: lab(`a:heat {"temperature":1}`), facts: func(f *schemas.Facts) {
		f.Sources["3.9"] = schemas.Source{Call: "3.9", Action: "heat", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"reached":1200}`)}
		f.Sources["3.10"] = schemas.Source{Call: "3.10", Action: "heat", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"reached":12}`)}
	}},
}

const (
	maxTemperature = `policy: {rules: [{name: max-temperature, actions: [heat], when: 'params.temperature > 500.0', then: deny, reason: the furnace is built for 500 K}]}`
	approveOutside = `policy: {rules: [{name: outside, when: 'action.effects == "external"', then: require_approval, reason: a person answers for what leaves the computer}]}`
	onlyCheap      = `policy: {default: deny, rules: [{name: inside, when: 'action.effects != "external"', then: allow, reason: computing is free}, {name: warm, actions: [heat], when: 'params.temperature < 300.0', then: allow, reason: below 300 K}]}`
	byLineage      = `policy: {rules: [{name: own-numbers, actions: [heat], when: 'lineage.external', then: deny, reason: type the temperature yourself}, {name: typed, actions: [heat], when: 'lineage.typed', then: allow}]}`
	narrowed       = "narrowed" // a study of its own: see narrowedStudy
)

func few(n int) string {
	return fmt.Sprintf(`policy: {rules: [{name: few, actions: [fit], then: limit, limit: {calls: %d}, reason: fits are dear}]}`, n)
}

func judgeLab(t *testing.T, g *schemas.Gate, i int) string {
	c := labCases[i]
	f := labFacts(t, strings.TrimPrefix(c.study, narrowed))
	if c.study == narrowed {
		f.Study = narrowedStudy(t)
	}
	if c.facts != nil {
		c.facts(&f)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", c.name)
	for _, j := range g.Judge(c.calls, f) {
		fmt.Fprintf(&b, "%s %s: %s\n", j.ID, j.Action, j.Decision)
		for _, v := range j.Verdicts {
			if canonical, err := canon.Transform(v.Basis); err != nil || string(canonical) != string(v.Basis) || canon.Sum(v.Basis) != v.Facts {
				t.Errorf("%s: the basis of %s is not canonical: %s, %v", c.name, v.Gate, v.Basis, err)
			}
			if v.Gate == schemas.GatePolicy || v.Decision != schemas.Admitted {
				fmt.Fprintf(&b, "  %s %s %s\n", v.Gate, v.Decision, strings.TrimSuffix(strings.TrimSpace(v.Rule+": "+v.Reason), ":"))
			}
		}
	}
	return b.String() + "\n"
}

func narrowedStudy(t *testing.T) *schemas.LoadedStudy {
	study, ps := schemas.ParseStudy("study.yaml", []byte(strings.Replace(labStudy, "actions: [fit, heat, cool, fetch, sum]",
		"actions: [fit, cool, fetch, sum, {use: heat@1.0.0, params: {properties: {temperature: {maximum: 350}, minutes: {minimum: 0}, notes: {properties: {who: {pattern: '^[a-z]+$'}}}}}}]", 1)))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	return study
}

// What policies, limits, narrower schemas and preconditions on earlier outcomes
// decide, and how it reads to a planner, is in testdata/policies.golden.
func TestPolicies(t *testing.T) {
	var b strings.Builder
	for i := range labCases {
		b.WriteString(judgeLab(t, schemas.NewGate(), i))
	}
	golden(t, "policies.golden", b.String())
}

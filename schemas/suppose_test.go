package schemas_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rlam/schemas"
)

// What is explained is what is judged: the same verdicts, and each with its facts spelled out.
func TestExplainSaysWhatJudgeSays(t *testing.T) {
	g := schemas.NewGate()
	for _, c := range labCases {
		if c.study == narrowed {
			continue
		}
		f := labFacts(t, c.study)
		if c.facts != nil {
			c.facts(&f)
		}
		judged, explained := g.Judge(c.calls, f), g.Explain(c.calls, f)
		for i, j := range judged {
			e := explained[i]
			if !reflect.DeepEqual(j, e.Judged) {
				t.Errorf("%s: %+v; want %+v", c.name, e.Judged, j)
			}
			for k, v := range j.Verdicts {
				x := e.Gates[k]
				if x.Gate != v.Gate || x.Version != v.Version || x.Decision != v.Decision || x.Reason != v.Reason || x.Digest != v.Facts || len(x.Facts) == 0 {
					t.Errorf("%s: %+v of %+v", c.name, x, v)
				}
			}
			for _, x := range e.Gates[len(j.Verdicts):] {
				if x.Decision != "" || j.Decision != schemas.Refused {
					t.Errorf("%s: %s was not asked, and says %q", c.name, x.Gate, x.Decision)
				}
			}
		}
	}
}

// A refusal says by which rule, and what would be accepted.
func TestExplainedRefusals(t *testing.T) {
	for _, c := range []struct {
		study, call string
		rule, when  string
		accepted    string
	}{
		{maxTemperature, `a:heat {"temperature":900}`, "max-temperature", "params.temperature > 500.0", "a call for which this holds: !(params.temperature > 500.0)"},
		{onlyCheap, `a:heat {"temperature":300}`, "default", "", `a call for which this holds: params.temperature < 300.0 (rule "warm")`},
		{few(2), `a:fit {` + data + `,"start":{"b":1}}`, "few", "", ""},
		{"", `a:heat {"temperature":"hot","minutes":0}`, "", "", "at /minutes: at least 1|at /temperature: a number"},
		{"", `a:heat {"minutes":2}`, "", "", "at /temperature: a number"},
		{"", `a:fit {` + data + `,"start":{"b":1},"from":3,"to":2}`, "", "", "a call for which this holds: !has(params.from) || !has(params.to) || params.from < params.to"},
	} {
		e := schemas.NewGate().Explain(lab(c.call), labFacts(t, c.study))[0]
		var x schemas.Explanation
		for _, one := range e.Gates {
			if one.Decision == schemas.Refused {
				x = one
			}
		}
		got := x.Accepted
		if c.study == onlyCheap && len(got) > 0 {
			got = got[len(got)-1:]
		}
		if x.Rule != c.rule || x.When != c.when || strings.Join(got, "|") != c.accepted {
			t.Errorf("%s: rule %q, %q, accepted %q", c.call, x.Rule, x.When, x.Accepted)
		}
	}
}

// Calls that wait for each other are judged as far as outputs are supposed, in whatever
// order they are written, and as a run would judge them.
func TestSupposedOutputs(t *testing.T) {
	const plan = `{calls: [
		{id: c, action: sum, params: {scale: {$from: b, pointer: /x}}%[2]s},
		{id: b, action: sum, params: {scale: {$from: a, pointer: /x}}%[1]s},
		{id: a, action: fetch, params: {}, output: {x: 300}},
		{id: d, action: heat, params: {temperature: {$from: c, pointer: /x}}}],
		facts: {earlier: [{action: fit, output: {rss: 1}}]}}`
	for _, c := range []struct {
		b, c, policy string
		want         string
	}{
		{"", "", "", "deferred admitted admitted deferred"},
		{", output: {x: 3}", "", "", "admitted admitted admitted deferred"},
		{", output: {x: 3}", ", output: {x: 400}", "", "admitted admitted admitted admitted"},
		{", output: {x: 3}", ", output: {x: 600}", maxTemperature, "admitted admitted admitted refused"},
		{", output: {x: 3}", ", output: {x: 400}", byLineage, "admitted admitted admitted refused"}, // it comes from outside, through two calls
	} {
		s, ps := schemas.ParseSupposition("call.yaml", fmt.Appendf(nil, plan, c.b, c.c))
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		base := labFacts(t, c.policy)
		f, err := s.Suppose(base.Study, base.Actions, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range s.Explain(schemas.NewGate(), f) {
			got = append(got, string(e.Final()))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q %q %q: %s; want %s", c.b, c.c, c.policy, got, c.want)
		}
	}
}

func TestSuppositionsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                              `nothing is asked; expected "action" with "params", "calls", "result" or "facts"`,
		`params: {}`:                      `/params: parameters are given without an action; expected "action" too`,
		`{action: a, result: {}}`:         `"action", "result" are given together; expected one of them`,
		`{action: a, parms: {}}`:          `/parms: there is no such property; expected one of "action", "calls", "facts", "params", "result" (did you mean "params"?)`,
		`{action: a, params: 3}`:          `/params: is 3; expected an object or a string`,
		`facts: {earlier: [{action: a}]}`: `/facts/earlier/0: nothing says what the call gave; expected "output", or "status": "failed"`,
		`facts: {earlier: [{action: a, status: failed, output: {}}]}`:                               `/facts/earlier/0/output: a call that is failed has no output; expected none`,
		`facts: {earlier: [{action: a, output: {}, id: x}, {action: a, output: {}, id: x}]}`:        `/facts/earlier/1/id: the id "x" is taken; expected an id of its own`,
		`facts: {earlier: [{action: a, output: {}, id: fit}, {action: a, output: {}, from: [ft]}]}`: `/facts/earlier/1/from/0: no call before this one has the id "ft" (did you mean "fit"?)`,
	} {
		_, ps := schemas.ParseSupposition("call.yaml", []byte(text))
		if len(ps) != 1 || !strings.HasSuffix(ps[0].Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", text, ps, want)
		}
	}
}

package schemas_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rlam/schemas"
)

// What was judged by today's gates is judged the same again, call by call and together.
func TestRejudgedByTheSameGates(t *testing.T) {
	g := schemas.NewGate()
	for _, c := range labCases {
		f := labFacts(t, strings.TrimPrefix(c.study, narrowed))
		if c.facts != nil {
			c.facts(&f)
		}
		if ds := g.Rejudge(c.calls, verdicts(g.Judge(c.calls, f)), schemas.GateVersions(), f); len(ds) > 0 {
			t.Errorf("%s: %v", c.name, ds)
		}
	}
	f := gateFacts(t)
	for _, result := range []string{`{"rss":0.7}`, `{"rss":0.1}`, `{`} {
		if ds := g.RejudgeResult([]byte(result), g.JudgeResult([]byte(result), f).Verdicts, schemas.GateVersions(), f); len(ds) > 0 {
			t.Errorf("%s: %v", result, ds)
		}
	}
}

func verdicts(judged []schemas.Judged) [][]schemas.Verdict {
	out := make([][]schemas.Verdict, len(judged))
	for i, j := range judged {
		out[i] = j.Verdicts
	}
	return out
}

// A gate of another version is said to judge differently now, what follows from it in
// the same step is said to follow, and the same version with another opinion is neither.
func TestRejudged(t *testing.T) {
	g := schemas.NewGate()
	step := lab(`a:heat {"temperature":700}`, `b:sum {}`, `c:sum {}`)
	limited := maxTemperature + "\nlimits: {calls: 6}\n"
	for _, c := range []struct {
		name   string
		change func(recorded [][]schemas.Verdict, pinned map[string]int) [][]schemas.Verdict
		want   string
	}{
		{"as it was", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict { return r }, ""},
		{"an older policy allowed it, and so the limit was reached", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[0][4] = schemas.Verdict{Gate: schemas.GatePolicy, Version: 1, Decision: schemas.Admitted, Rule: "default"}
			r[0] = append(r[0], schemas.Verdict{Gate: schemas.GateLimits, Version: 2, Decision: schemas.Admitted})
			r[2][5] = schemas.Verdict{Gate: schemas.GateLimits, Version: 2, Decision: schemas.Refused, Rule: "calls"}
			return r
		}, "4.1 policy 1 admitted, 2 refused: judged differently now; 4.3 limits 2 refused, 2 admitted: follows from a call that is judged differently now"},
		{"the record was changed", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[0][4].Decision, r[0][4].Rule = schemas.Admitted, "default"
			return r
		}, "4.1 policy 2 admitted, 2 refused: not what this version of the gate says"},
		{"the record was changed beside an upgrade", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[0][4] = schemas.Verdict{Gate: schemas.GatePolicy, Version: 1, Decision: schemas.Admitted}
			r[1][4].Rule = "quiet"
			return r
		}, "4.1 policy 1 admitted, 2 refused: judged differently now; 4.2 policy 2 admitted, 2 admitted: not what this version of the gate says"},
		{"a verdict was taken away", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[1] = slices.Delete(r[1], 4, 5)
			return r
		}, "4.2 policy 2 , 2 admitted: not what this version of the gate says"},
		{"there was no such gate", func(r [][]schemas.Verdict, pinned map[string]int) [][]schemas.Verdict {
			delete(pinned, schemas.GatePolicy)
			r[1] = slices.Delete(r[1], 4, 5)
			return r
		}, "4.2 policy 0 , 2 admitted: judged differently now"},
		{"there is no such gate any more", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[1] = append(r[1], schemas.Verdict{Gate: "omens", Version: 3, Decision: schemas.Admitted})
			return r
		}, "4.2 omens 3 admitted, 0 : judged differently now"},
		{"a verdict too many", func(r [][]schemas.Verdict, _ map[string]int) [][]schemas.Verdict {
			r[1] = append(r[1], schemas.Verdict{Gate: schemas.GatePlan, Version: 2, Decision: schemas.Refused, Rule: "linked"})
			return r
		}, "4.2 plan 2 refused, 2 : not what this version of the gate says"},
	} {
		f := labFacts(t, limited)
		pinned := schemas.GateVersions()
		recorded := c.change(verdicts(g.Judge(step, f)), pinned)
		var got []string
		for _, d := range g.Rejudge(step, recorded, pinned, f) {
			got = append(got, fmt.Sprintf("%s %s %d %s, %d %s: %s", d.Call, d.Gate, d.Recorded.Version, d.Recorded.Decision, d.Now.Version, d.Now.Decision, d.Kind))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, "; "), c.want)
		}
	}
}

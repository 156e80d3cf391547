package ensemble_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/draw"
	"rlam/provenance/ensemble"
)

// schema is that of the results of decays.
const schema = `{"type":"object","properties":{"half_life":{"$ref":"#/definitions/time"},"plot":{"type":"string","format":"artifact"}},
"definitions":{"time":{"title":"Half-life","type":"number","unit":"min"}}}`

// decays are n members of a grid of four tolerances and two models: half-lives that scatter,
// words, artifacts, and one in nine that fails.
func decays(n int) []ensemble.Member {
	s := draw.New(1, "decays")
	var members []ensemble.Member
	for i := range n {
		tolerance, model := []string{"0.000001", "0.0001", "0.01", "1"}[i%4], []string{"small", "large"}[i/4%2]
		m := ensemble.Member{
			ID: fmt.Sprintf("m%04d", i+1), RunID: fmt.Sprintf("decay.m%04d", i+1), Seed: uint64(1000 + i), Status: ensemble.Completed,
			Varied: []ensemble.Setting{{Path: "fit/params/tolerance", Value: json.RawMessage(tolerance)}, {Path: "model", Value: json.RawMessage(fmt.Sprintf("%q", model))}},
			Plan:   []ensemble.Call{step(1, "table.describe@1.0.0", `{"data":"counts"}`), step(2, "decay.half-life@1.0.0", fmt.Sprintf(`{"from":%d}`, i%3))},
		}
		if i%5 == 3 {
			m.Plan = append(m.Plan, step(3, "fit.compare@1.0.0", `{}`))
		}
		value := 109.77 + draw.Normal(s.Uniform()) + 1.5*math.Log10(1+100*float64(i%4))
		m.Result = fmt.Appendf(nil, `{"half_life":%v,"converged":%t,"method":%q,"plot":%q,"steps":[%d,%d]}`, value, i%6 != 5, []string{"Newton", "simplex", "Newton"}[i%3], canon.Sum([]byte{byte(i % 3)}), 10+i%4, 12)
		if i%9 == 8 {
			m.Status, m.Failure, m.Result = "failed", "table.describe: the column \"counts\" is text in line 3", nil
		}
		members = append(members, m)
	}
	return members
}

func step(n int, action, params string) ensemble.Call {
	return ensemble.Call{Step: n, Action: action, Params: canon.Sum([]byte(params)), Outcome: "completed", Given: json.RawMessage(params)}
}

// summarise is a report, or the end of the test.
func summarise(t testing.TB, members []ensemble.Member, o ensemble.Options) *ensemble.Report {
	t.Helper()
	r, err := ensemble.Summarise(members, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// results are members that completed with results.
func results(all ...string) []ensemble.Member {
	var members []ensemble.Member
	for i, result := range all {
		members = append(members, ensemble.Member{ID: fmt.Sprintf("m%d", i+1), Status: ensemble.Completed, Result: json.RawMessage(result)})
	}
	return members
}

// field is one of a report's.
func field(t testing.TB, r *ensemble.Report, pointer string) ensemble.Field {
	t.Helper()
	for _, f := range r.Fields {
		if f.Pointer == pointer {
			return f
		}
	}
	t.Fatalf("there is no field %q", pointer)
	return ensemble.Field{}
}

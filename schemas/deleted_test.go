package schemas_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Without any one of the gates, a call or a result is admitted that is refused now.
func TestEveryGateIsNeeded(t *testing.T) {
	byPolicy := `policy: {rules: [{name: hot, actions: [heat], when: 'params.temperature > 500.0', then: deny}, {name: outside, actions: [fetch], then: require_approval}]}`
	step := lab(
		`twice:sum {"scale":1,"scale":2}`,
		`unknown:fit {"data":"`+other+`","start":{"b":1}}`,
		`wrong:sum {"scale":"2"}`,
		`early:heat {"temperature":1}`,
		`hot:heat {"temperature":600}`,
		`outside:fetch {}`,
		`spent:cool {"temperature":1}`,
		`source:sum {"scale":2}`,
		`linked:sum {"scale":{"$from":"source","pointer":"/x"},"terms":"no"}`,
	)
	why := map[string]string{
		"twice": schemas.GateParse, "unknown": schemas.GateReferences, "wrong": schemas.GateSchema, "early": schemas.GatePreconditions,
		"hot": schemas.GatePolicy, "outside": schemas.GateApproval, "spent": schemas.GateLimits, "source": schemas.GatePlan, "linked": schemas.GateSchema,
	}
	judge := func(g *schemas.Gate) []schemas.Judged {
		f := labFacts(t, "limits: {actions: {cool: 0}}\n"+byPolicy)
		f.Sources["3.2"] = schemas.Source{Call: "3.2", Action: "heat", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"reached":1200}`)}
		out := g.Judge(step, f)
		f.Sources["3.2"] = schemas.Source{Call: "3.2", Action: "heat", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"reached":12}`)}
		return append(out[:4:4], append(g.Judge(step[4:5], f), out[5:]...)...) // the hot one meets its preconditions
	}
	refusals := func(j schemas.Judged) []string {
		var out []string
		for _, v := range j.Verdicts {
			if v.Decision == schemas.Refused {
				out = append(out, v.Gate)
			}
		}
		return out
	}
	for _, j := range judge(schemas.NewGate()) {
		if got := refusals(j); !slices.Equal(got, []string{why[j.Name]}) || j.Decision != schemas.Refused || j.Resolved != nil {
			t.Errorf("%s is %s by %q; want %q alone", j.Name, j.Decision, got, why[j.Name])
		}
	}
	for _, gate := range []string{
		schemas.GateParse, schemas.GateReferences, schemas.GateSchema, schemas.GatePreconditions, schemas.GatePolicy, schemas.GateLimits, schemas.GateApproval, schemas.GatePlan,
	} {
		for _, j := range judge(schemas.Without(gate)) {
			switch {
			case why[j.Name] == gate && j.Decision == schemas.Refused:
				t.Errorf("without %s, %s is refused by %q: another gate does its work", gate, j.Name, refusals(j))
			case why[j.Name] != gate && j.Decision != schemas.Refused && j.Name != "source": // linked to one that the schema gate refuses
				t.Errorf("without %s, %s is %s", gate, j.Name, j.Decision)
			}
		}
	}
	if j := schemas.NewGate().JudgeResult([]byte(`{"rss":0.7}`), gateFacts(t)); j.Decision != schemas.Refused {
		t.Error("a result that is not accepted was admitted")
	}
	if j := schemas.Without(schemas.GateAccept).JudgeResult([]byte(`{"rss":0.7}`), gateFacts(t)); j.Decision != schemas.Admitted {
		t.Error("another gate than accept refuses the result")
	}
}

// What is admitted is, bit for bit, the canonical form of what was proposed, with
// references replaced by what their sources gave; what is refused or deferred has no
// parameters that could be carried out.
func TestWhatIsAdmittedIsWhatWasProposed(t *testing.T) {
	g, f := schemas.NewGate(), labFacts(t, maxTemperature)
	generate := newGenerator(1)
	admitted, refused := 0, 0
	for range 2000 {
		proposed, want := generate.sum()
		j := g.Judge(lab("a:sum "+proposed), f)[0]
		if j.Decision != schemas.Admitted {
			refused++
			if j.Resolved != nil || j.Decision == schemas.Refused && j.Reason() == "" {
				t.Fatalf("%s is %s with %s: %s", proposed, j.Decision, j.Resolved, j.Reason())
			}
			continue
		}
		admitted++
		canonical, err := canon.Transform([]byte(want))
		if err != nil || string(canonical) != string(j.Resolved) {
			t.Fatalf("%s is admitted as %s; want %s, %v", proposed, j.Resolved, canonical, err)
		}
		if vs := compile(t, string(f.Actions["sum"].Action.Params)).Validate(j.Resolved); len(vs) > 0 {
			t.Fatalf("%s is admitted as %s: %v", proposed, j.Resolved, vs)
		}
	}
	if admitted < 200 || refused < 200 {
		t.Errorf("%d admitted and %d refused say little", admitted, refused)
	}
}

// The variables are what meta/facts.schema.json says they are.
func TestFactsFitTheirSchema(t *testing.T) {
	raw, err := schemas.FactsSchema()
	if err != nil {
		t.Fatal(err)
	}
	s := compile(t, string(raw))
	f := labFacts(t, `policy: {rules: [{name: few, actions: [sum], then: limit, limit: {calls: 9}}]}`)
	j := schemas.NewGate().Judge(lab(`a:sum {"scale":{"$from":"summed","pointer":"/x"},"terms":[1]}`), f)[0]
	for _, v := range j.Verdicts {
		if v.Gate != schemas.GatePolicy {
			continue
		}
		var basis map[string]json.RawMessage
		if err := json.Unmarshal(v.Basis, &basis); err != nil {
			t.Fatal(err)
		}
		facts, _ := json.Marshal(map[string]json.RawMessage{"counters": basis["counters"], "lineage": basis["lineage"]})
		if vs := s.Validate(facts); len(vs) > 0 || basis["lineage"] == nil || basis["limited"] == nil {
			t.Errorf("%s: %v", v.Basis, vs)
		}
		for _, want := range []string{`"lineage":{"actions":["fetch","fit","sum"],"external":true,"params":{"scale":{"actions":["fetch","fit","sum"],"calls":["3.1"],"external":true,"typed":false},"terms":{"actions":[],"calls":[],"external":false,"typed":true}},"typed":true}`, `"limited":{"few":2}`, `"calls":4`} {
			if !strings.Contains(string(v.Basis), want) {
				t.Errorf("the facts %s lack %s", v.Basis, want)
			}
		}
	}
}

// A deferred call keeps what it holds: judged again, it is not refused for what was
// granted to it, and counts itself only once.
func TestDeferredCallsKeepWhatTheyHold(t *testing.T) {
	f := labFacts(t, few(3)+"\nlimits: {calls: 6, actions: {fit: 3}}\n")
	step := lab(`a:fetch {}`, `b:fit {`+data+`,"start":{"b":{"$from":"a","pointer":"/x"}}}`, `c:fit {`+data+`,"start":{"b":2}}`)
	first := schemas.NewGate().Judge(step, f)
	if first[1].Decision != schemas.Deferred || first[2].Decision != schemas.Refused {
		t.Fatalf("%s, %s", first[1].Decision, first[2].Decision)
	}
	f.Sources["4.1"] = schemas.Source{Call: "4.1", Action: "fetch", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"x":3}`)}
	f.Sources["a"] = f.Sources["4.1"]
	f.Sources["4.3"] = schemas.Source{Call: "4.3", Action: "fit", Status: schemas.StatusRefused}
	if again := schemas.NewGate().Judge(step[1:2], f)[0]; again.Decision != schemas.Admitted || again.Verdicts[4].Rule != "few" {
		t.Errorf("%s %s", again.Decision, again.Reason())
	}
	// The same call of a later step is one too many.
	f.Sources["4.2"] = schemas.Source{Call: "4.2", Action: "fit", Status: schemas.StatusCompleted, Output: json.RawMessage(`{"rss":1}`), Rule: "few"}
	later := schemas.Proposed{ID: "5.1", Name: "d", Action: "fit", Params: []byte(`{` + data + `,"start":{"b":2}}`)}
	if j := schemas.NewGate().Judge([]schemas.Proposed{later}, f)[0]; j.Decision != schemas.Refused || !strings.Contains(j.Reason(), "allows 3 calls") {
		t.Errorf("%s %s", j.Decision, j.Reason())
	}
}

// One gate, one study and its actions serve any number of callers.
func TestJudgingConcurrently(t *testing.T) {
	g, f := schemas.NewGate(), labFacts(t, maxTemperature)
	want := fmt.Sprint(g.Judge(lab(`a:heat {"temperature":700}`, `b:sum {}`), labFacts(t, maxTemperature)))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if got := fmt.Sprint(g.Judge(lab(`a:heat {"temperature":700}`, `b:sum {}`), f)); got != want {
					t.Errorf("%s; want %s", got, want)
				}
			}
		})
	}
	group.Wait()
}

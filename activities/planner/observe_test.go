package planner_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"rlam/activities/planner"
)

func TestObserveGolden(t *testing.T) {
	const handle = "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
	var lines strings.Builder
	for _, o := range []planner.Observation{
		{
			Call: "3.1", ID: "fit1", Action: "fit.nonlinear", Status: "completed", Attempts: 1, Output: json.RawMessage(`{"b1": 0.1928, "note": "<&>"}`),
			Artifacts: []planner.ObservedArtifact{{Name: "fit.png", Handle: handle, Size: 8123, MediaType: "image/png"}},
		},
		{
			Call: "3.2", ID: "fit2", Action: "fit.nonlinear", Status: "failed", Attempts: 2,
			Error: &planner.ObservedError{Type: "rlam.NotConverged", Message: "singular gradient", Stderr: "at step 3", Partial: json.RawMessage(`{"iterations":1000}`)},
		},
		{Call: "3.3", ID: "fit3", Action: "fit.nonlinear", Status: "refused", Verdicts: []planner.ObservedVerdict{{Gate: "schema", Reason: "/start: want 4 numbers, got 3"}}},
		{
			Call: "3.4", ID: "big", Action: "table.read", Status: "completed", Attempts: 1, Whole: handle,
			Output: json.RawMessage(`{"columns":["y","x"],"n~/":{"a":1},"rows":"` + strings.Repeat("0.1928 ", 20) + `","ok":true,"none":null,"count":11}`),
		},
	} {
		m := planner.Observe(o, 100)
		if m.Role != planner.RoleTool || m.Call != o.Call {
			t.Errorf("message %+v", m)
		}
		fmt.Fprintf(&lines, "%s\n%s\n\n", m.Content, m.Stub)
	}
	golden(t, "observations.txt", []byte(lines.String()))
}

func TestObserveIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	quoted, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	o := planner.Observation{
		Call: "1.1", ID: "a", Action: "x", Status: "failed", Output: quoted,
		Error:    &planner.ObservedError{Type: "rlam.X", Message: long, Stderr: long + "the end", Partial: quoted},
		Verdicts: []planner.ObservedVerdict{{Gate: "schema", Reason: long}},
	}
	for i := range 5000 {
		o.Artifacts = append(o.Artifacts, planner.ObservedArtifact{Name: fmt.Sprint(i), Handle: "sha256:"})
	}
	m := planner.Observe(o, 0)
	if n := len(m.Content); n > 3*planner.DefaultObservation {
		t.Errorf("the observation has %d bytes", n)
	}
	if len(m.Stub) > 200 {
		t.Errorf("the stub has %d bytes: %s", len(m.Stub), m.Stub)
	}
	if !json.Valid([]byte(m.Content)) || !utf8.ValidString(m.Content) || strings.ContainsRune(m.Content, utf8.RuneError) {
		t.Error("the observation is cut inside a sign, or is not JSON")
	}
	for _, part := range []string{`the end"`, `"artifacts_not_shown":4950`} {
		if !strings.Contains(m.Content, part) {
			t.Errorf("the observation lacks %s", part)
		}
	}
	if o.Error.Message != long || o.Verdicts[0].Reason != long || len(o.Artifacts) != 5000 {
		t.Error("the caller's observation is changed")
	}
}

func TestObserveOfWhatIsNoJSON(t *testing.T) {
	m := planner.Observe(planner.Observation{Output: json.RawMessage(`{"a":`), Error: &planner.ObservedError{Partial: json.RawMessage(`nul`)}}, 0)
	var got struct {
		Preview string `json:"preview"`
		Error   struct {
			Partial string `json:"partial"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(m.Content), &got); err != nil {
		t.Fatal(err)
	}
	if got.Preview != `{"a":` || got.Error.Partial != "nul" {
		t.Errorf("shown as %s", m.Content)
	}
}

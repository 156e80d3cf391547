package planner_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"rlam/activities/planner"
	"rlam/schemas"
)

// cutoffs is a convergence study: a loop, what waits for all of it, and a result.
var cutoffs = &schemas.Plan{
	Calls: []schemas.PlannedCall{
		{ID: "scf", Action: "qe.scf", Params: json.RawMessage(`{"ecutwfc":{"$each":true},"in":{"$from":"input","pointer":"/si"}}`), Each: json.RawMessage(`[8, 1.20e1, null]`)},
		{ID: "plot", Action: "plot.lines", Params: json.RawMessage(`{"y":{"$from":"scf","pointer":"/energy"}}`), After: []string{"scf", "tidy"}},
		{ID: "tidy", Action: "text.tidy"},
	},
	Result: json.RawMessage(`{"runs":{"$from":"scf"},"plot":{"$from":"plot","pointer":"/handle"}}`),
}

func TestNextPlanProposesEverythingAtOnce(t *testing.T) {
	a, err := planner.NextPlan(cutoffs, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []planner.Call{
		{ID: "scf.0", Action: "qe.scf", Params: planner.Raw(`{"ecutwfc":8,"in":{"$from":"input","pointer":"/si"}}`)},
		{ID: "scf.1", Action: "qe.scf", Params: planner.Raw(`{"ecutwfc":1.20e1,"in":{"$from":"input","pointer":"/si"}}`)},
		{ID: "scf.2", Action: "qe.scf", Params: planner.Raw(`{"ecutwfc":null,"in":{"$from":"input","pointer":"/si"}}`)},
		{
			ID: "plot", Action: "plot.lines", After: []string{"scf.0", "scf.1", "scf.2", "tidy"},
			Params: planner.Raw(`{"y":[{"$from":"scf.0","pointer":"/energy"},{"$from":"scf.1","pointer":"/energy"},{"$from":"scf.2","pointer":"/energy"}]}`),
		},
		{ID: "tidy", Action: "text.tidy", Params: planner.Raw(`{}`)},
	}
	if a.Outcome != planner.OutcomeCalls || !reflect.DeepEqual(a.Calls, want) {
		t.Errorf("%s\n got %+v\nwant %+v", a.Outcome, a.Calls, want)
	}
	again, err := planner.NextPlan(cutoffs, map[string]planner.Seen{})
	if err != nil || !reflect.DeepEqual(a, again) {
		t.Errorf("asked again: %+v, %v", again, err)
	}
}

func TestNextPlanEnds(t *testing.T) {
	seen := map[string]planner.Seen{}
	for _, id := range []string{"scf.0", "scf.1", "scf.2", "plot", "tidy"} {
		seen[id] = planner.Seen{Status: "completed"}
	}
	a, err := planner.NextPlan(cutoffs, seen)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"plot":{"$from":"plot","pointer":"/handle"},"runs":[{"$from":"scf.0"},{"$from":"scf.1"},{"$from":"scf.2"}]}`
	if a.Outcome != planner.OutcomeFinish || string(a.Finish) != want {
		t.Errorf("%s %s, want %s", a.Outcome, a.Finish, want)
	}

	delete(seen, "tidy") // a fork of a plan that has grown
	if a, err = planner.NextPlan(cutoffs, seen); err != nil || a.Outcome != planner.OutcomeCalls || len(a.Calls) != 1 || a.Calls[0].ID != "tidy" {
		t.Errorf("got %+v, %v, want a call of tidy", a, err)
	}

	seen["scf.1"] = planner.Seen{Status: "failed", Reason: "rlam.NotConverged"}
	seen["plot"] = planner.Seen{Status: "skipped"}
	if a, err = planner.NextPlan(cutoffs, seen); err != nil || a.Outcome != planner.OutcomeGiveUp || a.Calls != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	if want := "calls of the plan did not complete: scf.1 (failed: rlam.NotConverged); plot (skipped)"; a.GiveUp != want {
		t.Errorf("gave up with %q, want %q", a.GiveUp, want)
	}
}

func TestNextPlanRefuses(t *testing.T) {
	for words, calls := range map[string][]schemas.PlannedCall{
		`two calls have the id "a"`:   {{ID: "a"}, {ID: "a"}},
		`two calls have the id "a.0"`: {{ID: "a", Each: json.RawMessage(`[1]`)}, {ID: "a.0"}},
		`two calls have the id "b"`:   {{ID: "b"}, {ID: "b", Each: json.RawMessage(`[]`)}},
		"each is not an array":        {{ID: "a", Each: json.RawMessage(`{"a":1}`)}},
		"has no each":                 {{ID: "a", Params: json.RawMessage(`{"x":[{"$each":true}]}`)}},
		"must stand alone":            {{ID: "a", Each: json.RawMessage(`[1]`), Params: json.RawMessage(`{"x":{"$each":1}}`)}},
		"has no id":                   {{Action: "a"}},
	} {
		if _, err := planner.NextPlan(&schemas.Plan{Calls: calls}, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("error %v, want one that says %q", err, words)
		}
	}
}

func TestAnEmptyLoopCollectsNothing(t *testing.T) {
	a, err := planner.NextPlan(&schemas.Plan{
		Calls:  []schemas.PlannedCall{{ID: "a", Action: "x", Each: json.RawMessage(`[]`)}},
		Result: json.RawMessage(`{"all":{"$from":"a"}}`),
	}, nil)
	if err != nil || a.Outcome != planner.OutcomeFinish || string(a.Finish) != `{"all":[]}` {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestNextPlanOfThousandsOfCalls carries a plan out that Temporal couldn't hold in one
// step: every call is proposed once, after what it waits for, and no proposal is large.
func TestNextPlanOfThousandsOfCalls(t *testing.T) {
	values := make([]int, 3_000)
	each, _ := json.Marshal(values)
	plan := &schemas.Plan{
		Calls: []schemas.PlannedCall{
			{ID: "sum", Action: "sum", Params: json.RawMessage(`{"y":{"$from":"one","pointer":"/y"}}`), After: []string{"last"}},
			{ID: "one", Action: "one", Each: each, After: []string{"begin"}},
			{ID: "begin", Action: "begin"},
			{ID: "last", Action: "last", Params: json.RawMessage(`{"x":{"$from":"begin","pointer":"/x"}}`)},
		},
		Result: json.RawMessage(`{"sum":{"$from":"sum"}}`),
	}
	seen := map[string]planner.Seen{}
	proposed := map[string]int{} // in which turn
	turn := 1
	for ; ; turn++ {
		a, err := planner.NextPlan(plan, seen)
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome == planner.OutcomeFinish {
			break
		}
		if a.Outcome != planner.OutcomeCalls || len(a.Calls) == 0 || len(a.Calls) > planner.MaxCalls {
			t.Fatalf("turn %d: %s with %d calls", turn, a.Outcome, len(a.Calls))
		}
		for _, c := range a.Calls {
			if before := proposed[c.ID]; before > 0 {
				t.Fatalf("turn %d: %s was proposed in turn %d", turn, c.ID, before)
			}
			proposed[c.ID] = turn
			seen[c.ID] = planner.Seen{Status: "completed"}
		}
	}
	if n := len(proposed); n != 3_003 || proposed["begin"] != 1 || proposed["last"] != 1 || proposed["sum"] != turn-1 {
		t.Errorf("%d calls in %d turns; begin in %d, last in %d, sum in %d", n, turn-1, proposed["begin"], proposed["last"], proposed["sum"])
	}
}

func TestAPlanThatGoesOnAfterFailures(t *testing.T) {
	seed := uint64(7)
	plan := &schemas.Plan{
		Failures: schemas.PlanGoesOn,
		Calls:    []schemas.PlannedCall{{ID: "a", Action: "x", Seed: &seed}, {ID: "b", Action: "x", After: []string{"a"}}, {ID: "c", Action: "x"}},
		Result:   json.RawMessage(`{"n":3}`),
	}
	seen := map[string]planner.Seen{"a": {Status: "failed"}, "b": {Status: "skipped"}}
	a, err := planner.NextPlan(plan, seen)
	if err != nil || a.Outcome != planner.OutcomeCalls || len(a.Calls) != 1 || a.Calls[0].ID != "c" || a.Calls[0].Seed != nil {
		t.Fatalf("got %+v, %v, want a call of c", a, err)
	}
	seen["c"] = planner.Seen{Status: "refused"}
	if a, err = planner.NextPlan(plan, seen); err != nil || a.Outcome != planner.OutcomeFinish || string(a.Finish) != `{"n":3}` {
		t.Errorf("got %+v, %v, want the result", a, err)
	}
	if a, err = planner.NextPlan(plan, nil); err != nil || *a.Calls[0].Seed != seed {
		t.Errorf("got %+v, %v, want the seed that the plan gives", a, err)
	}
}

// Package mgh09_test plays the example without a workflow engine: the scripted
// model over its protocol, the gate, and the actions, each the real one.
package mgh09_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"rlam/activities/builtin"
	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/schemas"
)

// lab is what a run of the study needs.
type lab struct {
	t       *testing.T
	study   *schemas.LoadedStudy
	actions map[string]*schemas.Bound
	gate    *schemas.Gate
	set     *executor.Set
	blobs   *store.Mem
	sources map[string]schemas.Source
	seen    map[string]planner.Observation // by the planner's id, the newest
	story   []string                       // "id action status", in order
	calls   int
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, gate: schemas.NewGate(), blobs: &store.Mem{}, seen: map[string]planner.Observation{}}
	var problems schemas.Problems
	if l.study, problems = schemas.LoadStudy("study.yaml"); len(problems) > 0 {
		t.Fatal(problems)
	}
	registry, err := schemas.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	if l.actions, problems = registry.Resolve(l.study); len(problems) > 0 {
		t.Fatal(problems)
	}
	if l.set, err = executor.New(executor.Config{Blobs: l.blobs, Builtins: builtin.All()}); err != nil {
		t.Fatal(err)
	}
	for name, action := range l.actions {
		if !l.set.Has(action.Pinned.Binding) {
			t.Fatalf("nothing carries out %q", name)
		}
	}
	data, err := os.ReadFile(l.study.Study.Inputs["data"].File)
	if err != nil {
		t.Fatal(err)
	}
	handle, _, err := l.blobs.Put(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	l.sources = map[string]schemas.Source{schemas.InputSource: {
		Status: schemas.StatusCompleted, Output: json.RawMessage(fmt.Sprintf(`{"data":%q}`, handle)),
	}}
	return l
}

// step judges what was proposed, carries out what was admitted, and returns what
// the planner is told. Calls that wait for a sibling are judged again after it.
func (l *lab) step(calls []planner.Call) []planner.Observation {
	l.t.Helper()
	l.calls++
	proposed := make([]schemas.Proposed, len(calls))
	for i, c := range calls {
		proposed[i] = schemas.Proposed{ID: fmt.Sprintf("%d.%d", l.calls, i+1), Name: c.ID, Action: c.Action, Params: c.Params, Position: i, After: c.After}
	}
	var observed []planner.Observation
	for judged := l.gate.Judge(proposed, l.facts()); len(judged) > 0; {
		var waiting []schemas.Judged
		before := len(observed)
		for _, j := range judged {
			if slices.ContainsFunc(j.After, func(id string) bool { return l.sources[id].Status == "" }) && j.Decision != schemas.Refused {
				waiting = append(waiting, j)
				continue
			}
			if j.Decision == schemas.Deferred {
				j = l.gate.Judge([]schemas.Proposed{j.Proposed}, l.facts())[0]
			}
			observed = append(observed, l.carryOut(j, calls[j.Position]))
		}
		if len(observed) == before {
			l.t.Fatalf("calls wait for each other: %+v", waiting)
		}
		judged = waiting
	}
	return observed
}

func (l *lab) facts() schemas.Facts {
	return schemas.Facts{Study: l.study, Actions: l.actions, Sources: l.sources, HasArtifact: func(handle string) bool {
		d, err := canon.Parse(handle)
		if err != nil {
			return false
		}
		r, err := l.blobs.Get(l.t.Context(), d)
		return err == nil && r.Close() == nil
	}}
}

func (l *lab) carryOut(j schemas.Judged, c planner.Call) planner.Observation {
	l.t.Helper()
	o := planner.Observation{Call: j.ID, ID: j.Name, Action: j.Action, ToolCallID: c.ToolCallID, Status: "refused"}
	if j.Decision == schemas.Admitted {
		result, err := l.attempt(j)
		var f *executor.Failure
		switch {
		case errors.As(err, &f):
			o.Status, o.Error = "failed", &planner.ObservedError{Type: f.Type, Message: f.Message, Partial: f.Partial}
		case err != nil:
			l.t.Fatal(err)
		default:
			o.Status, o.Output = "completed", result.Output
			if breach := l.gate.CheckOutput(l.actions[j.Action], j.Resolved, result.Output); breach != nil {
				l.t.Error(breach)
			}
		}
	}
	for _, v := range j.Verdicts {
		if v.Decision == schemas.Refused {
			o.Verdicts = append(o.Verdicts, planner.ObservedVerdict{Gate: v.Gate, Reason: v.Reason})
		}
	}
	source := schemas.Source{Call: j.ID, Action: j.Action, Status: schemas.Status(o.Status), Output: o.Output}
	l.sources[j.ID], l.sources[j.Name] = source, source
	l.seen[o.ID] = o
	l.story = append(l.story, o.ID+" "+o.Action+" "+o.Status)
	return o
}

func (l *lab) attempt(j schemas.Judged) (executor.Result, error) {
	ctx := l.t.Context()
	handle, err := l.set.Start(ctx, executor.Task{Call: j.ID, Attempt: 1, Action: j.Action, Binding: l.actions[j.Action].Pinned.Binding, Params: j.Resolved, Dir: l.t.TempDir()})
	if err != nil {
		return executor.Result{}, err
	}
	if err := l.set.Wait(ctx, handle); err != nil {
		return executor.Result{}, err
	}
	return l.set.Collect(ctx, handle)
}

// play lets the scripted model drive until it finishes or gives up.
func (l *lab) play(script []byte) planner.Answer {
	l.t.Helper()
	scenario, err := scripted.Load(script)
	if err != nil {
		l.t.Fatal(err)
	}
	server, err := scripted.Start(scenario, scripted.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	defer server.Close()
	var specs []planner.ToolSpec
	for _, name := range []string{"artifact.read", "fit.compare", "fit.nonlinear", "fit.plot", "table.describe"} {
		specs = append(specs, planner.ToolSpec{Action: name, Summary: l.actions[name].Action.Summary, Parameters: schemas.ToolSchema(l.actions[name])})
	}
	tools := planner.Tools(specs, schemas.ResultToolSchema(l.study))
	system, err := planner.System(&l.study.Study, tools, []planner.Input{{Name: "data"}})
	if err != nil {
		l.t.Fatal(err)
	}
	messages := []planner.Message{system}
	for range 10 {
		request := planner.Request{Model: scenario.Model(), BaseURL: server.URL(), Messages: messages, Tools: tools}
		body, err := planner.Body(request)
		if err != nil {
			l.t.Fatal(err)
		}
		answer, err := (&planner.Client{}).Complete(l.t.Context(), request, body)
		if err != nil {
			l.t.Fatal(err)
		}
		if answer.Outcome != planner.OutcomeCalls {
			return answer
		}
		messages = append(messages, answer.Assistant)
		for _, o := range l.step(answer.Calls) {
			messages = append(messages, planner.Observe(o, 0))
		}
	}
	l.t.Fatalf("no end after %v", l.story)
	return planner.Answer{}
}

// certified checks the result that finish hands in: admitted, made of references,
// and within 1e-6 of NIST's values.
func (l *lab) certified(finish []byte) {
	l.t.Helper()
	j := l.gate.JudgeResult(finish, l.facts())
	if j.Decision != schemas.Admitted {
		l.t.Fatalf("the result is refused: %s", j.Reason())
	}
	if len(j.Uses) != 3 || strings.Contains(string(finish), "0.") {
		l.t.Errorf("the result should hold references only: %s", finish)
	}
	var result struct {
		Parameters map[string]struct {
			Estimate  float64 `json:"estimate"`
			Deviation float64 `json:"standard_deviation"`
		} `json:"parameters"`
		RSS float64 `json:"residual_sum_of_squares"`
	}
	if err := json.Unmarshal(j.Resolved, &result); err != nil {
		l.t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		if math.Abs(got/want-1) > 1e-6 {
			l.t.Errorf("%s is %v; certified is %v", what, got, want)
		}
	}
	near("residual sum of squares", result.RSS, 3.0750560385e-04)
	for name, want := range map[string][2]float64{
		"b1": {1.9280693458e-01, 1.1435312227e-02}, "b2": {1.9128232873e-01, 1.9633220911e-01},
		"b3": {1.2305650693e-01, 8.0842031232e-02}, "b4": {1.3606233068e-01, 9.0025542308e-02},
	} {
		near(name, result.Parameters[name].Estimate, want[0])
		near("standard deviation of "+name, result.Parameters[name].Deviation, want[1])
	}
}

func (l *lab) tells(want ...string) {
	l.t.Helper()
	if !slices.Equal(l.story, want) {
		l.t.Errorf("the story is\n\t%s\nwant\n\t%s", strings.Join(l.story, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func script(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("script.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheFitFailsAndThePlannerRecovers(t *testing.T) {
	l := newLab(t)
	answer := l.play(script(t))
	l.tells(
		"data table.describe completed",
		"fit1 fit.nonlinear failed",
		"retry fit.nonlinear refused",
		"fit2 fit.nonlinear completed",
		"check fit.nonlinear completed",
		"compare fit.compare completed",
		"plot fit.plot completed",
	)
	if failed := l.seen["fit1"].Error; failed.Type != builtin.NotConverged || !strings.Contains(failed.Message, "Gauss-Newton step") {
		t.Errorf("fit1 failed as %+v", failed)
	}
	refusal := l.seen["retry"].Verdicts
	if len(refusal) != 1 || refusal[0].Gate != schemas.GateSchema {
		t.Fatalf("retry was refused by %+v", refusal)
	}
	for _, want := range []string{"/start", "/algorithm", "levenberg-marquardt"} {
		if !strings.Contains(refusal[0].Reason, want) {
			t.Errorf("the refusal doesn't name %q: %s", want, refusal[0].Reason)
		}
	}
	if answer.Outcome != planner.OutcomeFinish {
		t.Fatalf("it ended with %s: %s", answer.Outcome, answer.GiveUp)
	}
	l.certified(answer.Finish)
}

func TestAFirstFitThatConvergesNeedsNoRecovery(t *testing.T) {
	l := newLab(t)
	answer := l.play(bytes.Replace(script(t), []byte("algorithm: gauss-newton"), []byte("algorithm: levenberg-marquardt"), 1))
	l.tells(
		"data table.describe completed",
		"fit1 fit.nonlinear completed",
		"check fit.nonlinear completed",
		"compare fit.compare completed",
		"plot fit.plot completed",
	)
	if answer.Outcome != planner.OutcomeFinish {
		t.Fatalf("it ended with %s: %s", answer.Outcome, answer.GiveUp)
	}
	l.certified(answer.Finish)
}

func TestFitsThatDisagreeAreNoResult(t *testing.T) {
	l := newLab(t)
	// A tolerance that no simplex search meets makes the check's fit another one.
	text := bytes.ReplaceAll(script(t), []byte("why: Do the two agree?\n          params:\n"), []byte("why: Do the two agree?\n          params:\n            tolerance: 1e-15\n"))
	if answer := l.play(text); answer.Outcome != planner.OutcomeGiveUp || !strings.Contains(answer.GiveUp, "do not agree") {
		t.Errorf("it ended with %s: %s", answer.Outcome, answer.GiveUp)
	}
}

func TestThePlanNeedsNoModel(t *testing.T) {
	l := newLab(t)
	plan, problems := schemas.LoadPlan("plan.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	first, err := planner.NextPlan(plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]planner.Seen{}
	for _, o := range l.step(first.Calls) {
		seen[o.ID] = planner.Seen{Status: o.Status}
		if o.Status != "completed" {
			t.Errorf("%s %s: %+v %+v", o.ID, o.Status, o.Error, o.Verdicts)
		}
	}
	var compared struct{ Agree bool }
	if err := json.Unmarshal(l.seen["compare"].Output, &compared); err != nil || !compared.Agree {
		t.Errorf("the three starts don't agree: %s, %v", l.seen["compare"].Output, err)
	}
	last, err := planner.NextPlan(plan, seen)
	if err != nil || last.Outcome != planner.OutcomeFinish {
		t.Fatalf("%s, %v: %s", last.Outcome, err, last.GiveUp)
	}
	l.certified(last.Finish)
}

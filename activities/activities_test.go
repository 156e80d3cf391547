package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"rlam/activities"
	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
	"rlam/workflows"
)

const actionText = `
name: test.count
version: 1.0.0
summary: Counts.
params: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
returns: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
reproducibility: {default: bitwise}
effects: none
idempotent: true
run: {builtin: test.count}
`

const studyText = `
title: Test
goal: Count.
actions: [count.yaml]
planner: {scripted: script.yaml}
reuse: never
result: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
`

// scriptText proposes a call, one that refers to it, one that a gate refuses, and finishes.
const scriptText = `
model: scripted/test
rules:
  - when: {turn: 0}
    reply:
      calls:
        - {id: a, action: test.count, params: {n: 1}}
        - {id: b, action: test.count, params: {n: {$from: a, pointer: /n}}}
        - {id: c, action: test.count, params: {n: one}}
  - reply: {finish: {n: {$from: b, pointer: /n}}}
`

// bench is a run on record, and activities that serve it without a server.
type bench struct {
	t     *testing.T
	store store.Store
	run   canon.Digest
	log   string // requests to the model
	model string // its URL, once it was asked
	acts  *activities.Activities
	env   *testsuite.TestActivityEnvironment
	ran   atomic.Int64 // executions of test.count
	fail  func() error // what test.count returns
	lacks bool         // a worker that is started now has no handler for test.count
}

func newBench(t *testing.T, edits ...string) *bench {
	t.Helper()
	b := &bench{t: t, store: &store.Mem{}}
	dir := t.TempDir()
	b.log = filepath.Join(dir, "model.jsonl")
	for name, text := range map[string]string{"count.yaml": actionText, "study.yaml": studyText, "script.yaml": scriptText} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.NewReplacer(edits...).Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	study, problems := schemas.LoadStudy(filepath.Join(dir, "study.yaml"))
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	begun, err := host.Begin(t.Context(), b.store, study, host.BeginOptions{ID: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	b.run = begun.Run
	b.restart()
	return b
}

// restart gives the run to another worker, which knows only what is in the store.
func (b *bench) restart() {
	b.t.Helper()
	type params struct {
		N int `json:"n"`
	}
	count := executor.Typed("test.count", func(_ context.Context, in params) (params, error) {
		b.ran.Add(1)
		if b.fail != nil {
			return in, b.fail()
		}
		return in, nil
	})
	builtins := []executor.Builtin{count}
	if b.lacks {
		builtins = nil
	}
	set, err := executor.New(executor.Config{Blobs: b.store, Builtins: builtins})
	if err != nil {
		b.t.Fatal(err)
	}
	b.acts, err = activities.New(activities.Config{
		Store: b.store, Executors: set, Scratch: b.t.TempDir(), Identity: "test",
		Models: activities.Models{Scripted: func(scenario []byte) (string, error) {
			if b.model != "" { // a model outlives the workers that ask it
				return b.model, nil
			}
			parsed, err := scripted.Load(scenario)
			if err != nil {
				return "", err
			}
			s, err := scripted.Start(parsed, scripted.Options{Log: b.log})
			if err != nil {
				return "", err
			}
			b.t.Cleanup(func() { s.Close() })
			b.model = s.URL()
			return b.model, nil
		}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.acts.Register(b.env)
}

func (b *bench) plan(in workflows.PlanInput) workflows.PlanResult {
	b.t.Helper()
	in.Run = b.run
	var out workflows.PlanResult
	b.must(b.env.ExecuteActivity(b.acts.Plan, in))(&out)
	return out
}

func (b *bench) act(in workflows.ActInput) (workflows.ActResult, error) {
	in.Run = b.run
	v, err := b.env.ExecuteActivity(b.acts.Act, in)
	if err != nil {
		return workflows.ActResult{}, err
	}
	var out workflows.ActResult
	return out, v.Get(&out)
}

type encoded interface{ Get(any) error }

func (b *bench) must(v encoded, err error) func(any) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return func(out any) {
		b.t.Helper()
		if err := v.Get(out); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) asked() int {
	entries, err := scripted.ReadLog(b.log)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(entries)
}

func call(p workflows.PlanResult, i int) workflows.ActInput {
	return workflows.ActInput{Proposal: p.Head, Call: p.Calls[i].ID, Params: p.Calls[i].Params, Attempt: 1}
}

func typeOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

func TestPlanAskedAgainGivesTheStoredAnswer(t *testing.T) {
	b := newBench(t)
	first := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	b.restart()
	again := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	x, _ := json.Marshal(first)
	y, _ := json.Marshal(again)
	if string(x) != string(y) {
		t.Errorf("first  %s\nagain  %s", x, y)
	}
	if n := b.asked(); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}
	want := []schemas.Decision{schemas.Admitted, schemas.Deferred, schemas.Refused}
	for i, c := range first.Calls {
		if c.Decision != want[i] {
			t.Errorf("call %s is %s, want %s", c.ID, c.Decision, want[i])
		}
	}
}

func TestActExecutesWhatWasAdmittedAndNothingElse(t *testing.T) {
	b := newBench(t)
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	other := call(p, 0)
	other.Params = p.Calls[1].Params
	for name, in := range map[string]workflows.ActInput{
		"other parameters":      other,
		"a refused call":        call(p, 2),
		"a call not judged yet": call(p, 1),
		"no call of the step":   {Proposal: p.Head, Call: "1.9", Params: p.Calls[0].Params},
	} {
		if _, err := b.act(in); err == nil {
			t.Errorf("%s: executed", name)
		}
	}
	if n := b.ran.Load(); n != 0 {
		t.Errorf("%d executions", n)
	}
}

func TestActRunsOnceAndReportsTheOutcomeAgain(t *testing.T) {
	b := newBench(t)
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	first, err := b.act(call(p, 0))
	if err != nil || first.Adopted {
		t.Fatalf("%+v, %v", first, err)
	}
	b.restart()
	again, err := b.act(call(p, 0))
	if err != nil || !again.Adopted || again.Output.Digest != first.Output.Digest {
		t.Errorf("%+v, %v", again, err)
	}
	if n := b.ran.Load(); n != 1 {
		t.Errorf("%d executions", n)
	}
}

func TestActTellsOfAFailureThatTheWorkflowMissed(t *testing.T) {
	b := newBench(t)
	b.fail = func() error { return executor.Fail("test.Broken", "it broke", map[string]int{"n": 7}) }
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	in := call(p, 0)
	for range 2 { // the second asks again without having heard of the first
		if _, err := b.act(in); typeOf(err) != "test.Broken" {
			t.Fatalf("%v", err)
		}
	}
	if n := b.ran.Load(); n != 1 {
		t.Errorf("%d executions of a failure that was known", n)
	}
	in.Seen, b.fail = 1, nil
	if out, err := b.act(in); err != nil || out.Execution != 2 {
		t.Errorf("after the failure was heard of: %+v, %v", out, err)
	}
	if n := b.ran.Load(); n != 2 {
		t.Errorf("%d executions", n)
	}
}

// An intent without an outcome is what a process leaves that was killed in the middle.
func TestActAfterAnExecutionInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		edits []string
		want  string
		ran   int64
	}{
		"idempotent":     {nil, "", 1},
		"not idempotent": {[]string{"idempotent: true", "idempotent: false"}, workflows.TypeInDoubt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.edits...)
			p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
			key := journal.CallKey(p.Head, p.Calls[0].ID)
			if _, err := (journal.Journal{Store: b.store}).Begin(t.Context(), journal.Intent{Key: key, Kind: "call", Worker: "dead"}, 1); err != nil {
				t.Fatal(err)
			}
			out, err := b.act(call(p, 0))
			if typeOf(err) != c.want {
				t.Errorf("%+v, %v", out, err)
			}
			if n := b.ran.Load(); n != c.ran {
				t.Errorf("%d executions, want %d", n, c.ran)
			}
		})
	}
}

func TestAWholeRunFromTheStoreAlone(t *testing.T) {
	b := newBench(t)
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	b.restart()
	a, err := b.act(call(p, 0))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := []workflows.CallOutcome{
		{ID: "1.1", Status: record.CallCompleted, Attempts: []workflows.AttemptOutcome{{N: 1, Status: record.AttemptCompleted, Execution: a.Execution}}},
		{ID: "1.2", Status: record.CallCompleted},
		{ID: "1.3", Status: record.CallRefused},
	}
	b.restart()
	var judged workflows.JudgeResult
	b.must(b.env.ExecuteActivity(b.acts.Judge, workflows.JudgeInput{Run: b.run, Proposal: p.Head, Call: "1.2", Siblings: outcomes[:1]}))(&judged)
	if judged.Decision != schemas.Admitted || judged.Params.Preview != `{"n":1}` {
		t.Fatalf("%+v", judged)
	}
	b.restart()
	in := call(p, 1)
	in.Params, in.Judgement = judged.Params, judged.Judgement
	second, err := b.act(in)
	if err != nil {
		t.Fatal(err)
	}
	outcomes[1].Judgement = judged.Judgement
	outcomes[1].Attempts = []workflows.AttemptOutcome{{N: 1, Status: record.AttemptCompleted, Execution: second.Execution}}
	b.restart()
	end := b.plan(workflows.PlanInput{Head: p.Head, Step: 2, Outcomes: outcomes})
	if end.Outcome != workflows.OutcomeResult || end.Result.Preview != `{"n":1}` {
		t.Fatalf("%+v", end)
	}
	if c := end.Counters; c.Steps != 2 || c.Calls != 2 || c.Refused != 1 || c.Attempts != 2 || c.Repairs != 0 {
		t.Errorf("counters %+v", c)
	}

	seal := workflows.SealInput{Run: b.run, Head: end.Head, Status: record.Completed, Result: end.Result}
	var sealed [2]workflows.SealResult
	for i := range sealed { // written twice, it is the same seal
		b.restart()
		b.must(b.env.ExecuteActivity(b.acts.Seal, seal))(&sealed[i])
	}
	if sealed[0].Head != sealed[1].Head {
		t.Errorf("sealed as %s and as %s", sealed[0].Head, sealed[1].Head)
	}
	links, err := record.Chain(t.Context(), b.store, b.run, sealed[0].Head)
	if err != nil || len(links) != 6 {
		t.Fatalf("a chain of %d records, %v", len(links), err)
	}
	if ds, err := activities.Rejudge(t.Context(), b.store, b.run, sealed[0].Head, schemas.NewGate()); err != nil || len(ds) > 0 {
		t.Errorf("judged again: %v, %v", ds, err)
	}
	step := links[2].Record.(*record.Step)
	if s := step.Calls[1]; s.Status != record.CallCompleted || len(s.Uses) != 1 || s.Uses[0].From != "1.1" || s.Attempts[0].Environment.IsZero() {
		t.Errorf("%+v", s)
	}
}

// TestATurnThatIsTooDearIsNotAsked bounds the run's money below the price of a turn.
func TestATurnThatIsTooDearIsNotAsked(t *testing.T) {
	b := newBench(t, "planner: {scripted: script.yaml}",
		"limits: {money: 0.000001}\nplanner: {scripted: script.yaml, prices: {currency: USD, models: {scripted/test: {input: 2, output: 8}}}}")
	_, err := b.env.ExecuteActivity(b.acts.Plan, workflows.PlanInput{Run: b.run, Head: b.run, Step: 1})
	if typeOf(err) != workflows.TypeLimitReached || !strings.Contains(err.Error(), "money") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(b.log); !os.IsNotExist(err) && b.asked() != 0 {
		t.Errorf("the model was asked %d times", b.asked())
	}
}

package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/workflows"
)

// bench runs a Study whose activities are plain functions. A test replaces those that
// it is about; the others do what a study without troubles does.
type bench struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	state workflows.State
	open  func() (workflows.State, error)
	plan  func(workflows.PlanInput) (workflows.PlanResult, error)
	judge func(workflows.JudgeInput) (workflows.JudgeResult, error)
	act   func(context.Context, workflows.ActInput) (workflows.ActResult, error)
	end   func(workflows.AppendInput) (canon.Digest, error)

	mu     sync.Mutex
	ran    []string // activity IDs, in the order in which they began
	plans  []workflows.PlanInput
	acts   []workflows.ActInput
	seals  []workflows.SealInput
	timers []time.Duration // after the wall-time limit's
}

var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{t: t, env: (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()}
	b.env.SetTestTimeout(30 * time.Second)
	b.env.SetStartTime(begun)
	b.state = workflows.State{
		Title: "A measurement", Step: 1, Models: []string{"first", "second"}, Deadline: begun.Add(24 * time.Hour),
		Limits: schemas.Limits{Steps: 10, Calls: 20, Attempts: 40, Repairs: 3, Losses: 2, Tokens: 1000, WallTime: schemas.Duration(24 * time.Hour)},
		Retry:  schemas.Attempts{Max: 3, Backoff: schemas.Backoff{Initial: schemas.Duration(time.Second), Coefficient: 2, Max: schemas.Duration(time.Minute)}},
	}
	b.open = func() (workflows.State, error) { return b.state, nil }
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
		if in.Step == 1 {
			return calls(in, call("1.1")), nil
		}
		return result(in), nil
	}
	b.judge = func(in workflows.JudgeInput) (workflows.JudgeResult, error) {
		return workflows.JudgeResult{Decision: schemas.Admitted, Judgement: digest("judgement of " + in.Call), Params: ref("judged " + in.Call)}, nil
	}
	b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
		return workflows.ActResult{Execution: 1}, nil
	}
	b.end = func(in workflows.AppendInput) (canon.Digest, error) {
		return digest("step after " + in.Head.String()), nil
	}
	b.register()
	return b
}

func (b *bench) register() {
	b.env.RegisterWorkflowWithOptions(workflows.Study, workflow.RegisterOptions{Name: workflows.StudyName})
	add := func(name string, fn any) {
		b.env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	add(workflows.OpenName, func(ctx context.Context, _ workflows.OpenInput) (workflows.State, error) {
		b.note(ctx, func() {})
		return b.open()
	})
	add(workflows.PlanName, func(ctx context.Context, in workflows.PlanInput) (workflows.PlanResult, error) {
		b.note(ctx, func() { b.plans = append(b.plans, in) })
		return b.plan(in)
	})
	add(workflows.JudgeName, func(ctx context.Context, in workflows.JudgeInput) (workflows.JudgeResult, error) {
		b.note(ctx, func() {})
		return b.judge(in)
	})
	add(workflows.ActName, func(ctx context.Context, in workflows.ActInput) (workflows.ActResult, error) {
		b.note(ctx, func() { b.acts = append(b.acts, in) })
		return b.act(ctx, in)
	})
	add(workflows.AppendName, func(ctx context.Context, in workflows.AppendInput) (canon.Digest, error) {
		b.note(ctx, func() {})
		return b.end(in)
	})
	add(workflows.SealName, func(ctx context.Context, in workflows.SealInput) (workflows.SealResult, error) {
		b.note(ctx, func() { b.seals = append(b.seals, in) })
		return workflows.SealResult{Head: digest("seal"), Reason: in.Reason}, nil
	})
	b.env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timers = append(b.timers, d)
	})
}

func (b *bench) note(ctx context.Context, fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran = append(b.ran, activity.GetInfo(ctx).ActivityID)
	fn()
}

// run runs the study; the result of a run that ended by an error is in its details.
func (b *bench) run() (workflows.StudyResult, error) {
	b.t.Helper()
	b.env.ExecuteWorkflow(workflows.StudyName, workflows.StudyInput{Run: digest("run"), Head: digest("run"), SearchAttributes: true})
	if !b.env.IsWorkflowCompleted() {
		b.t.Fatal("the study did not end")
	}
	var got workflows.StudyResult
	err := b.env.GetWorkflowError()
	if err == nil {
		if err := b.env.GetWorkflowResult(&got); err != nil {
			b.t.Fatal(err)
		}
		return got, nil
	}
	var cancelled *temporal.CanceledError
	var app *temporal.ApplicationError
	switch {
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		err = errors.Join(err, cancelled.Details(&got))
	case errors.As(err, &app) && app.HasDetails():
		err = errors.Join(err, app.Details(&got))
	}
	return got, err
}

// sealed is what the one seal of the run was asked to hold.
func (b *bench) sealed() workflows.SealInput {
	b.t.Helper()
	if len(b.seals) != 1 {
		b.t.Fatalf("sealed %d times; ran %q", len(b.seals), b.ran)
	}
	return b.seals[0]
}

// outcomes is what the planner, or the seal, was told of the first step.
func (b *bench) outcomes() []workflows.CallOutcome {
	b.t.Helper()
	for _, p := range b.plans {
		if p.Step == 2 {
			return p.Outcomes
		}
	}
	return b.sealed().Outcomes
}

// waits are the timers, but for that of the wall-time limit.
func (b *bench) waits() []time.Duration {
	b.t.Helper()
	if len(b.timers) == 0 {
		b.t.Fatal("no timer, not even the wall-time limit's")
	}
	return b.timers[1:]
}

// ids are those of the activities that ran and begin with prefix.
func (b *bench) ids(prefix string) []string {
	var out []string
	for _, id := range b.ran {
		if strings.HasPrefix(id, prefix) {
			out = append(out, id)
		}
	}
	return out
}

func (b *bench) wantIDs(prefix string, want ...string) {
	b.t.Helper()
	if got := b.ids(prefix); !slices.Equal(got, want) {
		b.t.Errorf("ran %q, want %q", got, want)
	}
}

func (b *bench) wantWaits(want ...time.Duration) {
	b.t.Helper()
	if got := b.waits(); !slices.Equal(got, want) {
		b.t.Errorf("waited %v, want %v", got, want)
	}
}

func digest(s string) canon.Digest { return canon.Sum([]byte(s)) }

func ref(s string) record.Ref { return record.Ref{Digest: digest(s), Size: int64(len(s)), Preview: s} }

// call is admitted, and tried three times if it is busy.
func call(id string, after ...string) workflows.Call {
	return workflows.Call{
		ID: id, Name: "call " + id, Action: "lab.measure", Decision: schemas.Admitted, Params: ref("params of " + id), After: after,
		Timeout: schemas.Duration(time.Minute), Attempts: schemas.Attempts{
			Max: 3, Retry: []string{"lab.Busy"}, Backoff: schemas.Backoff{Initial: schemas.Duration(100 * time.Millisecond), Coefficient: 2, Max: schemas.Duration(time.Second)},
		},
	}
}

func decided(c workflows.Call, d schemas.Decision) workflows.Call {
	c.Decision = d
	return c
}

// calls is a proposal of calls.
func calls(in workflows.PlanInput, cs ...workflows.Call) workflows.PlanResult {
	out := proposal(in, workflows.OutcomeRepair)
	out.Calls, out.Counters.Calls = cs, len(cs)
	for _, c := range cs {
		if c.Decision != schemas.Refused {
			out.Outcome = workflows.OutcomeCalls
		}
	}
	return out
}

// result is a proposal that ends the run.
func result(in workflows.PlanInput) workflows.PlanResult {
	out := proposal(in, workflows.OutcomeResult)
	out.Result = ref("the result")
	return out
}

func proposal(in workflows.PlanInput, outcome workflows.Outcome) workflows.PlanResult {
	return workflows.PlanResult{Head: digest(fmt.Sprintf("proposal %d", in.Step)), Outcome: outcome, Model: "first", Counters: record.Counters{Steps: in.Step}}
}

// failed is an error as activities return them.
func failed(typ string, f workflows.Failure) error { return failedAfter(typ, f, 0) }

func failedAfter(typ string, f workflows.Failure, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("it failed", typ, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{f}, NextRetryDelay: wait})
}

// inTurn gives one error after the other, and then none.
func inTurn(errs ...error) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

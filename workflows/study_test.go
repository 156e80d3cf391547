package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/workflows"
)

// TestEnds has a run for each way to end, as the planner brings it about.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		set     func(*bench)
		status  record.Status
		message string // part of it
		steps   int    // planned
	}{
		{name: "a result", set: func(*bench) {}, status: record.Completed, steps: 2},
		{name: "given up", set: func(b *bench) {
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				out := proposal(in, workflows.OutcomeGiveUp)
				out.Reason = ref("no start was left")
				return out, nil
			}
		}, status: record.NoResult, steps: 1},
		{name: "steps", set: func(b *bench) { b.state.Limits.Steps = 1 }, status: record.LimitReached, message: "the limit of 1 steps", steps: 1},
		{name: "tokens", set: func(b *bench) {
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				out := calls(in, call("1.1"))
				out.Counters.Usage = record.Usage{Prompt: 900, Completion: 100}
				return out, nil
			}
		}, status: record.LimitReached, message: "the limit of 1000 tokens is reached (1000 used)", steps: 1},
		{name: "repairs", set: func(b *bench) {
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				out := calls(in, decided(call("1.1"), schemas.Refused))
				out.Counters.Repairs = in.Step
				return out, nil
			}
		}, status: record.LimitReached, message: "3 proposals in a row", steps: 3},
		// A planner that has used up its calls still gets a turn to finish, and one only.
		{name: "calls, and then a result", set: func(b *bench) { b.state.Limits.Calls = 1 }, status: record.Completed, steps: 2},
		{name: "calls, and then more calls", set: func(b *bench) {
			b.state.Limits.Calls = 1
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				out := calls(in, call("1.1"))
				if in.Step > 1 {
					out = calls(in, decided(call("2.1"), schemas.Refused))
				}
				out.Counters.Calls, out.Counters.Repairs = 1, in.Step-1
				return out, nil
			}
		}, status: record.LimitReached, message: "the limit of 1 calls", steps: 2},
		{name: "attempts, and then more calls", set: func(b *bench) {
			b.state.Limits.Attempts = 1
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				out := calls(in, call("1.1"))
				out.Counters.Attempts, out.Counters.Repairs = in.Step-1, in.Step-1
				return out, nil
			}
		}, status: record.LimitReached, message: "the limit of 1 attempts", steps: 2},
		{name: "the conversation", set: func(b *bench) {
			b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
				return workflows.PlanResult{}, failed(workflows.TypeContextFull, workflows.Failure{})
			}
		}, status: record.LimitReached, message: "context budget", steps: 1},
		{name: "no model", set: func(b *bench) {
			b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
				return workflows.PlanResult{}, failed(workflows.TypeModelRejected, workflows.Failure{})
			}
		}, status: record.ModelUnavailable, message: `["first" "second"]`, steps: 2},
		{name: "planning fails by itself", set: func(b *bench) {
			b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
				return workflows.PlanResult{}, failed("rlam.Surprise", workflows.Failure{Detail: ref("what it was")})
			}
		}, status: record.Failed, message: "planning failed with rlam.Surprise", steps: 1},
		{name: "planning is lost", set: func(b *bench) {
			b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
				return workflows.PlanResult{}, temporal.NewHeartbeatTimeoutError()
			}
		}, status: record.Failed, message: "planning was lost 3 times, the last time by rlam.Lost", steps: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.set(b)
			got, err := b.run()
			sealed := b.sealed()
			if got.Status != c.status || sealed.Status != c.status || !strings.Contains(sealed.Message, c.message) || c.message == "" && sealed.Message != "" {
				t.Errorf("ended as %q, sealed as %q because of %q; want %q because of %q", got.Status, sealed.Status, sealed.Message, c.status, c.message)
			}
			if got.Head != digest("seal") {
				t.Errorf("head %s is not the seal", got.Head)
			}
			if len(b.plans) != c.steps {
				t.Errorf("%d times planned, want %d", len(b.plans), c.steps)
			}
			var app *temporal.ApplicationError
			switch {
			case c.status != record.Failed && err != nil:
				t.Error(err)
			case c.status == record.Failed && (!errors.As(err, &app) || app.Type() != "rlam.Failed" || !app.NonRetryable() || app.Message() != sealed.Message):
				t.Errorf("error %v, want an rlam.Failed that says %q", err, sealed.Message)
			}
		})
	}
}

func TestTheResultIsWhatWasSealed(t *testing.T) {
	b := newBench(t)
	got, err := b.run()
	if err != nil {
		t.Fatal(err)
	}
	sealed := b.sealed()
	if got.Result != ref("the result") || sealed.Result != got.Result {
		t.Errorf("result %v, sealed %v", got.Result, sealed.Result)
	}
	if sealed.Head != digest("proposal 2") || sealed.Run != digest("run") || len(sealed.Outcomes) != 0 {
		t.Errorf("sealed %+v", sealed)
	}
	if p := b.plans[1]; p.Head != digest("proposal 1") || len(p.Outcomes) != 1 || p.Outcomes[0].ID != "1.1" || p.Outcomes[0].Status != record.CallCompleted {
		t.Errorf("the second step was planned from %+v", p)
	}
	b.wantIDs("", "open#1", "1.plan#1", "1.1#1", "2.plan#1", "seal#1")
	b.wantWaits()
}

func TestAGivenUpReasonIsSealed(t *testing.T) {
	b := newBench(t)
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
		out := proposal(in, workflows.OutcomeGiveUp)
		out.Reason = ref("no start was left")
		return out, nil
	}
	got, err := b.run()
	if want := ref("no start was left"); err != nil || got.Reason != want || b.sealed().Reason != want {
		t.Errorf("reason %v, sealed %v, error %v", got.Reason, b.sealed().Reason, err)
	}
}

// TestModels asks each model as often as the study allows, backs off as it says and as
// the server asks, and goes on to the next model for good.
func TestModels(t *testing.T) {
	unavailable := failed(workflows.TypeModelUnavailable, workflows.Failure{Retryable: true})
	for _, c := range []struct {
		name       string
		errs       []error
		candidates []int
		waits      []time.Duration
	}{
		{"answers at last", []error{unavailable, unavailable}, []int{0, 0, 0}, []time.Duration{time.Second, 2 * time.Second}},
		{"its attempts are used up", []error{unavailable, unavailable, unavailable}, []int{0, 0, 0, 1}, []time.Duration{time.Second, 2 * time.Second}},
		{"asking again is no use", []error{failed(workflows.TypeModelRejected, workflows.Failure{})}, []int{0, 1}, nil},
		{"garbled", []error{failed(workflows.TypeModelGarbled, workflows.Failure{Retryable: true})}, []int{0, 0}, []time.Duration{time.Second}},
		{"asks for a longer wait", []error{failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, 40*time.Second)}, []int{0, 0}, []time.Duration{40 * time.Second}},
		{"asks for a shorter wait", []error{failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, time.Millisecond)}, []int{0, 0}, []time.Duration{time.Second}},
		{
			"losses are no attempts of the model",
			[]error{unavailable, temporal.NewHeartbeatTimeoutError(), unavailable, failed(workflows.TypeWorkerShutdown, workflows.Failure{})},
			[]int{0, 0, 0, 0, 0},
			[]time.Duration{time.Second, time.Second, 2 * time.Second, 2 * time.Second},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			next := inTurn(c.errs...)
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) { return result(in), next() }
			if got, err := b.run(); err != nil || got.Status != record.Completed {
				t.Errorf("ended as %q, error %v", got.Status, err)
			}
			var candidates []int
			for _, p := range b.plans {
				candidates = append(candidates, p.Candidate)
			}
			if !slices.Equal(candidates, c.candidates) {
				t.Errorf("asked %v, want %v", candidates, c.candidates)
			}
			b.wantWaits(c.waits...)
		})
	}
}

// TestAFallbackStays does not go back to a model that was unavailable.
func TestAFallbackStays(t *testing.T) {
	b := newBench(t)
	answer := b.plan
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
		if in.Candidate == 0 {
			return workflows.PlanResult{}, failed(workflows.TypeModelRejected, workflows.Failure{})
		}
		return answer(in)
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.wantIDs("", "open#1", "1.plan#1", "1.plan#2", "1.1#1", "2.plan#1", "seal#1")
	if b.plans[2].Candidate != 1 {
		t.Errorf("step 2 asked candidate %d", b.plans[2].Candidate)
	}
}

func TestOpening(t *testing.T) {
	t.Run("is tried again after a loss", func(t *testing.T) {
		b := newBench(t)
		next := inTurn(failed(workflows.TypeStorage, workflows.Failure{}), temporal.NewHeartbeatTimeoutError())
		b.open = func() (workflows.State, error) { return b.state, next() }
		if got, err := b.run(); err != nil || got.Status != record.Completed {
			t.Errorf("ended as %q, error %v", got.Status, err)
		}
		b.wantIDs("open", "open#1", "open#2", "open#3")
	})
	t.Run("fails when nothing helps", func(t *testing.T) {
		b := newBench(t)
		b.open = func() (workflows.State, error) {
			return workflows.State{}, failed(workflows.TypeStorage, workflows.Failure{})
		}
		_, err := b.run()
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || !strings.Contains(err.Error(), "reading the chain") {
			t.Errorf("error %v, want one that says what could not be done", err)
		}
		b.wantIDs("", "open#1", "open#2", "open#3", "open#4", "open#5", "open#6")
	})
	t.Run("is sealed when it is cancelled", func(t *testing.T) {
		b := newBench(t)
		b.open = func() (workflows.State, error) {
			b.env.CancelWorkflow()
			return workflows.State{}, failed(workflows.TypeStorage, workflows.Failure{})
		}
		got, err := b.run()
		if !temporal.IsCanceledError(err) || got.Status != record.Cancelled {
			t.Errorf("ended as %q, error %v", got.Status, err)
		}
		if s := b.sealed(); s.Head != digest("run") || s.Status != record.Cancelled {
			t.Errorf("sealed %+v", s)
		}
	})
}

// TestResuming begins where the chain ends, with what it counts.
func TestResuming(t *testing.T) {
	b := newBench(t)
	b.state.Step, b.state.Candidate, b.state.Counters = 7, 1, record.Counters{Steps: 6}
	b.state.Limits.Steps = 7
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) { return calls(in, call("7.1")), nil }
	got, err := b.run()
	if err != nil || got.Status != record.LimitReached {
		t.Errorf("ended as %q, error %v", got.Status, err)
	}
	b.wantIDs("", "open#1", "7.plan#1", "7.1#1", "seal#1")
	if p := b.plans[0]; p.Candidate != 1 || p.Head != digest("run") {
		t.Errorf("planned from %+v", p)
	}
}

func TestContinueAsNew(t *testing.T) {
	t.Run("between steps", func(t *testing.T) {
		b := newBench(t)
		b.env.SetContinueAsNewSuggested(true)
		var appended []workflows.AppendInput
		next := b.end
		b.end = func(in workflows.AppendInput) (canon.Digest, error) {
			appended = append(appended, in)
			return next(in)
		}
		_, err := b.run()
		var again *workflow.ContinueAsNewError
		if !errors.As(err, &again) {
			t.Fatalf("error %v, want to continue as new", err)
		}
		// A workflow run plans one step at least, or it would never get on.
		b.wantIDs("", "open#1", "1.plan#1", "1.1#1", "1.append#1")
		if len(appended) != 1 || appended[0].Head != digest("proposal 1") || len(appended[0].Outcomes) != 1 {
			t.Errorf("closed the step by %+v", appended)
		}
	})
	t.Run("cancelled meanwhile", func(t *testing.T) {
		b := newBench(t)
		b.env.SetContinueAsNewSuggested(true)
		b.end = func(in workflows.AppendInput) (canon.Digest, error) {
			b.env.CancelWorkflow()
			return digest("step 1"), nil
		}
		got, err := b.run()
		if !temporal.IsCanceledError(err) || got.Status != record.Cancelled {
			t.Errorf("ended as %q, error %v", got.Status, err)
		}
		b.wantIDs("seal", "seal#1")
	})
}

// TestWallTime ends what is under way at the deadline, and seals what there is.
func TestWallTime(t *testing.T) {
	t.Run("in the middle of an attempt", func(t *testing.T) {
		b := newBench(t)
		b.state.Deadline = begun.Add(20 * time.Millisecond)
		b.act = b.untilCancelled
		got, err := b.run()
		if err != nil || got.Status != record.LimitReached {
			t.Errorf("ended as %q, error %v", got.Status, err)
		}
		s := b.sealed()
		if want := "the wall-time limit of 24h0m0s is reached"; s.Message != want {
			t.Errorf("because of %q, want %q", s.Message, want)
		}
		wantStatuses(t, s.Outcomes, record.CallCancelled)
	})
	t.Run("over before the start", func(t *testing.T) {
		b := newBench(t)
		b.state.Deadline = begun.Add(-time.Hour)
		b.act = b.untilCancelled
		if got, err := b.run(); err != nil || got.Status != record.LimitReached {
			t.Errorf("ended as %q, error %v", got.Status, err)
		}
		if b.timers[0] != time.Millisecond {
			t.Errorf("the limit's timer is %s", b.timers[0])
		}
	})
	t.Run("while it waits", func(t *testing.T) {
		b := newBench(t)
		b.state.Deadline = begun.Add(time.Hour)
		b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
			return workflows.PlanResult{}, failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, 2*time.Hour)
		}
		if got, err := b.run(); err != nil || got.Status != record.LimitReached || !strings.Contains(b.sealed().Message, "wall-time") {
			t.Errorf("ended as %q because of %q, error %v", got.Status, b.sealed().Message, err)
		}
	})
}

// untilCancelled is an attempt that goes on until it is told to end.
func (b *bench) untilCancelled(ctx context.Context, _ workflows.ActInput) (workflows.ActResult, error) {
	select {
	case <-ctx.Done():
	case <-b.t.Context().Done():
	}
	return workflows.ActResult{}, temporal.NewCanceledError(workflows.Failure{Execution: 1})
}

func wantStatuses(t *testing.T, outcomes []workflows.CallOutcome, want ...record.CallStatus) {
	t.Helper()
	var got []record.CallStatus
	for _, o := range outcomes {
		got = append(got, o.Status)
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls came to %q, want %q", got, want)
	}
}

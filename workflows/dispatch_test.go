package workflows_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"rlam/internal/record"
	"rlam/schemas"
	"rlam/workflows"
)

// propose has the first step propose these calls.
func (b *bench) propose(cs ...workflows.Call) {
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
		if in.Step == 1 {
			return calls(in, cs...), nil
		}
		return result(in), nil
	}
}

// TestAttempts makes attempts of one call, and looks at what is recorded of them.
func TestAttempts(t *testing.T) {
	busy := func(execution int) error {
		return failed("lab.Busy", workflows.Failure{Execution: execution, Detail: ref("busy")})
	}
	lost := temporal.NewHeartbeatTimeoutError()
	for _, c := range []struct {
		name     string
		errs     []error
		set      func(*bench)
		status   record.CallStatus
		typ      string
		attempts string // status and type of each
		waits    []time.Duration
		made     int // activities
	}{
		{name: "completes", status: record.CallCompleted, attempts: "completed", made: 1},
		{
			name: "retries", errs: []error{busy(1), busy(2)}, status: record.CallCompleted,
			attempts: "failed lab.Busy, failed lab.Busy, completed", waits: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, made: 3,
		},
		{
			name: "is busy too often", errs: []error{busy(1), busy(2), busy(3)}, status: record.CallFailed, typ: "lab.Busy",
			attempts: "failed lab.Busy, failed lab.Busy, failed lab.Busy", waits: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, made: 3,
		},
		{
			name: "a failure that is not to be retried", errs: []error{failed("lab.Broken", workflows.Failure{Execution: 1})}, status: record.CallFailed, typ: "lab.Broken",
			attempts: "failed lab.Broken", made: 1,
		},
		{
			name: "a failure that asks for a wait", errs: []error{failedAfter("lab.Busy", workflows.Failure{Execution: 1}, 7*time.Second)}, status: record.CallCompleted,
			attempts: "failed lab.Busy, completed", waits: []time.Duration{7 * time.Second}, made: 2,
		},
		{
			name: "losses are no failures", errs: []error{busy(1), lost, busy(2), failed(workflows.TypeWorkerShutdown, workflows.Failure{Execution: 3})}, status: record.CallCompleted,
			attempts: "failed lab.Busy, lost rlam.Lost, failed lab.Busy, lost rlam.WorkerShutdown, completed",
			waits:    []time.Duration{100 * time.Millisecond, time.Second, 200 * time.Millisecond, 2 * time.Second}, made: 5,
		},
		{
			name: "losses have a bound of their own", errs: []error{lost, failed(workflows.TypeStorage, workflows.Failure{}), lost}, status: record.CallFailed, typ: "rlam.Lost",
			attempts: "lost rlam.Lost, lost rlam.Storage, lost rlam.Lost", waits: []time.Duration{time.Second, 2 * time.Second}, made: 3,
		},
		{
			name: "losses are no attempts of the run", errs: []error{lost, lost}, set: func(b *bench) { b.state.Limits.Attempts = 1 }, status: record.CallCompleted,
			attempts: "lost rlam.Lost, lost rlam.Lost, completed", waits: []time.Duration{time.Second, 2 * time.Second}, made: 3,
		},
		{
			name: "the run's attempts are used up", errs: []error{busy(1), busy(2)}, set: func(b *bench) { b.state.Limits.Attempts = 2 }, status: record.CallFailed, typ: workflows.TypeLimitReached,
			attempts: "failed lab.Busy, failed lab.Busy", waits: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, made: 2,
		},
		{
			name: "the run has no attempt left", set: func(b *bench) {
				b.state.Limits.Attempts = 1
				answer := b.plan
				b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
					out, err := answer(in)
					out.Counters.Attempts = 1
					return out, err
				}
			}, status: record.CallSkipped, typ: workflows.TypeLimitReached,
		},
		{
			name: "handed back by workers that lack it", errs: []error{failed(workflows.TypeNoBinding, workflows.Failure{}), failed(workflows.TypeNoBinding, workflows.Failure{})},
			set: func(b *bench) { b.state.Limits.Attempts = 1 }, status: record.CallCompleted,
			attempts: "completed", waits: []time.Duration{time.Second, 2 * time.Second}, made: 3,
		},
		{
			name: "in doubt", errs: []error{failed(workflows.TypeInDoubt, workflows.Failure{Detail: ref("look first")})}, status: record.CallFailed, typ: workflows.TypeInDoubt,
			attempts: "failed rlam.InDoubt", made: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.set != nil {
				c.set(b)
			}
			next := inTurn(c.errs...)
			b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
				return workflows.ActResult{Execution: 9}, next()
			}
			if _, err := b.run(); err != nil {
				t.Fatal(err)
			}
			got := b.outcomes()[0]
			var attempts []string
			for i, a := range got.Attempts {
				attempts = append(attempts, strings.TrimSpace(string(a.Status)+" "+a.Type))
				if (a.Status == record.AttemptLost) == a.Started.IsZero() {
					t.Errorf("attempt %d, %s: started %s", i+1, a.Status, a.Started)
				}
			}
			if got.Status != c.status || got.Type != c.typ || strings.Join(attempts, ", ") != c.attempts {
				t.Errorf("%s %q after %q; want %s %q after %q", got.Status, got.Type, attempts, c.status, c.typ, c.attempts)
			}
			b.wantWaits(c.waits...)
			var want []string
			for n := range c.made {
				want = append(want, fmt.Sprintf("1.1#%d", n+1))
			}
			b.wantIDs("1.1#", want...)
		})
	}
}

// TestAWorkerThatLacksABindingForEver hands a call back so often, and not for ever.
func TestAWorkerThatLacksABindingForEver(t *testing.T) {
	b := newBench(t)
	b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
		return workflows.ActResult{}, failed(workflows.TypeNoBinding, workflows.Failure{})
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	got := b.outcomes()[0]
	if got.Status != record.CallFailed || got.Type != workflows.TypeNoBinding || len(got.Attempts) != 0 {
		t.Errorf("got %+v", got)
	}
	if n := len(b.ids("1.1#")); n != 21 {
		t.Errorf("offered %d times, want 21", n)
	}
	if longest := slices.Max(b.waits()); longest != 30*time.Second {
		t.Errorf("waited %s", longest)
	}
}

// TestWhatAnAttemptIsTold has each attempt know the newest execution that was reported.
func TestWhatAnAttemptIsTold(t *testing.T) {
	b := newBench(t)
	next := inTurn(failed("lab.Busy", workflows.Failure{Execution: 1, Adopted: true, Detail: ref("busy")}), temporal.NewHeartbeatTimeoutError(),
		failed("lab.Busy", workflows.Failure{Execution: 3}))
	b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
		return workflows.ActResult{Execution: 4, Adopted: true}, next()
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	var seen []int
	for i, in := range b.acts {
		seen = append(seen, in.Seen)
		in.Seen = 0
		if want := (workflows.ActInput{Run: digest("run"), Proposal: digest("proposal 1"), Call: "1.1", Params: ref("params of 1.1"), Attempt: i + 1}); in != want {
			t.Errorf("attempt %d: %+v, want %+v", i+1, in, want)
		}
	}
	if want := []int{0, 1, 1, 3}; !slices.Equal(seen, want) {
		t.Errorf("seen %v, want %v", seen, want)
	}
	got := b.outcomes()[0].Attempts
	got[1].Started, got[1].Ended = time.Time{}, time.Time{}
	if want := []workflows.AttemptOutcome{
		{N: 1, Status: record.AttemptFailed, Execution: 1, Adopted: true, Type: "lab.Busy"},
		{N: 2, Status: record.AttemptLost, Type: "rlam.Lost"},
		{N: 3, Status: record.AttemptFailed, Execution: 3, Type: "lab.Busy"},
		{N: 4, Status: record.AttemptCompleted, Execution: 4, Adopted: true},
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestIndependentCallsRunAtOnce has each attempt wait for the other.
func TestIndependentCallsRunAtOnce(t *testing.T) {
	b := newBench(t)
	b.propose(call("1.1"), call("1.2"), decided(call("1.3"), schemas.Refused))
	var both sync.WaitGroup
	both.Add(2)
	b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
		both.Done()
		both.Wait()
		return workflows.ActResult{Execution: 1}, nil
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	wantStatuses(t, b.outcomes(), record.CallCompleted, record.CallCompleted, record.CallRefused)
	b.wantIDs("1.3")
}

// TestReferencesOrderCalls runs a call after those that it refers to, wherever they stand.
func TestReferencesOrderCalls(t *testing.T) {
	b := newBench(t)
	b.propose(call("1.1", "1.3"), call("1.2", "1.1", "1.3"), call("1.3"))
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.wantIDs("1.", "1.plan#1", "1.3#1", "1.1#1", "1.2#1")
	wantStatuses(t, b.outcomes(), record.CallCompleted, record.CallCompleted, record.CallCompleted)
}

// TestACallWithoutItsSourceIsSkipped, and so is what refers to that.
func TestACallWithoutItsSourceIsSkipped(t *testing.T) {
	b := newBench(t)
	b.propose(call("1.1"), call("1.2", "1.1"), call("1.3", "1.2"), decided(call("1.4"), schemas.Refused), call("1.5", "1.4"), call("1.6", "1.99"), call("1.7"))
	b.act = func(_ context.Context, in workflows.ActInput) (workflows.ActResult, error) {
		if in.Call == "1.1" {
			return workflows.ActResult{}, failed("lab.Broken", workflows.Failure{Execution: 1})
		}
		return workflows.ActResult{Execution: 1}, nil
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	wantStatuses(t, b.outcomes(), record.CallFailed, record.CallSkipped, record.CallSkipped, record.CallRefused, record.CallSkipped, record.CallSkipped, record.CallCompleted)
	for _, o := range b.outcomes() {
		if o.Status == record.CallSkipped && o.Type != "rlam.SourceFailed" {
			t.Errorf("call %s was skipped as %q", o.ID, o.Type)
		}
	}
	b.wantIDs("1.2")
	b.wantIDs("1.5")
}

func TestDeferredCalls(t *testing.T) {
	waiting := decided(call("1.2", "1.1"), schemas.Deferred)
	t.Run("run as they were judged", func(t *testing.T) {
		b := newBench(t)
		b.propose(call("1.1"), waiting)
		var asked []workflows.JudgeInput
		judge := b.judge
		b.judge = func(in workflows.JudgeInput) (workflows.JudgeResult, error) {
			asked = append(asked, in)
			return judge(in)
		}
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		b.wantIDs("1.", "1.plan#1", "1.1#1", "1.2.judge#1", "1.2#1")
		want := workflows.JudgeInput{Run: digest("run"), Proposal: digest("proposal 1"), Call: "1.2", Siblings: []workflows.CallOutcome{
			{ID: "1.1", Status: record.CallCompleted, Attempts: []workflows.AttemptOutcome{{N: 1, Status: record.AttemptCompleted, Execution: 1}}},
		}}
		if len(asked) != 1 || !reflect.DeepEqual(asked[0], want) {
			t.Errorf("judged by %+v, want %+v", asked, want)
		}
		judgement := digest("judgement of 1.2")
		if in := b.acts[1]; in.Params != ref("judged 1.2") || in.Judgement != judgement {
			t.Errorf("attempted with %+v", in)
		}
		if got := b.outcomes()[1]; got.Judgement != judgement || got.Status != record.CallCompleted {
			t.Errorf("outcome %+v", got)
		}
	})
	t.Run("may be refused then", func(t *testing.T) {
		b := newBench(t)
		b.propose(call("1.1"), waiting, call("1.3", "1.2"))
		b.judge = func(workflows.JudgeInput) (workflows.JudgeResult, error) {
			return workflows.JudgeResult{Decision: schemas.Refused, Judgement: digest("no")}, nil
		}
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, b.outcomes(), record.CallCompleted, record.CallRefused, record.CallSkipped)
		if got := b.outcomes()[1]; got.Judgement != digest("no") {
			t.Errorf("outcome %+v", got)
		}
		b.wantIDs("1.2#")
	})
	t.Run("are judged again after a loss", func(t *testing.T) {
		b := newBench(t)
		b.propose(call("1.1"), waiting)
		next, judge := inTurn(temporal.NewHeartbeatTimeoutError()), b.judge
		b.judge = func(in workflows.JudgeInput) (workflows.JudgeResult, error) {
			if err := next(); err != nil {
				return workflows.JudgeResult{}, err
			}
			return judge(in)
		}
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		b.wantIDs("1.2", "1.2.judge#1", "1.2.judge#2", "1.2#1")
	})
	t.Run("fail when they can't be judged", func(t *testing.T) {
		b := newBench(t)
		b.propose(call("1.1"), waiting)
		b.judge = func(workflows.JudgeInput) (workflows.JudgeResult, error) {
			return workflows.JudgeResult{}, failed(workflows.TypeNotAdmitted, workflows.Failure{})
		}
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		if got := b.outcomes()[1]; got.Status != record.CallFailed || got.Type != workflows.TypeNotAdmitted {
			t.Errorf("outcome %+v", got)
		}
	})
}

// TestCancel ends what is under way, starts nothing more, and seals all the same. (The
// test environment does not wait for an attempt to say how far it came: test/cancel_test.go.)
func TestCancel(t *testing.T) {
	b := newBench(t)
	b.propose(call("1.1"), call("1.2", "1.1"))
	b.act = func(ctx context.Context, in workflows.ActInput) (workflows.ActResult, error) {
		b.env.CancelWorkflow()
		return b.untilCancelled(ctx, in)
	}
	got, err := b.run()
	if !temporal.IsCanceledError(err) || got.Status != record.Cancelled || got.Head != digest("seal") {
		t.Errorf("ended as %q with head %s, error %v", got.Status, got.Head, err)
	}
	s := b.sealed()
	if s.Status != record.Cancelled || s.Message != "cancelled by request" || s.Head != digest("proposal 1") {
		t.Errorf("sealed %+v", s)
	}
	wantStatuses(t, s.Outcomes, record.CallCancelled, record.CallCancelled)
	if got := s.Outcomes[0].Attempts; len(got) != 1 || got[0].Status != record.AttemptCancelled {
		t.Errorf("attempts %+v", got)
	}
	b.wantIDs("", "open#1", "1.plan#1", "1.1#1", "seal#1")
}

// TestCancelWhileNothingRuns is heard by a wait, and by a step that is about to begin.
func TestCancelWhileNothingRuns(t *testing.T) {
	t.Run("between two attempts", func(t *testing.T) {
		b := newBench(t)
		b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
			b.env.RegisterDelayedCallback(b.env.CancelWorkflow, time.Second)
			return workflows.ActResult{}, failedAfter("lab.Busy", workflows.Failure{Execution: 1}, time.Hour)
		}
		if _, err := b.run(); !temporal.IsCanceledError(err) {
			t.Errorf("error %v", err)
		}
		wantStatuses(t, b.sealed().Outcomes, record.CallCancelled)
		if ended := b.sealed().Ended; ended.Sub(begun) > time.Minute {
			t.Errorf("the cancel was heard after %s", ended.Sub(begun))
		}
	})
	t.Run("between two turns of the planner", func(t *testing.T) {
		b := newBench(t)
		b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
			b.env.RegisterDelayedCallback(b.env.CancelWorkflow, time.Second)
			return workflows.PlanResult{}, failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, time.Hour)
		}
		if _, err := b.run(); !temporal.IsCanceledError(err) {
			t.Errorf("error %v", err)
		}
		b.wantIDs("", "open#1", "1.plan#1", "seal#1")
	})
	t.Run("as the planner answers", func(t *testing.T) {
		b := newBench(t)
		b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
			b.env.CancelWorkflow()
			return calls(in, call("1.1")), nil
		}
		if _, err := b.run(); !temporal.IsCanceledError(err) {
			t.Errorf("error %v", err)
		}
		b.wantIDs("1.1")
		b.wantIDs("seal", "seal#1")
	})
}

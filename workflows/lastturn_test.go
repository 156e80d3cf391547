package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"rlam/internal/record"
	"rlam/workflows"
)

// late is a run whose time is up in the middle of its second step, and whose planner
// answers its last turn as last says.
func late(t *testing.T, last func(workflows.PlanInput) (workflows.PlanResult, error)) *bench {
	b := newBench(t)
	b.state.LastTurn, b.state.Deadline = true, begun.Add(300*time.Millisecond) // of real time, while an attempt runs
	b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
		switch {
		case in.Limit != "":
			return last(in)
		case in.Step == 1:
			return calls(in, call("1.1")), nil
		}
		return calls(in, call("2.1")), nil
	}
	b.act = func(ctx context.Context, in workflows.ActInput) (workflows.ActResult, error) {
		if in.Call == "2.1" {
			return b.untilCancelled(ctx, in)
		}
		return workflows.ActResult{Execution: 1}, nil
	}
	return b
}

// TestTheLastTurnAfterTheTime asks the planner once more, and ends as it says or by the limit.
func TestTheLastTurnAfterTheTime(t *testing.T) {
	t.Parallel()
	partial := func(in workflows.PlanInput) (workflows.PlanResult, error) {
		out := result(in)
		out.Partial, out.Last = true, ref("the time is up")
		return out, nil
	}
	for _, c := range []struct {
		name    string
		last    func(workflows.PlanInput) (workflows.PlanResult, error)
		status  record.Status
		partial bool
		asked   int // for the last turn
	}{
		{"a partial result", partial, record.LimitReached, true, 1},
		{"a result that is whole", func(in workflows.PlanInput) (workflows.PlanResult, error) { return result(in), nil }, record.Completed, false, 1},
		{"given up", func(in workflows.PlanInput) (workflows.PlanResult, error) {
			out := proposal(in, workflows.OutcomeGiveUp)
			out.Last = ref("the time is up")
			return out, nil
		}, record.LimitReached, false, 1},
		// An answer of before that the workflow had not heard of.
		{"calls that nobody told that it is the last", func(in workflows.PlanInput) (workflows.PlanResult, error) { return calls(in, call("3.1")), nil }, record.LimitReached, false, 1},
		{"no model", func(workflows.PlanInput) (workflows.PlanResult, error) {
			return workflows.PlanResult{}, failed(workflows.TypeModelUnavailable, workflows.Failure{Last: ref("the time is up")})
		}, record.LimitReached, false, 2},
		{"nothing left for it", func(workflows.PlanInput) (workflows.PlanResult, error) {
			return workflows.PlanResult{}, failed(workflows.TypeLimitReached, workflows.Failure{Detail: ref("no tokens")})
		}, record.LimitReached, false, 1},
		{"no room for it", func(workflows.PlanInput) (workflows.PlanResult, error) {
			return workflows.PlanResult{}, failed(workflows.TypeContextFull, workflows.Failure{})
		}, record.LimitReached, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := late(t, c.last)
			got, err := b.run()
			sealed := b.sealed()
			if err != nil || got.Status != c.status || got.Partial != c.partial || sealed.Partial != c.partial || sealed.Result != got.Result {
				t.Errorf("ended as %+v, error %v, sealed %+v", got, err, sealed)
			}
			if want := "the wall-time limit of 24h0m0s is reached"; got.Result.Digest.IsZero() && sealed.Message != want {
				t.Errorf("because of %q, want %q", sealed.Message, want)
			}
			last := b.plans[len(b.plans)-1]
			if n := len(b.plans) - 2; n != c.asked || last.Step != 3 || last.Limit != "wall_time" || len(last.Outcomes) != 1 || last.Outcomes[0].Status != record.CallCancelled {
				t.Errorf("%d times asked for a last turn, at last by %+v", n, last)
			}
			if acts := b.ids("3.1"); len(acts) > 0 {
				t.Errorf("the last turn's calls ran: %q", acts)
			}
		})
	}
}

// TestTheLastTurnWhilePlanning asks anew, by another ID, after the turn that the limit
// ended; and not for longer than a last turn may take.
func TestTheLastTurnWhilePlanning(t *testing.T) {
	t.Parallel()
	busy := failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, 2*time.Hour)
	for _, c := range []struct {
		name   string
		last   error
		status record.Status
		took   time.Duration
	}{
		{"an answer", nil, record.Completed, time.Hour},
		{"no answer in time", busy, record.LimitReached, time.Hour + 2*time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := late(t, func(in workflows.PlanInput) (workflows.PlanResult, error) { return result(in), c.last })
			b.state.Deadline = begun.Add(time.Hour)
			next := b.plan
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				if in.Step == 2 && in.Limit == "" {
					return workflows.PlanResult{}, busy
				}
				return next(in)
			}
			if got, err := b.run(); err != nil || got.Status != c.status {
				t.Errorf("ended as %q, error %v", got.Status, err)
			}
			b.wantIDs("", "open#1", "1.plan#1", "1.1#1", "2.plan#1", "2.plan#2", "seal#1")
			if took := b.sealed().Ended.Sub(begun).Round(time.Minute); took != c.took {
				t.Errorf("ended after %s, want %s", took, c.took)
			}
		})
	}
}

// TestNoLastTurn ends a run at once where there is nothing to hand in, and where the run
// was opened without last turns.
func TestNoLastTurn(t *testing.T) {
	t.Parallel()
	never := func(in workflows.PlanInput) (workflows.PlanResult, error) { return result(in), nil }
	for name, set := range map[string]func(*bench){
		"nothing to hand in": func(b *bench) {
			b.plan = func(workflows.PlanInput) (workflows.PlanResult, error) {
				return workflows.PlanResult{}, failedAfter(workflows.TypeRateLimited, workflows.Failure{Retryable: true}, 2*time.Hour)
			}
		},
		"an older chain": func(b *bench) { b.state.LastTurn = false },
	} {
		t.Run(name, func(t *testing.T) {
			b := late(t, never)
			set(b)
			got, err := b.run()
			if err != nil || got.Status != record.LimitReached {
				t.Errorf("ended as %q, error %v", got.Status, err)
			}
			for _, p := range b.plans {
				if p.Limit != "" || p.LastTurn != b.state.LastTurn {
					t.Errorf("asked %+v", p)
				}
			}
		})
	}
}

// TestALastTurnThatPlanFound ends the run, whatever the planner proposes in it.
func TestALastTurnThatPlanFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		last func(workflows.PlanInput) (workflows.PlanResult, error)
	}{
		{"refused calls", func(in workflows.PlanInput) (workflows.PlanResult, error) {
			out := calls(in, decided(call("2.1"), "refused"))
			out.Last = ref("no calls are left")
			return out, nil
		}},
		{"no model", func(in workflows.PlanInput) (workflows.PlanResult, error) {
			return workflows.PlanResult{}, failed(workflows.TypeModelRejected, workflows.Failure{Last: ref("no calls are left")})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.state.LastTurn, b.state.Limits.Calls, b.state.Limits.Repairs = true, 1, 1
			b.plan = func(in workflows.PlanInput) (workflows.PlanResult, error) {
				if in.Step == 1 {
					out := calls(in, call("1.1"))
					out.Counters.Repairs = 1 // Plan sees to it, and not the loop
					return out, nil
				}
				return c.last(in)
			}
			got, err := b.run()
			if err != nil || got.Status != record.LimitReached || got.Partial || got.Reason != ref("no calls are left") {
				t.Errorf("ended as %+v, error %v", got, err)
			}
			if ids := strings.Join(b.ids("2.1"), " "); ids != "" {
				t.Errorf("ran %s", ids)
			}
		})
	}
}

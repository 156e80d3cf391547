package test

import (
	"context"
	"testing"

	sdk "go.temporal.io/sdk/temporal"

	"rlam/activities/executor"
	"rlam/internal/record"
	"rlam/test/lab"
	"rlam/workflows"
)

// TestCancelledAttempts cancels a run in the middle of an attempt, which ends in its own
// way; a second call refers to it.
func TestCancelledAttempts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		end      func(context.Context) (measureOut, error) // of the attempt, once it is told to
		statuses [2]record.CallStatus
		attempt  workflows.AttemptOutcome
	}{
		{
			name: "it stops", end: func(ctx context.Context) (measureOut, error) { return measureOut{}, ctx.Err() },
			statuses: [2]record.CallStatus{record.CallCancelled, record.CallCancelled},
			attempt:  workflows.AttemptOutcome{N: 1, Status: record.AttemptCancelled, Execution: 1, Type: workflows.TypeCancelled},
		},
		{
			name: "it fails, and is not made again", end: func(context.Context) (measureOut, error) {
				return measureOut{}, executor.Fail("lab.Busy", "the instrument was let go of", nil)
			},
			statuses: [2]record.CallStatus{record.CallCancelled, record.CallCancelled},
			attempt:  workflows.AttemptOutcome{N: 1, Status: record.AttemptCancelled, Execution: 1, Type: workflows.TypeCancelled},
		},
		{
			name: "it completes all the same", end: func(context.Context) (measureOut, error) { return measureOut{Y: 4}, nil },
			statuses: [2]record.CallStatus{record.CallCompleted, record.CallCancelled},
			attempt:  workflows.AttemptOutcome{N: 1, Status: record.AttemptCompleted, Execution: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := make(chan string, 1)
			l := lab.New(t, executor.Typed("lab.measure", func(ctx context.Context, _ measureIn) (measureOut, error) {
				began <- "an attempt"
				<-ctx.Done()
				return c.end(ctx)
			}))
			run := l.Begin("studies/study.yaml", script("chained"))
			receive(t, began)
			if err := l.Client.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
				t.Fatal(err)
			}
			var result workflows.StudyResult
			if err := run.Get(t.Context(), &result); !sdk.IsCanceledError(err) {
				t.Errorf("error %v, want that of a cancelled run", err)
			}
			h := l.History(run.GetID(), run.GetRunID())
			lab.Replay(t, h)
			var sealed workflows.SealInput
			for _, e := range h.Events {
				if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == workflows.SealName {
					decode(t, a.GetInput(), &sealed)
				}
			}
			if sealed.Status != record.Cancelled || len(sealed.Outcomes) != 2 {
				t.Fatalf("sealed %+v", sealed)
			}
			for i, o := range sealed.Outcomes {
				if o.Status != c.statuses[i] {
					t.Errorf("call %s: %s, want %s", o.ID, o.Status, c.statuses[i])
				}
			}
			attempts := sealed.Outcomes[0].Attempts
			if len(attempts) != 1 {
				t.Fatalf("attempts %+v, want one", attempts)
			}
			attempts[0].Detail = c.attempt.Detail
			if attempts[0] != c.attempt {
				t.Errorf("attempt %+v, want %+v", attempts[0], c.attempt)
			}
		})
	}
}

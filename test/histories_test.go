package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"rlam/internal/record"
	"rlam/schemas"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// recorded says what the history of each path must hold, counted in its events and
// nowhere else. -update records them anew (record_test.go).
var recorded = []struct {
	name      string
	closed    string        // the last event; "open" if the run goes on
	status    record.Status // that the closing event carries
	partial   bool          // as that event has it
	scheduled string        // activities, by name
	failed    string        // attempts, by failure type
	timers    string        // by what they are for
	refused   int           // calls, by a gate
}{
	{name: "success", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "mgh09", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 6, Judge 1, Open 1, Plan 6, Seal 1", failed: "rlam.NotConverged 1", timers: "wall-time limit 1", refused: 1},
	{name: "recovery", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 3, Seal 1", failed: "lab.OutOfRange 1", timers: "wall-time limit 1"},
	{name: "refusal", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 5, Seal 1", timers: "wall-time limit 1", refused: 3},
	{name: "retry", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 3, Open 1, Plan 2, Seal 1", failed: "lab.Busy 2", timers: "backoff 2, wall-time limit 1"},
	{name: "retries-used-up", closed: "WorkflowExecutionCompleted", status: record.NoResult, scheduled: "Act 3, Open 1, Plan 2, Seal 1", failed: "lab.Busy 3", timers: "backoff 2, wall-time limit 1"},
	{name: "model-busy", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 1, Open 1, Plan 4, Seal 1", failed: "rlam.ModelGarbled 1, rlam.RateLimited 1", timers: "backoff 2, wall-time limit 1"},
	{name: "parallel", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "deferred", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 3, Judge 2, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1", refused: 1},
	{name: "fork-live", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Open 1, Plan 1, Seal 1", timers: "wall-time limit 1"},
	{name: "fork-edit", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 4, Judge 3, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "fork-recorded", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Judge 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1", refused: 1},
	{name: "plan", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 3, Judge 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "reused", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 3, Judge 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "fallback", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 1, Open 1, Plan 4, Seal 1", failed: "rlam.ModelUnavailable 2", timers: "backoff 1, wall-time limit 1"},
	{name: "model-unavailable", closed: "WorkflowExecutionCompleted", status: record.ModelUnavailable, scheduled: "Open 1, Plan 2, Seal 1", failed: "rlam.ModelUnavailable 2", timers: "backoff 1, wall-time limit 1"},
	{name: "no-result", closed: "WorkflowExecutionCompleted", status: record.NoResult, scheduled: "Act 1, Open 1, Plan 2, Seal 1", failed: "lab.OutOfRange 1", timers: "wall-time limit 1"},
	{name: "limit-steps", closed: "WorkflowExecutionCompleted", status: record.LimitReached, scheduled: "Act 1, Open 1, Plan 1, Seal 1", timers: "wall-time limit 1"},
	{name: "limit-attempts", closed: "WorkflowExecutionCompleted", status: record.NoResult, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "lab.Busy 2", timers: "backoff 2, wall-time limit 1"},
	{name: "limit-wall-time", closed: "WorkflowExecutionCompleted", status: record.LimitReached, scheduled: "Act 1, Open 1, Plan 1, Seal 1", failed: "cancelled 1", timers: "wall-time limit 1"},
	{name: "last-partial", closed: "WorkflowExecutionCompleted", status: record.LimitReached, partial: true, scheduled: "Act 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "last-whole", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "last-none", closed: "WorkflowExecutionCompleted", status: record.LimitReached, scheduled: "Act 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1", refused: 1},
	// The time was up in the task in which an attempt failed: a timer of a context that is cancelled.
	{name: "last-wall-time-failed", closed: "WorkflowExecutionCompleted", status: record.LimitReached, scheduled: "Act 1, Open 1, Plan 2, Seal 1", failed: "lab.Busy 1", timers: "backoff 1, bound on the last turn 1, wall-time limit 1", refused: 3},
	{name: "last-wall-time", closed: "WorkflowExecutionCompleted", status: record.LimitReached, partial: true, scheduled: "Act 2, Open 1, Plan 3, Seal 1", failed: "cancelled 1", timers: "bound on the last turn 1, wall-time limit 1"},
	{name: "none-left", closed: "WorkflowExecutionCompleted", status: record.LimitReached, scheduled: "Act 1, Open 1, Plan 1, Seal 1", timers: "wall-time limit 1"},
	{name: "continued-1", closed: "WorkflowExecutionContinuedAsNew", scheduled: "Act 2, Append 1, Open 1, Plan 2", timers: "wall-time limit 1"},
	{name: "continued-2", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "cancelled", closed: "WorkflowExecutionCanceled", status: record.Cancelled, scheduled: "Act 2, Open 1, Plan 1, Seal 1", failed: "cancelled 2", timers: "wall-time limit 1"},
	{name: "cancelled-planning", closed: "WorkflowExecutionCanceled", status: record.Cancelled, scheduled: "Open 1, Plan 1, Seal 1", failed: "cancelled 1", timers: "wall-time limit 1"},
	{name: "worker-stopped", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "rlam.WorkerShutdown 1", timers: "backoff 1, wall-time limit 1"},
	{name: "in-doubt", closed: "WorkflowExecutionCompleted", status: record.NoResult, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "rlam.InDoubt 1, rlam.WorkerShutdown 1", timers: "backoff 1, wall-time limit 1"},
	{name: "handed-back", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "rlam.NoBinding 1", timers: "backoff 1, wall-time limit 1"},
	{name: "resource-busy", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "rlam.Busy 1", timers: "backoff 1, wall-time limit 1"},
	{name: "lost", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 2, Open 1, Plan 2, Seal 1", failed: "timeout Heartbeat 1", timers: "backoff 1, wall-time limit 1"},
	{name: "failed", closed: "WorkflowExecutionFailed", status: record.Failed, scheduled: "Open 1, Plan 2, Seal 1", failed: "timeout Heartbeat 2", timers: "backoff 1, wall-time limit 1"},
	{name: "terminated", closed: "WorkflowExecutionTerminated", scheduled: "Act 2, Open 1, Plan 1", timers: "wall-time limit 1"},
	{name: "older-gate", closed: "WorkflowExecutionCompleted", status: record.Completed, scheduled: "Act 3, Judge 1, Open 1, Plan 2, Seal 1", timers: "wall-time limit 1"},
	{name: "open", closed: "open", scheduled: "Act 2, Open 1, Plan 1", timers: "wall-time limit 1"},
}

func TestHistories(t *testing.T) {
	t.Parallel()
	for _, want := range recorded {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			h := readHistory(t, want.name)
			result := lab.Replay(t, h)
			got := tally(t, h)
			if int64(len(h.Events)) != result.Events || got.all != result.Activities || len(got.steps) != result.Steps {
				t.Errorf("replay saw %+v; the history has %d events, %d activities and %d steps", result, len(h.Events), got.all, len(got.steps))
			}
			for _, c := range []struct{ what, got, want string }{
				{"closed by", got.closed, want.closed},
				{"status", string(got.status), string(want.status)},
				{"partial", fmt.Sprint(got.partial), fmt.Sprint(want.partial)},
				{"scheduled", counts(got.scheduled), want.scheduled},
				{"failed attempts", counts(got.failed), want.failed},
				{"timers", counts(got.timers), want.timers},
				{"refused calls", fmt.Sprint(len(got.refused)), fmt.Sprint(want.refused)},
			} {
				if c.got != c.want {
					t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
				}
			}
			for _, call := range got.refused {
				if n := got.attempts[call]; n > 0 {
					t.Errorf("call %s was refused, and the history has %d attempts of it", call, n)
				}
			}
		})
	}
}

// TestHistoriesAreAllReplayed fails on a file that no row of the table names.
func TestHistoriesAreAllReplayed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("histories/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names, rows []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	for _, r := range recorded {
		rows = append(rows, r.name)
	}
	slices.Sort(names)
	slices.Sort(rows)
	if !slices.Equal(names, rows) {
		t.Errorf("files %q, rows %q", names, rows)
	}
}

// events is what a history says, counted.
type events struct {
	all       int
	closed    string
	status    record.Status
	partial   bool
	scheduled map[string]int
	failed    map[string]int
	timers    map[string]int
	steps     map[int]bool   // planned
	attempts  map[string]int // scheduled, by call
	refused   []string       // calls
}

func tally(t *testing.T, h *historypb.History) events {
	t.Helper()
	got := events{closed: "open", scheduled: map[string]int{}, failed: map[string]int{}, timers: map[string]int{}, steps: map[int]bool{}, attempts: map[string]int{}}
	activity := map[int64]string{} // names by the event that scheduled them
	for _, e := range h.Events {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			a := e.GetActivityTaskScheduledEventAttributes()
			got.all++
			activity[e.EventId] = a.GetActivityType().GetName()
			got.scheduled[strings.TrimPrefix(a.GetActivityType().GetName(), "rlam.")]++
			switch a.GetActivityType().GetName() {
			case workflows.PlanName:
				var in workflows.PlanInput
				decode(t, a.GetInput(), &in)
				got.steps[in.Step] = true
			case workflows.ActName:
				var in workflows.ActInput
				decode(t, a.GetInput(), &in)
				got.attempts[in.Call]++
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			got.failed[e.GetActivityTaskFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType()]++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
			got.failed["timeout "+e.GetActivityTaskTimedOutEventAttributes().GetFailure().GetTimeoutFailureInfo().GetTimeoutType().String()]++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
			got.failed["cancelled"]++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			a := e.GetActivityTaskCompletedEventAttributes()
			switch activity[a.GetScheduledEventId()] {
			case workflows.PlanName:
				var turn workflows.PlanResult
				decode(t, a.GetResult(), &turn)
				for _, c := range turn.Calls {
					if c.Decision == schemas.Refused {
						got.refused = append(got.refused, c.ID)
					}
				}
			case workflows.JudgeName:
				var judged workflows.JudgeResult
				decode(t, a.GetResult(), &judged)
				if judged.Decision == schemas.Refused {
					var in workflows.JudgeInput
					decode(t, h.Events[a.GetScheduledEventId()-1].GetActivityTaskScheduledEventAttributes().GetInput(), &in)
					got.refused = append(got.refused, in.Call)
				}
			}
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			var summary string
			if err := host.DataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &summary); err != nil {
				t.Errorf("event %d: the timer's summary: %v", e.EventId, err)
			}
			if strings.Contains(summary, " again after ") {
				summary = "backoff"
			}
			got.timers[summary]++
		}
	}
	got.close(t, h.Events[len(h.Events)-1])
	return got
}

// close reads how the run ended from the event that ended it.
func (got *events) close(t *testing.T, last *historypb.HistoryEvent) {
	t.Helper()
	var result workflows.StudyResult
	switch last.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		decode(t, last.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &result)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		decode(t, last.GetWorkflowExecutionCanceledEventAttributes().GetDetails(), &result)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		decode(t, last.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetDetails(), &result)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
	default:
		return
	}
	got.closed, got.status, got.partial = last.GetEventType().String(), result.Status, result.Partial
}

func counts(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}

func historyFile(name string) string { return filepath.Join("histories", name+".json") }

func readHistory(t testing.TB, name string) *historypb.History {
	t.Helper()
	f, err := os.Open(historyFile(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

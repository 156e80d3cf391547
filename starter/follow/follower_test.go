package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/worker/host"
	"rlam/workflows"
)

// histories plays the server's part: the events of each Temporal run, and errors
// that it answers with first.
type histories struct {
	client.Client
	latest string
	events map[string][]*historypb.HistoryEvent
	errs   []error
}

func (h *histories) GetWorkflowHistory(_ context.Context, _, runID string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	it := &iterator{events: h.events[runID]}
	if len(h.errs) > 0 {
		it.err, it.events, h.errs = h.errs[0], it.events[:len(it.events)/2], h.errs[1:]
	}
	return it
}

func (h *histories) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{RunId: h.latest},
	}}, nil
}

type iterator struct {
	events []*historypb.HistoryEvent
	err    error
}

func (i *iterator) HasNext() bool { return len(i.events) > 0 || i.err != nil }

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if len(i.events) == 0 {
		err := i.err
		i.err = nil
		return nil, err
	}
	e := i.events[0]
	i.events = i.events[1:]
	return e, nil
}

// story writes a history, an event a second.
type story struct {
	t      *testing.T
	now    time.Time
	events []*historypb.HistoryEvent
}

func (s *story) add(e *historypb.HistoryEvent) int64 {
	s.now = s.now.Add(time.Second)
	e.EventId, e.EventTime = int64(len(s.events)+1), timestamppb.New(s.now)
	s.events = append(s.events, e)
	return e.EventId
}

func (s *story) payloads(v any) *commonpb.Payloads {
	s.t.Helper()
	p, err := host.DataConverter().ToPayloads(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *story) start(continued string) {
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			Input: s.payloads(workflows.StudyInput{Run: digest("run"), Head: digest("run")}), ContinuedExecutionRunId: continued,
			TaskQueue: &taskqueuepb.TaskQueue{Name: "queue"},
		},
	}})
}

// activity schedules and starts one.
func (s *story) activity(kind, id string, in any) int64 {
	scheduled := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityId: id, ActivityType: &commonpb.ActivityType{Name: kind}, Input: s.payloads(in)},
	}})
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
		ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: scheduled},
	}})
	return scheduled
}

func (s *story) returned(scheduled int64, out any) {
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled, Result: s.payloads(out)},
	}})
}

func (s *story) failed(scheduled int64, typ, message string) {
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
		ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: scheduled, Failure: &failurepb.Failure{
			Message:     message,
			FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: typ, Details: s.payloads(workflows.Failure{Execution: 1})}},
		}},
	}})
}

func digest(s string) canon.Digest { return canon.Sum([]byte(s)) }

// chained is a run of two Temporal runs: a call that is lost, fails and completes, then
// continue-as-new, then the result.
func chained(t *testing.T) *histories {
	s := &story{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.start("")
	plan := s.activity(workflows.PlanName, "1.plan#1", workflows.PlanInput{Step: 1})
	s.returned(plan, workflows.PlanResult{
		Head: digest("proposal"), Outcome: workflows.OutcomeCalls, Model: "m", Counters: record.Counters{Steps: 1, Calls: 1},
		Calls: []workflows.Call{{ID: "1.1", Name: "fit", Action: "fit@1", Decision: schemas.Admitted, Params: record.Ref{Digest: digest("p"), Preview: `{"a":1}`}}},
	})
	act := func(n int) int64 {
		return s.activity(workflows.ActName, fmt.Sprintf("1.1#%d", n), workflows.ActInput{Proposal: digest("proposal"), Call: "1.1", Attempt: n})
	}
	s.failed(act(1), workflows.TypeWorkerShutdown, "the worker stopped")
	s.failed(act(2), "rlam.NotConverged", "no way down")
	s.returned(act(3), workflows.ActResult{Execution: 3, Output: record.Ref{Digest: digest("o"), Preview: `{"b":2}`}})
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, Attributes: &historypb.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes{
		WorkflowExecutionContinuedAsNewEventAttributes: &historypb.WorkflowExecutionContinuedAsNewEventAttributes{NewExecutionRunId: "second"},
	}})
	first := s.events
	s.events = nil
	s.start("first")
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: s.payloads(workflows.StudyResult{
			Status: record.Completed, Head: digest("seal"), Result: record.Ref{Digest: digest("r"), Preview: `{"c":3}`}, Counters: record.Counters{Steps: 2},
		})},
	}})
	return &histories{latest: "second", events: map[string][]*historypb.HistoryEvent{"first": first, "second": s.events}}
}

func kinds(events []Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.MessageType())
	}
	return out
}

func TestFollowAcrossContinueAsNew(t *testing.T) {
	var events []Event
	f := Follower{Client: chained(t), ID: "id"}
	end, err := f.Follow(t.Context(), "", func(e Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"run", "notice", "proposal", "attempt_scheduled", "attempt", "attempt_scheduled", "attempt", "attempt_scheduled", "attempt", "continued",
	}
	if got := kinds(events); !slices.Equal(got, want) {
		t.Errorf("events\n%q, want\n%q", got, want)
	}
	var status []record.AttemptStatus
	for _, e := range events {
		if a, ok := e.(Attempt); ok {
			status = append(status, a.Status)
			if a.Name != "fit" || a.Action != "fit@1" {
				t.Errorf("attempt of %q %q", a.Name, a.Action)
			}
		}
	}
	if want := []record.AttemptStatus{record.AttemptLost, record.AttemptFailed, record.AttemptCompleted}; !slices.Equal(status, want) {
		t.Errorf("attempts ended %q, want %q", status, want)
	}
	if !end.Completed() || end.Head != digest("seal") || end.Failed != 1 || end.RunID != "second" || end.Result.Preview != `{"c":3}` {
		t.Errorf("end: %+v", end)
	}
	// Of 15 s, a second between events: the planner had one, the three attempts one each.
	if c := end.Cost; c.Model != 1 || c.Actions != 3 || c.Wall != c.Model+c.Actions+c.Waiting+c.Engine {
		t.Errorf("cost %+v", c)
	}
}

func TestReadOpenRun(t *testing.T) {
	h := chained(t)
	h.latest = "first"
	h.events["first"] = h.events["first"][:8] // up to the first attempt's failure and no further
	account, err := Follower{Client: h, ID: "id"}.Read(t.Context(), func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if !account.Open() || account.End.Head != digest("proposal") || account.End.Counters.Losses != 1 || account.End.Counters.Attempts != 0 {
		t.Errorf("standing %+v", account.End)
	}
	if len(account.Turns) != 1 || !slices.Equal(account.Runs, []string{"first"}) {
		t.Errorf("account %+v", account)
	}
}

func TestFollowSurvivesServer(t *testing.T) {
	h := chained(t)
	h.errs = []error{serviceerror.NewUnavailable("restarting")}
	var events []Event
	if _, err := (Follower{Client: h, ID: "id"}).Follow(t.Context(), "first", func(e Event) { events = append(events, e) }); err != nil {
		t.Fatal(err)
	}
	got := kinds(events)
	if n := len(slices.DeleteFunc(slices.Clone(got), func(k string) bool { return k != "attempt" })); n != 3 {
		t.Errorf("%d attempts told, want each once: %q", n, got)
	}
	h.errs = []error{errors.New("no permission")}
	if _, err := (Follower{Client: h, ID: "id"}).Follow(t.Context(), "first", func(Event) {}); err == nil {
		t.Error("an error that won't pass was waited out")
	}
}

package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rlam/internal/replay"
)

// TestEveryPrefixReplays cuts each recorded history off wherever a worker may have been
// when the run was looked at: nothing of what is there diverges, as nothing was changed.
func TestEveryPrefixReplays(t *testing.T) {
	t.Parallel()
	for _, file := range histories(t) {
		h := read(t, file)
		for n := 3; n <= len(h.Events); n++ {
			// A history ends at a task's end, or while nothing is to be decided.
			if typ := h.Events[n-1].GetEventType(); typ != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED && n < len(h.Events) {
				continue
			}
			result, err := study.History(t.Context(), &historypb.History{Events: h.Events[:n]})
			if err != nil {
				t.Errorf("%s, %d of %d events: %v", file, n, len(h.Events), err)
			}
			if result.Events != int64(n) {
				t.Errorf("%s: %d events, want %d", file, result.Events, n)
			}
		}
	}
}

// TestAnOpenHistoryIsCompared finds a change in a history that has no end yet, or one
// that the workflow's code had no part in.
func TestAnOpenHistoryIsCompared(t *testing.T) {
	t.Parallel()
	for name, closed := range map[string]enumspb.EventType{"open": 0, "terminated": enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED} {
		h := read(t, name)
		result, err := study.History(t.Context(), h)
		if err != nil || result.Closed != closed || result.Activities != 4 || result.Steps != 1 {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		e := scheduled(t, h, "1.2#1")
		put(t, e.GetActivityTaskScheduledEventAttributes().GetInput().GetPayloads()[0], "/call", `"1.1"`)
		var d *replay.Divergence
		if _, err = study.History(t.Context(), h); !errors.As(err, &d) || d.Event != e.EventId || d.Field != "/call" {
			t.Errorf("%s, tampered: %v", name, err)
		}
	}
}

// TestTheFirstEventIsNamed changes two things: a later one that only the SDK sees, and an
// earlier one that only the comparison sees; and the other way round.
func TestTheFirstEventIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ compared, sdk string }{{"1.1#1", "2.plan#1"}, {"2.plan#1", "1.1#1"}} {
		h := read(t, "success")
		a, b := scheduled(t, h, c.compared), scheduled(t, h, c.sdk)
		put(t, a.GetActivityTaskScheduledEventAttributes().GetInput().GetPayloads()[0], "/run", digest)
		b.GetActivityTaskScheduledEventAttributes().ActivityId += "0"
		var d *replay.Divergence
		if _, err := study.History(t.Context(), h); !errors.As(err, &d) || d.Event != min(a.EventId, b.EventId) || d.Cause == nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestManyHistories replays at once: a Replayer holds nothing of one history.
func TestManyHistories(t *testing.T) {
	t.Parallel()
	files := histories(t)
	for i := range 4 {
		for _, file := range files {
			t.Run(fmt.Sprint(i, " ", file), func(t *testing.T) {
				t.Parallel()
				if _, err := study.History(t.Context(), read(t, file)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// dropper begins a timer that ends in the task it began in: the SDK sends it all the same,
// with its cancellation.
func dropper(ctx workflow.Context, after time.Duration) error {
	dropped, drop := workflow.WithCancel(ctx)
	workflow.NewTimer(dropped, 7*time.Hour)
	drop()
	if err := workflow.NewTimer(ctx, time.Minute).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.NewTimer(ctx, after).Get(ctx, nil)
}

// parent has a child carry its work out.
func parent(ctx workflow.Context, unit string) (string, error) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "child-" + unit})
	var got string
	err := workflow.ExecuteChildWorkflow(ctx, "child", unit, 2).Get(ctx, &got)
	return got + "!", err
}

// passing fails with an error that is not its own.
func passing(workflow.Context) error {
	return fmt.Errorf("reading the chain: %w", temporal.NewApplicationError("the disk is full", "rlam.Storage"))
}

var small = replay.Replayer{Register: func(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(dropper, workflow.RegisterOptions{Name: "dropper"})
	r.RegisterWorkflowWithOptions(parent, workflow.RegisterOptions{Name: "parent"})
	r.RegisterWorkflowWithOptions(passing, workflow.RegisterOptions{Name: "passing"})
}}

// script writes a history by hand, for what studies don't do.
type script struct {
	t *testing.T
	h *historypb.History
}

func begin(t *testing.T, name string, input any) *script {
	s := &script{t: t, h: &historypb.History{}}
	s.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED).Attributes = &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
		WorkflowType: &commonpb.WorkflowType{Name: name}, TaskQueue: &taskqueuepb.TaskQueue{Name: "queue"}, Input: payload(t, input), OriginalExecutionRunId: "run", Attempt: 1,
	}}
	return s
}

func (s *script) add(typ enumspb.EventType) *historypb.HistoryEvent {
	n := int64(len(s.h.Events)) + 1
	e := &historypb.HistoryEvent{EventId: n, EventType: typ, EventTime: timestamppb.New(time.Date(2026, 1, 1, 0, 0, int(n), 0, time.UTC))}
	s.h.Events = append(s.h.Events, e)
	return e
}

// task is a workflow task; it returns the event that completed it.
func (s *script) task() int64 {
	scheduled := s.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
	scheduled.Attributes = &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{Attempt: 1}}
	s.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED).Attributes = &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: scheduled.EventId}}
	e := s.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	e.Attributes = &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{ScheduledEventId: scheduled.EventId, StartedEventId: scheduled.EventId + 1}}
	return e.EventId
}

// timer starts one. The SDK names it after the event that it expects.
func (s *script) timer(task int64, id string, d time.Duration) *historypb.HistoryEvent {
	e := s.add(enumspb.EVENT_TYPE_TIMER_STARTED)
	e.Attributes = &historypb.HistoryEvent_TimerStartedEventAttributes{TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{
		TimerId: id, StartToFireTimeout: durationpb.New(d), WorkflowTaskCompletedEventId: task,
	}}
	return e
}

func (s *script) fired(timer *historypb.HistoryEvent) {
	s.add(enumspb.EVENT_TYPE_TIMER_FIRED).Attributes = &historypb.HistoryEvent_TimerFiredEventAttributes{TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{
		TimerId: timer.GetTimerStartedEventAttributes().GetTimerId(), StartedEventId: timer.EventId,
	}}
}

func (s *script) cancelled(timer *historypb.HistoryEvent) {
	a := timer.GetTimerStartedEventAttributes()
	s.add(enumspb.EVENT_TYPE_TIMER_CANCELED).Attributes = &historypb.HistoryEvent_TimerCanceledEventAttributes{TimerCanceledEventAttributes: &historypb.TimerCanceledEventAttributes{
		TimerId: a.GetTimerId(), StartedEventId: timer.EventId, WorkflowTaskCompletedEventId: a.GetWorkflowTaskCompletedEventId(),
	}}
}

func (s *script) complete(task int64, result any) {
	e := &historypb.WorkflowExecutionCompletedEventAttributes{WorkflowTaskCompletedEventId: task}
	if result != nil {
		e.Result = payload(s.t, result)
	}
	s.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED).Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{WorkflowExecutionCompletedEventAttributes: e}
}

func TestATimerThatIsCancelledAtOnce(t *testing.T) {
	t.Parallel()
	history := func(dropped, first, second time.Duration) *historypb.History {
		s := begin(t, "dropper", time.Hour)
		task := s.task()
		s.cancelled(s.timer(task, "5", dropped))
		s.fired(s.timer(task, "7", first))
		s.fired(s.timer(s.task(), "12", second))
		s.complete(s.task(), nil)
		return s.h
	}
	if _, err := small.History(t.Context(), history(7*time.Hour, time.Minute, time.Hour)); err != nil {
		t.Error(err, errors.Unwrap(err))
	}
	for _, c := range []struct {
		h    *historypb.History
		want replay.Divergence
	}{
		{history(8*time.Hour, time.Minute, time.Hour), replay.Divergence{Event: 5, What: "timer 1", Field: "duration", Recorded: "8h0m0s", Replayed: "7h0m0s"}},
		{history(7*time.Hour, time.Second, time.Hour), replay.Divergence{Event: 7, What: "timer 2", Field: "duration", Recorded: "1s", Replayed: "1m0s"}},
		{history(7*time.Hour, time.Minute, time.Second), replay.Divergence{Event: 12, What: "timer 3", Field: "duration", Recorded: "1s", Replayed: "1h0m0s"}},
	} {
		var got *replay.Divergence
		if _, err := small.History(t.Context(), c.h); !errors.As(err, &got) || *got != c.want {
			t.Errorf("got %v (%v), want %v", err, errors.Unwrap(err), &c.want)
		}
	}
}

func TestChildrenAreCompared(t *testing.T) {
	t.Parallel()
	history := func(unit string, n int, name string) *historypb.History {
		s := begin(t, "parent", "unit")
		in, err := converter.GetDefaultDataConverter().ToPayloads(unit, n)
		if err != nil {
			t.Fatal(err)
		}
		execution := &commonpb.WorkflowExecution{WorkflowId: "child-unit", RunId: "run-2"}
		typ := &commonpb.WorkflowType{Name: name}
		e := s.task()
		initiated := s.add(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED)
		initiated.Attributes = &historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes{StartChildWorkflowExecutionInitiatedEventAttributes: &historypb.StartChildWorkflowExecutionInitiatedEventAttributes{
			WorkflowId: "child-unit", WorkflowType: typ, Input: in, WorkflowTaskCompletedEventId: e,
		}}
		started := s.add(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)
		started.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionStartedEventAttributes{ChildWorkflowExecutionStartedEventAttributes: &historypb.ChildWorkflowExecutionStartedEventAttributes{
			InitiatedEventId: initiated.EventId, WorkflowExecution: execution, WorkflowType: typ,
		}}
		s.task()
		s.add(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED).Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionCompletedEventAttributes{ChildWorkflowExecutionCompletedEventAttributes: &historypb.ChildWorkflowExecutionCompletedEventAttributes{
			InitiatedEventId: initiated.EventId, StartedEventId: started.EventId, WorkflowExecution: execution, WorkflowType: typ, Result: payload(t, "done"),
		}}
		s.complete(s.task(), "done!")
		return s.h
	}
	if _, err := small.History(t.Context(), history("unit", 2, "child")); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		h    *historypb.History
		want replay.Divergence
	}{
		{history("other", 2, "child"), replay.Divergence{Event: 5, What: "child child-unit", Recorded: `"other"`, Replayed: `"unit"`}},
		{history("unit", 3, "child"), replay.Divergence{Event: 5, What: "child child-unit", Recorded: "3", Replayed: "2"}},
		{history("unit", 2, "kid"), replay.Divergence{Event: 5, What: "child child-unit", Field: "type", Recorded: "kid", Replayed: "child"}},
	} {
		var got *replay.Divergence
		if _, err := small.History(t.Context(), c.h); !errors.As(err, &got) {
			t.Errorf("got %v (%v), want %v", err, errors.Unwrap(err), &c.want)
		} else if got.Cause = nil; *got != c.want {
			t.Errorf("got %v, want %v", got, &c.want)
		}
	}
}

// TestAnErrorThatIsPassedOn has a cause with a type of its own, which is not the run's.
func TestAnErrorThatIsPassedOn(t *testing.T) {
	t.Parallel()
	s := begin(t, "passing", nil)
	failure := temporal.GetDefaultFailureConverter().ErrorToFailure(passing(nil))
	task := s.task()
	s.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED).Attributes = &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{
		WorkflowTaskCompletedEventId: task, Failure: failure,
	}}
	if _, err := small.History(t.Context(), s.h); err != nil {
		t.Error(err)
	}
}

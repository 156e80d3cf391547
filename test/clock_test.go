package test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rlam/workflows"
)

// TestTheClockEndsInTheTaskOfAnOutcome has the wall-time limit end in the very task in which
// a run hears of an activity, or of a timer. What it asks for then must stay as it is:
// histories may hold it, which nobody can record on purpose.
func TestTheClockEndsInTheTaskOfAnOutcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ history, heard, want string }{
		{"success", "1.plan#1", "1.1#1 cancelled"},
		{"success", "1.1#1", "seal#1 limit_reached [1.1 completed]"},
		{"success", "2.plan#1", "seal#1 completed"},
		{"success", "seal#1", ""},
		{"refusal", "1.plan#1", "1.3#1 cancelled"},
		{"refusal", "2.plan#1", "3.plan#1 [2.1 refused]"},
		{"retry", "1.1#1", "timer cancelled, seal#1 limit_reached [1.1 cancelled]"},
		{"retry", "timer 2", "1.1#2 cancelled"},
		{"model-busy", "1.plan#1", "timer, 1.plan#2 cancelled"},
		{"model-busy", "timer 2", "1.plan#2"},
		{"fallback", "1.plan#2", "1.plan#3"},
		{"parallel", "1.plan#1", "1.1#1 cancelled, 1.2#1 cancelled"},
		{"parallel", "1.1#1", "seal#1 limit_reached [1.1 completed] [1.2 completed]"},
		{"deferred", "1.plan#1", "1.1#1 cancelled, 1.2#1 cancelled"},
		{"deferred", "1.1#1", "1.3.judge#1 cancelled"},
		{"deferred", "1.3.judge#1", "1.3#1 cancelled"},
		{"last-partial", "1.1#1", "2.plan#1 [1.1 completed], timer"},
	} {
		t.Run(c.history+" "+c.heard, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(asked(t, withClock(t, readHistory(t, c.history), c.heard)), ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// withClock cuts h off behind the task that heard of an activity or the n-th timer, and
// has the clock end just before it.
func withClock(t *testing.T, h *historypb.History, heard string) *historypb.History {
	t.Helper()
	names := map[int64]string{} // by the event that began it
	var clock *historypb.HistoryEvent
	timers, found := 0, false
	for i, e := range h.Events {
		var of int64
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			names[e.EventId] = e.GetActivityTaskScheduledEventAttributes().GetActivityId()
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			if timers++; timers == 1 {
				clock = e
			}
			names[e.EventId] = fmt.Sprint("timer ", timers)
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			of = e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			of = e.GetActivityTaskFailedEventAttributes().GetScheduledEventId()
		case enumspb.EVENT_TYPE_TIMER_FIRED:
			of = e.GetTimerFiredEventAttributes().GetStartedEventId()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			if !found {
				continue
			}
			fired := &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_TIMER_FIRED, EventTime: e.EventTime}
			fired.Attributes = &historypb.HistoryEvent_TimerFiredEventAttributes{TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{
				TimerId: clock.GetTimerStartedEventAttributes().GetTimerId(), StartedEventId: clock.EventId,
			}}
			events := append(slices.Clone(h.Events[:i]), fired, e, h.Events[i+1])
			for j := i; j < len(events); j++ {
				events[j].EventId = int64(j) + 1
			}
			return &historypb.History{Events: events}
		}
		found = found || of != 0 && names[of] == heard
	}
	t.Fatalf("the history has no task that heard of %s", heard)
	return nil
}

// asked is what the code asks for in the last task of h.
func asked(t *testing.T, h *historypb.History) []string {
	t.Helper()
	a := &asking{from: len(h.Events) - 1}
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{a}})
	if err != nil {
		t.Fatal(err)
	}
	replayer.RegisterWorkflowWithOptions(workflows.Study, workflow.RegisterOptions{Name: workflows.StudyName})
	// That the history has nothing of what is asked for last is an error, and is so meant.
	_ = replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h)
	return a.list
}

// asking writes down what workflow code asks for, from an event on.
type asking struct {
	interceptor.WorkerInterceptorBase
	from int
	list []string
}

func (a *asking) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &askingInbound{asking: a}
	in.Next = next
	return in
}

func (a *asking) note(ctx workflow.Context, what string, outcomes []workflows.CallOutcome) {
	if workflow.GetInfo(ctx).GetCurrentHistoryLength() < a.from {
		return
	}
	for _, o := range outcomes {
		what += fmt.Sprintf(" [%s %s]", o.ID, o.Status)
	}
	if ctx.Err() != nil {
		what += " cancelled"
	}
	a.list = append(a.list, what)
}

type askingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	asking *asking
}

func (i *askingInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &askingOutbound{asking: i.asking}
	out.Next = next
	return i.Next.Init(out)
}

type askingOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	asking *asking
}

func (o *askingOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	what := workflow.GetActivityOptions(ctx).ActivityID
	var outcomes []workflows.CallOutcome
	switch in := args[0].(type) {
	case workflows.PlanInput:
		outcomes = in.Outcomes
	case workflows.AppendInput:
		outcomes = in.Outcomes
	case workflows.SealInput:
		what, outcomes = what+" "+string(in.Status), in.Outcomes
	}
	o.asking.note(ctx, what, outcomes)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func (o *askingOutbound) NewTimerWithOptions(ctx workflow.Context, d time.Duration, opts workflow.TimerOptions) workflow.Future {
	o.asking.note(ctx, "timer", nil)
	return o.Next.NewTimerWithOptions(ctx, d, opts)
}

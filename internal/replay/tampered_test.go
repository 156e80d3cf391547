package replay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"rlam/internal/replay"
)

const digest = `"sha256:1111111111111111111111111111111111111111111111111111111111111111"`

// TestTampered changes one thing in a recorded history, and wants it found where it is.
func TestTampered(t *testing.T) {
	t.Parallel()
	const (
		timerStarted = enumspb.EVENT_TYPE_TIMER_STARTED
		completed    = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
	)
	input := func(e *historypb.HistoryEvent) *commonpb.Payload {
		return e.GetActivityTaskScheduledEventAttributes().GetInput().GetPayloads()[0]
	}
	for _, c := range []struct {
		name, history string
		// tamper returns what must be found. The zero Divergence: nothing.
		tamper func(*testing.T, *historypb.History) replay.Divergence
	}{
		{"an attempt's parameters", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			was := put(t, input(e), "/params/digest", digest)
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#1", Field: "/params/digest", Recorded: digest, Replayed: was}
		}},
		{"an attempt's number", "retry", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#3")
			put(t, input(e), "/attempt", "2")
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#3", Field: "/attempt", Recorded: "2", Replayed: "3"}
		}},
		{"a member that was not there", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "seal#1")
			put(t, input(e), "/message", `"well done"`)
			return replay.Divergence{Event: e.EventId, What: "activity seal#1", Field: "/message", Recorded: `"well done"`, Replayed: "nothing"}
		}},
		{"an element of what the planner is told", "deferred", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "2.plan#1")
			put(t, input(e), "/outcomes", "[]")
			return replay.Divergence{Event: e.EventId, What: "activity 2.plan#1", Field: "/outcomes", Recorded: "[]", Replayed: "…"}
		}},
		{"a preview in an input", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			put(t, input(scheduled(t, h, "1.1#1")), "/params/preview", `"something else"`)
			return replay.Divergence{}
		}},
		{"a second argument", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			in := e.GetActivityTaskScheduledEventAttributes().GetInput()
			in.Payloads = append(in.Payloads, in.Payloads[0])
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#1", Field: "input", Recorded: "2 arguments", Replayed: "1 arguments"}
		}},
		{"an input that is no JSON", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			*input(e) = commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte("{")}
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#1", Field: "data", Recorded: "1 bytes", Replayed: "…"}
		}},
		{"a planner's answer, which the code goes by", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			// Of the completed activities: open, 1.plan, 1.1, 2.plan. The head goes on into the seal.
			p := find(t, h, completed, 4).GetActivityTaskCompletedEventAttributes().GetResult().GetPayloads()[0]
			was := put(t, p, "/head", digest)
			return replay.Divergence{Event: scheduled(t, h, "seal#1").EventId, What: "activity seal#1", Field: "/head", Recorded: was, Replayed: digest}
		}},
		{"an activity's timeout", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.plan#1")
			e.GetActivityTaskScheduledEventAttributes().StartToCloseTimeout = durationpb.New(time.Hour)
			return replay.Divergence{Event: e.EventId, What: "activity 1.plan#1", Field: "start-to-close timeout", Recorded: "1h0m0s", Replayed: "15m0s"}
		}},
		{"an activity's heartbeat", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.plan#1")
			e.GetActivityTaskScheduledEventAttributes().HeartbeatTimeout = durationpb.New(time.Minute)
			return replay.Divergence{Event: e.EventId, What: "activity 1.plan#1", Field: "heartbeat timeout", Recorded: "1m0s", Replayed: "5s"}
		}},
		{"how often Temporal may try", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			e.GetActivityTaskScheduledEventAttributes().RetryPolicy.MaximumAttempts = 3
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#1", Field: "maximum attempts", Recorded: "3", Replayed: "1"}
		}},
		{"an activity's type", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			e.GetActivityTaskScheduledEventAttributes().ActivityType.Name = "rlam.Open"
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#1", Field: "type", Recorded: "rlam.Open", Replayed: "rlam.Act"}
		}},
		{"an activity's ID", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			e.GetActivityTaskScheduledEventAttributes().ActivityId = "1.1#2"
			return replay.Divergence{Event: e.EventId, What: "activity 1.1#2", Recorded: "activity 1.1#2", Replayed: "activity 1.1#1"}
		}},
		{"the wall-time limit", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := find(t, h, timerStarted, 1)
			was := e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration()
			e.GetTimerStartedEventAttributes().StartToFireTimeout = durationpb.New(time.Hour)
			return replay.Divergence{Event: e.EventId, What: "timer 1", Field: "duration", Recorded: "1h0m0s", Replayed: was.String()}
		}},
		{"a backoff", "retry", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := find(t, h, timerStarted, 3)
			e.GetTimerStartedEventAttributes().StartToFireTimeout = durationpb.New(time.Millisecond)
			return replay.Divergence{Event: e.EventId, What: "timer 3", Field: "duration", Recorded: "1ms", Replayed: "200ms"}
		}},
		{"the result", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			was := put(t, last(h).GetWorkflowExecutionCompletedEventAttributes().GetResult().GetPayloads()[0], "/result/digest", digest)
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "/result/digest", Recorded: digest, Replayed: was}
		}},
		{"a count in the result", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			put(t, last(h).GetWorkflowExecutionCompletedEventAttributes().GetResult().GetPayloads()[0], "/counters/attempts", "7")
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "/counters/attempts", Recorded: "7", Replayed: "1"}
		}},
		{"the result's preview", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			put(t, last(h).GetWorkflowExecutionCompletedEventAttributes().GetResult().GetPayloads()[0], "/result/preview", `"{\"y\":5}"`)
			return replay.Divergence{}
		}},
		{"the result of a cancelled run", "cancelled", func(t *testing.T, h *historypb.History) replay.Divergence {
			put(t, last(h).GetWorkflowExecutionCanceledEventAttributes().GetDetails().GetPayloads()[0], "/status", `"completed"`)
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "/status", Recorded: `"completed"`, Replayed: `"cancelled"`}
		}},
		{"the result of a failed run", "failed", func(t *testing.T, h *historypb.History) replay.Divergence {
			info := last(h).GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo()
			put(t, info.GetDetails().GetPayloads()[0], "/status", `"completed"`)
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "/status", Recorded: `"completed"`, Replayed: `"failed"`}
		}},
		{"the type of a failed run's failure", "failed", func(t *testing.T, h *historypb.History) replay.Divergence {
			last(h).GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo().Type = "rlam.Unlucky"
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "type", Recorded: `"rlam.Unlucky"`, Replayed: `"rlam.Failed"`}
		}},
		{"why a run failed", "failed", func(t *testing.T, h *historypb.History) replay.Divergence {
			last(h).GetWorkflowExecutionFailedEventAttributes().GetFailure().Message = "bad luck"
			return replay.Divergence{Event: last(h).EventId, What: "result", Field: "message", Recorded: `"bad luck"`, Replayed: "…"}
		}},
		{"what a run continues with", "continued-1", func(t *testing.T, h *historypb.History) replay.Divergence {
			was := put(t, last(h).GetWorkflowExecutionContinuedAsNewEventAttributes().GetInput().GetPayloads()[0], "/head", digest)
			return replay.Divergence{Event: last(h).EventId, What: "continue-as-new", Field: "/head", Recorded: digest, Replayed: was}
		}},
		{"what a run continues as", "continued-1", func(t *testing.T, h *historypb.History) replay.Divergence {
			last(h).GetWorkflowExecutionContinuedAsNewEventAttributes().WorkflowType.Name = "rlam.Other"
			return replay.Divergence{Event: last(h).EventId, What: "continue-as-new", Field: "type", Recorded: "rlam.Other", Replayed: "rlam.Study"}
		}},
		{"a run that failed said to be cancelled", "failed", func(t *testing.T, h *historypb.History) replay.Divergence {
			closeAs(h, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED)
			return replay.Divergence{Event: last(h).EventId, What: "close status", Recorded: "WorkflowExecutionCanceled", Replayed: "WorkflowExecutionFailed"}
		}},
		{"a run that completed said to have failed", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			closeAs(h, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED)
			return replay.Divergence{Event: last(h).EventId, What: "close status", Recorded: "WorkflowExecutionFailed", Replayed: "WorkflowExecutionCompleted"}
		}},
		{"a run that was cancelled said to be complete", "cancelled", func(t *testing.T, h *historypb.History) replay.Divergence {
			closeAs(h, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
			return replay.Divergence{Event: last(h).EventId, What: "close status", Recorded: "WorkflowExecutionCompleted", Replayed: "WorkflowExecutionCanceled"}
		}},
		{"a run said to be over before its end", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			at := scheduled(t, h, "1.1#1").EventId
			splice(h, at, last(h).EventId)
			return replay.Divergence{Event: at, What: "activity 1.1#1", Recorded: "the end of the workflow", Replayed: "activity 1.1#1"}
		}},
		{"an attempt taken out", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			// Scheduled, started, completed, and the workflow task that heard of it.
			at := scheduled(t, h, "1.1#1").EventId
			splice(h, at, at+6)
			return replay.Divergence{Event: at, What: "activity 2.plan#1", Recorded: "activity 2.plan#1", Replayed: "activity 1.1#1"}
		}},
		{"a timer taken out", "retry", func(t *testing.T, h *historypb.History) replay.Divergence {
			at := find(t, h, timerStarted, 2).EventId
			splice(h, at, at+5) // started, fired, and the workflow task that heard of it
			return replay.Divergence{Event: at, What: "activity 1.1#2", Recorded: "activity 1.1#2", Replayed: "timer 2"}
		}},
		{"an activity doubled", "success", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := scheduled(t, h, "1.1#1")
			twin := proto.CloneOf(e)
			twin.GetActivityTaskScheduledEventAttributes().ActivityId = "1.2#1"
			splice(h, e.EventId+1, e.EventId+1, twin)
			return replay.Divergence{Event: e.EventId + 1, What: "activity 1.2#1", Recorded: "activity 1.2#1", Replayed: "nothing"}
		}},
		{"a timer doubled", "retry", func(t *testing.T, h *historypb.History) replay.Divergence {
			e := find(t, h, timerStarted, 2)
			splice(h, e.EventId+1, e.EventId+1, proto.CloneOf(e))
			return replay.Divergence{Event: e.EventId + 1, What: "timer 3", Recorded: "timer 3", Replayed: "nothing"}
		}},
		{"two calls in another order", "parallel", func(t *testing.T, h *historypb.History) replay.Divergence {
			a, b := scheduled(t, h, "1.1#1"), scheduled(t, h, "1.2#1")
			a.Attributes, b.Attributes = b.Attributes, a.Attributes
			return replay.Divergence{Event: a.EventId, What: "activity 1.2#1", Recorded: "activity 1.2#1", Replayed: "activity 1.1#1"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := read(t, c.history)
			want := c.tamper(t, h)
			_, err := study.History(t.Context(), h)
			if want.What == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var got *replay.Divergence
			if !errors.As(err, &got) {
				t.Fatalf("error %v, want a Divergence", err)
			}
			if want.Replayed == "…" {
				want.Replayed = got.Replayed
			}
			found := *got
			found.Cause = nil
			if found != want {
				t.Errorf("got  %+v\nwant %+v\nthe SDK's finding: %v", found, want, got.Cause)
			}
			if got.Recorded == "" || got.Replayed == "" || got.Recorded == got.Replayed {
				t.Errorf("recorded %q, replayed %q: that says nothing", got.Recorded, got.Replayed)
			}
			for _, part := range []string{fmt.Sprintf("event %d ", got.Event), got.What, got.Field, got.Recorded, got.Replayed} {
				if !strings.Contains(got.Error(), part) {
					t.Errorf("%q does not say %q", got, part)
				}
			}
		})
	}
}

// closeAs replaces how a history ends, by the least that such an end holds.
func closeAs(h *historypb.History, typ enumspb.EventType) {
	e := last(h)
	e.EventType = typ
	task := e.EventId - 1
	switch typ {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		e.Attributes = &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{WorkflowTaskCompletedEventId: task}}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		e.Attributes = &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{
			WorkflowTaskCompletedEventId: task, Failure: &failurepb.Failure{Message: "no"},
		}}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		e.Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{WorkflowTaskCompletedEventId: task}}
	}
}

func TestAGapIsDamage(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*historypb.History){
		"event 8 follows event 6": func(h *historypb.History) { h.Events = append(h.Events[:6], h.Events[7:]...) },
		"event 7 follows event 7": func(h *historypb.History) {
			h.Events = append(h.Events[:7], append([]*historypb.HistoryEvent{h.Events[6]}, h.Events[7:]...)...)
		},
		"event 2 follows event 0": func(h *historypb.History) { h.Events = h.Events[1:] },
	} {
		h := read(t, "success")
		cut(h)
		_, err := study.History(t.Context(), h)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that says %q", err, name)
		}
		var d *replay.Divergence
		if errors.As(err, &d) {
			t.Errorf("a damaged history is no divergence of the code: %v", err)
		}
	}
}

func TestEmptyAndUnknownHistories(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*historypb.History{
		"empty": {},
		"of a workflow that nobody registered": func() *historypb.History {
			h := read(t, "success")
			h.Events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowType.Name = "rlam.Other"
			return h
		}(),
	} {
		var d *replay.Divergence
		if _, err := study.History(t.Context(), h); err == nil || errors.As(err, &d) {
			t.Errorf("a history that is %s: error %v, want one that is no divergence", name, err)
		}
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := study.History(ctx, read(t, "success")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

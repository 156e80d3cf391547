package history_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rlam/provenance"
	"rlam/provenance/history"
)

// readAll collects what a source gives.
func readAll(t testing.TB, events history.Events) *historypb.History {
	t.Helper()
	h := &historypb.History{}
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	return h
}

func build(t testing.TB, events history.Events) *provenance.Trace {
	t.Helper()
	r, err := history.Read(events, history.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trace, err := provenance.Build(t.Context(), provenance.Evidence{Runs: []*history.Run{r}})
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// TestRecordedHistories builds the graph of each history that the repository keeps, from
// both spellings of its events' names and from protobuf, without a store.
func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../test/histories/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h := readAll(t, history.FromJSON(bytes.NewReader(text)))
			wire, err := proto.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			want := build(t, history.FromJSON(bytes.NewReader(text)))
			for _, f := range want.Findings {
				t.Error(f)
			}
			other := text
			for short, n := range enumspb.EventType_shorthandValue {
				other = bytes.ReplaceAll(other, fmt.Appendf(nil, "%q", enumspb.EventType_name[n]), fmt.Appendf(nil, "%q", short))
			}
			if bytes.Contains(other, []byte("EVENT_TYPE_")) {
				t.Fatal("a type of events is spelled as before")
			}
			for name, events := range map[string]history.Events{"spelled otherwise": history.FromJSON(bytes.NewReader(other)), "protobuf": history.FromProtobuf(wire)} {
				got := build(t, events)
				if len(got.Graph.Nodes) != len(want.Graph.Nodes) || len(got.Graph.Edges) != len(want.Graph.Edges) || len(got.Findings) > 0 {
					t.Errorf("%s: %d nodes, %d edges, %d findings; want %d and %d", name, len(got.Graph.Nodes), len(got.Graph.Edges), len(got.Findings), len(want.Graph.Nodes), len(want.Graph.Edges))
				}
			}
		})
	}
}

// pen writes a history, an event each millisecond.
type pen struct {
	h  historypb.History
	at time.Time
}

func (p *pen) add(typ enumspb.EventType, attributes any) int64 {
	p.at = p.at.Add(time.Millisecond)
	e := &historypb.HistoryEvent{EventId: int64(len(p.h.Events) + 1), EventType: typ, EventTime: timestamppb.New(p.at)}
	switch a := attributes.(type) {
	case *historypb.WorkflowExecutionStartedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: a}
	case *historypb.WorkflowTaskScheduledEventAttributes:
		e.Attributes = &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{WorkflowTaskScheduledEventAttributes: a}
	case *historypb.WorkflowTaskStartedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{WorkflowTaskStartedEventAttributes: a}
	case *historypb.WorkflowTaskCompletedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{WorkflowTaskCompletedEventAttributes: a}
	case *historypb.ActivityTaskScheduledEventAttributes:
		e.Attributes = &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: a}
	case *historypb.ActivityTaskStartedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{ActivityTaskStartedEventAttributes: a}
	case *historypb.ActivityTaskCompletedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: a}
	case *historypb.ActivityTaskFailedEventAttributes:
		e.Attributes = &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{ActivityTaskFailedEventAttributes: a}
	}
	p.h.Events = append(p.h.Events, e)
	return e.EventId
}

// task is a workflow task that was completed.
func (p *pen) task() int64 {
	p.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, &historypb.WorkflowTaskScheduledEventAttributes{})
	started := p.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, &historypb.WorkflowTaskStartedEventAttributes{})
	return p.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, &historypb.WorkflowTaskCompletedEventAttributes{StartedEventId: started, Identity: "worker@lab"})
}

// foreign is the history of a workflow that isn't R-LAM's: n activities after each other,
// of which each tenth fails; 6 events each.
func foreign(n int) *historypb.History {
	p := &pen{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	p.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.WorkflowExecutionStartedEventAttributes{
		WorkflowType: &commonpb.WorkflowType{Name: "Assay"}, WorkflowId: "assay", OriginalExecutionRunId: "0af3", Identity: "someone@lab",
	})
	for i := range n {
		decided := p.task()
		scheduled := p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.ActivityTaskScheduledEventAttributes{
			ActivityId: fmt.Sprint(i), ActivityType: &commonpb.ActivityType{Name: "Weigh"}, WorkflowTaskCompletedEventId: decided, Input: payload(i),
		})
		p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: scheduled, Identity: "worker@lab"})
		if i%10 == 9 {
			p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: scheduled, Failure: &failurepb.Failure{
				Message: "the balance is off", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "lab.Drift"}},
			}})
			continue
		}
		p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled, Result: payload(i)})
	}
	p.task()
	return &p.h
}

func payload(i int) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: fmt.Appendf(nil, `{"sample":%d}`, i)}}}
}

// TestAnyWorkflow: a history that R-LAM didn't write is a plain graph of its activities,
// in which each task of the workflow learns of those that ended before it.
func TestAnyWorkflow(t *testing.T) {
	t.Parallel()
	trace := build(t, history.FromHistory(foreign(10)))
	count := map[string]int{}
	for _, n := range trace.Graph.Nodes {
		count[string(n.Kind)]++
	}
	for _, e := range trace.Graph.Edges {
		count[string(e.Kind)]++
	}
	for what, want := range map[string]int{"attempt": 10, "step": 11, "value": 19, "used": 10, "generated": 9, "informed": 20, "agent": 2, "actedOnBehalfOf": 1} {
		if count[what] != want {
			t.Errorf("%d of %s, want %d", count[what], what, want)
		}
	}
	failed := trace.Graph.Node("attempt:59")
	if failed == nil || failed.Failure == nil || failed.Failure.Type != "lab.Drift" || failed.Failure.Message == "" {
		t.Errorf("the failed attempt is %+v", failed)
	}
	if trace.Status != "open" || len(trace.Findings) > 0 {
		t.Errorf("status %q, findings %v", trace.Status, trace.Findings)
	}
}

// TestOddHistories: what is wrong with a history is found by name, and the rest of it is read.
func TestOddHistories(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*historypb.History)
		want   string
	}{
		{"an event is missing", func(h *historypb.History) { h.Events = append(h.Events[:5:5], h.Events[6:]...) }, history.Gap},
		{"the schedule of what ended is missing", func(h *historypb.History) { h.Events = append(h.Events[:4:4], h.Events[5:]...) }, history.Unpaired},
		{"an event comes twice", func(h *historypb.History) { h.Events = append(h.Events[:6:6], h.Events[5:]...) }, history.Disorder},
		{"events are exchanged", func(h *historypb.History) { h.Events[5], h.Events[6] = h.Events[6], h.Events[5] }, history.Disorder},
		{"a newer server wrote it", func(h *historypb.History) { h.Events[8].EventType = 9999 }, history.Unknown},
		{"the beginning is missing", func(h *historypb.History) { h.Events = h.Events[3:] }, history.Beginning},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := foreign(5)
			c.change(h)
			found := false
			for _, f := range build(t, history.FromHistory(h)).Findings {
				found = found || f.Name == c.want && f.Event > 0
			}
			if !found {
				t.Errorf("no finding %q", c.want)
			}
		})
	}
}

// TestUnknownTypesInJSON: names of types that this build doesn't know are no error.
func TestUnknownTypesInJSON(t *testing.T) {
	t.Parallel()
	const text = `{"events": [
		{"eventId": "1", "eventType": "WorkflowExecutionStarted", "workflowExecutionStartedEventAttributes": {"workflowType": {"name": "Assay"}}},
		{"eventId": "2", "eventType": "EVENT_TYPE_OF_TOMORROW", "ofTomorrowEventAttributes": {"x": 1}}]}`
	trace := build(t, history.FromJSON(strings.NewReader(text)))
	if len(trace.Findings) != 1 || trace.Findings[0].Name != history.Unknown || trace.Findings[0].Event != 2 {
		t.Errorf("findings %v", trace.Findings)
	}
}

func TestWhatIsNoHistory(t *testing.T) {
	t.Parallel()
	for name, events := range map[string]history.Events{
		"empty":          history.FromProtobuf(nil),
		"cut":            history.FromProtobuf([]byte{10, 200}),
		"no object":      history.FromJSON(strings.NewReader(`[]`)),
		"no events":      history.FromJSON(strings.NewReader(`{"history": 1}`)),
		"events of text": history.FromJSON(strings.NewReader(`{"events": ["x"]}`)),
	} {
		if r, err := history.Read(events, history.Options{}); err == nil {
			t.Errorf("%s: read %+v", name, r)
		}
	}
}

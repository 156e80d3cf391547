package history_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/workflows"
)

// typed is a value as a payload.
func typed(t testing.TB, v any) *commonpb.Payloads {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: b}}}
}

// perStep is how many events a step of a study has in a history: six of each activity.
const perStep = 12

// studied is the history of a study of n steps, each a turn and one attempt of one call.
func studied(t testing.TB, n int) *historypb.History {
	p := &pen{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	run := canon.Sum([]byte("run"))
	p.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.WorkflowExecutionStartedEventAttributes{
		WorkflowType: &commonpb.WorkflowType{Name: workflows.StudyName}, WorkflowId: "long", OriginalExecutionRunId: "0af3", Identity: "someone@lab",
		Input: typed(t, workflows.StudyInput{Run: run, Head: run}),
	})
	activity := func(id, kind string, in, out any) {
		decided := p.task()
		scheduled := p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.ActivityTaskScheduledEventAttributes{
			ActivityId: id, ActivityType: &commonpb.ActivityType{Name: kind}, WorkflowTaskCompletedEventId: decided, Input: typed(t, in),
		})
		p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: scheduled, Identity: "worker@lab"})
		p.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled, Result: typed(t, out)})
	}
	head := run
	for step := 1; step <= n; step++ {
		call := fmt.Sprintf("%d.1", step)
		ref := record.Ref{Digest: canon.Sum([]byte(call)), Size: 100, Preview: `{"x":1}`}
		next := canon.Sum(head[:])
		activity(fmt.Sprintf("%d.plan#1", step), workflows.PlanName, workflows.PlanInput{Run: run, Head: head, Step: step}, workflows.PlanResult{
			Head: next, Outcome: workflows.OutcomeCalls, Model: "m",
			Calls: []workflows.Call{{ID: call, Name: "a", Action: "act@1.0.0", Params: ref, Decision: schemas.Admitted}},
		})
		activity(call+"#1", workflows.ActName, workflows.ActInput{Run: run, Proposal: next, Call: call, Params: ref, Attempt: 1}, workflows.ActResult{Execution: 1, Output: ref})
		head = next
	}
	return &p.h
}

// kinds are the histories of which the cost of a graph is measured.
var kinds = []struct {
	name  string
	write func(t testing.TB, events int) *historypb.History
	node  string // one that each has
}{
	{"any workflow", func(_ testing.TB, events int) *historypb.History { return foreign(events / 6) }, "attempt:5"},
	{"study", func(t testing.TB, events int) *historypb.History { return studied(t, events/perStep) }, "attempt:7.1#1"},
}

func wire(t testing.TB, h *historypb.History) []byte {
	t.Helper()
	b, err := proto.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCostOfAGraph reads histories from protobuf and builds their graphs: what an event
// takes of memory doesn't depend on how many there are. It isn't parallel, so that what
// is counted is its own.
func TestCostOfAGraph(t *testing.T) {
	for _, k := range kinds {
		each := func(events int) float64 {
			h := k.write(t, events)
			b := wire(t, h)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			trace := build(t, history.FromProtobuf(b))
			runtime.ReadMemStats(&after)
			if trace.Graph.Node(k.node) == nil || trace.Graph.Node(k.node).Kind != graph.Attempt || len(trace.Findings) > 0 {
				t.Fatalf("%s: %d nodes, findings %v", k.name, len(trace.Graph.Nodes), trace.Findings)
			}
			return float64(after.TotalAlloc-before.TotalAlloc) / float64(len(h.Events))
		}
		few, more, many := each(500), each(5_000), each(50_000)
		if most := 1.2 * min(few, more, many); max(few, more, many) > most {
			t.Errorf("%s: an event of 500 takes %.0f B, of 5,000 %.0f B, of 50,000 %.0f B: not flat within 20 %%", k.name, few, more, many)
		}
	}
}

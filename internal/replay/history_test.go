package replay_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rlam/internal/replay"
	"rlam/workflows"
)

// study replays histories of studies.
var study = replay.Replayer{Register: func(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(workflows.Study, workflow.RegisterOptions{Name: workflows.StudyName})
}}

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../test/histories/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	return files
}

// read is a history that was recorded on a real server.
func read(t testing.TB, name string) *historypb.History {
	t.Helper()
	f, err := os.Open(filepath.Join("../../test/histories", strings.TrimSuffix(filepath.Base(name), ".json")+".json"))
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

// find is the n-th event of a type, from 1.
func find(t testing.TB, h *historypb.History, typ enumspb.EventType, n int) *historypb.HistoryEvent {
	t.Helper()
	for _, e := range h.Events {
		if e.GetEventType() == typ {
			if n--; n == 0 {
				return e
			}
		}
	}
	t.Fatalf("the history has no such %s", typ)
	return nil
}

// scheduled is the event that scheduled an activity.
func scheduled(t testing.TB, h *historypb.History, id string) *historypb.HistoryEvent {
	t.Helper()
	for _, e := range h.Events {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityId() == id {
			return e
		}
	}
	t.Fatalf("the history has no activity %s", id)
	return nil
}

func last(h *historypb.History) *historypb.HistoryEvent { return h.Events[len(h.Events)-1] }

// put changes a member of a payload's JSON, and returns what it was.
func put(t testing.TB, p *commonpb.Payload, pointer, value string) string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(p.Data, &doc); err != nil {
		t.Fatal(err)
	}
	at := doc.(map[string]any)
	names := strings.Split(pointer[1:], "/")
	for _, name := range names[:len(names)-1] {
		at = at[name].(map[string]any)
	}
	name := names[len(names)-1]
	was, err := json.Marshal(at[name])
	if err != nil {
		t.Fatal(err)
	}
	at[name] = json.RawMessage(value)
	if p.Data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if string(was) == value {
		t.Fatalf("%s was %s before", pointer, value)
	}
	return string(was)
}

// splice replaces events by others, and numbers all events anew: the IDs by which
// events refer to each other move with them.
func splice(h *historypb.History, from, to int64, with ...*historypb.HistoryEvent) {
	h.Events = append(append(append([]*historypb.HistoryEvent{}, h.Events[:from-1]...), with...), h.Events[to-1:]...)
	shift := int64(len(with)) - (to - from)
	for i, e := range h.Events {
		e.EventId = int64(i) + 1
		if e.EventId >= from+int64(len(with)) {
			renumber(e.ProtoReflect(), to, shift)
		}
	}
}

func renumber(m protoreflect.Message, from, shift int64) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case strings.HasSuffix(string(f.Name()), "_event_id") && v.Int() >= from:
			m.Set(f, protoreflect.ValueOfInt64(v.Int()+shift))
		case f.Message() != nil && !f.IsMap() && !f.IsList():
			renumber(v.Message(), from, shift)
		}
		return true
	})
}

func payload(t testing.TB, v any) *commonpb.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

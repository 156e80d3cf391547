package follow

import (
	"reflect"
	"strings"
	"testing"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// TestPromptIsWhatWasSent spells a request again that was shortened to fit a budget.
func TestPromptIsWhatWasSent(t *testing.T) {
	t.Parallel()
	mem, secret := &store.Mem{}, record.NewSecret()
	observed := func(call string) planner.Message {
		return planner.Message{
			Role: planner.RoleTool, ToolCallID: call, Call: call, Stub: call + " completed; read it by its handle",
			Content: strings.Repeat("a long table of numbers ", 20),
		}
	}
	asked := func(call string) planner.Message {
		return planner.Message{Role: planner.RoleAssistant, ToolCalls: []planner.ToolCall{{ID: call, Name: "table_describe", Arguments: "{}"}}}
	}
	news := [][]planner.Message{
		{{Role: planner.RoleSystem, Content: "You plan."}, {Role: planner.RoleUser, Content: "The goal."}},
		{asked("1.1"), observed("1.1")},
		{asked("2.1"), observed("2.1")},
		{asked("3.1"), observed("3.1")},
	}
	var all []planner.Message
	var at canon.Digest
	cut := planner.Cut{Folded: 4, Stubbed: 6}
	for i, messages := range news {
		all = append(all, messages...)
		kept := planner.Kept{Parent: at, Messages: messages, Model: "m", Mode: planner.ModeTools}
		if i == len(news)-1 {
			kept.Cut = cut
		}
		ref, blob, err := secret.Content(kept)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := mem.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
			t.Fatal(err)
		}
		at = ref.Digest
	}
	p, err := Contents{Store: mem}.prompt(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if want := planner.Shorten(all, cut); !reflect.DeepEqual(p.Messages, want) {
		t.Errorf("spelled as %+v, want %+v", p.Messages, want)
	}
	// What is left: the system message, one for the first call, the second call with its
	// observation as one line, and the third, which is new and whole.
	if len(p.Messages) != 6 || p.New != 4 || !reflect.DeepEqual(p.Stubbed, []int{3}) {
		t.Errorf("%d messages, new from %d, stubbed %v", len(p.Messages), p.New, p.Stubbed)
	}
}

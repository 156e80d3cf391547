package planner_test

import (
	"reflect"
	"testing"

	"rlam/activities/planner"
)

func TestNoted(t *testing.T) {
	tool := planner.Message{Role: planner.RoleTool, ToolCallID: "1", Content: "{}", Call: "1.1", Stub: "{}"}
	assistant := planner.Message{Role: planner.RoleAssistant, Content: "Yes."}
	for name, c := range map[string]struct {
		messages []planner.Message
		note     string
		want     []planner.Message
	}{
		"after observations": {[]planner.Message{assistant, tool}, "Left: 1 step.", []planner.Message{assistant, {Role: planner.RoleTool, ToolCallID: "1", Content: "{}\nLeft: 1 step.", Call: "1.1", Stub: "{}"}}},
		"after the planner":  {[]planner.Message{assistant}, "Left: 1 step.", []planner.Message{assistant, {Role: planner.RoleUser, Content: "Left: 1 step."}}},
		"nothing to say":     {[]planner.Message{tool}, "", []planner.Message{tool}},
		"nothing to say it":  {nil, "Left: 1 step.", nil},
	} {
		if got := planner.Noted(c.messages, c.note); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if tool.Content != "{}" || assistant.Content != "Yes." {
		t.Error("the messages were changed")
	}
}

// A window that was asked what if is the same as before, and the longer one is as if the
// messages had been added.
func TestWindowWith(t *testing.T) {
	var messages []planner.Message
	for _, turn := range []string{"1", "2", "3", "4", "5", "6"} {
		messages = append(messages, planner.Message{Role: planner.RoleAssistant, Content: "next"},
			planner.Observe(planner.Observation{Call: turn + ".1", ID: "c" + turn, Action: "a", Status: "completed", Output: []byte(`"some output that is long enough to be cut"`)}, 0))
	}
	added, err := planner.NewWindow(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	asked, _ := planner.NewWindow(nil, 200)
	for i := 0; i < len(messages); i += 2 {
		if _, err := asked.With(planner.Message{Role: planner.RoleUser, Content: "what if"}); err != nil {
			t.Fatal(err)
		}
		longer, err := asked.With(messages[i : i+2]...)
		if err != nil {
			t.Fatal(err)
		}
		if err := added.Add(messages[i : i+2]...); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, cut, tokens, err := longer.Fit()
			want, wantCut, wantTokens, wantErr := added.Fit()
			if err != nil || wantErr != nil || !reflect.DeepEqual(got, want) || cut != wantCut || tokens != wantTokens {
				t.Fatalf("turn %d: %v, %v, %d, %v; want %v, %v, %d, %v", i/2+1, got, cut, tokens, err, want, wantCut, wantTokens, wantErr)
			}
			if _, err := longer.With(planner.Message{Role: planner.RoleAssistant, Content: "what if"}); err != nil {
				t.Fatal(err)
			}
		}
		asked = longer
	}
}

package planner_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"rlam/activities/planner"
)

func observed(call, id, action, status string) planner.Message {
	return planner.Observe(planner.Observation{Call: call, ID: id, Action: action, Status: status, ToolCallID: call, Output: json.RawMessage(`{"b1":1}`)}, 0)
}

func TestShorten(t *testing.T) {
	failed := planner.Observe(planner.Observation{
		Call: "2.1", ID: "fit2", Action: "fit.nonlinear", Status: "failed", ToolCallID: "2.1",
		Error: &planner.ObservedError{Type: "rlam.NotConverged", Message: strings.Repeat("singular gradient; ", 20)},
	}, 0)
	call := func(id string) planner.Message {
		return planner.Message{Role: planner.RoleAssistant, ToolCalls: []planner.ToolCall{{ID: id, Name: "fit_nonlinear", Arguments: "{}"}}}
	}
	messages := []planner.Message{
		{Role: planner.RoleSystem, Content: "You plan a study."},
		{Role: planner.RoleUser, Content: "Begin."},
		call("1.1"), observed("1.1", "fit1", "fit.nonlinear", "completed"),
		{Role: planner.RoleAssistant, Content: "Hm."},
		{Role: planner.RoleUser, Content: "Nothing was done."},
		call("2.1"), failed,
		call("3.1"), observed("3.1", "fit3", "fit.nonlinear", "completed"),
	}
	stubbed := failed
	stubbed.Content = failed.Stub
	const begin = "The beginning of this conversation is left out here, to keep it short: "
	const reach = ", and what was said about them. They stay on the record, and references by id still reach their outputs."
	const list = " The newest of them, oldest first, each with the engine's id, your id, the action and the status:\n"
	for _, tt := range []struct {
		name string
		cut  planner.Cut
		fold string // empty if nothing is folded
		rest []planner.Message
	}{
		{"nothing", planner.Cut{}, "", messages},
		{"stubs", planner.Cut{Stubbed: 8}, "", append(append(append([]planner.Message{}, messages[:7]...), stubbed), messages[8:]...)},
		{"one call", planner.Cut{Folded: 4, Stubbed: 4}, begin + "1 earlier call" + reach + list + "1.1 fit1 fit.nonlinear completed", messages[4:]},
		{"two calls", planner.Cut{Folded: 8, Stubbed: 8}, begin + "2 earlier calls" + reach + list + "1.1 fit1 fit.nonlinear completed\n2.1 fit2 fit.nonlinear failed rlam.NotConverged", messages[8:]},
		{"one counted", planner.Cut{Counted: 4, Folded: 8, Stubbed: 8}, begin + "2 earlier calls" + reach + list + "2.1 fit2 fit.nonlinear failed rlam.NotConverged\nand 1 call before them.", messages[8:]},
		{"all counted", planner.Cut{Counted: 8, Folded: 8, Stubbed: 8}, begin + "2 earlier calls" + reach, messages[8:]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.rest
			if tt.fold != "" {
				want = append([]planner.Message{messages[0], {Role: planner.RoleUser, Content: tt.fold}}, tt.rest...)
			}
			got := planner.Shorten(messages, tt.cut)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
	if n := len(messages[3].Content); n >= len(messages[3].Stub) {
		t.Errorf("the first observation has %d bytes and is no shorter than its stub: the test shows little", n)
	}
}

// A record may hold any numbers; they must not stop who reads it.
func TestShortenTakesAnyCut(t *testing.T) {
	messages := append([]planner.Message{{Role: planner.RoleSystem}}, step(1, 2, 500)...)
	numbers := []int{-5, 0, 1, 3, 4, 99}
	for _, counted := range numbers {
		for _, folded := range numbers {
			for _, stubbed := range numbers {
				planner.Shorten(messages, planner.Cut{Counted: counted, Folded: folded, Stubbed: stubbed})
				planner.Shorten(nil, planner.Cut{Counted: counted, Folded: folded, Stubbed: stubbed})
			}
		}
	}
}

// What a model makes up stays within the line of its call.
func TestFoldedCallsStayOnTheirLines(t *testing.T) {
	long := strings.Repeat("é", 500)
	for name, tt := range map[string]struct {
		m    planner.Message
		want string
	}{
		"plain":       {observed("1.1", "fit-1", "fit.nonlinear", "completed"), `1.1 fit-1 fit.nonlinear completed`},
		"no id":       {observed("1.1", "", "fit.nonlinear", "completed"), `1.1 "" fit.nonlinear completed`},
		"new line":    {observed("1.1", "a\n9.9 b c completed", "x", "refused"), `1.1 "a\n9.9 b c completed" x refused`},
		"space":       {observed("1.1", "a b", "x\u2028y", "refused"), `1.1 "a b" "x\u2028y" refused`},
		"quote":       {observed("1.1", `"a`, `b\`, "refused"), `1.1 "\"a" "b\\" refused`},
		"long":        {observed("1.1", long, "x", "refused"), "1.1 " + strings.Repeat("é", 40) + "… x refused"},
		"no stub":     {planner.Message{Role: planner.RoleTool, Call: "1.1", Content: "{}"}, `1.1`},
		"a word stub": {planner.Message{Role: planner.RoleTool, Call: "1.1", Content: "{}", Stub: "gone"}, `1.1`},
	} {
		t.Run(name, func(t *testing.T) {
			messages := []planner.Message{{Role: planner.RoleAssistant}, tt.m, {Role: planner.RoleAssistant}}
			sent := planner.Shorten(messages, planner.Cut{Folded: 2})
			if _, got, _ := strings.Cut(sent[0].Content, "\n"); got != tt.want {
				t.Errorf("folded to %q, want %q", got, tt.want)
			}
		})
	}
}

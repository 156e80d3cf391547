package planner_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"rlam/activities/planner"
)

// call is a tool call on the wire.
func call(id, name, arguments string) map[string]any {
	return map[string]any{"id": id, "type": "function", "function": map[string]any{"name": name, "arguments": arguments}}
}

func calls(c ...map[string]any) map[string]any {
	return map[string]any{"role": "assistant", "content": nil, "tool_calls": c}
}

func words(text string) map[string]any {
	return map[string]any{"role": "assistant", "content": text}
}

// answer is what the planner reads out of a server's message.
func answer(t *testing.T, mode string, message map[string]any, finishReason string) planner.Answer {
	t.Helper()
	r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"model": "m", "choices": []any{map[string]any{"message": message, "finish_reason": finishReason}}})
	})
	r.Mode = mode
	a, err := ask(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnswerOfToolCalls(t *testing.T) {
	type c = planner.Call
	for _, test := range []struct {
		name    string
		message map[string]any
		outcome planner.Outcome
		calls   []planner.Call
		problem string
	}{
		{
			"two calls", calls(call("x", "fit_nonlinear", `{"id":"f","why":"w","params":{"a":1.0}}`), call("y", "artifact_read", `{"id":"r","params":{}}`)), planner.OutcomeCalls,
			[]c{{ToolCallID: "x", ID: "f", Action: "fit.nonlinear", Why: "w", Params: planner.Raw(`{"a":1.0}`)}, {ToolCallID: "y", ID: "r", Action: "artifact.read", Params: planner.Raw(`{}`)}},
			"",
		},
		{"the action's own name", calls(call("x", "fit.nonlinear", `{"params":{}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`{}`)}}, ""},
		{"unknown tool", calls(call("x", "rm -rf", `{"id":"a","params":{}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", ID: "a", Action: "rm -rf", Params: planner.Raw(`{}`)}}, ""},
		{"not JSON", calls(call("x", "fit_nonlinear", `{"id":"a","params":{"b":}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", ID: "a", Action: "fit.nonlinear", Params: planner.Raw(`{"id":"a","params":{"b":}}`)}}, ""},
		{"not an object", calls(call("x", "fit_nonlinear", `[1]`)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`[1]`)}}, ""},
		{"trailing data", calls(call("x", "fit_nonlinear", `{"params":{}}{}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`{"params":{}}{}`)}}, ""},
		{"no arguments", calls(call("x", "fit_nonlinear", ``)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`{}`)}}, ""},
		{"duplicates inside are the gate's", calls(call("x", "fit_nonlinear", `{"params":{"a":1,"a":2}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`{"a":1,"a":2}`)}}, ""},
		{"params twice", calls(call("x", "fit_nonlinear", `{"params":{"a":1},"params":{"a":2}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", Action: "fit.nonlinear", Params: planner.Raw(`{"params":{"a":1},"params":{"a":2}}`)}}, ""},
		{"case matters", calls(call("x", "fit_nonlinear", `{"id":"a","ID":"b","PARAMS":{"c":1}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", ID: "a", Action: "fit.nonlinear", Params: planner.Raw(`{"ID":"b","PARAMS":{"c":1}}`)}}, ""},
		{"without the envelope", calls(call("x", "fit_nonlinear", `{"id":"a","tolerance": 1e-8}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", ID: "a", Action: "fit.nonlinear", Params: planner.Raw(`{"tolerance":1e-8}`)}}, ""},
		{"half in the envelope", calls(call("x", "fit_nonlinear", `{"params":{},"tolerance":1}`)), planner.OutcomeGarbled, nil, `"tolerance" beside "params"`},
		{"a number for an id", calls(call("x", "fit_nonlinear", `{"id":7,"why":null,"params":{}}`)), planner.OutcomeCalls, []c{{ToolCallID: "x", ID: "7", Action: "fit.nonlinear", Params: planner.Raw(`{}`)}}, ""},
		{
			"ids missing or shared", calls(call("", "artifact_read", `{}`), call("call_1", "artifact_read", `{}`), call("call_1", "artifact_read", `{}`)), planner.OutcomeCalls,
			[]c{{ToolCallID: "call_1", Action: "artifact.read", Params: planner.Raw(`{}`)}, {ToolCallID: "call_2", Action: "artifact.read", Params: planner.Raw(`{}`)}, {ToolCallID: "call_3", Action: "artifact.read", Params: planner.Raw(`{}`)}},
			"",
		},
		{"finish among calls", calls(call("x", "fit_nonlinear", `{"params":{}}`), call("y", "finish", `{"result":{}}`)), planner.OutcomeGarbled, nil, `"finish" came together with 1 other calls`},
		{"give_up among calls", calls(call("y", "give_up", `{"reason":"r"}`), call("x", "fit_nonlinear", `{}`)), planner.OutcomeGarbled, nil, `"give_up" came together`},
		{"finish twice", calls(call("x", "finish", `{"result":1}`), call("y", "finish", `{"result":2}`)), planner.OutcomeGarbled, nil, "came together"},
		{"finish without a result", calls(call("x", "finish", `{}`)), planner.OutcomeGarbled, nil, `no "result"`},
		{"finish with fields", calls(call("x", "finish", `{"b1":1}`)), planner.OutcomeGarbled, nil, `no member "b1"`},
		{"finish with two results", calls(call("x", "finish", `{"result":1,"result":2}`)), planner.OutcomeGarbled, nil, `"result" twice`},
		{"finish, malformed", calls(call("x", "finish", `{"result":{"a":}}`)), planner.OutcomeGarbled, nil, `arguments of "finish"`},
		{"nothing", calls(), planner.OutcomeEmpty, nil, ""},
		{"refusal", map[string]any{"refusal": "I won't", "tool_calls": []any{call("x", "fit_nonlinear", `{"params":{}}`)}}, planner.OutcomeRefused, nil, ""},
		{
			"function_call",
			map[string]any{"content": "", "function_call": map[string]any{"name": "fit_nonlinear", "arguments": `{"id":"f"}`}},
			planner.OutcomeCalls,
			[]c{{ToolCallID: "call_1", ID: "f", Action: "fit.nonlinear", Params: planner.Raw(`{}`)}},
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := answer(t, planner.ModeTools, test.message, "tool_calls")
			if a.Outcome != test.outcome || !strings.Contains(a.Problem, test.problem) {
				t.Fatalf("outcome %s (%s), want %s (…%s…)", a.Outcome, a.Problem, test.outcome, test.problem)
			}
			if !reflect.DeepEqual(a.Calls, test.calls) {
				t.Errorf("calls\n got %+v\nwant %+v", a.Calls, test.calls)
			}
			survives(t, a)
		})
	}
}

// survives checks that an answer can be kept, and that the conversation that goes
// on from it is one that servers take.
func survives(t *testing.T, a planner.Answer) {
	t.Helper()
	kept, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var again planner.Answer
	if err := json.Unmarshal(kept, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, again) {
		t.Errorf("kept and read again:\n got %+v\nwant %+v", again, a)
	}
	proposes := a.Outcome == planner.OutcomeCalls || a.Outcome == planner.OutcomeFinish || a.Outcome == planner.OutcomeGiveUp
	repairs := planner.Repairs(a)
	if proposes != (planner.Repair(a) == "") || proposes != (repairs == nil) {
		t.Errorf("%s: repair %q", a.Outcome, planner.Repair(a))
	}
	if len(a.Calls) > 0 && !proposes {
		t.Errorf("%s: calls %+v could be dispatched", a.Outcome, a.Calls)
	}
	if proposes {
		for _, tc := range a.Assistant.ToolCalls {
			repairs = append(repairs, planner.Message{Role: planner.RoleTool, ToolCallID: tc.ID, Content: "{}"})
		}
	}
	for _, tc := range a.Assistant.ToolCalls {
		if !json.Valid([]byte(tc.Arguments)) || strings.Trim(tc.Name, "abcdefghijklmnopqrstuvwxyz_-0123456789") != "" || tc.Name == "" {
			t.Errorf("tool call %+v would be refused by a server", tc)
		}
	}
	for _, mode := range []string{planner.ModeTools, planner.ModeResponseFormat} {
		r := request(t)
		r.Mode = mode
		r.Messages = append(append(r.Messages, a.Assistant), repairs...)
		if _, err := planner.Body(r); err != nil {
			t.Errorf("%s: going on: %v", mode, err)
		}
	}
}

func TestAnswerOfWords(t *testing.T) {
	const proposal = `{"calls":[{"id":"f","action":"fit.nonlinear","why":"w","params":{"a":"}"}}]}`
	for _, test := range []struct {
		name, mode, text string
		outcome          planner.Outcome
		problem          string
	}{
		{"plain", planner.ModeTools, "I think so.", planner.OutcomeText, ""},
		{"proposal", planner.ModeTools, proposal, planner.OutcomeCalls, ""},
		{"proposal", planner.ModeResponseFormat, proposal, planner.OutcomeCalls, ""},
		{"in a fence", planner.ModeTools, "Let's {see}:\n```json\n" + proposal + "\n```", planner.OutcomeCalls, ""},
		{"after thoughts", planner.ModeTools, "<think>maybe " + proposal + "</think>" + proposal, planner.OutcomeCalls, ""},
		{"by the tool's name", planner.ModeTools, strings.Replace(proposal, "fit.non", "fit_non", 1), planner.OutcomeCalls, ""},
		{"two", planner.ModeTools, proposal + proposal, planner.OutcomeGarbled, "2 proposals"},
		{"other JSON", planner.ModeTools, `{"answer":42}`, planner.OutcomeText, ""},
		{"other JSON", planner.ModeResponseFormat, `{"answer":42}`, planner.OutcomeGarbled, "none of the members"},
		{"half", planner.ModeTools, proposal[:40], planner.OutcomeText, ""},
		{"half", planner.ModeResponseFormat, proposal[:40], planner.OutcomeGarbled, "not one JSON object"},
		{"plain", planner.ModeResponseFormat, "I think so.", planner.OutcomeText, ""},
		{"no action", planner.ModeResponseFormat, `{"calls":[{"id":"f","params":{}}]}`, planner.OutcomeGarbled, `"calls"[0] names no action`},
		{"no calls", planner.ModeResponseFormat, `{"calls":[]}`, planner.OutcomeGarbled, "exactly one"},
		{"not an array", planner.ModeResponseFormat, `{"calls":{"id":"f"}}`, planner.OutcomeGarbled, "not an array"},
		{"two ends", planner.ModeResponseFormat, `{"finish":{"result":{}},"give_up":{"reason":"x"}}`, planner.OutcomeGarbled, "exactly one"},
		{"calls twice", planner.ModeResponseFormat, `{"calls":[{"action":"fit.nonlinear"}],"calls":[{"action":"artifact.read"}]}`, planner.OutcomeGarbled, "exactly one"},
		{"finish with empty calls", planner.ModeResponseFormat, `{"calls":[],"finish":{"result":{"b1":1}},"give_up":null}`, planner.OutcomeFinish, ""},
		{"give up", planner.ModeResponseFormat, `{"give_up":{"reason":"no data"}}`, planner.OutcomeGiveUp, ""},
		{"white space", planner.ModeTools, " \n", planner.OutcomeEmpty, ""},
	} {
		t.Run(test.mode+"/"+test.name, func(t *testing.T) {
			a := answer(t, test.mode, words(test.text), "stop")
			if a.Outcome != test.outcome || !strings.Contains(a.Problem, test.problem) {
				t.Fatalf("outcome %s (%s), want %s (…%s…)", a.Outcome, a.Problem, test.outcome, test.problem)
			}
			want := planner.Call{ID: "f", Action: "fit.nonlinear", Why: "w", Params: planner.Raw(`{"a":"}"}`)}
			if a.Outcome == planner.OutcomeCalls && !reflect.DeepEqual(a.Calls, []planner.Call{want}) {
				t.Errorf("calls %+v, want %+v", a.Calls, want)
			}
			if len(a.Assistant.ToolCalls) > 0 || a.Assistant.Content == "" {
				t.Errorf("the assistant's message is %+v", a.Assistant)
			}
			survives(t, a)
		})
	}
}

func TestNothingIsDispatchedFromAnAnswerThatWasCutOff(t *testing.T) {
	whole := calls(call("x", "fit_nonlinear", `{"id":"f","params":{}}`))
	for reason, outcome := range map[string]planner.Outcome{"length": planner.OutcomeTruncated, "content_filter": planner.OutcomeRefused} {
		a := answer(t, planner.ModeTools, whole, reason)
		if a.Outcome != outcome || a.Calls != nil || a.Assistant.ToolCalls != nil {
			t.Errorf("%s: outcome %s, calls %v, message %+v", reason, a.Outcome, a.Calls, a.Assistant)
		}
		survives(t, a)
	}
	a := answer(t, planner.ModeTools, words(`{"finish":{"result":{}}}`), "length")
	if a.Outcome != planner.OutcomeTruncated || a.Finish != nil {
		t.Errorf("outcome %s, finish %s", a.Outcome, a.Finish)
	}
}

func TestLongWordsAreReadInLinearTime(t *testing.T) {
	for name, text := range map[string]string{
		"braces":      strings.Repeat("{", 8<<20),
		"open arrays": strings.Repeat(`{"a":[`, 150_000),
		"half done":   strings.Repeat(`{"a":"`+strings.Repeat("b", 1000), 1000),
	} {
		began := time.Now() // a quadratic reading of the first would take hours
		if a := answer(t, planner.ModeTools, words(text), "stop"); a.Outcome != planner.OutcomeText {
			t.Errorf("%s: outcome %s", name, a.Outcome)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: reading %d bytes took %s", name, len(text), took)
		}
	}
}

// TestTooManyCallsAtOnce sends back what Temporal couldn't carry in one step.
func TestTooManyCallsAtOnce(t *testing.T) {
	for n, want := range map[int]planner.Outcome{planner.MaxCalls: planner.OutcomeCalls, planner.MaxCalls + 1: planner.OutcomeGarbled} {
		var all []map[string]any
		for i := range n {
			all = append(all, call(fmt.Sprint("c", i), "fit_nonlinear", `{"params":{}}`))
		}
		a := answer(t, planner.ModeTools, calls(all...), "stop")
		if a.Outcome != want || a.Outcome == planner.OutcomeGarbled && (len(a.Calls) > 0 || !strings.Contains(a.Problem, "257 calls came at once")) {
			t.Errorf("%d calls: %s (%s) with %d calls, want %s", n, a.Outcome, a.Problem, len(a.Calls), want)
		}
	}
}

func TestFinishAndGiveUp(t *testing.T) {
	a := answer(t, planner.ModeTools, calls(call("x", "finish", `{"why":"done","result":{"b1": {"$from":"fit1"}}}`)), "stop")
	if a.Outcome != planner.OutcomeFinish || string(a.Finish) != `{"b1": {"$from":"fit1"}}` {
		t.Errorf("outcome %s, finish %s", a.Outcome, a.Finish)
	}
	survives(t, a)
	a = answer(t, planner.ModeTools, calls(call("x", "give_up", `{"reason":"no \"data\""}`)), "stop")
	if a.Outcome != planner.OutcomeGiveUp || a.GiveUp != `no "data"` {
		t.Errorf("outcome %s, reason %s", a.Outcome, a.GiveUp)
	}
	survives(t, a)
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"id":"a","params":{"b":1e1000001}}`, "fit_nonlinear", "text {")
	f.Add(`{"result":{}}`, "finish", `{"calls":[{"action":"x","params":{}}]}`)
	f.Add(`{{{{`, "", "```{\"give_up\":{}}```")
	f.Fuzz(func(t *testing.T, arguments, tool, text string) {
		for _, message := range []map[string]any{calls(call("x", tool, arguments)), words(text)} {
			a := answer(t, planner.ModeTools, message, "stop")
			if _, err := json.Marshal(a); err != nil {
				t.Fatal(err)
			}
			for _, tc := range a.Assistant.ToolCalls {
				if !json.Valid([]byte(tc.Arguments)) {
					t.Errorf("arguments %q go back to the server", tc.Arguments)
				}
			}
		}
	})
}

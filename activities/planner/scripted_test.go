package planner_test

import (
	"encoding/json"
	"errors"
	"testing"

	"rlam/activities/planner"
	"rlam/internal/scripted"
)

// A study over the wire: a failed fit, a better start, a rate limit, and a result.
const scenario = `
model: scripted/mgh09
rules:
  - when: {turn: 0}
    reply:
      calls:
        - {id: fit1, action: fit.nonlinear, why: the given start, params: {start: [25, 39, 41.5, 39]}}
  - when: {last: {observation: fit1, pointer: /error/type, equals: rlam.NotConverged}}
    reply:
      calls:
        - {id: fit2, action: fit.nonlinear, why: nearer, params: {start: [0.25, 0.39, 0.415, 0.39]}}
    fault: {times: 1, status: 429, retry_after: 2}
  - when: {last: {observation: fit2, pointer: /status, equals: completed}}
    reply:
      finish: {b1: {$from: fit2, pointer: /b1}}
`

func TestAStudyOverTheWire(t *testing.T) {
	for _, mode := range []string{planner.ModeTools, planner.ModeResponseFormat} {
		t.Run(mode, func(t *testing.T) {
			script, err := scripted.Load([]byte(scenario))
			if err != nil {
				t.Fatal(err)
			}
			server, err := scripted.Start(script, scripted.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			study := *mgh09
			study.Planner.Calls = mode
			tools := fitTools(t)
			system, err := planner.System(&study, tools, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := planner.Request{Model: "scripted/mgh09", BaseURL: server.URL(), Mode: mode, Tools: tools, Messages: []planner.Message{system}}
			limited := 0
			turn := func() planner.Answer {
				t.Helper()
				for {
					a, err := ask(t, r)
					var u *planner.Unavailable
					if errors.As(err, &u) && u.Type == planner.TypeRateLimited && u.RetryAfter.Seconds() == 2 && limited == 0 {
						limited++
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					r.Messages = append(r.Messages, a.Assistant)
					return a
				}
			}
			observe := func(c planner.Call, o planner.Observation) {
				o.ID, o.Action, o.ToolCallID = c.ID, c.Action, c.ToolCallID
				r.Messages = append(r.Messages, planner.Observe(o, 0))
			}

			a := turn()
			if a.Outcome != planner.OutcomeCalls || len(a.Calls) != 1 || a.Calls[0].Action != "fit.nonlinear" || a.Calls[0].ID != "fit1" {
				t.Fatalf("answer %+v", a)
			}
			observe(a.Calls[0], planner.Observation{Call: "1.1", Status: "failed", Error: &planner.ObservedError{Type: "rlam.NotConverged"}})
			a = turn()
			if limited != 1 || len(a.Calls) != 1 || a.Calls[0].ID != "fit2" || string(a.Calls[0].Params) != `{"start":[0.25,0.39,0.415,0.39]}` {
				t.Fatalf("after %d rate limits: answer %+v", limited, a)
			}
			observe(a.Calls[0], planner.Observation{Call: "2.1", Status: "completed", Output: json.RawMessage(`{"b1":0.19280693458}`)})
			a = turn()
			if a.Outcome != planner.OutcomeFinish || string(a.Finish) != `{"b1":{"$from":"fit2","pointer":"/b1"}}` {
				t.Fatalf("answer %+v", a)
			}
			if a.Answered != script.Model() || a.Fingerprint != script.Fingerprint() || a.Usage.Prompt == 0 {
				t.Errorf("answer %+v", a)
			}
		})
	}
}

//go:build linux || darwin

package faults_test

import (
	"fmt"
	"strings"
	"testing"

	"rlam/internal/record"
	"rlam/schemas"
	"rlam/test/lab"
)

// handsIn is a model that hands in what it has as soon as it is told that this is its last turn,
// and plays the turns until then. Each answer takes 14,000 tokens of the prompt, of which
// 4,000 were cached, and 100 more.
func handsIn(last string, turns ...string) string {
	const usage = "usage: {prompt_tokens: 14000, cached_tokens: 4000, completion_tokens: 100}"
	var b strings.Builder
	fmt.Fprintf(&b, "model: scripted/faults\nrules:\n  - when: {last: {contains: This is your last turn}}\n    %s\n", last)
	for i, reply := range turns {
		fmt.Fprintf(&b, "  - when: {turn: %d}\n    reply: {%s, %s}\n", i, reply, usage)
	}
	return b.String()
}

func proposes(c proposed) string {
	return "calls: " + mustJSON([]any{map[string]any{"id": c.id, "action": c.action, "params": c.params}})
}

const handInA = `reply: {finish: {a: {$from: a, pointer: /digits}}}`

// TestLastTurn reaches each limit in a study that asks for two members, after one of them is there.
func TestLastTurn(t *testing.T) {
	t.Parallel()
	a, b := proposes(call("a", "work")), proposes(call("b", "work"))
	prices := `{"currency":"EUR","models":{"scripted/faults":{"input":1000,"cached":0,"output":1000}}}`
	for _, c := range []struct {
		name, last, reason  string
		turns               []string
		set                 map[string]string
		status              record.Status // limit_reached, if empty
		limit               string        // on record of the last proposal; none where there was no last turn
		partial             bool
		executed, proposals int
	}{
		{name: "steps", reason: "the limit of 2 steps", turns: []string{a, b}, set: map[string]string{"/limits/steps": "2"}, limit: "steps", partial: true, executed: 1, proposals: 2},
		{name: "calls", reason: "the limit of 1 call is", turns: []string{a, b}, set: map[string]string{"/limits/calls": "1"}, limit: "calls", partial: true, executed: 1, proposals: 2},
		{name: "attempts", reason: "the limit of 1 attempt is", turns: []string{a, b}, set: map[string]string{"/limits/attempts": "1"}, limit: "attempts", partial: true, executed: 1, proposals: 2},
		{name: "repairs", reason: "1 proposal in a row", turns: []string{a, "text: Let me think."}, set: map[string]string{"/limits/repairs": "1"}, limit: "repairs", partial: true, executed: 1, proposals: 3},
		{name: "tokens", reason: "the limit of 20000 tokens is reached (14100 used)", turns: []string{a, b}, set: map[string]string{"/limits/tokens": "20000"}, limit: "tokens", partial: true, executed: 1, proposals: 2},
		{name: "money", reason: "the money limit of 16 EUR is reached (10.1 used)", turns: []string{a, b}, set: map[string]string{"/limits/money": "16", "/planner/prices": prices}, limit: "money", partial: true, executed: 1, proposals: 2},
		{name: "wall time", reason: "the wall-time limit of 10s is reached", turns: []string{a, proposes(held("b", "work"))}, set: map[string]string{"/limits/wall_time": `"10s"`}, limit: "wall_time", partial: true, executed: 2, proposals: 3},
		{name: "a result that is whole", turns: []string{a, b}, set: map[string]string{"/limits/steps": "2", "/result/required": `["a"]`}, status: record.Completed, limit: "steps", executed: 1, proposals: 2},
		{name: "a result that is not accepted", reason: "the limit of 2 steps", turns: []string{a, b}, set: map[string]string{"/limits/steps": "2", "/result/required": `["a"]`, "/accept": `[{"expr":"size(result) > 5"}]`}, limit: "steps", partial: true, executed: 1, proposals: 2},
		{name: "more calls", reason: "the limit of 2 steps", last: "reply: {" + b + "}", turns: []string{a}, set: map[string]string{"/limits/steps": "2"}, limit: "steps", executed: 1, proposals: 2},
		{name: "a result that does not fit", reason: "the limit of 2 steps", last: "reply: {finish: {a: 7}}", turns: []string{a}, set: map[string]string{"/limits/steps": "2"}, limit: "steps", executed: 1, proposals: 2},
		{name: "given up", reason: "the limit of 2 steps", last: "reply: {give_up: nothing came of it}", turns: []string{a}, set: map[string]string{"/limits/steps": "2"}, limit: "steps", executed: 1, proposals: 2},
		{name: "no model", reason: "the limit of 2 steps", last: "fault: {status: 500}", turns: []string{a}, set: map[string]string{"/limits/steps": "2"}, executed: 1, proposals: 1},
		{name: "no tokens left", reason: "the limit of 14300 tokens is reached (14100 used)", turns: []string{a, b}, set: map[string]string{"/limits/tokens": "14300"}, executed: 1, proposals: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			last := c.last
			if last == "" {
				last = handInA
			}
			x := try(t, handsIn(last, c.turns...))
			x.worker("one", workerOptions{})
			set := map[string]string{"/result": `{"type":"object","required":["a","b"],"additionalProperties":{"type":"string"}}`, "/planner/max_tokens": "1000"}
			for path, v := range c.set {
				set[path] = v
			}
			if required, ok := set["/result/required"]; ok {
				set["/result"] = strings.Replace(set["/result"], `["a","b"]`, required, 1)
				delete(set, "/result/required")
			}
			r := x.start(set)
			result := r.result()
			status := c.status
			if status == "" {
				status = record.LimitReached
			}
			if result.Status != status || result.Partial != c.partial || (!result.Result.Digest.IsZero()) != (c.partial || status == record.Completed) {
				t.Fatalf("ended as %+v\n%s", result, describe(r.history()))
			}
			if c.reason != "" && !strings.Contains(value[string](x, result.Reason.Digest), c.reason) {
				t.Errorf("reason %q, want %q", value[string](x, result.Reason.Digest), c.reason)
			}
			links := r.chain()
			seal := links[len(links)-1].Record.(*record.Seal)
			if seal.Partial != c.partial || seal.Status != status {
				t.Errorf("sealed as %+v", seal)
			}
			p := links[len(links)-3].Record.(*record.Proposal)
			if c.limit == "" && p.Last != nil || c.limit != "" && (p.Last == nil || p.Last.Limit != c.limit) {
				t.Errorf("the last proposal has %+v, want the limit %q", p.Last, c.limit)
			}
			for _, refused := range p.Calls {
				if v := refused.Verdicts[len(refused.Verdicts)-1]; c.limit != "" && (refused.Decision != string(schemas.Refused) || v.Gate != schemas.GateLimits || v.Rule != "last_turn") {
					t.Errorf("call %s of the last turn is %s: %+v", refused.ID, refused.Decision, v)
				}
			}
			if u := seal.Counters.Usage; u.Cached < 4000 || u.Cached > u.Prompt {
				t.Errorf("%+v counted, want the cached ones among them", u)
			}
			account := r.agree()
			if account.Executed != c.executed || account.Proposals != c.proposals {
				t.Errorf("account %+v, want %d executions and %d proposals\n%s", account, c.executed, c.proposals, describe(r.history()))
			}
			lab.Replay(t, r.history())
		})
	}
}

// TestACancelInTheLastTurn does not wait for a model that is silent in a last turn. The run
// ends by its limit, which came first.
func TestACancelInTheLastTurn(t *testing.T) {
	t.Parallel()
	x := try(t, handsIn("fault: {stall: 10m}", proposes(call("a", "work")), proposes(held("b", "work"))))
	x.worker("one", workerOptions{})
	r := x.start(map[string]string{"/limits/wall_time": `"10s"`})
	r.await("the last turn", func() bool { return strings.Contains(describe(r.history()), "3.plan#1") })
	if err := r.client.CancelWorkflow(t.Context(), r.handle.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	if result := r.result(); result.Status != record.LimitReached || result.Partial {
		t.Errorf("ended as %+v", result)
	}
	r.agree()
	lab.Replay(t, r.history())
}

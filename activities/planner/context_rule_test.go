package planner_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rlam/activities/planner"
)

// rule is the rule of [planner.Window] as it is written there, from the beginning
// and with everything counted again at each turn.
func rule(t *testing.T, messages []planner.Message, budget int) (cut planner.Cut, tokens int) {
	t.Helper()
	var turns []int // indices of the planner's messages
	for end := 0; end <= len(messages); end++ {
		if end < len(messages) && messages[end].Role != planner.RoleAssistant {
			continue
		}
		last := 0
		if len(turns) > 0 {
			last = turns[len(turns)-1]
		}
		over := func(bound int) bool {
			tokens = 0
			for _, m := range planner.Shorten(messages[:end], cut) {
				tokens += (wireSize(t, m) + 3) / 4
			}
			return tokens > bound
		}
		if over(budget) {
			for over(budget*3/4) && cut.Stubbed < last {
				cut.Stubbed++
			}
			for over(budget * 3 / 4) {
				next := slices.IndexFunc(turns, func(i int) bool { return i > max(cut.Folded, turns[0]) })
				if next < 0 {
					break
				}
				cut.Folded = turns[next]
				for listSize(t, messages, cut) > budget/4 {
					cut.Counted++
				}
			}
		}
		turns = append(turns, end)
	}
	return cut, tokens
}

// listSize is what the lines of folded calls take in a request's body.
func listSize(t *testing.T, messages []planner.Message, cut planner.Cut) (n int) {
	t.Helper()
	for _, m := range planner.Shorten(messages, cut) {
		if m.Role == planner.RoleUser && strings.HasPrefix(m.Content, "The beginning") {
			_, list, _ := strings.Cut(m.Content, "\n")
			for l := range strings.SplitSeq(list, "\n") {
				if l != "" && !strings.HasPrefix(l, "and ") {
					n += wireSize(t, planner.Message{Content: "\n" + l}) - wireSize(t, planner.Message{})
				}
			}
			return n
		}
	}
	return 0
}

// wireSize is the length of a message as the protocol has it.
func wireSize(t *testing.T, m planner.Message) int {
	t.Helper()
	wire := map[string]any{"role": m.Role, "content": m.Content}
	if m.Role == planner.RoleTool && m.ToolCallID != "" {
		wire["tool_call_id"] = m.ToolCallID
	}
	var calls []any
	for _, tc := range m.ToolCalls {
		calls = append(calls, map[string]any{"id": tc.ID, "type": "function", "function": map[string]any{"name": tc.Name, "arguments": tc.Arguments}})
	}
	if calls != nil {
		wire["tool_calls"] = calls
		if m.Content == "" {
			wire["content"] = nil
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire); err != nil {
		t.Fatal(err)
	}
	return b.Len() - 1
}

// anything is a conversation with all that may come up in one.
func anything(rng *rand.Rand, exchanges int) []planner.Message {
	words := []string{"", "fit", "a b", "naïve\n9.9 forged", "é\"<&>", strings.Repeat("long", 40), "\u2028", "\xff"}
	var messages []planner.Message
	if rng.IntN(8) > 0 {
		messages = append(messages, planner.Message{Role: planner.RoleSystem, Content: strings.Repeat("s", rng.IntN(800))})
	}
	if rng.IntN(2) == 0 {
		messages = append(messages, planner.Message{Role: planner.RoleUser, Content: "Begin."})
	}
	for s := 1; s <= exchanges; s++ {
		switch rng.IntN(6) {
		case 0: // words, and what to say to them
			messages = append(messages, planner.Message{Role: planner.RoleAssistant, Content: "Well… " + words[rng.IntN(7)]},
				planner.Message{Role: planner.RoleUser, Content: "Nothing was done."})
		case 1: // a garbled call, repaired
			messages = append(messages,
				planner.Message{Role: planner.RoleAssistant, ToolCalls: []planner.ToolCall{{ID: fmt.Sprint("g", s), Name: "x", Arguments: "{}"}}},
				planner.Message{Role: planner.RoleTool, ToolCallID: fmt.Sprint("g", s), Content: "Nothing was done."})
		default:
			exchange := step(s, 1+rng.IntN(3), rng.IntN(600))
			for i := range exchange[1:] {
				o := planner.Observation{Call: exchange[i+1].Call, ToolCallID: exchange[i+1].ToolCallID, ID: words[rng.IntN(len(words))], Action: words[rng.IntN(len(words))], Status: "completed"}
				switch rng.IntN(4) {
				case 0:
					o.Status, o.Error = "failed", &planner.ObservedError{Type: "rlam.NotConverged", Message: strings.Repeat("m", rng.IntN(300))}
				case 1:
					o.Output = json.RawMessage(`"` + strings.Repeat("v", rng.IntN(900)) + `"`)
				case 2:
					continue
				}
				exchange[i+1] = planner.Observe(o, 0)
			}
			if rng.IntN(10) == 0 { // a call that came as text, observed by another hand
				exchange = []planner.Message{{Role: planner.RoleAssistant, Content: "{…}"}, {Role: planner.RoleTool, Call: fmt.Sprintf("%d.1", s), Content: strings.Repeat("x", rng.IntN(500))}}
			}
			messages = append(messages, exchange...)
		}
	}
	return messages
}

func TestWindowFollowsTheRule(t *testing.T) {
	full, folded, counted := 0, 0, 0
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		messages := anything(rng, 1+rng.IntN(25))
		budget := 100 + rng.IntN(2000)
		w := window(t, budget)
		for at := 0; at < len(messages); {
			n := min(rng.IntN(9), len(messages)-at)
			if err := w.Add(messages[at : at+n]...); err != nil {
				t.Fatal(err)
			}
			at += n
			if rng.IntN(4) > 0 && at < len(messages) {
				continue
			}
			want, count := rule(t, messages[:at], budget)
			sent, cut, tokens, err := w.Fit()
			if cut != want || tokens != count {
				t.Fatalf("seed %d, %d messages, budget %d: %+v with %d tokens, want %+v with %d", seed, at, budget, cut, tokens, want, count)
			}
			if count > budget {
				if full++; !errors.Is(err, planner.ErrContextFull) || sent != nil {
					t.Fatalf("seed %d: %d of %d tokens, error %v", seed, count, budget, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if again := planner.Shorten(messages[:at], cut); !reflect.DeepEqual(sent, again) && len(sent)+len(again) > 0 {
				t.Fatalf("seed %d: Fit gives\n%q\nand Shorten\n%q", seed, sent, again)
			}
			if cut.Folded > 0 {
				folded++
			}
			if cut.Counted > 0 {
				counted++
			}
			if at == len(messages) {
				answered(t, sent)
			}
		}
	}
	if full < 10 || folded < 10 || counted < 10 {
		t.Errorf("the budget was too small %d times, folded something %d times, and counted %d times: the test shows little", full, folded, counted)
	}
}

func BenchmarkWindow(b *testing.B) {
	for _, messages := range []int{2_000, 20_000, 200_000} {
		b.Run(fmt.Sprint(messages), func(b *testing.B) {
			w := window(b, 32_000, steps(messages/3, 400)...)
			for s := messages; b.Loop(); s++ {
				if err := w.Add(step(s, 2, 400)...); err != nil {
					b.Fatal(err)
				}
				fit(b, w)
			}
		})
	}
}

package planner_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rlam/activities/planner"
)

// step is one exchange of n observations of this size.
func step(s, n, size int) []planner.Message {
	messages := make([]planner.Message, 1, n+1)
	messages[0].Role = planner.RoleAssistant
	for c := range n {
		id := fmt.Sprintf("%d.%d", s, c+1)
		messages[0].ToolCalls = append(messages[0].ToolCalls, planner.ToolCall{ID: id, Name: "fit_nonlinear", Arguments: `{"params":{}}`})
		messages = append(messages, planner.Message{
			Role: planner.RoleTool, ToolCallID: id, Call: id, Content: strings.Repeat("o", size),
			Stub: fmt.Sprintf(`{"call":"%s","id":"fit%d","action":"fit.nonlinear","status":"completed","elided":"shown before"}`, id, s*10+c),
		})
	}
	return messages
}

// steps is a conversation of n steps with two observations each.
func steps(n, size int) []planner.Message {
	messages := []planner.Message{{Role: planner.RoleSystem, Content: strings.Repeat("s", 2000)}}
	for s := 1; s <= n; s++ {
		messages = append(messages, step(s, 2, size)...)
	}
	return messages
}

func window(t testing.TB, budget int, messages ...planner.Message) *planner.Window {
	t.Helper()
	w, err := planner.NewWindow(nil, budget)
	if err == nil {
		err = w.Add(messages...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func fit(t testing.TB, w *planner.Window) ([]planner.Message, planner.Cut, int) {
	t.Helper()
	sent, cut, tokens, err := w.Fit()
	if err != nil {
		t.Fatal(err)
	}
	return sent, cut, tokens
}

// answered fails unless every tool message answers a call of the assistant message
// before it, and every call has its answer.
func answered(t *testing.T, sent []planner.Message) {
	t.Helper()
	open := map[string]bool{}
	for i, m := range sent {
		if m.Role == planner.RoleTool && m.ToolCallID != "" && !open[m.ToolCallID] {
			t.Fatalf("message %d answers %q, which is not open", i, m.ToolCallID)
		}
		delete(open, m.ToolCallID)
		for _, tc := range m.ToolCalls {
			open[tc.ID] = true
		}
	}
	r := request(t)
	r.Messages = sent
	body(t, r) // refuses a call without an answer
}

func TestWindowLeavesWhatFits(t *testing.T) {
	messages := steps(10, 4000)
	for _, budget := range []int{0, -1, 1 << 20} {
		sent, cut, _ := fit(t, window(t, budget, messages...))
		if !reflect.DeepEqual(sent, messages) || cut != (planner.Cut{}) {
			t.Errorf("budget %d: shortened by %+v", budget, cut)
		}
	}
	if sent, cut, tokens := fit(t, window(t, 100)); len(sent) != 0 || cut != (planner.Cut{}) || tokens != 0 {
		t.Errorf("of nothing there is %v, %+v, %d tokens", sent, cut, tokens)
	}
}

func TestWindowShortensTheOldestObservationsFirst(t *testing.T) {
	const budget = 10_000
	messages := steps(10, 4000)
	before := slices.Clone(messages)
	sent, cut, tokens := fit(t, window(t, budget, messages...))
	if !reflect.DeepEqual(messages, before) {
		t.Error("the conversation that was given is changed")
	}
	if tokens > budget || cut.Stubbed == 0 || cut.Folded > 0 {
		t.Fatalf("%d tokens after %+v, want at most %d and nothing folded", tokens, cut, budget)
	}
	for i, want := range messages {
		if want.Call != "" && i < cut.Stubbed {
			want.Content = want.Stub
		}
		if !reflect.DeepEqual(sent[i], want) {
			t.Errorf("message %d is %+v", i, sent[i])
		}
	}
	answered(t, sent)
}

func TestWindowLeavesAnObservationThatIsShorterThanItsStub(t *testing.T) {
	messages := append(append(steps(0, 0), step(1, 2, 1)...), append(step(2, 2, 8000), step(3, 1, 8000)...)...)
	sent, cut, _ := fit(t, window(t, 5500, messages...))
	if cut.Stubbed <= 5 || sent[2].Content != "o" || sent[5].Content != messages[5].Stub {
		t.Errorf("shortened by %+v to %q and %.40q", cut, sent[2].Content, sent[5].Content)
	}
}

func TestWindowKeepsTheLastExchange(t *testing.T) {
	messages := steps(3, 4000)
	sent, cut, tokens, err := window(t, 2500, messages...).Fit()
	if !errors.Is(err, planner.ErrContextFull) || tokens <= 2500 || sent != nil || cut.Folded != 7 {
		t.Errorf("%d tokens after %+v, error %v, want %v", tokens, cut, err, planner.ErrContextFull)
	}
	sent, _, _ = fit(t, window(t, 3500, messages...))
	if last := len(sent) - 3; !reflect.DeepEqual(sent[last:], messages[7:]) {
		t.Errorf("the last exchange is sent as %+v", sent[last:])
	}
}

func TestWindowCountsTheTools(t *testing.T) {
	messages := steps(1, 10)
	_, _, without := fit(t, window(t, 0, messages...))
	w, err := planner.NewWindow(fitTools(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(messages...); err != nil {
		t.Fatal(err)
	}
	_, _, with := fit(t, w)
	r := request(t)
	r.Messages = messages
	if estimate := len(body(t, r)) / 4; with <= without || with < estimate*9/10 || with > estimate*11/10 {
		t.Errorf("%d tokens with tools, %d without; the body has %d", with, without, estimate)
	}
	if _, err := planner.NewWindow([]planner.Tool{{Name: "odd", Parameters: json.RawMessage(`{`)}}, 0); err == nil || !strings.Contains(err.Error(), `"odd"`) {
		t.Errorf("error %v, want one that names the tool", err)
	}
}

// What is shortened only grows as the conversation does, stays the same for several
// steps, and then leaves a quarter of the budget free.
func TestWindowMovesRarely(t *testing.T) {
	const budget = 16_000
	rng := rand.New(rand.NewPCG(1, 2))
	w := window(t, budget, steps(0, 0)...)
	var before planner.Cut
	moves, folds, text := 0, 0, ""
	for s := 1; s <= 600; s++ {
		if err := w.Add(step(s, 2, rng.IntN(1500))...); err != nil {
			t.Fatal(err)
		}
		sent, cut, tokens := fit(t, w)
		if tokens > budget {
			t.Fatalf("step %d: %d tokens, want at most %d", s, tokens, budget)
		}
		if cut.Counted < before.Counted || cut.Folded < before.Folded || cut.Stubbed < before.Stubbed || cut.Stubbed > 3*s-2 {
			t.Fatalf("step %d: shortened by %+v after %+v", s, cut, before)
		}
		if cut != before {
			if moves++; tokens > budget*3/4 {
				t.Fatalf("step %d: %d tokens are left after shortening, want at most three quarters of %d", s, tokens, budget)
			}
		}
		if cut.Folded > 0 {
			if cut.Folded != before.Folded {
				folds++
			} else if sent[1].Content != text {
				t.Fatalf("step %d: what is folded is told in other words, and no more was folded", s)
			}
			text = sent[1].Content
		}
		before = cut
	}
	if moves < 2 || moves > 300 || folds == 0 || folds > 100 {
		t.Errorf("what is shortened moved %d times in 600 steps, and %d times by folding", moves, folds)
	}
}

func TestWindowGoesOn(t *testing.T) {
	const budget = 32_000
	all := 100_000
	if testing.Short() {
		all = 10_000
	}
	w := window(t, budget, steps(0, 0)...)
	for s := 1; s <= all; s++ {
		exchange := step(s, 1, 60)
		if err := w.Add(exchange...); err != nil {
			t.Fatal(err)
		}
		if s%5000 != 0 {
			continue
		}
		sent, cut, tokens := fit(t, w)
		if tokens > budget || cut.Counted == 0 || !reflect.DeepEqual(sent[len(sent)-2:], exchange) {
			t.Fatalf("step %d: %d tokens after %+v, the last message is %+v", s, tokens, cut, sent[len(sent)-1])
		}
		answered(t, sent)
		calls := (cut.Folded - 1) / 2 // a step is two messages
		text := sent[1].Content
		listed := strings.Split(text, "\n")
		listed = listed[1 : len(listed)-1]
		newest := fmt.Sprintf("%d.1 fit%d fit.nonlinear completed", calls, calls*10)
		before := fmt.Sprintf("and %d calls before them.", calls-len(listed))
		if !strings.Contains(text, fmt.Sprintf("%d earlier calls", calls)) || listed[len(listed)-1] != newest || !strings.HasSuffix(text, before) {
			t.Fatalf("step %d: %d calls are folded into %q", s, calls, text)
		}
		if list := len(text); list < budget/4*3/4 || list > budget/4*5/4 {
			t.Fatalf("step %d: the folded calls take %d bytes, want about %d", s, list, budget/4)
		}
	}
}

// A step costs the same late in a run as early, and a window holds no more.
func TestWindowWorkIsFlat(t *testing.T) {
	const round = 200
	for name, exchange := range map[string]func(s int) []planner.Message{
		"calls": func(s int) []planner.Message { return step(s, 2, 200) },
		"words": func(int) []planner.Message {
			return []planner.Message{{Role: planner.RoleAssistant, Content: strings.Repeat("w", 300)}, {Role: planner.RoleUser, Content: "Nothing was done."}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := window(t, 16_000, steps(0, 0)...)
			s := 0
			run := func(steps int) (allocated, held uint64) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range steps {
					s++
					if err := w.Add(exchange(s)...); err != nil {
						t.Fatal(err)
					}
					fit(t, w)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc, after.HeapAlloc
			}
			run(2 * round)
			early, few := run(round)
			run(20 * round)
			late, many := run(round)
			if late > early*5/4 {
				t.Errorf("%d bytes a step after %d steps, %d after %d", late/round, 23*round, early/round, 2*round)
			}
			if many > few+1<<19 {
				t.Errorf("%d bytes are held after %d steps, %d after %d", many, 24*round, few, 3*round)
			}
			runtime.KeepAlive(w)
		})
	}
}

func TestWindowGivesWhatStays(t *testing.T) {
	w := window(t, 3000, steps(2, 900)...)
	sent, _, _ := fit(t, w)
	before := slices.Clone(sent)
	again, _, _ := fit(t, w)
	again[0].Content = "the caller's own"
	for s := 3; s < 60; s++ {
		if err := w.Add(step(s, 2, 900)...); err != nil {
			t.Fatal(err)
		}
		fit(t, w)
	}
	if !reflect.DeepEqual(sent, before) {
		t.Error("what was given is changed by what came later")
	}
	if now, _, _ := fit(t, w); now[0].Content != before[0].Content {
		t.Error("the conversation is changed through what was given")
	}
}

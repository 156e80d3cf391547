package schemas

import (
	"fmt"
	"time"
)

// Tokens are what one answer of a model took.
type Tokens struct {
	Prompt     int // Cached included
	Cached     int // of Prompt, what the server had cached
	Completion int
}

// Total is prompt and completion together.
func (t Tokens) Total() int { return t.Prompt + t.Completion }

// Cost is what an answer of a model costs, and whether the model has a price.
func (p Prices) Cost(model string, t Tokens) (money float64, known bool) {
	price, known := p.Models[model]
	cached := price.Input
	if price.Cached != nil {
		cached = *price.Cached
	}
	return (float64(t.Prompt-t.Cached)*price.Input + float64(t.Cached)*cached + float64(t.Completion)*price.Output) / 1e6, known
}

// Allowance says whether a planner may be asked.
type Allowance string

// The allowances.
const (
	AskOn   Allowance = "on"
	AskLast Allowance = "last" // once more, for a result: see [Facts.LastTurn]
	AskNot  Allowance = "not"
)

// Turn is the answer to whether the planner may be asked for another step.
type Turn struct {
	Allowance Allowance
	Limit     string // that is reached, of last and not: a member of limits in the study file
	Reason    string
	Answer    int // tokens that the answer may have; what was asked for, or what is left for a last turn
}

// What is kept for a last turn, in tokens, where the model may have more.
const (
	keptAnswer   = 1024 // its answer
	keptOutcomes = 2048 // what it is told of the calls before it
	leastAnswer  = 128  // less is no turn
)

// Turn decides before a model is asked whether what is left of the run's limits pays
// for it. needs is what the turn could take: the prompt's estimate, and the most the
// answer may have. A turn goes on only if enough stays for one more, so that the last
// one, in which the planner can hand in what it has, is within the limits too. The
// first turn is never the last: there is nothing to hand in yet.
func (f Facts) Turn(model string, needs Tokens) Turn {
	turn := Turn{Allowance: AskOn, Answer: needs.Completion}
	if f.Study == nil {
		return turn
	}
	first := f.Counters.Steps == 0
	for _, b := range f.budgets(model, needs) {
		answer := b.answer(needs)
		switch {
		case answer < min(leastAnswer, needs.Completion):
			return Turn{Allowance: AskNot, Limit: b.name, Reason: b.reason}
		case !first && turn.Allowance == AskOn && b.left < b.next(needs, f.Study.Study.Planner.Context):
			turn.Allowance, turn.Limit, turn.Reason = AskLast, b.name, b.reason
		}
		turn.Answer = min(turn.Answer, answer)
	}
	if name := f.exhausted(); name != "" {
		turn.Allowance, turn.Limit, turn.Reason = AskLast, name, f.reached(name)
	}
	if first && turn.Allowance == AskLast {
		turn.Allowance = AskNot
	}
	return turn
}

// budget is a limit that turns themselves use up.
type budget struct {
	name, reason string
	left         float64
	turn         float64                // what any turn takes
	cost         func(t Tokens) float64 // what these tokens take besides
	each         float64                // of cost, what a token of the answer takes
}

func (b budget) answer(needs Tokens) int {
	left := b.left - b.turn - b.cost(Tokens{Prompt: needs.Prompt})
	switch {
	case left < 0:
		return -1
	case b.each == 0:
		return needs.Completion
	}
	return int(min(left/b.each, float64(needs.Completion)))
}

// next is what this turn and a last one after it could take together.
func (b budget) next(needs Tokens, context int) float64 {
	last := Tokens{Prompt: needs.Total() + keptOutcomes, Completion: min(needs.Completion, keptAnswer)}
	if context > 0 {
		last.Prompt = min(last.Prompt, max(context, needs.Prompt))
	}
	return 2*b.turn + b.cost(needs) + b.cost(last)
}

// budgets are those that the study sets. Money that has no price is none at all.
func (f Facts) budgets(model string, needs Tokens) []budget {
	study, used := f.Study.Study, f.Counters
	l, prices := study.Limits, study.Planner.Prices
	nothing := func(Tokens) float64 { return 0 }
	var out []budget
	if l.Steps > 0 {
		out = append(out, budget{name: "steps", reason: f.reached("steps"), left: float64(l.Steps - used.Steps), turn: 1, cost: nothing})
	}
	if l.Tokens > 0 {
		out = append(out, budget{
			name: "tokens", left: float64(l.Tokens - used.Tokens), each: 1, cost: func(t Tokens) float64 { return float64(t.Total()) },
			reason: fmt.Sprintf("the limit of %d tokens is reached (%d used): a turn could take %d", l.Tokens, used.Tokens, needs.Total()),
		})
	}
	if l.Money == 0 {
		return out
	}
	cost, priced := prices.Cost(model, needs)
	b := budget{
		name: "money", left: l.Money - used.Money, each: prices.Models[model].Output / 1e6,
		cost:   func(t Tokens) float64 { money, _ := prices.Cost(model, t); return money },
		reason: fmt.Sprintf("the money limit of %.6g %s is reached (%.6g used): a turn could cost %.6g", l.Money, prices.Currency, used.Money, cost),
	}
	if !priced && study.Planner.Model != "" {
		b.left, b.reason = -1, fmt.Sprintf("money is limited, and the model %q has no price in the study", model)
	}
	return append(out, b)
}

// exhausted names a limit without which nothing but a result is left to propose.
func (f Facts) exhausted() string {
	l, used := f.Study.Study.Limits, f.Counters
	for _, b := range []struct {
		name        string
		limit, used int64
	}{
		{"wall_time", int64(l.WallTime), int64(used.Elapsed)},
		{"calls", int64(l.Calls), int64(used.Calls)},
		{"attempts", int64(l.Attempts), int64(used.Attempts)},
		{"bytes", l.Bytes, used.Bytes},
		{"repairs", int64(l.Repairs), int64(used.Repairs)},
	} {
		if b.limit > 0 && b.used >= b.limit || b.name == f.LastTurn {
			return b.name
		}
	}
	left := f.Remaining().Actions
	for name := range f.Actions {
		if n, limited := left[name]; !limited || n > 0 {
			return ""
		}
	}
	if len(f.Actions) == 0 {
		return ""
	}
	return "actions"
}

// reached says that a limit is, for the run's record.
func (f Facts) reached(name string) string {
	l := f.Study.Study.Limits
	switch name {
	case "wall_time":
		return fmt.Sprintf("the wall-time limit of %s is reached", time.Duration(l.WallTime))
	case "repairs":
		return number(f.Counters.Repairs, "proposal") + " in a row held nothing that could be dispatched, and that is the limit"
	case "actions":
		return "all calls that the study allows of its actions are used up"
	case "bytes":
		name = number(int(l.Bytes), "byte") + " of artifacts"
	case "steps":
		name = number(l.Steps, "step")
	case "calls":
		name = number(l.Calls, "call")
	case "attempts":
		name = number(l.Attempts, "attempt")
	}
	return fmt.Sprintf("the limit of %s is reached", name)
}

package schemas

import "fmt"

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
}

// Turn decides before a model is asked whether what is left of the run's limits pays
// for it. needs is what the turn could take: the prompt's estimate, and the most the
// answer may have. What that is stays held for one turn more, so that the last one,
// in which the planner can hand in what it has, is within the limits too.
func (f Facts) Turn(model string, needs Tokens) Turn {
	if f.Study == nil {
		return Turn{Allowance: AskOn}
	}
	study, used := f.Study.Study, f.Counters
	l := study.Limits
	cost, priced := study.Planner.Prices.Cost(model, needs)
	if l.Money > 0 && !priced && study.Planner.Model != "" {
		return Turn{AskNot, "money", fmt.Sprintf("money is limited, and the model %q has no price in the study", model)}
	}
	// What asks for turns: a turn is none at all, or the last, if one or two don't fit.
	for _, b := range []struct {
		name              string
		limit, used, each float64
		unit              string
	}{
		{"steps", float64(l.Steps), float64(used.Steps), 1, ""},
		{"tokens", float64(l.Tokens), float64(used.Tokens), float64(needs.Total()), ""},
		{"money", l.Money, used.Money, cost, " " + study.Planner.Prices.Currency},
	} {
		reason := fmt.Sprintf("the run has used %.6g of its %.6g%s (%s), and a turn takes up to %.6g", b.used, b.limit, b.unit, b.name, b.each)
		switch {
		case b.limit == 0:
		case b.used+b.each > b.limit:
			return Turn{AskNot, b.name, reason}
		case b.used+2*b.each > b.limit:
			return Turn{AskLast, b.name, reason}
		}
	}
	// What only calls ask for: without them there is one thing left to do.
	for _, b := range []struct {
		name        string
		limit, used float64
	}{
		{"calls", float64(l.Calls), float64(used.Calls)},
		{"attempts", float64(l.Attempts), float64(used.Attempts)},
		{"bytes", float64(l.Bytes), float64(used.Bytes)},
		{"wall_time", float64(l.WallTime), float64(used.Elapsed)},
	} {
		if b.limit > 0 && b.used >= b.limit {
			return Turn{AskLast, b.name, fmt.Sprintf("the run's limit of %s is used up", b.name)}
		}
	}
	return Turn{Allowance: AskOn}
}

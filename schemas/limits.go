package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Counters are what the run has used up, without the calls that are judged now and
// without their step.
type Counters struct {
	Steps    int      `json:"steps"`
	Calls    int      `json:"calls"`
	Attempts int      `json:"attempts"`
	Tokens   int      `json:"tokens"`
	Money    float64  `json:"money"`
	Bytes    int64    `json:"bytes"` // of artifacts
	Elapsed  Duration `json:"elapsed"`
	Repairs  int      `json:"repairs,omitempty"` // proposals in a row of which nothing could be dispatched
}

// hold is what a call of the step takes from limits as long as it has not been refused.
// A deferred call keeps it until it has ended.
type hold struct {
	action string
	rules  []string // of the policy, whose limit it counts against or could
}

type heldCalls []hold

func (h heldCalls) of(b *Bound) (n int) {
	for _, one := range h {
		if one.action == b.Action.Name {
			n++
		}
	}
	return n
}

func (h heldCalls) under(rule string) (n int) {
	for _, one := range h {
		if slices.Contains(one.rules, rule) {
			n++
		}
	}
	return n
}

// limits refuses calls for which the run has nothing left. The calls of a step are
// granted in their order, each holding what it needs.
func (p *step) limits(c *trial) {
	if c.refused() {
		return
	}
	var bounds Limits
	if p.facts.Study != nil {
		bounds = p.facts.Study.Study.Limits
	}
	used := p.facts.Counters
	basis := limitFacts{
		Attempts: used.Attempts, Bytes: used.Bytes, Calls: used.Calls, Elapsed: used.Elapsed, Granted: len(p.held),
		MaxAttempts: bounds.Attempts, MaxBytes: bounds.Bytes, MaxCalls: bounds.Calls, MaxElapsed: bounds.WallTime,
	}
	name := c.action.Action.Name
	own, limited := bounds.Actions[name]
	if limited {
		basis.Action, basis.MaxOfAction, basis.OfAction = name, own, p.callsOf(c)
	}
	switch {
	case bounds.Calls > 0 && basis.Calls+basis.Granted >= bounds.Calls:
		c.say(GateLimits, Refused, "calls", fmt.Sprintf("the run has used %d of its %d calls, and this step's earlier calls take %d: none is left", basis.Calls, bounds.Calls, basis.Granted), basis)
	case bounds.Attempts > 0 && basis.Attempts+basis.Granted >= bounds.Attempts:
		c.say(GateLimits, Refused, "attempts", fmt.Sprintf("the run has used %d of its %d attempts, and this step's earlier calls need %d: none is left", basis.Attempts, bounds.Attempts, basis.Granted), basis)
	case limited && basis.OfAction >= own:
		c.say(GateLimits, Refused, "actions", fmt.Sprintf("the study allows %s of %q in a run, and none is left; use another action, or what the earlier calls gave", number(own, "call"), name), basis)
	case bounds.Bytes > 0 && used.Bytes >= bounds.Bytes:
		c.say(GateLimits, Refused, "bytes", fmt.Sprintf("the artifacts of the run have %d bytes, and %d is the limit: nothing more can be kept", used.Bytes, bounds.Bytes), basis)
	case bounds.WallTime > 0 && used.Elapsed >= bounds.WallTime:
		c.say(GateLimits, Refused, "wall_time", fmt.Sprintf("the run has taken %v of its %v", time.Duration(used.Elapsed).Round(time.Second), time.Duration(bounds.WallTime)), basis)
	default:
		p.held = append(p.held, hold{action: name, rules: c.limited})
		c.say(GateLimits, Admitted, "", "", basis)
	}
}

// callsOf counts the calls of the same action that come before c.
func (p *step) callsOf(c *trial) int {
	n := p.held.of(c.action)
	for _, call := range p.history(c) {
		if call.Action == c.action.Action.Name {
			n++
		}
	}
	return n
}

// last refuses a call in the planner's last turn, whatever else is wrong with it.
func (p *step) last(c *trial) {
	c.say(GateLimits, Refused, "last_turn", fmt.Sprintf("the run's limit of %s is reached, and this is its last turn: no call can be made any more. Only finish, with what there is, or give_up is admitted", p.facts.LastTurn), limitFacts{
		Attempts: p.facts.Counters.Attempts, Calls: p.facts.Counters.Calls, Last: p.facts.LastTurn,
	})
}

// Remaining is what a run has left. A member that stands for no limit is absent.
type Remaining struct {
	Steps    *int           `json:"steps,omitempty"`
	Calls    *int           `json:"calls,omitempty"`
	Attempts *int           `json:"attempts,omitempty"`
	Tokens   *int           `json:"tokens,omitempty"`
	Actions  map[string]int `json:"actions,omitempty"` // calls of an action
	Money    *float64       `json:"money,omitempty"`
	Currency string         `json:"currency,omitempty"` // of Money
	Bytes    *int64         `json:"bytes,omitempty"`    // of artifacts
	WallTime *Duration      `json:"wall_time,omitempty"`
}

// Remaining is what the run has left before another step.
func (f Facts) Remaining() Remaining {
	if f.Study == nil {
		return Remaining{}
	}
	l, used := f.Study.Study.Limits, f.Counters
	r := Remaining{
		Steps: left(l.Steps, used.Steps), Calls: left(l.Calls, used.Calls), Attempts: left(l.Attempts, used.Attempts), Tokens: left(l.Tokens, used.Tokens),
		Money: left(l.Money, used.Money), Bytes: left(l.Bytes, used.Bytes), WallTime: left(l.WallTime, used.Elapsed),
	}
	if r.Money != nil {
		r.Currency = f.Study.Study.Planner.Prices.Currency
	}
	if len(l.Actions) > 0 {
		r.Actions = maps.Clone(l.Actions)
		for key, s := range f.Sources {
			if n, limited := r.Actions[s.Action]; limited && (s.Call == "" || s.Call == key) && s.Status != StatusRefused {
				r.Actions[s.Action] = max(0, n-1)
			}
		}
	}
	return r
}

func left[N int | int64 | float64 | Duration](limit, used N) *N {
	if limit == 0 {
		return nil
	}
	n := max(0, limit-used)
	return &n
}

// String is r for a planner: "12 steps, 30 calls (5 of fit), 0.82 EUR, 41m0s".
func (r Remaining) String() string {
	var parts []string
	for _, one := range []struct {
		n    *int
		noun string
	}{{r.Steps, "step"}, {r.Calls, "call"}, {r.Attempts, "attempt"}, {r.Tokens, "token"}} {
		if one.n == nil {
			continue
		}
		parts = append(parts, number(*one.n, one.noun))
		if one.noun == "call" && len(r.Actions) > 0 {
			var of []string
			for _, name := range sortedKeys(r.Actions) {
				of = append(of, fmt.Sprintf("%d of %s", r.Actions[name], name))
			}
			parts[len(parts)-1] += " (" + strings.Join(of, ", ") + ")"
		}
	}
	if r.Money != nil {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%.4g %s", *r.Money, r.Currency)))
	}
	if r.Bytes != nil {
		parts = append(parts, number(int(*r.Bytes), "byte")+" of artifacts")
	}
	if r.WallTime != nil {
		parts = append(parts, roughly(time.Duration(*r.WallTime)))
	}
	return strings.Join(parts, ", ")
}

// roughly is d without seconds that don't matter.
func roughly(d time.Duration) string {
	if d >= 10*time.Minute {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

package schemas

import (
	"fmt"
	"strings"

	"rlam/internal/canon"
)

// The gates that judge parameters as values: schema, preconditions, policy.

// schema compares the parameters with the action's schema, and with the study's
// narrower one; parameters that are not all known yet are compared as far as they are.
func (p *step) schema(c *trial) {
	if c.refused() || !c.parsed {
		return
	}
	basis := callFacts{Spec: c.Spec}
	canonical, err := canon.Encode(c.value)
	if err != nil {
		c.say(GateSchema, Refused, "json", "params: "+err.Error(), basis)
		return
	}
	c.params = canon.Sum(canonical)
	basis.Params = c.params
	if len(canonical) > maxInstance {
		c.say(GateSchema, Refused, "size", fmt.Sprintf("with references replaced, params have %d bytes; %d is the most: pass large data as an artifact", len(canonical), maxInstance), basis)
		return
	}
	if m, ok := c.value.(map[string]any); ok && c.pending && m["$from"] != nil {
		c.say(GateSchema, Deferred, "", "", basis)
		return
	}
	narrow := p.narrowing(c.action)
	if narrow != nil {
		basis.Narrow = p.facts.Study.Digest
	}
	rule, reason := "", ""
	if vs := fitting(c.action.params, c.action.loose, c.pending).check(c.value); len(vs) > 0 {
		reason = fmt.Sprintf("params don't fit %s: %v", c.action.ID(), vs)
	} else if narrow != nil {
		if vs := fitting(narrow.schema, narrow.loose, c.pending).check(c.value); len(vs) > 0 {
			rule, reason = "study", fmt.Sprintf("params fit %s, and not what this study allows of it: %v", c.action.ID(), vs)
		}
	}
	switch {
	case reason != "":
		c.say(GateSchema, Refused, rule, reason, basis)
	case c.pending:
		c.say(GateSchema, Deferred, "", "", basis)
	default:
		c.Resolved = canonical
		c.say(GateSchema, Admitted, "", "", basis)
	}
}

func fitting(whole, loose *Schema, pending bool) *Schema {
	if pending {
		return loose
	}
	return whole
}

func (p *step) narrowing(b *Bound) *narrowing {
	if p.facts.Study == nil {
		return nil
	}
	return p.facts.Study.narrow[b.Action.Name]
}

func (p *step) preconditions(c *trial) {
	if c.refused() || !c.parsed {
		return
	}
	basis := callFacts{Spec: c.Spec}
	if c.Resolved != nil {
		basis.Params = c.params
	}
	if len(c.action.pre) == 0 {
		c.say(GatePreconditions, Admitted, "", "", basis)
		return
	}
	basis.Inputs = canon.Sum(p.facts.Sources[InputSource].Output)
	if c.pending {
		c.say(GatePreconditions, Deferred, "", "", basis)
		return
	}
	values := map[string]any{"params": c.asDoubles(), "inputs": p.inputs()}
	for _, e := range c.action.pre {
		if e.read("seed") && p.facts.Study != nil {
			basis.Seed = p.facts.Study.Study.Seed
		}
		if e.read("step") {
			basis.Step = standingOf(c.ID).step
		}
		if e.read("calls") && values["calls"] == nil {
			outcomes := p.outcomes(c)
			values["calls"] = outcomes
			if canonical, err := canon.Encode(outcomes); err == nil {
				basis.Calls = canon.Sum(canonical)
			}
		}
	}
	values["seed"], values["step"] = float64(basis.Seed), float64(basis.Step)
	if reasons := failing(c.action.pre, values); reasons != nil {
		c.say(GatePreconditions, Refused, "", fmt.Sprintf("a precondition of %s is not met: %s", c.action.ID(), strings.Join(reasons, "; ")), basis)
		return
	}
	c.say(GatePreconditions, Admitted, "", "", basis)
}

func (p *step) inputs() any {
	if v, err := p.output(InputSource); err == nil {
		if m, ok := v.(map[string]any); ok {
			return m
		}
	}
	return map[string]any{}
}

// asDoubles is the value as expressions see it, made once.
func (c *trial) asDoubles() any {
	if c.doubles == nil {
		c.doubles = doubles(c.value)
	}
	return c.doubles
}

// policy asks the study's rules. Without any, every action that the study lists is
// allowed; others have been refused by name.
func (p *step) policy(c *trial) {
	if c.refused() || !c.parsed {
		return
	}
	if p.facts.Study == nil || p.facts.Study.policy == nil {
		c.say(GatePolicy, Admitted, "listed", "", callFacts{Spec: c.Spec, Effects: c.action.Action.Effects})
		return
	}
	study := p.facts.Study
	counters := p.counters(c)
	basis := map[string]any{"counters": counters, "spec": c.Spec, "study": study.Digest}
	values := map[string]any{"action": c.action.facts, "study": study.facts, "counters": counters}
	if !c.pending {
		lineage := p.lineage(c)
		basis["params"], basis["lineage"] = c.params, lineage
		values["params"], values["lineage"] = c.asDoubles(), lineage
	}
	used := map[string]any{}
	r := study.policy.decide(c.action, values, !c.pending, func(rule string) int {
		n := p.held.under(rule)
		for _, call := range p.history(c) {
			if call.Rule == rule {
				n++
			}
		}
		used[rule] = float64(n)
		return n
	})
	if len(used) > 0 {
		basis["limited"] = used
	}
	c.limited = r.limits
	switch {
	case r.open, c.pending && r.then == Allow:
		c.say(GatePolicy, Deferred, "", "", basis)
	case r.then == Deny:
		c.say(GatePolicy, Refused, r.rule, r.reason, basis)
	case r.then == RequireApproval:
		c.say(GatePolicy, NeedsApproval, r.rule, r.reason, basis)
	default:
		c.say(GatePolicy, Admitted, r.rule, "", basis)
	}
}

// approval is the seam for people: what the policy wants to have approved is refused
// as long as nobody can be asked.
func (p *step) approval(c *trial) {
	if c.refused() || !c.has(NeedsApproval) {
		return
	}
	rule, reason := "", ""
	for _, v := range c.Verdicts {
		if v.Decision == NeedsApproval {
			rule, reason = v.Rule, v.Reason
		}
	}
	c.say(GateApproval, Refused, rule, reason+". Nobody can be asked yet, so it is refused: go on without this call, or propose one that the rule doesn't match", callFacts{Spec: c.Spec, Params: c.params})
}

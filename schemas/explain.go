package schemas

import (
	"encoding/json"
	"fmt"
	"slices"

	"rlam/internal/canon"
)

// Explained is a call that was judged, with why.
type Explained struct {
	Judged
	Value json.RawMessage // the parameters, references replaced as far as that is known; nil if they are no JSON
	Gates []Explanation   // in the order in which gates are asked
	Again *Explained      // the call judged once more, when what it waits for had run; see [Supposition.Explain]
}

// Final is the last decision on the call.
func (e Explained) Final() Decision {
	if e.Again != nil {
		return e.Again.Final()
	}
	return e.Decision
}

// Explanation is what one gate said of a call, and by what.
type Explanation struct {
	Gate     string          `json:"gate"`
	Version  int             `json:"version"`
	Decision Decision        `json:"decision,omitempty"` // none: it was not asked, since an earlier gate refused
	Rule     string          `json:"rule,omitempty"`
	At       string          `json:"at,omitempty"`   // where the rule stands in the study: a JSON pointer
	When     string          `json:"when,omitempty"` // the rule's condition, in CEL
	Then     Then            `json:"then,omitempty"` // what the rule does with the calls that it matches
	Reason   string          `json:"reason,omitempty"`
	Accepted []string        `json:"accepted,omitempty"` // of a refusal: what would be accepted instead, as far as the gate can tell
	Facts    json.RawMessage `json:"facts,omitempty"`    // that were judged; what they hold by digest alone is spelled out
	Digest   canon.Digest    `json:"digest,omitzero"`    // of the facts, as it is recorded
}

// Explain is [Gate.Judge] with why: the same gates on the same facts.
func (g *Gate) Explain(calls []Proposed, f Facts) []Explained {
	p := g.judge(calls, f)
	asked := []string{GateParse, GateReferences, GateSchema, GatePreconditions, GatePolicy, GateLimits}
	if f.LastTurn != "" {
		asked = []string{GateParse, GateLimits}
	}
	out := make([]Explained, len(p.cases))
	for i, c := range p.cases {
		out[i] = p.explain(c, asked)
	}
	return out
}

// ExplainResult is [Gate.JudgeResult] with why.
func (g *Gate) ExplainResult(params []byte, f Facts) Explained {
	p := g.judgeResult(params, f)
	return p.explain(p.cases[0], []string{GateParse, GateReferences, GateSchema, GateAccept})
}

func (p *step) explain(c *trial, asked []string) Explained {
	e := Explained{Judged: c.close()}
	if c.parsed {
		e.Value, _ = canon.Encode(c.value) // the parameters, or their schema gate has said that they can't be recorded
	}
	for _, v := range e.Verdicts {
		x := Explanation{Gate: v.Gate, Version: v.Version, Decision: v.Decision, Rule: v.Rule, Reason: v.Reason, Facts: p.spelledOut(c, v), Digest: v.Facts}
		p.applied(&x)
		if v.Decision == Refused || v.Decision == NeedsApproval {
			x.Accepted = p.accepted(c, x)
		}
		e.Gates = append(e.Gates, x)
	}
	for _, gate := range asked {
		if !slices.ContainsFunc(e.Gates, func(x Explanation) bool { return x.Gate == gate }) {
			e.Gates = append(e.Gates, Explanation{Gate: gate, Version: versions[gate]})
		}
	}
	return e
}

// applied names the rule of the policy that decided.
func (p *step) applied(x *Explanation) {
	if p.facts.Study == nil || x.Gate != GatePolicy && x.Gate != GateApproval {
		return
	}
	policy := p.facts.Study.Study.Policy
	for i, r := range policy.Rules {
		if r.Name == x.Rule {
			x.At, x.When, x.Then = joinIndex("/policy/rules", i), r.When, r.Then
			return
		}
	}
	if x.Rule == "default" && policy.Default != "" {
		x.At, x.Then = "/policy/default", policy.Default
	}
}

// spelledOut are a verdict's facts for people: names in place of what is long and known
// by digest, values in place of what the call itself holds.
func (p *step) spelledOut(c *trial, v Verdict) json.RawMessage {
	facts := map[string]any{}
	if json.Unmarshal(v.Basis, &facts) != nil {
		return v.Basis
	}
	replace := func(name string, value any) {
		if digest, ok := facts[name].(string); ok && isHandle(digest) {
			facts[name] = value
		}
	}
	if c.action != nil {
		replace("spec", c.action.ID())
	}
	if p.facts.Study != nil {
		replace("study", p.facts.Study.Study.Title)
		replace("narrow", p.facts.Study.Study.Title)
	}
	if v.Gate == GateParse {
		replace("params", string(c.Params))
		replace("result", string(c.Params))
	} else {
		replace("params", c.value)
		replace("result", c.value)
	}
	replace("inputs", p.inputs())
	if v.Gate == GatePreconditions {
		replace("calls", p.outcomes(c))
	}
	sources, _ := facts["sources"].([]any)
	for _, s := range sources {
		if s, ok := s.(map[string]any); ok && s["output"] != nil {
			s["output"], _ = p.output(fmt.Sprint(s["from"]))
		}
	}
	spelled, err := canon.Encode(facts)
	if err != nil {
		return v.Basis
	}
	return spelled
}

// accepted is what a gate that refused would accept, as far as it can tell.
func (p *step) accepted(c *trial, x Explanation) []string {
	switch {
	case x.Gate == GateSchema:
		return p.fittingValues(c)
	case x.Gate == GatePreconditions:
		return c.missed(p)
	case x.Gate != GatePolicy:
		return nil
	case x.When != "" && x.Then == LimitCalls:
		return []string{"a call that the rule doesn't match: !(" + x.When + ")"}
	case x.When != "":
		return []string{"a call for which this holds: !(" + x.When + ")"}
	case x.Rule == "default":
		return allowing(p.facts.Study.policy.of(c.action))
	}
	return nil
}

// fittingValues is what the schemas expect where the parameters don't fit.
func (p *step) fittingValues(c *trial) []string {
	schemas := []*Schema{fitting(c.action.params, c.action.loose, c.pending)}
	if n := p.narrowing(c.action); n != nil {
		schemas = append(schemas, fitting(n.schema, n.loose, c.pending))
	}
	var out, said []string
	for _, s := range schemas {
		for _, v := range s.check(c.value) {
			// Of several at one place the first is the plainest: others repeat it for alternatives.
			at := v.Pointer
			if v.missing != "" {
				at = join(at, v.missing)
			}
			if v.Expected != "" && !slices.Contains(said, at) {
				said = append(said, at)
				out = append(out, "at "+spot(at)+": "+phrase(v.Expected, "", v.Nearest))
			}
		}
	}
	return out
}

// missed are the preconditions that don't hold.
func (c *trial) missed(p *step) []string {
	values := map[string]any{"params": c.asDoubles(), "inputs": p.inputs(), "calls": p.outcomes(c), "seed": 0.0, "step": float64(standingOf(c.ID).step)}
	if p.facts.Study != nil {
		values["seed"] = float64(p.facts.Study.Study.Seed)
	}
	var out []string
	for _, e := range c.action.pre {
		if is, err := e.eval(values); err != nil || !is {
			out = append(out, "a call for which this holds: "+e.Expr)
		}
	}
	return out
}

// allowing are the rules that would allow another call of the same action.
func allowing(rules []*rule) []string {
	var out []string
	for _, r := range rules {
		if r.Then == Deny || r.Then == RequireApproval {
			continue
		}
		when := "always"
		if r.When != "" {
			when = r.When
		}
		out = append(out, fmt.Sprintf("a call for which this holds: %s (rule %q)", when, r.Name))
	}
	return out
}

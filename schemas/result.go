package schemas

import (
	"encoding/json"
	"fmt"
	"strings"

	"rlam/internal/canon"
)

// JudgeResult judges what a planner hands in as the study's result: its JSON, its
// references, the study's schema, and the study's accept expressions. A reference
// to a call that has not ended is refused. In a last turn, see [Facts.LastTurn], a
// result may lack what the schema requires at its top, and what is there must fit.
// The accept expressions are asked and their answer is recorded, but they don't
// refuse it. A result that wants for either is Partial.
func (g *Gate) JudgeResult(params []byte, f Facts) Judged {
	return g.judgeResult(params, f).cases[0].close()
}

func (g *Gate) judgeResult(params []byte, f Facts) *step {
	p := newPlan([]Proposed{{Action: "finish", Params: params}}, f, g.deleted)
	c := p.cases[0]
	c.action = &Bound{Action: Action{Name: "result"}, params: f.Study.result}
	delete(p.byID, "")

	v, err := strict(params)
	written := map[string]any{"result": canon.Sum(params)}
	if err != nil {
		c.say(GateParse, Refused, "json", "result: "+err.Error(), written)
		return p
	}
	c.written, c.value, c.parsed = v, v, true
	c.say(GateParse, Admitted, "", "", written)
	p.references(c)
	if !c.refused() && c.pending {
		c.Verdicts[len(c.Verdicts)-1].Decision = Refused
		c.Verdicts[len(c.Verdicts)-1].Reason = "the result refers to calls that have not ended: " + quoted(c.Judged.After)
	}
	if c.refused() {
		return p
	}
	p.judgeValue(c)
	return p
}

// judgeValue judges a result whose references are replaced.
func (p *step) judgeValue(c *trial) {
	f := p.facts
	canonical, err := canon.Encode(c.value)
	basis := map[string]any{"study": f.Study.Digest, "result": canon.Sum(canonical)}
	if f.LastTurn != "" {
		basis["last"] = f.LastTurn
	}
	if err != nil {
		c.say(GateSchema, Refused, "json", "result: "+err.Error(), basis)
		return
	}
	rule := ""
	if vs := f.Study.result.check(c.value); len(vs) > 0 {
		if vs = p.lacking(c, vs); len(vs) > 0 {
			c.say(GateSchema, Refused, "", fmt.Sprintf("the result doesn't fit the study's schema: %v", vs), basis)
			return
		}
		rule, c.Partial = "partial", true
	}
	c.Resolved = canonical
	c.say(GateSchema, Admitted, rule, "", basis)
	reasons := failing(f.Study.accept, map[string]any{"result": doubles(c.value), "inputs": p.inputs()})
	switch {
	case reasons == nil:
		c.say(GateAccept, Admitted, rule, "", basis)
	case f.LastTurn != "":
		c.Partial = true
		c.say(GateAccept, Admitted, "partial", "what the study accepts a result by does not hold, which a last turn's need not: "+strings.Join(reasons, "; "), basis)
	default:
		c.say(GateAccept, Refused, "", "the result is not accepted: "+strings.Join(reasons, "; "), basis)
	}
}

// lacking is what is wrong with a result besides what it lacks, if it may lack anything.
func (p *step) lacking(c *trial, vs Violations) Violations {
	if p.facts.LastTurn == "" || p.facts.Study.partial == nil {
		return vs
	}
	partial, err := p.facts.Study.partial()
	if err != nil {
		return vs
	}
	return partial.check(c.value)
}

// withoutRequired is a schema of an object that asks for no member of it.
func withoutRequired(schema json.RawMessage) []byte {
	m, ok := raw(schema).(map[string]any)
	if !ok {
		return schema
	}
	delete(m, "required")
	delete(m, "minProperties")
	return marshal(m)
}

// Types of failure that [Gate.CheckOutput] finds.
const (
	InvalidOutput       = "rlam.InvalidOutput"
	PostconditionFailed = "rlam.PostconditionFailed"
)

// Breach says that an output is not what its action promises. The output stays on
// the record; the attempt has failed.
type Breach struct {
	Type       string // InvalidOutput or PostconditionFailed
	Message    string
	Violations []Violation // of the schema
}

func (b *Breach) Error() string { return b.Type + ": " + b.Message }

// CheckOutput compares an output with the action's returns and postconditions;
// nil means that it keeps both. params are the resolved ones.
func (g *Gate) CheckOutput(b *Bound, params, output []byte) *Breach {
	v, err := canonicalValue(output)
	if err != nil {
		return &Breach{Type: InvalidOutput, Message: fmt.Sprintf("the output of %s: %v", b.ID(), err)}
	}
	if vs := b.returns.check(v); len(vs) > 0 {
		return &Breach{Type: InvalidOutput, Message: fmt.Sprintf("the output doesn't fit %s: %v", b.ID(), vs), Violations: vs}
	}
	if len(b.post) == 0 {
		return nil
	}
	given, err := canonicalValue(params)
	if err != nil {
		return &Breach{Type: PostconditionFailed, Message: fmt.Sprintf("the parameters of %s: %v", b.ID(), err)}
	}
	if reasons := failing(b.post, map[string]any{"params": doubles(given), "output": doubles(v)}); reasons != nil {
		return &Breach{Type: PostconditionFailed, Message: fmt.Sprintf("a postcondition of %s is not met: %s", b.ID(), strings.Join(reasons, "; "))}
	}
	return nil
}

// maxOutput is the size at which an output is refused: what is larger is an artifact.
const maxOutput = 1 << 20

func canonicalValue(raw []byte) (any, error) {
	if len(raw) > maxOutput {
		return nil, fmt.Errorf("%d bytes are too many; %d is the most, save large data as an artifact", len(raw), maxOutput)
	}
	return canon.Decode(raw)
}

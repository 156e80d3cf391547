package schemas

import (
	"fmt"
	"slices"

	"rlam/internal/canon"
)

// Kind says why a gate's opinion of a recorded call is another one now.
type Kind string

// The kinds of differences.
const (
	// Upgraded: the gate has another version than the one that judged. What it said then
	// was right by the rules of then, and stays on the record.
	Upgraded Kind = "judged differently now"
	// Follows: the gate is as it was, and judged other facts, since an upgraded gate
	// judges another call of the same step differently.
	Follows Kind = "follows from a call that is judged differently now"
	// Contradicted: a gate of this very version doesn't say on the recorded facts what is
	// recorded. No upgrade explains that: the record was changed, or the gate is not a
	// function of its facts.
	Contradicted Kind = "not what this version of the gate says"
)

// Opinion is what a gate said or says.
type Opinion struct {
	Version  int          `json:"version"`
	Decision Decision     `json:"decision,omitempty"` // none: the gate was not asked
	Rule     string       `json:"rule,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Facts    canon.Digest `json:"facts,omitzero"`
}

// Difference is a gate that says something else of a recorded call than it is recorded
// to have said.
type Difference struct {
	Kind     Kind    `json:"kind"`
	Call     string  `json:"call"` // the engine's id; empty of a result
	Gate     string  `json:"gate"`
	Recorded Opinion `json:"recorded"`
	Now      Opinion `json:"now"`
}

// String says the difference in one sentence.
func (d Difference) String() string {
	what := "the result"
	if d.Call != "" {
		what = "call " + d.Call
	}
	return fmt.Sprintf("%s, gate %s: %s; recorded %s; now %s", what, d.Gate, d.Kind, d.Recorded, d.Now)
}

// String is the opinion for people.
func (o Opinion) String() string {
	if o.Decision == "" {
		return "not asked"
	}
	text := fmt.Sprintf("%s by version %d", o.Decision, o.Version)
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// Rejudge judges the calls of a recorded step again, on the facts of then, and says
// where the gates' opinion is another one now. recorded are the verdicts on each call,
// and pinned the versions that the run's record says its gates had. Of each call the
// first gate that differs is named: what the gates after it say, or whether they are
// asked, follows from that.
func (g *Gate) Rejudge(calls []Proposed, recorded [][]Verdict, pinned map[string]int, f Facts) []Difference {
	var out []Difference
	for i, j := range g.Judge(calls, f) {
		if d, differs := difference(recorded[i], j.Verdicts, pinned); differs {
			d.Call = j.ID
			out = append(out, d)
		}
	}
	return explainedBy(out)
}

// RejudgeResult is [Gate.Rejudge] for what a planner handed in as the run's result.
func (g *Gate) RejudgeResult(params []byte, recorded []Verdict, pinned map[string]int, f Facts) []Difference {
	if d, differs := difference(recorded, g.JudgeResult(params, f).Verdicts, pinned); differs {
		return []Difference{d}
	}
	return nil
}

// order is that in which gates are asked.
var order = []string{GateParse, GateReferences, GateSchema, GateAccept, GatePreconditions, GatePolicy, GateLimits, GateApproval, GatePlan}

// difference is the first gate of which there are two opinions.
func difference(recorded, now []Verdict, pinned map[string]int) (Difference, bool) {
	for i := range max(len(recorded), len(now)) {
		var was, is Verdict
		if i < len(recorded) {
			was = recorded[i]
		}
		if i < len(now) {
			is = now[i]
		}
		switch {
		case was.Gate != is.Gate && (i >= len(recorded) || i < len(now) && slices.Index(order, is.Gate) < slices.Index(order, was.Gate)):
			was = Verdict{Gate: is.Gate, Version: pinned[is.Gate]} // it was not asked
		case was.Gate != is.Gate:
			is = Verdict{Gate: was.Gate, Version: versions[was.Gate]}
		case was.Decision == is.Decision && was.Rule == is.Rule:
			continue
		}
		d := Difference{Kind: Contradicted, Gate: was.Gate, Recorded: was.opinion(), Now: is.opinion()}
		if was.Version != is.Version {
			d.Kind = Upgraded
		}
		return d, true
	}
	return Difference{}, false
}

func (v Verdict) opinion() Opinion {
	return Opinion{Version: v.Version, Decision: v.Decision, Rule: v.Rule, Reason: v.Reason, Facts: v.Facts}
}

// explainedBy tells, of the differences of one step, those that follow from an upgraded
// gate's: their gates judged other facts.
func explainedBy(all []Difference) []Difference {
	if !slices.ContainsFunc(all, func(d Difference) bool { return d.Kind == Upgraded }) {
		return all
	}
	for i, d := range all {
		if d.Kind == Contradicted && d.Recorded.Facts != d.Now.Facts {
			all[i].Kind = Follows
		}
	}
	return all
}

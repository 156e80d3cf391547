package reproduce

import (
	"rlam/internal/repeatability"
	"rlam/schemas"
)

// Verdict says what executing a call again showed.
type Verdict string

// The verdicts, from the best to the worst.
const (
	Confirmed       Verdict = "confirmed"         // the same, bit for bit, or the same failure
	WithinTolerance Verdict = "within tolerance"  // the same as far as its class promises
	NotReexecutable Verdict = "not re-executable" // it was not executed again, or that decided nothing
	DriftedInputs   Verdict = "drifted inputs"    // other, from other parameters: a call before it gave something else
	Refuted         Verdict = "refuted"           // other than its class promises, from the same parameters
)

// Field is what executing a call again showed of one output field or artifact.
type Field struct {
	Name     string                  `json:"name"`
	Class    schemas.Class           `json:"class"` // that the action declares
	Verdict  Verdict                 `json:"verdict"`
	Why      string                  `json:"why,omitempty"` // of all but confirmed
	Interval *repeatability.Interval `json:"interval,omitempty"`
	// Spread is how far the numbers of record and executions are apart at most.
	Spread *repeatability.Spread `json:"spread,omitempty"`
}

// CallReport is what executing one call again showed.
type CallReport struct {
	Call       string   `json:"call"`
	Action     string   `json:"action"`
	Of         string   `json:"of,omitempty"` // the run that executed it, if a fork has it from another
	Verdict    Verdict  `json:"verdict"`
	Why        string   `json:"why,omitempty"` // of all but confirmed
	Idle       bool     `json:"idle,omitempty"`
	Executions []string `json:"executions"` // their calls in the reproduction
	Fields     []Field  `json:"fields"`     // those that tell something; of a call that was confirmed none
	// Environment is what tells the environment of the first execution from the recorded
	// one, of all that can change a result, the binding included.
	Environment []Difference `json:"environment,omitempty"`
}

// Difference is a piece of an environment's identity that is another one now.
type Difference struct {
	Piece    string `json:"piece"`
	Recorded string `json:"recorded"`
	Now      string `json:"now"`
}

// Report is what executing a run again showed.
type Report struct {
	Run          string       `json:"run"`
	Reproduction string       `json:"reproduction"`
	Calls        []CallReport `json:"calls"`
	// First is the first call that was refuted, and Affects what rests on its outcome,
	// the result included.
	First   string   `json:"first_refuted,omitempty"`
	Affects []string `json:"affects,omitempty"`
}

// Count is how many calls have a verdict, those left out for which nothing was to be executed.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Calls {
		if c.Verdict == v && !c.Idle {
			n++
		}
	}
	return n
}

// Holds says whether nothing speaks against the record. Drifted inputs don't: either the
// call that gave something else is refuted itself, or its output may vary.
func (r *Report) Holds() bool { return r.Count(Refuted) == 0 }

// Verdicts are all verdicts, from the best to the worst.
func Verdicts() []Verdict {
	return []Verdict{Confirmed, WithinTolerance, NotReexecutable, DriftedInputs, Refuted}
}

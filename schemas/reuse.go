package schemas

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// Reuse says which calls may be answered from the record: by what an execution of the same
// action came to, with the same parameters, seed and environment. A plain string in the
// file is From alone.
type Reuse struct {
	From    ReuseFrom `json:"from"`              // ancestry if the file says nothing: see [Reuse.Source]
	Classes []Class   `json:"classes,omitempty"` // of the actions; bitwise if the file says nothing
}

// ReuseFrom says whose executions may answer.
type ReuseFrom string

// The ways to reuse.
const (
	ReuseNever    ReuseFrom = "never"
	ReuseAncestry ReuseFrom = "ancestry" // this run's own, and those of the runs that it was forked from
	ReuseStore    ReuseFrom = "store"    // those of every run in the store
)

// Allows says whether calls of an action may be answered from the record.
func (r Reuse) Allows(a *Action) bool {
	return r.Source() != ReuseNever && a.Reusable() && slices.Contains(r.classes(), a.Reproducibility.Class())
}

// Source is From, or what it is if the file says nothing. That isn't filled in when a study
// is loaded: what a study of an older R-LAM is called by would change.
func (r Reuse) Source() ReuseFrom { return cmp.Or(r.From, ReuseAncestry) }

func (r Reuse) classes() []Class {
	if len(r.Classes) == 0 {
		return []Class{Bitwise}
	}
	return r.Classes
}

// Reusable says whether what an execution of a left can stand in for another execution:
// its outputs are promised again, and nothing else comes of it. What it writes into its
// own folder goes with the attempt, but for the artifacts, which are on record.
func (a *Action) Reusable() bool {
	class := a.Reproducibility.Class()
	return (class == Bitwise || class == Tolerance) && (a.Effects == EffectsNone || a.Effects == EffectsWorkspace)
}

// Class is the weakest class of all outputs, [Ignore] apart.
func (r Reproducibility) Class() Class {
	weakest := r.Default
	for _, grades := range []map[string]Grade{r.Fields, r.Artifacts} {
		for _, g := range grades {
			if strength(g.Class) > strength(weakest) {
				weakest = g.Class
			}
		}
	}
	return weakest
}

// strength orders the classes, strongest first; a class that says nothing comes before all.
func strength(c Class) int {
	return slices.Index([]Class{Ignore, Bitwise, Tolerance, Statistical, Unrepeatable}, c)
}

// MarshalJSON writes a string where that says it all.
func (r Reuse) MarshalJSON() ([]byte, error) {
	type object Reuse
	if len(r.Classes) > 0 {
		return json.Marshal(object(r))
	}
	return json.Marshal(r.From)
}

// UnmarshalJSON reads either form.
func (r *Reuse) UnmarshalJSON(b []byte) error {
	type object Reuse
	if bytes.HasPrefix(b, []byte{'"'}) {
		*r = Reuse{}
		return json.Unmarshal(b, &r.From)
	}
	return json.Unmarshal(b, (*object)(r))
}

// IsZero says whether the file says nothing of reuse.
func (r Reuse) IsZero() bool { return r.From == "" && len(r.Classes) == 0 }

package record

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// Changes are in what a fork departs from the run that it continues. The values that a
// person gave are contents of the fork.
type Changes struct {
	Edits    []Edit       `json:"edits,omitempty"`
	Inputs   []string     `json:"inputs,omitempty"` // names of those that have other data: see [Run.Inputs]
	Model    string       `json:"model,omitempty"`
	Instruct canon.Digest `json:"instruct,omitzero"` // a person's message to the planner
	Seed     *uint64      `json:"seed,omitempty"`
	Limits   []string     `json:"limits,omitempty"` // members of the study's limits, with "/" between those of a path
	Policy   bool         `json:"policy,omitempty"` // the study's policy is another one
	Drop     []string     `json:"drop,omitempty"`   // actions that are no longer allowed

	// Steps are records of the parent's run that the fork goes through once more, from the
	// one after its parent on: nobody is asked for them, what a change leaves as it was is
	// kept, and the rest is carried out.
	Steps []canon.Digest `json:"steps,omitempty"`
	// Recorded says that the planner is asked for nothing: Steps are all that there is.
	Recorded bool `json:"recorded,omitempty"`
}

// Edit is a value that a person put into the parameters or the output of a call.
type Edit struct {
	Call    string       `json:"call"` // the engine's id
	Part    string       `json:"part"` // params or output
	Pointer string       `json:"pointer"`
	Value   canon.Digest `json:"value"`
}

// Kept says that a call was not carried out: what came of it in the run that the fork
// continues stands.
type Kept struct {
	Step   canon.Digest `json:"step"` // record of that run's step, in which a call of the same id has the attempts
	Status CallStatus   `json:"status"`
}

// Why a call is not kept: what a change reached. After AnewFollows stands the id of the
// call that it follows.
const (
	AnewEdited     = "edited"     // a person changed its parameters
	AnewParams     = "params"     // its parameters are others, with references resolved anew
	AnewFollows    = "follows "   // a call of the same step that isn't kept
	AnewAction     = "action"     // another schema or binding carries it out
	AnewSeed       = "seed"       // its action takes a seed, and that is another
	AnewUnfinished = "unfinished" // it had not come to an end of its own
	AnewRefused    = "refused"    // the gates had refused it, and judge it again
)

// Asserted is an output that a person gave a call in place of what was computed. Nothing
// was executed for it.
type Asserted struct {
	Output   canon.Digest `json:"output"`   // the whole of it
	Pointers []string     `json:"pointers"` // what of it the person changed; "" is the whole
}

// Fork says whether the run continues another one.
func (r *Run) Fork() bool { return !r.Parent.IsZero() }

// RunOf finds the run that a record belongs to: its digest, and its record.
func RunOf(ctx context.Context, s store.Store, d canon.Digest) (canon.Digest, *Run, error) {
	for at := d; !at.IsZero(); {
		rec, err := LoadAny(ctx, s, at)
		if err != nil {
			return at, nil, fmt.Errorf("looking for the run that record %s belongs to: %w", d, err)
		}
		if run, is := rec.(*Run); is {
			return at, run, nil
		}
		at = Parent(rec)
	}
	return canon.Digest{}, nil, fmt.Errorf("looking for the run that record %s belongs to: %w", d, ErrNoStart)
}

// Lineage reads all records that lead to head, the oldest first: of a fork, those of the
// runs that it continues come before its own.
func Lineage(ctx context.Context, s store.Store, head canon.Digest) ([]Link, error) {
	var links []Link
	for d := head; !d.IsZero(); {
		rec, err := LoadAny(ctx, s, d)
		if err != nil {
			return nil, fmt.Errorf("reading the lineage of %s: %w", head, err)
		}
		links = append(links, Link{Digest: d, Record: rec})
		d = Parent(rec)
	}
	slices.Reverse(links)
	return links, nil
}

// Along reads the records that lead to head, the oldest first, like [Lineage], with one of
// them in memory at a time. It reads each twice.
func Along(ctx context.Context, s store.Store, head canon.Digest) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		var back []canon.Digest
		for d := head; !d.IsZero(); {
			rec, err := LoadAny(ctx, s, d)
			if err != nil {
				yield(Link{}, fmt.Errorf("reading the lineage of %s: %w", head, err))
				return
			}
			back = append(back, d)
			d = Parent(rec)
		}
		for _, d := range slices.Backward(back) {
			rec, err := LoadAny(ctx, s, d)
			if err != nil {
				err = fmt.Errorf("reading the lineage of %s: %w", head, err)
			}
			if !yield(Link{Digest: d, Record: rec}, err) || err != nil {
				return
			}
		}
	}
}

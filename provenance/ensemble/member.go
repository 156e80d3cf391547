package ensemble

import (
	"encoding/json"

	"rlam/internal/canon"
)

// Completed is the status of a member that came to a result. Every other status counts
// the member among those that didn't.
const Completed = "completed"

// Member is one run of an ensemble, as far as statistics are concerned with it.
type Member struct {
	ID     string    `json:"id"`               // within the ensemble: "m0001"
	RunID  string    `json:"run_id,omitempty"` // of its Temporal workflow; empty if it never started
	Varied []Setting `json:"varied,omitempty"` // what sets its point of the design apart, in the design's order
	Seed   uint64    `json:"seed"`             // the study's seed in this member
	// Status is how the run ended: [Completed], or any other word, which is counted as
	// it is spelled ("failed", "cancelled", "limit"). Empty is counted as "unknown".
	Status  string          `json:"status"`
	Failure string          `json:"failure,omitempty"` // why there is no result, in a sentence
	Result  json.RawMessage `json:"result,omitempty"`
	Plan    []Call          `json:"plan,omitempty"` // in the order in which they were proposed
}

// Setting is a value that the design gave to a path, spelled in the grammar of changes:
// "seed", "model", "limits.steps", "fit/params/start/b1".
type Setting struct {
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"` // JSON
}

// Call is one call of a member's plan.
type Call struct {
	Step    int          `json:"step"`              // from 1
	Action  string       `json:"action"`            // "fit.linear@1.0.0"
	Params  canon.Digest `json:"params,omitzero"`   // of their canonical JSON, references unresolved
	Outcome string       `json:"outcome,omitempty"` // "completed", "failed", "refused", …
	// Given are the parameters themselves, where they can be read. They tell only by which
	// of them plans part; which are distinct is decided by Params.
	Given json.RawMessage `json:"given,omitempty"`
}

// Options say what the report is of and how far it goes into detail. The zero value is
// a report without a name and of the default limits.
type Options struct {
	Ensemble string `json:"ensemble,omitempty"` // its id; it also seeds the bootstrap
	Study    string `json:"study,omitempty"`    // the study's name
	// Schema is the JSON Schema of the study's result. Titles, units ("unit") and which
	// strings are handles of artifacts ("format": "artifact") are read from it. It may
	// be nil.
	Schema json.RawMessage `json:"schema,omitempty"`

	Resamples int `json:"resamples,omitempty"`  // of the bootstrap: 2000 if 0
	MaxFields int `json:"max_fields,omitempty"` // fields with statistics: 200 if 0
	MaxItems  int `json:"max_items,omitempty"`  // items of an array that are fields of their own: 20 if 0
}

// Package export is what all ways to hand a run to somebody else have in common: the run
// with its trace graph, contents and histories, and how a content is read that may have
// been withheld or lost. Each format is a package of its own below this one, with a
// function Write(ctx, w, run, …); the signed archive is package provenance/bundle.
//
// Exporters read and never execute, reach no server, and write the same bytes whenever
// they are given the same run: the only times they know are those of the run.
package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance"
)

// Run is a run to export.
type Run struct {
	Trace *provenance.Trace
	// Store has records, contents and artifacts. It is nil where only histories are known,
	// as of a workflow that isn't R-LAM's.
	Store store.Store
	// Histories are the Temporal runs: those that lead to the newest, in their order, and
	// then those that a reset went back from.
	Histories []History
	Namespace string // "" if it isn't known
}

// History is the history of one Temporal run.
type History struct {
	RunID    string
	Protobuf []byte // a temporal.api.history.v1.History, its events in order; nil where Read gives it
	Aside    bool   // a reset went back from it: it doesn't lead to the newest
	// Read reads the history from where it is kept, so that those of a long run are not in
	// memory all at once. It may be nil.
	Read func() ([]byte, error)
}

// Bytes is the history in protobuf, wherever it is kept.
func (h History) Bytes() ([]byte, error) {
	if h.Protobuf == nil && h.Read != nil {
		return h.Read()
	}
	return h.Protobuf, nil
}

// ErrWithheld is the error of a store that knows of a content that it was left out on
// purpose.
var ErrWithheld = provenance.ErrWithheld

// State says whether a content can be read.
type State string

// The states of a content.
const (
	Present  State = "present"
	Withheld State = "withheld" // left out on purpose
	Missing  State = "missing"  // the store hasn't its bytes
	Spoilt   State = "spoilt"   // its bytes have another digest, or are no content
)

// Content is a content as it could be read.
type Content struct {
	Digest canon.Digest
	State  State
	Value  json.RawMessage // canonical JSON, where it is present
	Why    string          // where it isn't
}

// Content reads the value of a content: parameters, an output, a message, an error's
// detail. The error is of the reading itself, such as a cancelled context.
func (r *Run) Content(ctx context.Context, d canon.Digest) (Content, error) {
	c := Content{Digest: d}
	if r.Store == nil {
		c.State, c.Why = Missing, "there is no store"
		return c, nil
	}
	err := record.OpenContent(ctx, r.Store, d, &c.Value)
	switch {
	case err == nil:
		c.State = Present
		return c, nil
	case ctx.Err() != nil:
		return c, fmt.Errorf("reading content %s: %w", d, context.Cause(ctx))
	case errors.Is(err, ErrWithheld):
		c.State = Withheld
	case errors.Is(err, store.ErrNotFound):
		c.State = Missing
	default:
		c.State = Spoilt
	}
	c.Value, c.Why = nil, err.Error()
	return c, nil
}

// Package record holds the chain that a run leaves: content-addressed canonical
// JSON, each record naming the one before it.
//
//	run ◀── proposal ◀── step ◀── proposal ◀── step ◀── … ◀── seal
//
// A record is the line "rlam.record.v1", a newline, and canonical JSON (package
// canon); its digest is the SHA-256 of all those bytes. A store keeps a record
// under that digest like any other blob, so a record can be checked by hand:
//
//	sha256sum record; tail -n +2 record | jq .
//
// Records hold no content. What was asked, answered, given to an action or got
// from it is a blob of its own ([Content]) that a record names by digest: it can
// be withheld later, and the chain still holds. Records hold no head either: the
// head of a run is what the last Plan of its history returned. Branches part at
// proposals, and a step is a function of its proposal and the outcomes alone.
package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// header begins every record, so that a record's digest is never another blob's.
const header = "rlam.record.v1\n"

// maxRecord bounds a record's size. A step of 2,000 calls stays below it.
const maxRecord = 16 << 20

// Kind tells records apart.
type Kind string

// The kinds of records.
const (
	KindRun      Kind = "run"
	KindProposal Kind = "proposal"
	KindStep     Kind = "step"
	KindSeal     Kind = "seal"

	// Of ensembles. No run's chain leads through them.
	KindEnsemble     Kind = "ensemble"
	KindEnsembleSeal Kind = "ensemble_seal"
)

// Encode gives a record its bytes and its name.
func Encode(rec any) (canon.Digest, []byte, error) {
	body, err := canon.Marshal(rec)
	if err != nil {
		return canon.Digest{}, nil, fmt.Errorf("encoding a record: %w", err)
	}
	b := append([]byte(header), body...)
	return canon.Sum(b), b, nil
}

// Decode reads a record's bytes into rec and returns its kind.
func Decode(b []byte, rec any) (Kind, error) {
	body, ok := bytes.CutPrefix(b, []byte(header))
	if !ok {
		return "", fmt.Errorf("decoding a record: it begins with %.20q, want %q", b, header)
	}
	if got := kindIn(rec); got != nil && json.Unmarshal(body, rec) == nil && *got == kindOf(rec) {
		return *got, nil
	}
	var kind struct {
		Kind Kind `json:"kind"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return "", fmt.Errorf("decoding a record: %w", err)
	}
	if rec == nil {
		return kind.Kind, nil
	}
	if want := kindOf(rec); want != "" && want != kind.Kind {
		return kind.Kind, &KindError{Want: want, Got: kind.Kind}
	}
	if err := json.Unmarshal(body, rec); err != nil {
		return kind.Kind, fmt.Errorf("decoding a %s record: %w", kind.Kind, err)
	}
	return kind.Kind, nil
}

// DecodeAny reads a record's bytes, whatever its kind: *Run, *Proposal, *Step or *Seal. Of a
// kind that this version doesn't know it gives the kind, and no record.
func DecodeAny(b []byte) (Kind, any, error) {
	// The kind that seems to stand there spares a reading of the whole to find it.
	_, rest, _ := bytes.Cut(b, []byte(`"kind":"`))
	seems, _, _ := bytes.Cut(rest, []byte(`"`))
	if rec := ofKind(Kind(seems)); rec != nil {
		if kind, err := Decode(b, rec); err == nil {
			return kind, rec, nil
		}
	}
	kind, err := Decode(b, nil)
	if err != nil {
		return kind, nil, err
	}
	rec := ofKind(kind)
	if rec == nil {
		return kind, nil, nil
	}
	_, err = Decode(b, rec)
	return kind, rec, err
}

// ofKind is an empty record of a kind; nil of one that this version doesn't know.
func ofKind(k Kind) any {
	switch k {
	case KindRun:
		return &Run{}
	case KindProposal:
		return &Proposal{}
	case KindStep:
		return &Step{}
	case KindSeal:
		return &Seal{}
	}
	return nil
}

// KindError says that a digest names a record of another kind.
type KindError struct{ Want, Got Kind }

func (e *KindError) Error() string {
	return fmt.Sprintf("the record is a %s, want a %s", e.Got, e.Want)
}

// kindIn is where a record says its own kind.
func kindIn(rec any) *Kind {
	switch rec := rec.(type) {
	case *Run:
		return &rec.Kind
	case *Proposal:
		return &rec.Kind
	case *Step:
		return &rec.Kind
	case *Seal:
		return &rec.Kind
	}
	return nil
}

func kindOf(rec any) Kind {
	switch rec.(type) {
	case *Run:
		return KindRun
	case *Proposal:
		return KindProposal
	case *Step:
		return KindStep
	case *Seal:
		return KindSeal
	case *Ensemble:
		return KindEnsemble
	case *EnsembleSeal:
		return KindEnsembleSeal
	}
	return ""
}

// Load reads the record of a digest into rec.
func Load(ctx context.Context, s store.Store, d canon.Digest, rec any) error {
	b, err := store.Read(ctx, s, d, maxRecord)
	if err == nil {
		_, err = Decode(b, rec)
	}
	if err != nil {
		return fmt.Errorf("reading record %s: %w", d, err)
	}
	return nil
}

// LoadAny reads the record of a digest, whatever its kind: *Run, *Proposal, *Step or *Seal.
func LoadAny(ctx context.Context, s store.Store, d canon.Digest) (any, error) {
	b, err := store.Read(ctx, s, d, maxRecord)
	if err != nil {
		return nil, fmt.Errorf("reading record %s: %w", d, err)
	}
	kind, rec, err := DecodeAny(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading record %s: %w", d, err)
	case rec == nil:
		return nil, fmt.Errorf("reading record %s: its kind %q is unknown; a newer R-LAM wrote it", d, kind)
	}
	return rec, nil
}

// LoadAnswer reads what a call was answered with from the record.
func LoadAnswer(ctx context.Context, s store.Store, d canon.Digest) (Execution, error) {
	var x Execution
	b, err := store.Read(ctx, s, d, maxRecord)
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil {
		return x, fmt.Errorf("reading the answer %s to a call that was not executed: %w", d, err)
	}
	return x, nil
}

// Parent is the digest of the record before rec.
func Parent(rec any) canon.Digest {
	switch r := rec.(type) {
	case *Run:
		return r.Parent
	case *Proposal:
		return r.Parent
	case *Step:
		return r.Parent
	case *Seal:
		return r.Parent
	}
	return canon.Digest{}
}

// ErrNoStart says that a chain doesn't lead to the run it is said to belong to.
var ErrNoStart = errors.New("the chain doesn't reach the run's record")

// Chain reads a run's records from its run record to head, in that order.
func Chain(ctx context.Context, s store.Store, run, head canon.Digest) ([]Link, error) {
	var links []Link
	for d := head; ; {
		if d.IsZero() {
			return nil, fmt.Errorf("reading the chain from %s back to %s: %w", head, run, ErrNoStart)
		}
		rec, err := LoadAny(ctx, s, d)
		if err != nil {
			return nil, err
		}
		links = append(links, Link{Digest: d, Record: rec})
		if d == run {
			break
		}
		d = Parent(rec)
	}
	for i, j := 0, len(links)-1; i < j; i, j = i+1, j-1 {
		links[i], links[j] = links[j], links[i]
	}
	return links, nil
}

// Link is one record of a chain: a *Run, *Proposal, *Step or *Seal.
type Link struct {
	Digest canon.Digest
	Record any
}

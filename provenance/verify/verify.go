// Package verify says whether a bundle is what was recorded. It reads and hashes, judges
// and replays; it executes nothing, writes nothing, and reaches no server.
//
// The checks, in their order:
//
//	archive       the file can be unpacked safely, and has nothing between its files
//	bag           each file has the SHA-512 that its manifest says, and none is unlisted
//	signature     the tag manifest is signed, by a key that the caller trusts; what was
//	              signed of the run is what the bundle holds
//	chain         each record has its digest, is of the right kind, and follows from its
//	              parent; each step follows from its proposal and what the history says
//	contents      everything that the records name is here under its digest, or is listed
//	              as left out; nothing else is here
//	trace         history, records and journal tell of the same run
//	gates         today's gates say of each call what is recorded
//	replay        workflow code, given the history, decides as recorded
//	completeness  how much of what was executed is on record
//	absent        what was left out, and why
//
// Each check rests on the bytes alone, so that what a forger made to fit an earlier check
// has to fit the later ones too. What a newer version wrote in a form that this one
// doesn't know is [Skew], and never taken for tampering.
package verify

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/replay"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/attest"
	"rlam/provenance/export"
	"rlam/schemas"
	"rlam/workflows"
)

// Names of checks. They are stable: scripts may look for them.
const (
	Archive      = "archive"
	Bag          = "bag"
	Signature    = "signature"
	Chain        = "chain"
	Contents     = "contents"
	Trace        = "trace"
	Gates        = "gates"
	Replay       = "replay"
	Completeness = "completeness"
	Absence      = "absent"
)

// State is how a check came out.
type State string

// The states of a check.
const (
	Passed    State = "passed"
	Failed    State = "failed"
	Skew      State = "skew"      // another version wrote what this one doesn't know
	Unchecked State = "unchecked" // what it takes isn't here; Says tells what
)

// Check is what one check found.
type Check struct {
	Name   string   `json:"check"`
	State  State    `json:"state"`
	Says   string   `json:"says"`             // a sentence for people who don't know R-LAM
	Faults []Fault  `json:"faults,omitempty"` // the first one first
	Notes  []string `json:"notes,omitempty"`  // what to know, and is no fault
	Key    string   `json:"key,omitempty"`    // of the signature: the id of the key that signed
}

// Fault is one thing that is wrong, and where.
type Fault struct {
	File   string       `json:"file,omitempty"`   // in the bag
	Run    string       `json:"run_id,omitempty"` // of Temporal
	Event  int64        `json:"event,omitempty"`  // of that run's history
	Record canon.Digest `json:"record,omitzero"`
	Field  string       `json:"field,omitempty"` // of the record or the file: a JSON pointer, or a name
	What   string       `json:"what"`
}

// String says the fault in one line: where, and what.
func (f Fault) String() string {
	var where []string
	if f.File != "" {
		where = append(where, f.File)
	}
	if f.Run != "" {
		where = append(where, "Temporal run "+f.Run)
	}
	if f.Event > 0 {
		where = append(where, fmt.Sprintf("event %d", f.Event))
	}
	if !f.Record.IsZero() {
		where = append(where, "record "+f.Record.Short()+"…")
	}
	if f.Field != "" {
		where = append(where, f.Field)
	}
	if len(where) == 0 {
		return f.What
	}
	return strings.Join(where, ", ") + ": " + f.What
}

// Input is a bundle that was opened, and what to check it with.
type Input struct {
	TagManifest []byte
	Signed      map[string][]byte // the signature's files by name, as attest.Sign gives them; none if it isn't signed
	Bag         func(ctx context.Context) (files int, faults []Fault, err error)

	Index     string       // the file that says what the bundle holds
	Claims    attest.Facts // what that file says of the run, without roots
	Histories []export.History
	// Spelled are the same histories in JSON, by Temporal run ID, and FileOf names a
	// history's file. Both may be nil.
	Spelled func(runID string) ([]byte, error)
	FileOf  func(runID string) string
	Store   store.Store
	Blobs   Blobs    // that are in the bundle
	Absent  []Absent // that it says it leaves out
	// Named finds what a run names beyond its records: earlier prompts, files of folders.
	// It may be nil.
	Named func(ctx context.Context, run *export.Run, report func(Blob)) error

	Trusted  []*attest.PublicKey // keys of those whom the caller trusts; one signature of one of them is enough
	Unsigned bool                // a bundle without a signature will do

	Code  replay.Replayer
	Judge func(ctx context.Context, s store.Store, run, head canon.Digest) ([]schemas.Difference, error)
	Step  func(ctx context.Context, s store.Store, proposal canon.Digest, outcomes []workflows.CallOutcome) (canon.Digest, error)
}

// Blob is bytes that a bundle holds.
type Blob struct {
	Digest canon.Digest
	Path   string // in the bag
	What   string // "the output of call 4.1"
}

// Blobs are the blobs that a bundle holds.
type Blobs interface {
	// All gives them in their order.
	All() iter.Seq[Blob]
	// Find is the one of a digest.
	Find(d canon.Digest) (Blob, bool)
}

// Absent is bytes that a bundle leaves out.
type Absent struct {
	Digest   canon.Digest
	What     string // "the output of call 4.1"
	Why      string
	Withheld bool // on purpose
}

// Verdict is what all checks come to.
type Verdict struct {
	Result Result `json:"result"`
	Says   string `json:"says"`
	First  *Fault `json:"first_fault,omitempty"`
	Check  string `json:"check,omitempty"` // that found it
}

// Result is a verdict in one word.
type Result string

// The results.
const (
	Verified   Result = "verified"   // all holds, and somebody the caller trusts signed it
	Consistent Result = "consistent" // all holds; nobody the caller named vouches for it
	Refuted    Result = "refuted"    // something was changed, or is missing
	Unknown    Result = "unknown"    // a newer version is needed to say
)

// Good says whether nothing speaks against the bundle.
func (v Verdict) Good() bool { return v.Result == Verified || v.Result == Consistent }

// Verify makes all checks and reports each as it ends. Its error is of what can't be looked
// at; what is wrong with the bundle is in the checks.
func Verify(ctx context.Context, in Input, report func(Check)) (Verdict, error) {
	v := &verification{ctx: ctx, in: in, verdict: Verdict{Result: Consistent}, listed: map[canon.Digest]bool{}, named: canon.NewSet()}
	for _, a := range in.Absent {
		v.listed[a.Digest] = true
	}
	v.report = func(c Check) {
		v.weigh(c)
		report(c)
	}
	for _, check := range []func() (Check, error){
		v.bag, v.told, v.signature, v.chain, v.contents, v.trace, v.gates, v.replay, v.completeness, v.absent,
	} {
		if err := context.Cause(ctx); err != nil {
			return Verdict{}, err
		}
		c, err := check()
		if err != nil {
			return Verdict{}, err
		}
		if c.Name != "" {
			v.report(v.unsaid(c))
		}
	}
	v.conclude()
	return v.verdict, nil
}

// verification is one run of the checks.
type verification struct {
	ctx    context.Context
	in     Input
	report func(Check)

	run      *export.Run // nil where no trace can be built
	unread   error       // why
	facts    attest.Facts
	replayed provenance.Replayed

	listed   map[canon.Digest]bool // blobs that are listed as left out
	named    *canon.Set            // by records, of blobs that are neither here nor listed
	unlisted []Fault               // where records name those
	verdicts int

	trusted string // the key that the caller trusts and that signed
	signer  string // else the key that signed
	failed  int    // checks
	skew    bool
	strange bool // records are of kinds that this version doesn't know
	verdict Verdict

	stranger bool // the bundle is signed as it should be, and by none of those that the caller trusts
	unsigned bool // it has no signature, and the caller asks for one
}

// weigh takes a check into the verdict.
func (v *verification) weigh(c Check) {
	if c.State == Failed {
		v.failed++
	}
	switch {
	case c.State == Failed && v.verdict.Result != Refuted:
		v.verdict.Result, v.verdict.Check = Refuted, c.Name
		if len(c.Faults) > 0 {
			v.verdict.First = &c.Faults[0]
		}
	case c.State == Skew:
		v.skew = true
	}
}

// unsaid takes back what a check that rests on the records found, where some of them are of
// kinds that this version doesn't know: what those say, and what they name, may well be what
// is missed. It stays in the notes. Such a bundle is never verified either.
func (v *verification) unsaid(c Check) Check {
	rests := c.Name == Contents || c.Name == Trace || c.Name == Gates || c.Name == Replay
	if !v.strange || !rests || c.State != Failed {
		return c
	}
	c.State, c.Says = Skew, "a newer version wrote records that this one doesn't know, so it can't say whether this is as it should be"
	for _, f := range c.Faults {
		c.Notes = append(c.Notes, f.String())
	}
	c.Faults = nil
	return c
}

// conclude says what it all comes to.
func (v *verification) conclude() {
	d := &v.verdict
	switch {
	case d.Result == Refuted && v.stranger && v.failed == 1:
		d.Says = "None of the keys that you trust signed this. Nothing in it contradicts anything else."
	case d.Result == Refuted && v.unsigned && v.failed == 1:
		d.Says = "It is not signed, so nobody vouches for it. Nothing in it contradicts anything else."
		if len(v.in.Trusted) == 0 {
			d.Says += " To check a bundle that has no signature, say --unsigned."
		}
	case d.Result == Refuted:
		d.Says = "This is not what was recorded, or not all of it."
	case v.skew:
		d.Result = Unknown
		d.Says = "A newer version of R-LAM wrote this. Nothing speaks against it; to check all of it, use that version."
	case v.trusted != "":
		d.Result = Verified
		d.Says = "This is what was recorded, as the holder of a key that you trust signed it."
	case v.signer != "":
		d.Says = "Nothing in it contradicts anything else. Who made it is not known: the key that signed it came with it. Give one that you have from its owner with --key."
	default:
		d.Says = "Nothing in it contradicts anything else. It is not signed: anybody may have made it."
	}
	if v.in.Claims.Status == "open" {
		d.Says += " The run had not ended when this was written."
	}
}

// outcome is a check with its faults, and says for both cases.
func outcome(name string, faults []Fault, good, bad string) Check {
	if len(faults) > 0 {
		return Check{Name: name, State: Failed, Says: bad, Faults: faults}
	}
	return Check{Name: name, State: Passed, Says: good}
}

// Closed is the verdict on a bundle that [Open] didn't open.
func Closed(archive Check) Verdict {
	v := &verification{verdict: Verdict{Result: Consistent}}
	v.weigh(archive)
	v.conclude()
	return v.verdict
}

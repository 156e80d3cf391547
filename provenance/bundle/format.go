// Package bundle is a run in one file that a stranger can check without us: a zip archive
// with one folder, which is a BagIt bag (RFC 8493) with SHA-512.
//
//	<run>/bagit.txt                the bag's version
//	<run>/bag-info.txt             the run's id, its size, its day
//	<run>/manifest-sha512.txt      SHA-512 of each file below data/
//	<run>/tagmanifest-sha512.txt   SHA-512 of the three files above; it is what is signed
//	<run>/signature.*, key.pem     the signature; no manifest lists it, because it signs them
//	<run>/data/README.md           how to check all this with sha512sum and openssl
//	<run>/data/bundle.json         an [Index]: where each blob is, and what isn't here
//	<run>/data/study/, actions/    the study, and the actions' specs, bindings and scripts
//	<run>/data/records/            the chain: <hex>.record, each named by its SHA-256
//	<run>/data/contents/           what was asked, answered and computed: {salt, value}
//	<run>/data/artifacts/, inputs/, logs/
//	                               bytes under readable names, the same bytes once
//	<run>/data/environments/, judgements/, reused/, tools/
//	                               what else the records name
//	<run>/data/histories/          <Temporal run ID>.pb and .json
//	<run>/data/journal/            what was about to be executed, and what came of it
//	<run>/data/redacted/           what is left of contents that were withheld in part
//	<run>/data/ro-crate-metadata.json
//	                               what each file is, by [Options].Describe
//	<run>/data/trace.json, …       the run told again, by [Options].Extras
//
// The same run gives the same bytes: files are sorted by name, and the only times are the
// run's own. A run's secret, which salts its contents, is in no bundle, so that a content
// that was left out can't be guessed at from its digest. The format is described in
// docs/bundle-format.md.
//
// [Write] makes a bundle, [Open] reads one that anybody may have made, and [Import] takes
// what is in it into a store. Nothing here executes anything or reaches a server.
package bundle

import (
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance/attest"
	"rlam/provenance/export"
)

// Format is the member format of a bundle's index.
const Format = "rlam.bundle.v1"

// Files of a bag, at its top.
const (
	bagItFile       = "bagit.txt"
	bagInfoFile     = "bag-info.txt"
	manifestFile    = "manifest-sha512.txt"
	tagManifestFile = attest.Subject
	payloadDir      = "data/"
)

// Files and folders of the payload, below data/.
const (
	IndexFile  = "bundle.json"
	ReadmeFile = "README.md"

	studyDir       = "study/"
	actionsDir     = "actions/"
	recordsDir     = "records/"
	contentsDir    = "contents/"
	artifactsDir   = "artifacts/"
	inputsDir      = "inputs/"
	logsDir        = "logs/"
	environmentDir = "environments/"
	judgementsDir  = "judgements/"
	reusedDir      = "reused/"
	toolsDir       = "tools/"
	historiesDir   = "histories/"
	journalDir     = "journal/"
	redactedDir    = "redacted/"
)

const bagIt = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// signatureFiles may stand beside the tag manifest without being listed.
var signatureFiles = []string{attest.KeyFile, attest.EnvelopeFile, attest.PAEFile, attest.SignatureFile}

// Role says what a blob was in the run.
type Role string

// The roles of blobs.
const (
	RoleStudy       Role = "study"   // as loaded, defaults filled in
	RoleAction      Role = "action"  // an action's formal schema; the name is NAME@VERSION
	RoleBinding     Role = "binding" // what carries an action out; likewise
	RoleScript      Role = "script"  // a file that a binding brings along
	RolePlanner     Role = "planner" // the plan or the scenario
	RoleInput       Role = "input"
	RoleRecord      Role = "record"
	RolePrompt      Role = "prompt" // what a planner was asked: the call is the step's number
	RoleAnswer      Role = "answer" // likewise
	RoleParams      Role = "params"
	RoleOutput      Role = "output"
	RoleReason      Role = "reason" // of a verdict, of giving up, of a limit
	RoleError       Role = "error"  // the detail of a failure
	RoleResult      Role = "result"
	RoleEdit        Role = "edit" // what a person changed or said in a fork
	RoleJudgement   Role = "judgement"
	RoleReused      Role = "reused" // what the record answered a call with
	RoleTools       Role = "tools"  // that a model was offered
	RoleEnvironment Role = "environment"
	RoleArtifact    Role = "artifact"
	RoleFile        Role = "file" // of a folder that is an artifact or an input
	RoleLog         Role = "log"
	RoleHistory     Role = "history"
)

// content says whether a blob of the role is {salt, value}: one that can be left out
// without anybody's being able to guess at it.
func (r Role) content() bool {
	switch r {
	case RolePrompt, RoleAnswer, RoleParams, RoleOutput, RoleReason, RoleError, RoleResult, RoleEdit:
		return true
	}
	return false
}

// spared says whether a blob of the role is left out where it turns out to quote what is
// withheld. Another is kept, or there is no bundle: whoever asks for it says so.
func (r Role) spared() bool { return r.content() || r == RolePlanner || r == RoleLog }

// bounded says whether [Options].MaxSize applies.
func (r Role) bounded() bool {
	switch r {
	case RoleArtifact, RoleFile, RoleInput, RoleLog:
		return true
	}
	return false
}

// Index says what a bundle holds.
type Index struct {
	Format  string   `json:"format"`
	Engine  string   `json:"engine"` // what wrote the bundle
	Run     RunFacts `json:"run"`
	Blobs   []Blob   `json:"blobs"`   // by path
	Entries []Entry  `json:"entries"` // of the store, by key
	Absent  []Absent `json:"absent"`  // what the run names and the bundle hasn't
}

// RunFacts are what tells one run from another.
type RunFacts struct {
	ID        string         `json:"id"`        // workflow ID
	Namespace string         `json:"namespace"` // of Temporal; "" if it wasn't known
	Record    canon.Digest   `json:"record"`
	Head      canon.Digest   `json:"head"`
	Status    string         `json:"status"`        // how it ended; "unsealed" if nothing says so
	Runs      []TemporalFact `json:"temporal_runs"` // those that lead to the newest, in their order, then the others
}

// TemporalFact is one Temporal run.
type TemporalFact struct {
	RunID   string       `json:"run_id"`
	Events  int64        `json:"events"`
	History canon.Digest `json:"history"`         // of the .pb file, as it is here
	Aside   bool         `json:"aside,omitempty"` // a reset went back from it
}

// Blob is bytes that the run names by digest.
type Blob struct {
	Digest    canon.Digest `json:"digest"`
	Path      string       `json:"path"` // below data/
	Size      int64        `json:"size"`
	Role      Role         `json:"role"`
	Name      string       `json:"name,omitempty"`
	Call      string       `json:"call,omitempty"`
	Attempt   int          `json:"attempt,omitempty"`
	MediaType string       `json:"media_type,omitempty"`
}

// Entry is an entry of the store that the run was recorded in: in a file of its own, or
// right here.
type Entry struct {
	Key   string `json:"key"`
	Path  string `json:"path,omitempty"` // below data/
	Value string `json:"value,omitempty"`
}

// Absent is bytes that the run names and the bundle hasn't.
type Absent struct {
	Digest  canon.Digest `json:"digest"`
	Size    int64        `json:"size,omitempty"` // bytes, where it is known
	Role    Role         `json:"role"`
	Name    string       `json:"name,omitempty"`
	Call    string       `json:"call,omitempty"`
	Attempt int          `json:"attempt,omitempty"`
	Why     Why          `json:"why"`
	Note    string       `json:"note,omitempty"` // where it was; what asked for its being withheld
}

// AbsentError is the error of reading what isn't there, and says why. It is
// export.ErrWithheld of what was withheld, else store.ErrNotFound.
type AbsentError struct{ Absent }

func (e *AbsentError) Error() string {
	s := fmt.Sprintf("opening blob %q: %v", e.Digest, e.Unwrap())
	if e.Why != Withheld {
		s += ": " + e.Why.Text()
	}
	if e.Note != "" {
		s += ": " + e.Note
	}
	return s
}

func (e *AbsentError) Unwrap() error {
	if e.Why == Withheld {
		return export.ErrWithheld
	}
	return store.ErrNotFound
}

// Why says why something isn't in a bundle.
type Why string

// The reasons why something isn't in a bundle.
const (
	Withheld  Why = "withheld"  // on purpose
	TooLarge  Why = "size"      // larger than what was to be taken along
	Reference Why = "reference" // the run had it in another place, and kept no copy
	Missing   Why = "missing"   // the store has it no more
	Spoilt    Why = "spoilt"    // the store's bytes have another digest
)

// Text is the reason in words.
func (w Why) Text() string {
	switch w {
	case Withheld:
		return "it was withheld"
	case TooLarge:
		return "it was too large to be taken along"
	case Reference:
		return "the run kept no copy of it"
	case Spoilt:
		return "the bytes that the store had of it were damaged"
	}
	return "the store had it no more"
}

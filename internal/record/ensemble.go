package record

import (
	"encoding/json"
	"fmt"
	"time"

	"rlam/internal/canon"
)

// Ensemble is the genesis of an ensemble: the design, and of each member the run that it
// is to be. No member has begun when it is written.
type Ensemble struct {
	Kind    Kind             `json:"kind"`
	ID      string           `json:"id"`      // the workflow ID it was started under
	Engine  string           `json:"engine"`  // R-LAM's version
	Started string           `json:"started"` // RFC 3339, UTC
	Title   string           `json:"title"`   // of the study
	Study   canon.Digest     `json:"study"`   // the study as loaded, before anything is varied
	Paths   []string         `json:"paths"`   // what is varied, in the order of the members' values
	Repeats int              `json:"repeats"` // of each point with a seed of its own; 0: each once, with the study's
	Members []EnsembleMember `json:"members"`
}

// EnsembleMember is one member as it was designed.
type EnsembleMember struct {
	ID     string            `json:"id"`     // within the ensemble: "m0001"
	Values []json.RawMessage `json:"values"` // by path of the ensemble
	Repeat int               `json:"repeat"` // from 1; 0 where a point isn't repeated
	Seed   uint64            `json:"seed"`   // the study's in this member
	// Run is a blob, the JSON of a [Run] without id, engine's version and time: what the
	// member's record pins. Those are put in when it begins.
	Run canon.Digest `json:"run"`
}

// Membership says in a member's record which ensemble it belongs to.
type Membership struct {
	ID       string       `json:"id"`       // the workflow ID of the ensemble
	Ensemble canon.Digest `json:"ensemble"` // its record
	Member   string       `json:"member"`   // within it
	// Go counts how often the member was begun: from 1. One that was cut off begins again
	// when the ensemble is gone on with, as a run of its own.
	Go int `json:"go"`
	// Paths are what the design varies. The values stand in the member's study and plan,
	// and side by side in the ensemble's record.
	Paths []string `json:"paths"`
}

// EnsembleSeal says what became of an ensemble's members. An ensemble that was stopped
// and gone on with has several, each the parent of the next.
type EnsembleSeal struct {
	Kind    Kind          `json:"kind"`
	Parent  canon.Digest  `json:"parent"` // the ensemble's record, or its seal before
	Status  Status        `json:"status"` // completed if all members have ended, whatever they came to; else cancelled
	Members []EndedMember `json:"members"`
	Ended   string        `json:"ended"`
}

// EndedMember is a member that was begun, and how it ended. Those that were not begun are
// in no seal.
type EndedMember struct {
	ID     string       `json:"id"`
	Go     int          `json:"go"`
	Run    canon.Digest `json:"run,omitzero"`  // its record; none if it could not be put on record
	Head   canon.Digest `json:"head,omitzero"` // its seal, if it left one
	Status Status       `json:"status"`
}

// Statuses that members have besides those of a run that sealed its chain.
const (
	Terminated Status = "terminated"  // by force: there is no seal
	NotStarted Status = "not_started" // what it starts from couldn't be had, or its workflow couldn't be started
)

// CutOff says whether a run that ended so was kept from coming to an end of its own. Where
// an ensemble is gone on with, such members begin again; a limit that was reached, or a
// planner that found no result, are what came of the study.
func (s Status) CutOff() bool {
	switch s {
	case Cancelled, Failed, ModelUnavailable, Terminated, NotStarted:
		return true
	}
	return false
}

// EnsemblePrefix begins the keys of the entries that list a store's ensembles, as
// [RunPrefix] those of runs.
const EnsemblePrefix = "ensembles/"

// EnsembleKey lists an ensemble.
func EnsembleKey(e Ensemble) string { return EnsemblePrefix + listed(e.Started, e.ID) }

// MemberPrefix begins the keys of the entries that say which runs an ensemble's members
// began as.
func MemberPrefix(ensemble canon.Digest) string { return "members/" + ensemble.Hex() + "/" }

// MemberKey is the entry of one go of a member: its value is the digest of the run's record.
func MemberKey(ensemble canon.Digest, member string, n int) string {
	return fmt.Sprintf("%s%s.%d", MemberPrefix(ensemble), member, n)
}

// EnsembleSealKey is the entry that names the seal after a head of an ensemble: its
// record, or an earlier seal.
func EnsembleSealKey(ensemble, head canon.Digest) string {
	return "concluded/" + ensemble.Hex() + "/" + head.Hex()
}

// MemberID is the id of an ensemble's nth member within it, from 1.
func MemberID(n int) string { return fmt.Sprintf("m%04d", n) }

// MemberRunID is the workflow ID of one go of a member.
func MemberRunID(ensemble, member string, n int) string {
	if n == 1 {
		return ensemble + "." + member
	}
	return fmt.Sprintf("%s.%s-%d", ensemble, member, n)
}

// listed is the end of a key under which something is listed by the time it began.
func listed(started, id string) string {
	at, err := time.Parse(time.RFC3339Nano, started)
	if err != nil {
		at = time.Now()
	}
	return at.UTC().Format("20060102T150405.000000000") + "-" + canon.Sum([]byte(id)).Short()
}

package record

import "rlam/internal/canon"

// Beginnings of the keys under which a store has what belongs to runs.
const (
	// RunPrefix begins the keys of the entries that list a store's runs: the rest is the
	// time at which a run was begun and a digest of its workflow ID, the value its run
	// record's digest.
	RunPrefix = "runs/"
	// HistoryPrefix begins the keys of archived histories, with the digest of the
	// history's protobuf as value. They outlive the server's retention.
	HistoryPrefix = "histories/"
)

// RunKey lists a run.
func RunKey(r Run) string { return RunPrefix + listed(r.Started, r.ID) }

// HistoryKey is the entry of the archived history of one Temporal run of a run.
func HistoryKey(run canon.Digest, temporalRun string) string {
	return HistoryPrefix + run.Hex() + "." + temporalRun
}

// SecretKey is the store entry that holds a run's secret.
func SecretKey(run canon.Digest) string { return "secrets/" + run.Hex() }

// ImportKey is the entry that marks a run as one that was imported.
func ImportKey(run canon.Digest) string { return "imported/" + run.Hex() }

package provenance

// The names of findings. They are stable: scripts may look for them. Those that a history
// gives by itself are in package history.
const (
	RecordMissing      = "record-missing"      // a record of the chain can't be read
	RecordUntold       = "record-untold"       // the chain has a turn or call that the history has not
	TurnUnrecorded     = "turn-unrecorded"     // the history has a turn that the chain has not
	AttemptUnrecorded  = "attempt-unrecorded"  // the history has an attempt that its step's record has not
	AttemptUnscheduled = "attempt-unscheduled" // a record has an attempt that the history has not
	OutcomeDiffers     = "outcome-differs"     // history, record and journal tell of other ends
	DigestDiffers      = "digest-differs"      // history, record and journal name other content
	HeadDiffers        = "head-differs"        // the run's end names another head than its activities do
	ContentMissing     = "content-missing"     // the store hasn't what a record names, or other bytes
	IntentMissing      = "intent-missing"      // something was executed, and no intent came before
	IntentUnscheduled  = "intent-unscheduled"  // an intent of an activity that the history has not
	IntentStray        = "intent-stray"        // an intent of the run of which neither history nor records know the call
	OutcomeMissing     = "outcome-missing"     // an intent without an outcome: nobody knows what was done
	OutcomeUnused      = "outcome-unused"      // an outcome that nothing rests on: it came too late, or was reset away
	DataCycle          = "data-cycle"          // data edges go round
)

// Harmless says whether a finding is no disagreement: what it tells happens in a run that
// met a crash or a reset, and is on record as such.
func Harmless(name string) bool {
	return name == OutcomeMissing || name == OutcomeUnused
}

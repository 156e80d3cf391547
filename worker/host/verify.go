package host

import (
	"context"

	"rlam/activities"
	"rlam/internal/canon"
	"rlam/internal/replay"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// Replayer replays histories of R-LAM's workflows.
func Replayer() replay.Replayer {
	return replay.Replayer{Register: Register, DataConverter: DataConverter(), FailureConverter: FailureConverter()}
}

// Rejudge asks this version's gates about a recorded run, on the facts of then. What they
// said before the first error is there as well.
func Rejudge(ctx context.Context, s store.Store, run, head canon.Digest) ([]schemas.Difference, error) {
	return activities.Rejudge(ctx, s, run, head, schemas.NewGate())
}

// StepDigest names the record that closes a proposal's step, made anew.
func StepDigest(ctx context.Context, s store.Store, proposal canon.Digest, outcomes []workflows.CallOutcome) (canon.Digest, error) {
	return activities.StepDigest(ctx, s, proposal, outcomes)
}

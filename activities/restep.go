package activities

import (
	"context"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

// StepDigest names the record that closes a proposal's step, made anew from the outcomes
// that the workflow knew and what the journal has of them. A step is a function of these
// alone: another digest on record was not made of them.
func StepDigest(ctx context.Context, s store.Store, proposal canon.Digest, outcomes []workflows.CallOutcome) (canon.Digest, error) {
	a := &Activities{cfg: Config{Store: s}, journal: journal.Journal{Store: s}}
	var p record.Proposal
	if err := record.Load(ctx, s, proposal, &p); err != nil {
		return canon.Digest{}, err
	}
	outcomes, err := a.complete(ctx, proposal, outcomes)
	if err != nil {
		return canon.Digest{}, err
	}
	step, err := a.stepRecord(ctx, proposal, &p, outcomes)
	if err != nil {
		return canon.Digest{}, fmt.Errorf("making the step after %s anew: %w", proposal, err)
	}
	d, _, err := record.Encode(step)
	return d, err
}

package activities

import (
	"context"
	"errors"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

// Append closes a step, so that a run can continue as new from its record.
func (a *Activities) Append(ctx context.Context, in workflows.AppendInput) (canon.Digest, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	head, _, err := a.closeStep(ctx, in.Run, in.Head, in.Outcomes)
	if err != nil {
		return canon.Digest{}, a.trouble(ctx, err)
	}
	a.closing(ctx, in.Run)
	return head, nil
}

// closeStep makes the record of the open step durable, and counts what came of it.
func (a *Activities) closeStep(ctx context.Context, runDigest, head canon.Digest, outcomes []workflows.CallOutcome) (canon.Digest, record.Counters, error) {
	run, err := a.pinned(ctx, runDigest)
	if err != nil {
		return canon.Digest{}, record.Counters{}, err
	}
	if outcomes, err = a.complete(ctx, head, outcomes); err != nil {
		return canon.Digest{}, record.Counters{}, err
	}
	c, blobs, err := a.advance(ctx, run, head, outcomes)
	if err != nil {
		return canon.Digest{}, record.Counters{}, err
	}
	defer a.chains.put(c)
	if len(blobs) > 0 {
		if _, _, err := a.cfg.Store.Commit(ctx, store.Batch{Blobs: blobs}); err != nil {
			return canon.Digest{}, record.Counters{}, err
		}
	}
	return c.head, c.counters, nil
}

// complete gives an outcome to the calls of a proposal that was never dispatched: one
// that ended the run, or that a bound or a cancel came before.
func (a *Activities) complete(ctx context.Context, head canon.Digest, outcomes []workflows.CallOutcome) ([]workflows.CallOutcome, error) {
	var p record.Proposal
	err := record.Load(ctx, a.cfg.Store, head, &p)
	var other *record.KindError
	if errors.As(err, &other) || len(outcomes) == len(p.Calls) {
		return outcomes, nil
	}
	if err != nil {
		return nil, err
	}
	all := make([]workflows.CallOutcome, 0, len(p.Calls))
	for _, call := range p.Calls {
		status := record.CallSkipped
		if call.Decision == "refused" {
			status = record.CallRefused
		}
		all = append(all, workflows.CallOutcome{ID: call.ID, Status: status})
	}
	return all, nil
}

// Seal closes the step and the chain.
func (a *Activities) Seal(ctx context.Context, in workflows.SealInput) (workflows.SealResult, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	result, err := a.seal(ctx, in)
	if err != nil {
		return workflows.SealResult{}, a.trouble(ctx, err)
	}
	a.closing(ctx, in.Run)
	return result, nil
}

func (a *Activities) seal(ctx context.Context, in workflows.SealInput) (workflows.SealResult, error) {
	run, err := a.pinned(ctx, in.Run)
	if err != nil {
		return workflows.SealResult{}, err
	}
	head, counters, err := a.closeStep(ctx, in.Run, in.Head, in.Outcomes)
	if err != nil {
		return workflows.SealResult{}, err
	}
	var blobs [][]byte
	if in.Reason.Digest.IsZero() && in.Message != "" {
		ref, blob, err := run.secret.Content(in.Message)
		if err != nil {
			return workflows.SealResult{}, err
		}
		in.Reason, blobs = ref, append(blobs, blob)
	}
	d, blob, err := record.Encode(&record.Seal{
		Kind: record.KindSeal, Parent: head, Status: in.Status, Result: in.Result.Digest, Partial: in.Partial, Reason: in.Reason.Digest,
		Counters: counters, Ended: journal.Time(in.Ended),
	})
	if err != nil {
		return workflows.SealResult{}, err
	}
	if _, _, err := a.cfg.Store.Commit(ctx, store.Batch{Blobs: append(blobs, blob)}); err != nil {
		return workflows.SealResult{}, err
	}
	return workflows.SealResult{Head: d, Reason: in.Reason, Counters: counters}, nil
}

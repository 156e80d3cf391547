package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// Judge judges a call whose verdicts were deferred, now that its sources have run.
// It is the same gate that Plan asks.
func (a *Activities) Judge(ctx context.Context, in workflows.JudgeInput) (workflows.JudgeResult, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	result, err := a.judge(ctx, in)
	if err != nil {
		return workflows.JudgeResult{}, a.trouble(ctx, err)
	}
	return result, nil
}

func (a *Activities) judge(ctx context.Context, in workflows.JudgeInput) (workflows.JudgeResult, error) {
	run, err := a.pinned(ctx, in.Run)
	if err != nil {
		return workflows.JudgeResult{}, err
	}
	call, err := a.proposedCall(ctx, in.Proposal, in.Call)
	if err != nil {
		return workflows.JudgeResult{}, err
	}
	var params json.RawMessage
	if err := record.OpenContent(ctx, a.cfg.Store, call.Params, &params); err != nil {
		return workflows.JudgeResult{}, err
	}
	c, err := a.chainAt(ctx, run, in.Proposal)
	if err != nil {
		return workflows.JudgeResult{}, err
	}
	now := c.snapshot()
	a.chains.put(c)
	if err := a.addSiblings(ctx, now, in); err != nil {
		return workflows.JudgeResult{}, err
	}
	now.forget(call)
	facts := a.facts(run, now)
	j := a.gate.Judge([]schemas.Proposed{{ID: call.ID, Name: call.Name, Action: call.Action, Params: params}}, facts)[0]
	w := &proposalWriter{secret: run.secret}
	// The edges stay as proposed: a reference that Plan replaced is a value by now.
	call.Params, call.Verdicts, call.Decision = w.params(j), w.verdicts(j.Verdicts), string(j.Decision)
	if w.err != nil {
		return workflows.JudgeResult{}, w.err
	}
	judged := record.Judgement{Proposal: in.Proposal, Call: call, Elapsed: time.Duration(facts.Counters.Elapsed).String()}
	for _, sibling := range in.Siblings {
		judged.Siblings = append(judged.Siblings, sibling.ID)
	}
	d, blob, err := canon.Of(judged)
	if err != nil {
		return workflows.JudgeResult{}, err
	}
	if _, _, err := a.cfg.Store.Commit(ctx, store.Batch{Blobs: append(w.blobs, blob)}); err != nil {
		return workflows.JudgeResult{}, err
	}
	result := workflows.JudgeResult{Decision: j.Decision, Judgement: d}
	if result.Note, err = a.note(ctx, call.Verdicts); err != nil {
		return workflows.JudgeResult{}, err
	}
	result.Params, err = a.refOf(ctx, call.Params, w.refs)
	return result, err
}

// addSiblings puts what ran in the same step among the sources.
func (a *Activities) addSiblings(ctx context.Context, c *chain, in workflows.JudgeInput) error {
	for _, out := range in.Siblings {
		sibling, err := a.proposedCall(ctx, in.Proposal, out.ID)
		if err != nil {
			return err
		}
		source := schemas.Source{Status: sourceStatus(out.Status)}
		if sibling.Kept != nil {
			if source.Output, err = a.keptOutput(ctx, c, sibling); err != nil {
				return err
			}
		} else if n := len(out.Attempts); n > 0 && out.Status == record.CallCompleted {
			rec, err := a.attemptRecord(ctx, journal.CallKey(in.Proposal, out.ID), out.Attempts[n-1])
			if err != nil {
				return err
			}
			if err := record.OpenContent(ctx, a.cfg.Store, rec.Output, &source.Output); err != nil {
				return err
			}
			for _, art := range rec.Artifacts {
				c.artifacts[art.Digest.String()] = true
			}
		}
		c.source(sibling, source)
	}
	return nil
}

// proposedCall is one call of a proposal's record.
func (a *Activities) proposedCall(ctx context.Context, proposal canon.Digest, id string) (record.Call, error) {
	p, err := a.proposals.load(ctx, a.cfg.Store, proposal)
	if err != nil {
		return record.Call{}, err
	}
	for _, c := range p.Calls {
		if c.ID == id {
			return c, nil
		}
	}
	return record.Call{}, failed(workflows.TypeNotAdmitted, fmt.Sprintf("proposal %s holds no call %q", proposal, id), workflows.Failure{})
}

// judgement reads the judgement of a call, and refuses another's.
func (a *Activities) judgement(ctx context.Context, d, proposal canon.Digest, call string) (record.Judgement, error) {
	var j record.Judgement
	b, err := store.Read(ctx, a.cfg.Store, d, maxPin)
	if err == nil {
		err = json.Unmarshal(b, &j)
	}
	if err != nil {
		return j, fmt.Errorf("reading judgement %s: %w", d, err)
	}
	if j.Proposal != proposal || j.Call.ID != call {
		return j, failed(workflows.TypeNotAdmitted, fmt.Sprintf("judgement %s is of call %s of %s", d, j.Call.ID, j.Proposal), workflows.Failure{})
	}
	return j, nil
}

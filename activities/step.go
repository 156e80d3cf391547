package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/workflows"
)

// observe says what came of a call as the planner will read it.
func (a *Activities) observe(ctx context.Context, call record.CallRecord) (planner.Observation, error) {
	name, _, _ := strings.Cut(call.Action, "@")
	o := planner.Observation{
		Call: call.ID, ID: call.Name, Action: name, Status: string(call.Status),
		Attempts: len(call.Attempts), ToolCallID: call.ToolCall,
	}
	var err error
	if o.Verdicts, err = a.refusals(ctx, call.Verdicts); err != nil {
		return o, err
	}
	if o.Note, o.Params, err = a.hand(ctx, call.Call); err != nil {
		return o, err
	}
	if len(call.Attempts) == 0 {
		o.Output, err = a.output(ctx, call) // a person's, or none
		return o, err
	}
	last := call.Attempts[len(call.Attempts)-1]
	arts := last.Artifacts
	switch {
	case call.Asserted != nil:
		if o.Output, err = a.output(ctx, call); err != nil {
			return o, err
		}
	case !last.Output.IsZero():
		if err := record.OpenContent(ctx, a.cfg.Store, last.Output, &o.Output); err != nil {
			return o, err
		}
	case last.Error != nil:
		f := executor.Failure{Type: last.Error.Type, Message: lossMessage(last)}
		if !last.Error.Detail.IsZero() {
			if err := record.OpenContent(ctx, a.cfg.Store, last.Error.Detail, &f); err != nil {
				return o, err
			}
		}
		o.Error = &planner.ObservedError{Type: f.Type, Message: f.Message, Stderr: f.Stderr, Partial: f.Partial}
	}
	for _, art := range arts {
		if art.Name == wholeOutput && call.Asserted != nil {
			continue // it is of the output that was computed
		}
		if art.Name == wholeOutput {
			o.Whole = art.Digest.String()
			continue
		}
		o.Artifacts = append(o.Artifacts, planner.ObservedArtifact{Name: art.Name, Handle: art.Digest.String(), Size: art.Size, MediaType: art.MediaType})
	}
	return o, nil
}

func lossMessage(at record.AttemptRecord) string {
	return fmt.Sprintf("attempt %d was lost (%s) between %s and %s: its outcome is not known", at.N, at.Error.Type, at.Started, at.Ended)
}

// step makes the record of a step: a function of the proposal and the outcomes alone.
func (a *Activities) stepRecord(ctx context.Context, proposal canon.Digest, p *record.Proposal, outcomes []workflows.CallOutcome) (*record.Step, error) {
	s := &record.Step{Kind: record.KindStep, Parent: proposal, Index: p.Index, Calls: make([]record.CallRecord, 0, len(p.Calls))}
	if len(outcomes) != len(p.Calls) {
		return nil, fmt.Errorf("step %d has %d calls and %d outcomes", p.Index, len(p.Calls), len(outcomes))
	}
	for i, out := range outcomes {
		call := p.Calls[i]
		if out.ID != call.ID {
			return nil, fmt.Errorf("step %d: outcome %d is of call %s, want %s", p.Index, i, out.ID, call.ID)
		}
		if call.Kept != nil {
			kept, err := a.standing(ctx, call)
			if err != nil {
				return nil, fmt.Errorf("call %s: %w", call.ID, err)
			}
			s.Calls = append(s.Calls, kept)
			continue
		}
		rec := record.CallRecord{Call: call, Judgement: out.Judgement, Status: out.Status, Attempts: make([]record.AttemptRecord, 0, len(out.Attempts))}
		if !out.Judgement.IsZero() {
			j, err := a.judgement(ctx, out.Judgement, proposal, call.ID)
			if err != nil {
				return nil, err
			}
			rec.Call = j.Call
		}
		for _, at := range out.Attempts {
			attempt, err := a.attemptRecord(ctx, journal.CallKey(proposal, call.ID), at)
			if err != nil {
				return nil, fmt.Errorf("call %s, attempt %d: %w", call.ID, at.N, err)
			}
			rec.Attempts = append(rec.Attempts, attempt)
		}
		s.Calls = append(s.Calls, rec)
	}
	return s, nil
}

func (a *Activities) attemptRecord(ctx context.Context, key canon.Digest, at workflows.AttemptOutcome) (record.AttemptRecord, error) {
	rec := record.AttemptRecord{N: at.N, Status: at.Status, Execution: at.Execution, Adopted: at.Adopted, Artifacts: []record.Artifact{}}
	if !at.Answer.IsZero() {
		body, err := record.LoadAnswer(ctx, a.cfg.Store, at.Answer)
		if err != nil {
			return rec, err
		}
		left(&rec, body, body.Ended)
		rec.Answer = at.Answer
		return rec, nil
	}
	if at.Execution == 0 {
		if !at.Started.IsZero() {
			rec.Started, rec.Ended = journal.Time(at.Started), journal.Time(at.Ended)
		}
		if at.Type != "" {
			rec.Error = &record.Error{Type: at.Type, Detail: at.Detail}
		}
		return rec, nil
	}
	e, err := a.journal.Execution(ctx, key, at.Execution)
	if err != nil {
		return rec, err
	}
	if e.Outcome == nil {
		return rec, fmt.Errorf("execution %d has no outcome in the journal", at.Execution)
	}
	var body record.Execution
	if err := json.Unmarshal(e.Outcome.Body, &body); err != nil {
		return rec, err
	}
	left(&rec, body, e.Outcome.Ended)
	return rec, nil
}

// left fills in what an execution left.
func left(rec *record.AttemptRecord, x record.Execution, ended string) {
	rec.Started, rec.Ended = x.Started, ended
	rec.Output, rec.Artifacts, rec.Log, rec.Error = x.Output.Digest, x.Artifacts, x.Log, x.Error
	rec.Environment, rec.Isolation, rec.Binding = x.Environment, x.Isolation, x.Binding
	rec.Reused, rec.PassedOver = x.Reused, x.PassedOver
}

// refOf is the Ref of a content that is in the store, read only if it isn't known.
func (a *Activities) refOf(ctx context.Context, d canon.Digest, known map[canon.Digest]record.Ref) (record.Ref, error) {
	if ref, ok := known[d]; ok || d.IsZero() {
		return ref, nil
	}
	var v json.RawMessage
	if err := record.OpenContent(ctx, a.cfg.Store, d, &v); err != nil {
		return record.Ref{}, err
	}
	return record.Ref{Digest: d, Size: int64(len(v)), Preview: record.Preview(string(v))}, nil
}

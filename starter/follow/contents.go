package follow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/schemas"
	"rlam/workflows"
)

// Contents reads what a history names by digest. Without a Store it reads nothing,
// and events hold the previews of the history.
type Contents struct {
	Store store.Store
}

var errNoStore = errors.New("the run's store can't be reached")

func (c Contents) open(ctx context.Context, d canon.Digest, v any) error {
	if c.Store == nil {
		return errNoStore
	}
	return record.OpenContent(ctx, c.Store, d, v)
}

// Value reads a reference.
func (c Contents) Value(ctx context.Context, ref record.Ref) Value {
	v := Value{Digest: ref.Digest}
	if ref.Digest.IsZero() {
		return Value{Preview: ref.Preview}
	}
	if err := c.open(ctx, ref.Digest, &v.Value); err != nil {
		v.Preview, v.Absent = ref.Preview, absent(err)
	}
	return v
}

// Lack is a content that could not be read.
type Lack struct {
	What   string       `json:"what"` // prompt, answer
	Digest canon.Digest `json:"digest"`
	// Why is "withheld" of what a bundle leaves out on purpose, "missing" of what the store
	// hasn't got, else what the reading came upon.
	Why string `json:"why"`
}

// absent is the reason why a content could not be read; "" where there is no store.
func absent(err error) string {
	switch {
	case errors.Is(err, errNoStore):
		return ""
	case errors.Is(err, export.ErrWithheld):
		return string(export.Withheld)
	case errors.Is(err, store.ErrNotFound):
		return string(export.Missing)
	}
	return err.Error()
}

// text reads a reference to a text.
func (c Contents) text(ctx context.Context, ref record.Ref) string {
	var s string
	if ref.Digest.IsZero() || c.open(ctx, ref.Digest, &s) != nil {
		// The preview is of the text's JSON, and cut.
		if json.Unmarshal([]byte(ref.Preview), &s) != nil {
			return ref.Preview
		}
	}
	return s
}

// proposal completes what the workflow was told of a planner's turn.
func (c Contents) proposal(ctx context.Context, turn workflows.PlanResult) (Proposal, error) {
	p := Proposal{
		Step: turn.Counters.Steps, Model: turn.Model, Outcome: turn.Outcome, Head: turn.Head,
		Result: c.Value(ctx, turn.Result), Partial: turn.Partial, Reason: c.text(ctx, turn.Reason), Last: c.text(ctx, turn.Last),
	}
	for _, t := range turn.Calls {
		call := Call{ID: t.ID, Name: t.Name, Action: t.Action, After: t.After, Decision: t.Decision, Params: c.Value(ctx, t.Params)}
		if t.Note != "" {
			call.Refusals = []Refusal{{Reason: t.Note}}
		}
		p.Calls = append(p.Calls, call)
	}
	if c.Store == nil {
		return p, errNoStore
	}
	var rec record.Proposal
	if err := record.Load(ctx, c.Store, turn.Head, &rec); err != nil {
		return p, err
	}
	p.Step, p.Usage, p.Recorded = rec.Index, rec.Usage, rec.Recorded
	var answer planner.Answer
	if err := c.open(ctx, rec.Answer, &answer); err != nil {
		return p, err
	}
	p.Text = answer.Text
	for i := range p.Calls {
		if i < len(answer.Calls) {
			p.Calls[i].Why = answer.Calls[i].Why
		}
		if i < len(rec.Calls) {
			p.Calls[i].Own = c.own(ctx, rec.Calls[i])
		}
		if i < len(rec.Calls) && p.Calls[i].Decision == schemas.Refused {
			p.Calls[i].Refusals = c.Refusals(ctx, rec.Calls[i].Verdicts)
		}
	}
	if rec.Result != nil {
		p.Result = c.Value(ctx, record.Ref{Digest: rec.Result.Value})
		p.Refusals = c.Refusals(ctx, rec.Result.Verdicts)
	}
	return p, nil
}

// own is what a person or a fork made of a call.
func (c Contents) own(ctx context.Context, call record.Call) Own {
	o := Own{Edited: call.Edited, Anew: call.Anew}
	if call.Kept != nil {
		o.Kept = call.Kept.Status
	}
	if call.Asserted != nil {
		o.Asserted, o.Output = call.Asserted.Pointers, c.Value(ctx, record.Ref{Digest: call.Asserted.Output})
	}
	return o
}

// Refusals are the reasons of the verdicts that refused.
func (c Contents) Refusals(ctx context.Context, verdicts []record.Verdict) []Refusal {
	var out []Refusal
	for _, v := range verdicts {
		if v.Decision == string(schemas.Refused) {
			out = append(out, Refusal{Gate: v.Gate, Rule: v.Rule, Reason: c.text(ctx, record.Ref{Digest: v.Reason})})
		}
	}
	return out
}

// Failure reads the detail of a failure; typ and message stand in for what can't be read.
func (c Contents) Failure(ctx context.Context, typ, message string, detail canon.Digest) *Error {
	e := &Error{Type: typ, Message: message, Detail: detail}
	var f executor.Failure
	if detail.IsZero() || c.open(ctx, detail, &f) != nil {
		return e
	}
	if f.Message != "" {
		e.Message = f.Message
	}
	e.Stderr = f.Stderr
	return e
}

// execution reads what the journal holds of an execution that has ended.
func (c Contents) execution(ctx context.Context, proposal canon.Digest, call string, n int) (record.Execution, error) {
	var x record.Execution
	if c.Store == nil {
		return x, errNoStore
	}
	e, err := journal.Journal{Store: c.Store}.Execution(ctx, journal.CallKey(proposal, call), n)
	if err != nil {
		return x, err
	}
	if e.Outcome == nil {
		return x, fmt.Errorf("execution %d of call %s has no outcome in the journal", n, call)
	}
	return x, json.Unmarshal(e.Outcome.Body, &x)
}

// answer reads what a call was answered with from the record.
func (c Contents) answer(ctx context.Context, d canon.Digest) (record.Execution, error) {
	if c.Store == nil {
		return record.Execution{}, errNoStore
	}
	return record.LoadAnswer(ctx, c.Store, d)
}

package follow

import (
	"context"
	"encoding/json"
	"fmt"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// Step is all that the store holds of one step of a run.
type Step struct {
	Index    int             `json:"step"`
	Proposal canon.Digest    `json:"proposal"`
	Record   canon.Digest    `json:"record,omitzero"` // of what came of it; none while the step is open
	Model    record.Model    `json:"model"`
	Usage    record.Usage    `json:"usage"`
	Outcome  string          `json:"outcome"`
	Prompt   *Prompt         `json:"prompt,omitempty"` // none where a plan is the planner
	Answer   *planner.Answer `json:"answer,omitempty"`
	Absent   []Lack          `json:"absent,omitempty"` // of these two, what can't be read
	Reason   string          `json:"reason,omitempty"`
	Calls    []StepCall      `json:"calls"`
	Result   *StepResult     `json:"result,omitempty"`
	Last     string          `json:"last,omitempty"` // of a last turn: the limit that is reached
	// Of is the run that the step belongs to, where that is one that this run continues.
	Of string `json:"of,omitempty"`
	// Recorded is the step of that run whose turn this one repeats: nobody was asked.
	Recorded canon.Digest `json:"recorded,omitzero"`
}

// Prompt is what the planner was sent.
type Prompt struct {
	Digest      canon.Digest      `json:"digest"`
	Model       string            `json:"model"`
	Mode        string            `json:"mode"`
	Temperature float32           `json:"temperature"`
	MaxTokens   int               `json:"max_tokens"`
	Tokens      int               `json:"tokens"` // estimated
	Messages    []planner.Message `json:"messages"`
	New         int               `json:"new"`     // index of the first message that was not in the prompt before
	Stubbed     []int             `json:"stubbed"` // indices of observations that were sent as one line, to fit
	Body        canon.Digest      `json:"body"`    // of the exact bytes
}

// StepCall is a call with its verdicts and attempts.
type StepCall struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	Action   string            `json:"action"`
	Why      string            `json:"why,omitempty"`
	Params   Value             `json:"params"`
	Uses     []record.Use      `json:"uses,omitempty"`
	After    []string          `json:"after,omitempty"`
	Decision string            `json:"decision"`
	Verdicts []Verdict         `json:"verdicts"`
	Status   record.CallStatus `json:"status,omitempty"`
	Attempts []StepAttempt     `json:"attempts,omitempty"`
	Own      Own               `json:"fork,omitzero"`
}

// Verdict is what one gate said.
type Verdict struct {
	Gate     string       `json:"gate"`
	Version  int          `json:"version"`
	Decision string       `json:"decision"`
	Rule     string       `json:"rule,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Facts    canon.Digest `json:"facts,omitzero"`
}

// StepAttempt is an attempt with all that it left.
type StepAttempt struct {
	record.AttemptRecord
	OutputValue      Value             `json:"output_value,omitzero"`
	Failure          *executor.Failure `json:"failure,omitempty"`
	EnvironmentValue *executor.Env     `json:"environment_value,omitempty"`
	BindingValue     *schemas.Pinned   `json:"binding_value,omitempty"` // what ran, of an action with several bindings
}

// StepResult is a result that the planner handed in.
type StepResult struct {
	Value    Value        `json:"value"`
	Uses     []record.Use `json:"uses,omitempty"`
	Verdicts []Verdict    `json:"verdicts"`
	Decision string       `json:"decision"`
	Partial  bool         `json:"partial,omitempty"` // it lacks something, and was taken in a last turn
}

// NoStepError says that a run has no such step.
type NoStepError struct{ Step, Steps int }

func (e *NoStepError) Error() string {
	return fmt.Sprintf("there is no step %d: the run has the steps 1 to %d so far", e.Step, e.Steps)
}

// Step reads step n of the chain that ends at head: of a fork, also a step of a run that
// it continues.
func (c Contents) Step(ctx context.Context, run, head canon.Digest, n int) (*Step, error) {
	if c.Store == nil {
		return nil, errNoStore
	}
	links, err := record.Lineage(ctx, c.Store, head)
	if err != nil {
		return nil, err
	}
	last, of := 0, ""
	for i, l := range links {
		if rec, is := l.Record.(*record.Run); is {
			if of = rec.ID; l.Digest == run {
				of = ""
			}
		}
		p, ok := l.Record.(*record.Proposal)
		if !ok {
			continue
		}
		if last = p.Index; last != n {
			continue
		}
		s, err := c.proposed(ctx, l.Digest, p)
		if err != nil {
			return nil, fmt.Errorf("reading step %d: %w", n, err)
		}
		s.Of = of
		if i+1 < len(links) {
			if rec, ok := links[i+1].Record.(*record.Step); ok {
				s.Record = links[i+1].Digest
				c.happened(ctx, s, rec)
			}
		}
		return s, nil
	}
	return nil, &NoStepError{Step: n, Steps: last}
}

func (c Contents) proposed(ctx context.Context, d canon.Digest, p *record.Proposal) (*Step, error) {
	s := &Step{Index: p.Index, Proposal: d, Model: p.Model, Usage: p.Usage, Outcome: p.Outcome, Recorded: p.Recorded}
	if err := c.asked(ctx, s, p); err != nil {
		return nil, err
	}
	if !p.Reason.IsZero() {
		s.Reason = c.text(ctx, record.Ref{Digest: p.Reason})
	}
	for i, call := range p.Calls {
		sc := c.stepCall(ctx, call)
		if s.Answer != nil && i < len(s.Answer.Calls) {
			sc.Why = s.Answer.Calls[i].Why
		}
		s.Calls = append(s.Calls, sc)
	}
	if r := p.Result; r != nil {
		s.Result = &StepResult{Value: c.Value(ctx, record.Ref{Digest: r.Value}), Uses: r.Uses, Verdicts: c.verdicts(ctx, r.Verdicts), Decision: r.Decision, Partial: r.Partial}
	}
	if p.Last != nil {
		s.Last = c.text(ctx, record.Ref{Digest: p.Last.Reason})
	}
	return s, nil
}

// asked adds what the planner was sent and answered, or why it can't be read: the rest of
// the step is worth seeing all the same.
func (c Contents) asked(ctx context.Context, s *Step, p *record.Proposal) error {
	if !p.Request.IsZero() {
		prompt, err := c.prompt(ctx, p.Request)
		if err != nil {
			s.Absent = append(s.Absent, Lack{"prompt", p.Request, absent(err)})
		}
		s.Prompt = prompt
	}
	var answer planner.Answer
	if err := c.open(ctx, p.Answer, &answer); err != nil {
		s.Absent = append(s.Absent, Lack{"answer", p.Answer, absent(err)})
	} else {
		s.Answer = &answer
	}
	return context.Cause(ctx)
}

func (c Contents) stepCall(ctx context.Context, call record.Call) StepCall {
	return StepCall{
		ID: call.ID, Name: call.Name, Action: call.Action, Params: c.Value(ctx, record.Ref{Digest: call.Params}),
		Uses: call.Uses, After: call.After, Decision: call.Decision, Verdicts: c.verdicts(ctx, call.Verdicts),
		Own: c.own(ctx, call),
	}
}

func (c Contents) verdicts(ctx context.Context, from []record.Verdict) []Verdict {
	to := make([]Verdict, 0, len(from))
	for _, v := range from {
		to = append(to, Verdict{Gate: v.Gate, Version: v.Version, Decision: v.Decision, Rule: v.Rule, Facts: v.Facts, Reason: c.text(ctx, record.Ref{Digest: v.Reason})})
	}
	return to
}

// prompt puts a request together with those that came before it, as they were sent.
func (c Contents) prompt(ctx context.Context, d canon.Digest) (*Prompt, error) {
	var all []planner.Message
	var last planner.Kept
	news := 0
	for at := d; !at.IsZero(); {
		var r planner.Kept
		if err := c.open(ctx, at, &r); err != nil {
			return nil, err
		}
		if at == d {
			last, news = r, len(r.Messages)
		}
		all = append(append([]planner.Message{}, r.Messages...), all...)
		at = r.Parent
	}
	sent := planner.Shorten(all, last.Cut)
	p := &Prompt{
		Digest: d, Model: last.Model, Mode: last.Mode, Temperature: last.Temperature, MaxTokens: last.MaxTokens, Tokens: last.Tokens,
		Messages: sent, New: len(sent) - news, Stubbed: []int{}, Body: last.Body,
	}
	for i, m := range sent {
		if m.Stub != "" && m.Content == m.Stub {
			p.Stubbed = append(p.Stubbed, i)
		}
	}
	return p, nil
}

// happened adds what came of a step's calls.
func (c Contents) happened(ctx context.Context, s *Step, rec *record.Step) {
	for i, call := range rec.Calls {
		if i >= len(s.Calls) {
			return
		}
		why := s.Calls[i].Why
		s.Calls[i] = c.stepCall(ctx, call.Call) // of a deferred call, as judged in the end
		s.Calls[i].Why, s.Calls[i].Status = why, call.Status
		for _, a := range call.Attempts {
			s.Calls[i].Attempts = append(s.Calls[i].Attempts, c.stepAttempt(ctx, a))
		}
	}
}

func (c Contents) stepAttempt(ctx context.Context, a record.AttemptRecord) StepAttempt {
	out := StepAttempt{AttemptRecord: a}
	if !a.Output.IsZero() {
		out.OutputValue = c.Value(ctx, record.Ref{Digest: a.Output})
	}
	if a.Error != nil && !a.Error.Detail.IsZero() {
		var f executor.Failure
		if c.open(ctx, a.Error.Detail, &f) == nil {
			out.Failure = &f
		}
	}
	if !a.Environment.IsZero() {
		var env executor.Env
		if b, err := store.Read(ctx, c.Store, a.Environment, record.MaxContent); err == nil && json.Unmarshal(b, &env) == nil {
			out.EnvironmentValue = &env
		}
	}
	if !a.Binding.IsZero() {
		var binding schemas.Pinned
		if b, err := store.Read(ctx, c.Store, a.Binding, record.MaxContent); err == nil && json.Unmarshal(b, &binding) == nil {
			out.BindingValue = &binding
		}
	}
	return out
}

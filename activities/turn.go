package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/schemas"
	"rlam/workflows"
)

// question is a turn that is about to be asked.
type question struct {
	digest canon.Digest // of its content
	blobs  [][]byte
	model  string
	window *planner.Window // with what is sent; nil for a plan
	turn   schemas.Turn
	again  *again // of a fork: the step that is repeated, instead of asking
	send   func(context.Context) (planner.Answer, error)
}

// last says that the planner can only hand in what it has.
func (q *question) last() bool { return q.turn.Allowance == schemas.AskLast }

// ask spells the question to one candidate of the study's planner, if the run's limits
// leave it a turn.
func (a *Activities) ask(ctx context.Context, run *pinned, c *chain, in workflows.PlanInput) (*question, error) {
	if step, ok := run.again(c); ok {
		return a.again(ctx, run, c, step)
	}
	if ch := run.record.Changes; ch != nil && ch.Recorded {
		return recordEnded(run, c), nil
	}
	if run.plan != nil {
		return &question{model: planner.PlanModel, send: func(context.Context) (planner.Answer, error) {
			return planner.NextPlan(run.plan, seen(c))
		}}, nil
	}
	if in.Candidate >= len(run.record.Models) {
		return nil, fmt.Errorf("candidate %d of %d models", in.Candidate, len(run.record.Models))
	}
	model := run.record.Models[in.Candidate]
	l, turn, err := a.compose(run, c, in, model)
	switch {
	case errors.Is(err, planner.ErrContextFull):
		return nil, failed(workflows.TypeContextFull, err.Error(), workflows.Failure{})
	case err != nil:
		return nil, err
	case turn.Allowance == schemas.AskNot:
		reason, err := a.content(ctx, run, turn.Reason)
		if err != nil {
			return nil, err
		}
		return nil, failed(workflows.TypeLimitReached, turn.Reason, workflows.Failure{Detail: reason})
	}
	p := run.study.Study.Planner
	req := planner.Request{
		Model: model, Mode: cmp.Or(p.Calls, planner.ModeTools), Temperature: p.Temperature, MaxTokens: turn.Answer,
		Messages: l.sent, Tools: run.tools, Key: a.cfg.Models.Key, BaseURL: cmp.Or(p.BaseURL, a.cfg.Models.BaseURL),
	}
	if run.scenario != nil {
		req.Key = ""
		if req.BaseURL, err = a.cfg.Models.Scripted(run.scenario); err != nil {
			return nil, fmt.Errorf("starting the scripted model: %w", err)
		}
	}
	body, err := planner.Body(req)
	if err != nil {
		return nil, err
	}
	content := planner.Kept{
		Parent: c.request, Messages: l.fresh, Cut: l.cut, Tools: run.toolsDigest, Model: req.Model, Mode: req.Mode,
		Temperature: req.Temperature, MaxTokens: req.MaxTokens, Tokens: l.tokens, Body: canon.Sum(body),
	}
	ref, blob, err := run.secret.Content(content)
	if err != nil {
		return nil, err
	}
	q := &question{digest: ref.Digest, blobs: [][]byte{blob}, model: model, window: l.window, turn: turn, send: func(ctx context.Context) (planner.Answer, error) {
		return a.cfg.Models.Client.Complete(ctx, req, body)
	}}
	if c.head == run.digest {
		q.blobs = append(q.blobs, run.toolsBlob)
	}
	return q, nil
}

// compose decides whether a turn may be asked, and spells the conversation with what
// the planner is told of its limits. It reads no clock: a turn that is asked again says
// the same. The first turn is told by the system message.
func (a *Activities) compose(run *pinned, c *chain, in workflows.PlanInput, model string) (letter, schemas.Turn, error) {
	facts := a.facts(run, c)
	facts.Counters.Elapsed = c.elapsed(c.acted)
	facts.LastTurn = in.Limit
	note, longest := "", run.study.Study.Planner.MaxTokens
	if c.step > 1 {
		note = planner.Left(facts.Remaining())
	}
	l, err := c.letter(note)
	if err != nil {
		return l, schemas.Turn{}, err
	}
	turn := facts.Turn(model, schemas.Tokens{Prompt: l.tokens, Completion: longest})
	switch {
	case !in.LastTurn && (turn.Allowance == schemas.AskLast || turn.Limit != "money"):
		// The workflow sees to these limits, as it did before there were last turns.
		return l, schemas.Turn{Allowance: schemas.AskOn, Answer: longest}, nil
	case turn.Allowance != schemas.AskLast:
		return l, turn, nil
	}
	if l, err = c.letter(planner.LastTurn(turn.Reason)); err != nil {
		return l, schemas.Turn{}, err
	}
	again := facts.Turn(model, schemas.Tokens{Prompt: l.tokens, Completion: longest}) // these words take some as well
	if again.Allowance == schemas.AskNot {
		return l, again, nil
	}
	turn.Answer = again.Answer
	return l, turn, nil
}

// seen is what has come of a plan's calls, by the plan's own ids.
func seen(c *chain) map[string]planner.Seen {
	status := make(map[string]planner.Seen, len(c.sources))
	for id, s := range c.sources {
		status[id] = planner.Seen{Status: string(s.Status)}
	}
	return status
}

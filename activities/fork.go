package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
)

// begin takes in a run's record: the first of a chain, or a fork's, which stands between
// what it keeps of another run and what is its own.
func (c *chain) begin(ctx context.Context, a *Activities, d canon.Digest, r *record.Run) error {
	began, err := time.Parse(time.RFC3339Nano, r.Started)
	if err != nil {
		return fmt.Errorf("reading when run %q was started: %w", r.ID, err)
	}
	c.head = d
	for _, in := range r.Inputs {
		handle := in.Digest.String()
		if old := c.inputs[in.Name]; old != handle {
			c.rename(old, handle)
		}
		c.inputs[in.Name], c.artifacts[handle] = handle, true
	}
	if r.Fork() {
		c.spent, c.forked = c.elapsed(c.acted), c.step
		if r.Changes != nil && r.Changes.Model != "" {
			c.candidate = 0
		}
		if c.window != nil {
			if err := c.tell(ctx, a, r); err != nil {
				return err
			}
		}
	}
	c.began = began
	return nil
}

// elapsed is how long the run had taken at a time, with what it continues: nothing of its
// own before its start.
func (c *chain) elapsed(at time.Time) schemas.Duration {
	return c.spent + schemas.Duration(max(0, at.Sub(c.began)).Round(time.Millisecond))
}

// tell puts into the conversation what the planner has to hear of a fork. Of the first
// step the system message tells it.
func (c *chain) tell(ctx context.Context, a *Activities, r *record.Run) error {
	c.fresh = planner.Answered(c.fresh, c.step-1)
	news := planner.Fork{Ended: len(c.fresh) > 0 && c.fresh[len(c.fresh)-1].Stub == planner.EndedStub}
	if ch := r.Changes; ch != nil {
		if !ch.Instruct.IsZero() {
			if err := record.OpenContent(ctx, a.cfg.Store, ch.Instruct, &news.Instruct); err != nil {
				return fmt.Errorf("reading what a person told the planner of run %q: %w", r.ID, err)
			}
		}
		if c.step > 1 {
			news.Inputs, news.Dropped, news.Limits, news.Policy = ch.Inputs, ch.Drop, ch.Limits, ch.Policy
		}
	}
	if words := news.Words(); words != "" {
		c.said = append(c.said, planner.Message{Role: planner.RoleUser, Content: words})
	}
	return nil
}

// again is a step of the run that a fork continues, which the fork goes through once more.
type again struct {
	digest   canon.Digest // of the step's record
	step     *record.Step
	proposal *record.Proposal
	params   map[string][]string // pointers that a person changed in the parameters of a call, by its id
	outputs  map[string][]record.Edit
}

// again is the record of the step that comes next, if the run repeats one.
func (p *pinned) again(c *chain) (canon.Digest, bool) {
	if p.record.Changes == nil {
		return canon.Digest{}, false
	}
	steps, i := p.record.Changes.Steps, c.step-c.forked
	if i < 0 || i >= len(steps) {
		return canon.Digest{}, false
	}
	return steps[i], true
}

// again makes a question whose answer is on record, with what a person changed in it.
func (a *Activities) again(ctx context.Context, run *pinned, c *chain, d canon.Digest) (*question, error) {
	g := &again{digest: d, step: &record.Step{}, proposal: &record.Proposal{}, params: map[string][]string{}, outputs: map[string][]record.Edit{}}
	if err := record.Load(ctx, a.cfg.Store, d, g.step); err != nil {
		return nil, err
	}
	if err := record.Load(ctx, a.cfg.Store, g.step.Parent, g.proposal); err != nil {
		return nil, err
	}
	var answer planner.Answer
	if err := record.OpenContent(ctx, a.cfg.Store, g.proposal.Answer, &answer); err != nil {
		return nil, err
	}
	if len(answer.Calls) != len(g.step.Calls) && len(g.step.Calls) > 0 {
		return nil, fmt.Errorf("step %d has %d calls, and the answer %d", g.step.Index, len(g.step.Calls), len(answer.Calls))
	}
	answer.Calls = slices.Clone(answer.Calls)
	for i := range answer.Calls {
		answer.Calls[i].Params = c.renamed(answer.Calls[i].Params)
	}
	answer.Finish = c.renamed(answer.Finish)
	if err := a.edit(ctx, run, g, answer.Calls); err != nil {
		return nil, err
	}
	q := &question{digest: g.proposal.Request, model: g.proposal.Model.Asked, again: g, send: func(context.Context) (planner.Answer, error) { return answer, nil }}
	if c.window == nil || g.proposal.Request.IsZero() {
		return q, nil
	}
	var sent planner.Kept
	err := record.OpenContent(ctx, a.cfg.Store, g.proposal.Request, &sent)
	if err == nil {
		q.window, err = c.window.With(sent.Messages...)
	}
	q.blobs = append(q.blobs, run.toolsBlob)
	return q, err
}

// edit puts what a person changed into the parameters of the calls, and notes the edits of outputs.
func (a *Activities) edit(ctx context.Context, run *pinned, g *again, calls []planner.Call) error {
	for _, e := range run.record.Changes.Edits {
		i := slices.IndexFunc(g.step.Calls, func(c record.CallRecord) bool { return c.ID == e.Call })
		if i < 0 {
			continue // of another step
		}
		if e.Part == partOutput {
			g.outputs[e.Call] = append(g.outputs[e.Call], e)
			continue
		}
		params, err := a.editParams(ctx, g.step.Calls[i].Call, calls[i].Params, e)
		if err != nil {
			return fmt.Errorf("changing the parameters of call %s: %w", e.Call, err)
		}
		calls[i].Params = planner.Raw(params)
		g.params[e.Call] = append(g.params[e.Call], e.Pointer)
	}
	return nil
}

// recordEnds is why a run ends that only follows the record, where that has no result.
const recordEnds = "what is on record of the run that this one follows ends here"

// recordEnded is a question that nobody is asked, of a run that only follows the record.
func recordEnded(run *pinned, c *chain) *question {
	return &question{model: run.record.Models[0], window: c.window, send: func(context.Context) (planner.Answer, error) {
		return planner.Answer{Outcome: planner.OutcomeGiveUp, GiveUp: recordEnds}, nil
	}}
}

// keep takes over what came of the calls that nothing changes, and what a person says
// came of one. judged are the calls as proposed anew, by position.
func (a *Activities) keep(ctx context.Context, run *pinned, w *proposalWriter, g *again, p *record.Proposal, judged []schemas.Judged) error {
	kept, anew := make([]bool, len(p.Calls)), make([]string, len(p.Calls))
	for i, was := range g.step.Calls {
		call := &p.Calls[i]
		switch {
		case len(g.outputs[was.ID]) > 0:
			if err := a.assert(ctx, run, w, g, was, call); err != nil {
				return err
			}
		case len(g.params[was.ID]) > 0:
			call.Edited, anew[i] = g.params[was.ID], record.AnewEdited
		default:
			var err error
			if anew[i], err = a.reached(ctx, run, was, *call, judged[i]); err != nil {
				return err
			}
			kept[i] = anew[i] == ""
		}
	}
	position := map[string]int{}
	for i, call := range p.Calls {
		position[call.ID] = i
	}
	for more := true; more; { // until none that is kept follows one that isn't
		more = false
		for i, call := range p.Calls {
			j := slices.IndexFunc(call.After, func(id string) bool { return !kept[position[id]] })
			if kept[i] && j >= 0 {
				kept[i], more = false, true
				anew[i] = record.AnewFollows + call.After[j]
			}
		}
	}
	for i, was := range g.step.Calls {
		if kept[i] {
			p.Calls[i] = was.Call
			p.Calls[i].Kept, p.Calls[i].Anew = &record.Kept{Step: g.digest, Status: was.Status}, ""
		} else {
			p.Calls[i].Anew = anew[i]
		}
	}
	return nil
}

// reached says why a call that is proposed anew isn't the one that was carried out; "" if
// it is, but for the calls of the same step that it follows.
func (a *Activities) reached(ctx context.Context, run *pinned, was record.CallRecord, call record.Call, j schemas.Judged) (string, error) {
	switch {
	case was.Status == record.CallRefused:
		return record.AnewRefused, nil
	case was.Status != record.CallCompleted && was.Status != record.CallFailed:
		return record.AnewUnfinished, nil
	case call.Spec != was.Spec, call.Binding != was.Binding:
		return record.AnewAction, nil
	}
	if bound, err := run.bound(call.Spec, call.Binding); err != nil {
		return "", err
	} else if bound.Action.Seeded && run.record.Changes.Seed != nil {
		return record.AnewSeed, nil
	}
	if j.Decision == schemas.Deferred {
		return "", nil
	}
	params, err := a.raw(ctx, was.Params)
	if err != nil || bytes.Equal(params, j.Resolved) {
		return "", err
	}
	return record.AnewParams, nil
}

// assert makes a call one whose output a person gave.
func (a *Activities) assert(ctx context.Context, run *pinned, w *proposalWriter, g *again, was record.CallRecord, call *record.Call) error {
	*call = was.Call
	output, pointers, err := a.asserted(ctx, run, was, g.outputs[was.ID])
	if err != nil {
		return fmt.Errorf("changing the output of call %s: %w", was.ID, err)
	}
	call.Kept = &record.Kept{Step: g.digest, Status: record.CallCompleted}
	call.Asserted = &record.Asserted{Output: w.keep(output), Pointers: pointers}
	return nil
}

// standing is what the record of a kept call says came of it in the other run.
func (a *Activities) standing(ctx context.Context, call record.Call) (record.CallRecord, error) {
	rec := record.CallRecord{Call: call, Status: call.Kept.Status, Attempts: []record.AttemptRecord{}}
	var s record.Step
	if err := record.Load(ctx, a.cfg.Store, call.Kept.Step, &s); err != nil {
		return rec, err
	}
	i := slices.IndexFunc(s.Calls, func(c record.CallRecord) bool { return c.ID == call.ID })
	if i < 0 {
		return rec, fmt.Errorf("step %s, of which call %s is kept, has no such call", call.Kept.Step, call.ID)
	}
	rec.Attempts = s.Calls[i].Attempts
	return rec, nil
}

// keptOutput is the output of a kept call, for what is judged next; c gets to know its artifacts.
func (a *Activities) keptOutput(ctx context.Context, c *chain, call record.Call) (json.RawMessage, error) {
	rec, err := a.standing(ctx, call)
	if err != nil {
		return nil, err
	}
	for _, at := range rec.Attempts {
		for _, art := range at.Artifacts {
			c.artifacts[art.Digest.String()] = true
		}
	}
	return a.output(ctx, rec)
}

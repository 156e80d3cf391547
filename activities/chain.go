package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
)

// chain is what a chain of records amounts to at its head: the conversation, what
// references can point to, and what the limits bound. It follows from the records
// alone; the cache only saves reading them again.
type chain struct {
	head      canon.Digest
	step      int // the next step's number
	counters  record.Counters
	window    *planner.Window   // the conversation, as it was sent; nil for a plan
	fresh     []planner.Message // what comes after it, and no request holds yet
	request   canon.Digest
	sources   map[string]schemas.Source // by call id and by the planner's own id
	artifacts map[string]bool           // handles that this run has seen
	inputs    map[string]string         // handles of the inputs, by name
	renames   map[string]string         // handles of what a fork has anew, by those of what it stands for
	repeats   canon.Digest              // the step of another run that the open step repeats
	bytes     int64                     // of the artifacts that its calls made
	began     time.Time                 // when the run was started
	spent     schemas.Duration          // that the runs took which it continues, up to their last attempt
	acted     time.Time                 // when the newest attempt ended
	forked    int                       // the first step that is the run's own, of a fork
	said      []planner.Message         // what a person said at a fork, and no request holds yet
	prices    schemas.Prices
	money     float64 // that the planner's answers cost
	candidate int
	model     string
	open      int // calls of the newest proposal that may be dispatched
}

func newChain(run *pinned) (*chain, error) {
	c := &chain{
		head: run.digest, step: 1,
		sources:   map[string]schemas.Source{schemas.InputSource: run.inputs},
		artifacts: map[string]bool{}, inputs: map[string]string{}, renames: map[string]string{},
		prices: run.study.Study.Planner.Prices,
	}
	if run.plan != nil {
		return c, nil
	}
	c.fresh = []planner.Message{run.system}
	var err error
	c.window, err = planner.NewWindow(run.tools, run.study.Study.Planner.Context)
	return c, err
}

// letter is a conversation as it may be sent.
type letter struct {
	window *planner.Window
	fresh  []planner.Message // that no request held before
	sent   []planner.Message // shortened to the budget
	cut    planner.Cut
	tokens int // estimated
}

// letter spells the conversation with a note at its end. It leaves c as it is.
func (c *chain) letter(note string) (l letter, err error) {
	l.fresh = planner.Noted(slices.Concat(c.fresh, c.said), note)
	if l.window, err = c.window.With(l.fresh...); err != nil {
		return l, err
	}
	l.sent, l.cut, l.tokens, err = l.window.Fit()
	return l, err
}

// propose takes in a proposal's record.
func (c *chain) propose(d canon.Digest, p *record.Proposal, answer planner.Answer, told []planner.Message) {
	c.head, c.request = d, p.Request
	c.step = p.Index + 1
	c.candidate, c.model = p.Model.Candidate, p.Model.Answered
	c.fresh = nil // it was sent with this request
	if c.repeats = p.Recorded; c.repeats.IsZero() {
		c.said = nil
	}
	c.open = c.counters.Calls
	c.counters = afterProposal(c.counters, p)
	c.open = c.counters.Calls - c.open
	cost, _ := c.prices.Cost(p.Model.Asked, schemas.Tokens{Prompt: p.Usage.Prompt, Cached: p.Usage.Cached, Completion: p.Usage.Completion})
	c.money += cost
	for _, call := range p.Calls {
		status := schemas.StatusPending
		if call.Decision == string(schemas.Refused) {
			status = schemas.StatusRefused
		}
		c.source(call, schemas.Source{Status: status})
	}
	if !p.Request.IsZero() { // a plan has no conversation
		c.fresh = append([]planner.Message{answer.Assistant}, told...)
	}
}

// told is what the planner hears of an answer of which nothing could be dispatched:
// how to repair it, or why its result was refused.
func (a *Activities) told(ctx context.Context, p *record.Proposal, answer planner.Answer) ([]planner.Message, error) {
	if p.Result == nil {
		return planner.Repairs(answer), nil
	}
	verdicts, err := a.refusals(ctx, p.Result.Verdicts)
	if err != nil || len(verdicts) == 0 {
		return nil, err
	}
	o := planner.Observation{Call: fmt.Sprintf("%d.result", p.Index), ID: planner.FinishTool, Action: planner.FinishTool, Status: "refused", Verdicts: verdicts}
	if t := answer.Assistant.ToolCalls; len(t) > 0 {
		o.ToolCallID = t[0].ID
	}
	return []planner.Message{planner.Observe(o, 0)}, nil
}

// refusals are the reasons of the verdicts that refused.
func (a *Activities) refusals(ctx context.Context, verdicts []record.Verdict) ([]planner.ObservedVerdict, error) {
	var refused []planner.ObservedVerdict
	for _, v := range verdicts {
		if v.Decision != string(schemas.Refused) {
			continue
		}
		var reason string
		if err := record.OpenContent(ctx, a.cfg.Store, v.Reason, &reason); err != nil {
			return nil, err
		}
		refused = append(refused, planner.ObservedVerdict{Gate: v.Gate, Reason: reason})
	}
	return refused, nil
}

// source notes how a call stands, under the engine's id and the planner's. A planner's id
// belongs to the first call that had it and was not refused.
func (c *chain) source(call record.Call, s schemas.Source) {
	s.Call = call.ID
	s.Action, _, _ = strings.Cut(call.Action, "@")
	for _, use := range call.Uses {
		s.From = append(s.From, use.From)
	}
	for _, v := range call.Verdicts {
		if v.Gate == schemas.GatePolicy {
			s.Rule = v.Rule
		}
	}
	c.sources[call.ID] = s
	if call.Name == "" {
		return
	}
	if other, taken := c.sources[call.Name]; !taken || other.Call == call.ID || other.Status == schemas.StatusRefused {
		c.sources[call.Name] = s
	}
}

func sourceStatus(s record.CallStatus) schemas.Status {
	switch s {
	case record.CallCompleted:
		return schemas.StatusCompleted
	case record.CallRefused:
		return schemas.StatusRefused
	}
	return schemas.StatusFailed
}

// afterProposal counts a proposal.
func afterProposal(n record.Counters, p *record.Proposal) record.Counters {
	n.Steps++
	n.Usage = n.Usage.Add(p.Usage)
	dispatched := 0
	for _, call := range p.Calls {
		if call.Decision == string(schemas.Refused) {
			n.Refused++
		} else {
			dispatched++
		}
	}
	if p.Result != nil && p.Result.Decision != string(schemas.Admitted) {
		n.Refused++
	}
	n.Calls += dispatched
	ends := p.Outcome == string(planner.OutcomeGiveUp) || p.Result != nil && p.Result.Decision == string(schemas.Admitted)
	if n.Repairs++; dispatched > 0 || ends {
		n.Repairs = 0
	}
	return n
}

// afterStep counts what came of a step.
func afterStep(n record.Counters, s *record.Step) record.Counters {
	for _, call := range s.Calls {
		if !call.Judgement.IsZero() && call.Decision == string(schemas.Refused) {
			n.Refused++
		}
		for _, at := range call.Attempts {
			switch {
			case at.Status == record.AttemptLost:
				n.Losses++
			case at.Reused != nil:
				n.Reused++
			default:
				n.Attempts++
			}
		}
	}
	return n
}

// close takes in a step's record, and tells the planner what came of its calls.
func (c *chain) close(ctx context.Context, a *Activities, run *pinned, d canon.Digest, s *record.Step) error {
	c.head = d
	c.counters = afterStep(c.counters, s)
	if err := c.renew(ctx, a, s); err != nil {
		return err
	}
	for _, call := range s.Calls {
		o, err := a.observe(ctx, call)
		if err != nil {
			return err
		}
		c.source(call.Call, schemas.Source{Status: sourceStatus(call.Status), Output: o.Output})
		for _, at := range call.Attempts {
			if ended, err := time.Parse(time.RFC3339Nano, at.Ended); err == nil && ended.After(c.acted) {
				c.acted = ended
			}
			for _, art := range at.Artifacts {
				if handle := art.Digest.String(); !c.artifacts[handle] {
					c.artifacts[handle], c.bytes = true, c.bytes+art.Size
				}
			}
			if !at.Log.IsZero() {
				c.artifacts[at.Log.String()] = true
			}
		}
		if run.plan == nil {
			c.fresh = append(c.fresh, planner.Observe(o, 0))
		}
	}
	return nil
}

// forget takes a call that is judged out of the facts: it is neither a source, nor part
// of what is used up.
func (c *chain) forget(call record.Call) {
	delete(c.sources, call.ID)
	delete(c.sources, call.Name)
	c.counters.Calls -= c.open
	c.counters.Steps--
}

// snapshot is a copy of what gates read, for use while the chain is back in the cache.
func (c *chain) snapshot() *chain {
	return &chain{began: c.began, spent: c.spent, head: c.head, step: c.step, open: c.open, counters: c.counters, bytes: c.bytes, money: c.money, sources: maps.Clone(c.sources), artifacts: maps.Clone(c.artifacts)}
}

package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// chain is what a chain of records amounts to at its head: the conversation, what
// references can point to, and what the limits bound. It follows from the records
// alone; the cache only saves reading them again.
type chain struct {
	head      canon.Digest
	step      int // the next step's number
	counters  record.Counters
	window    *planner.Window   // the conversation; nil for a plan
	fresh     []planner.Message // of it, what no request holds yet
	added     int               // of fresh, what the window holds
	request   canon.Digest
	sources   map[string]schemas.Source // by call id and by the planner's own id
	artifacts map[string]bool           // handles that this run has seen
	bytes     int64                     // of the artifacts that its calls made
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
		artifacts: map[string]bool{},
		prices:    run.study.Study.Planner.Prices,
	}
	for _, in := range run.record.Inputs {
		c.artifacts[in.Digest.String()] = true
	}
	if run.plan != nil {
		return c, nil
	}
	c.fresh = []planner.Message{run.system}
	var err error
	c.window, err = planner.NewWindow(run.tools, run.study.Study.Planner.Context)
	return c, err
}

// fit brings the window up to date and shortens the conversation to the budget.
func (c *chain) fit() (sent []planner.Message, cut planner.Cut, tokens int, err error) {
	if err := c.window.Add(c.fresh[c.added:]...); err != nil {
		return nil, planner.Cut{}, 0, err
	}
	c.added = len(c.fresh)
	return c.window.Fit()
}

// propose takes in a proposal's record.
func (c *chain) propose(d canon.Digest, p *record.Proposal, answer planner.Answer, told []planner.Message) {
	c.head, c.request = d, p.Request
	c.step = p.Index + 1
	c.candidate, c.model = p.Model.Candidate, p.Model.Answered
	c.fresh, c.added = nil, 0 // it was sent with this request
	c.open = c.counters.Calls
	c.counters = afterProposal(c.counters, p)
	c.open = c.counters.Calls - c.open
	cost, _ := c.prices.Cost(p.Model.Asked, schemas.Tokens{Prompt: p.Usage.Prompt, Completion: p.Usage.Completion})
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
	n.Usage.Prompt += p.Usage.Prompt
	n.Usage.Completion += p.Usage.Completion
	n.Usage.Estimated = n.Usage.Estimated || p.Usage.Estimated
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
			if at.Status == record.AttemptLost {
				n.Losses++
			} else {
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
	for _, call := range s.Calls {
		o, err := a.observe(ctx, call)
		if err != nil {
			return err
		}
		c.source(call.Call, schemas.Source{Status: sourceStatus(call.Status), Output: o.Output})
		for _, at := range call.Attempts {
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
	if len(call.Attempts) == 0 {
		return o, nil
	}
	last := call.Attempts[len(call.Attempts)-1]
	arts := last.Artifacts
	switch {
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
	var body execution
	if err := json.Unmarshal(e.Outcome.Body, &body); err != nil {
		return rec, err
	}
	rec.Started, rec.Ended = body.Started, e.Outcome.Ended
	rec.Output, rec.Artifacts, rec.Log, rec.Error = body.Output.Digest, body.Artifacts, body.Log, body.Error
	rec.Environment, rec.Isolation = body.Environment, body.Isolation
	return rec, nil
}

// advance gives the chain with the step of in closed, and the record of that step if it is new.
// The caller owns the chain, and gives it back to the cache.
func (a *Activities) advance(ctx context.Context, run *pinned, head canon.Digest, outcomes []workflows.CallOutcome) (*chain, [][]byte, error) {
	var p record.Proposal
	err := record.Load(ctx, a.cfg.Store, head, &p)
	var other *record.KindError
	if errors.As(err, &other) { // a run or a step: nothing is open
		c, err := a.chainAt(ctx, run, head)
		return c, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := a.stepRecord(ctx, head, &p, outcomes)
	if err != nil {
		return nil, nil, err
	}
	d, blob, err := record.Encode(s)
	if err != nil {
		return nil, nil, err
	}
	if c := a.chains.take(d); c != nil {
		return c, [][]byte{blob}, nil
	}
	c, err := a.chainAt(ctx, run, head)
	if err != nil {
		return nil, nil, err
	}
	return c, [][]byte{blob}, c.close(ctx, a, run, d, s)
}

// chainAt takes the chain at a head from the cache, or reads it.
func (a *Activities) chainAt(ctx context.Context, run *pinned, head canon.Digest) (*chain, error) {
	if c := a.chains.take(head); c != nil {
		return c, nil
	}
	links, err := record.Chain(ctx, a.cfg.Store, run.digest, head)
	if err != nil {
		return nil, err
	}
	c, err := newChain(run)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Proposal:
			if err := a.reread(ctx, c, l.Digest, rec); err != nil {
				return nil, err
			}
		case *record.Step:
			if err := c.close(ctx, a, run, l.Digest, rec); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// reread takes in a proposal from the store. Of the conversation, what was sent counts,
// not what this version would say instead.
func (a *Activities) reread(ctx context.Context, c *chain, d canon.Digest, p *record.Proposal) error {
	if !p.Request.IsZero() {
		var sent Request
		if err := record.OpenContent(ctx, a.cfg.Store, p.Request, &sent); err != nil {
			return err
		}
		if err := c.window.Add(sent.Messages...); err != nil {
			return err
		}
	}
	var answer planner.Answer
	if err := record.OpenContent(ctx, a.cfg.Store, p.Answer, &answer); err != nil {
		return err
	}
	told, err := a.told(ctx, p, answer)
	if err != nil {
		return err
	}
	c.propose(d, p, answer, told)
	return nil
}

// snapshot is a copy of what gates read, for use while the chain is back in the cache.
func (c *chain) snapshot() *chain {
	return &chain{head: c.head, step: c.step, open: c.open, counters: c.counters, bytes: c.bytes, money: c.money, sources: maps.Clone(c.sources), artifacts: maps.Clone(c.artifacts)}
}

// chainCache keeps the newest chains of the runs this worker serves. A chain is
// taken out to be used and put back under its new head, so that no two callers share one.
type chainCache struct {
	mu    sync.Mutex
	at    map[canon.Digest]*chain
	order []canon.Digest
}

const maxChains = 64

func (c *chainCache) take(head canon.Digest) *chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.at[head]
	delete(c.at, head)
	return found
}

func (c *chainCache) put(ch *chain) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[canon.Digest]*chain{}
	}
	c.at[ch.head] = ch
	c.order = append(c.order, ch.head)
	for len(c.at) > maxChains {
		delete(c.at, c.order[0])
		c.order = c.order[1:]
	}
	if len(c.order) > 4*maxChains { // heads that were taken meanwhile
		live := c.order[:0]
		for _, d := range c.order {
			if c.at[d] != nil {
				live = append(live, d)
			}
		}
		c.order = live
	}
}

// refOf is the Ref of a content that is in the store.
func refOf(ctx context.Context, s store.Store, d canon.Digest) (record.Ref, error) {
	if d.IsZero() {
		return record.Ref{}, nil
	}
	var v json.RawMessage
	if err := record.OpenContent(ctx, s, d, &v); err != nil {
		return record.Ref{}, err
	}
	return record.Ref{Digest: d, Size: int64(len(v)), Preview: record.Preview(string(v))}, nil
}

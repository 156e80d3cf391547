package activities

import (
	"context"
	"errors"
	"sync"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

// advance gives the chain with the step of in closed, and the record of that step if it is new.
// The caller owns the chain, and gives it back to the cache.
func (a *Activities) advance(ctx context.Context, run *pinned, head canon.Digest, outcomes []workflows.CallOutcome) (*chain, [][]byte, error) {
	p, err := a.proposals.load(ctx, a.cfg.Store, head)
	var other *record.KindError
	if errors.As(err, &other) { // a run or a step: nothing is open
		c, err := a.chainAt(ctx, run, head)
		return c, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := a.stepRecord(ctx, head, p, outcomes)
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
	links, err := record.Lineage(ctx, a.cfg.Store, head)
	if err != nil {
		return nil, err
	}
	c, err := newChain(run)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Run:
			if err := c.begin(ctx, a, l.Digest, rec); err != nil {
				return nil, err
			}
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
		var sent planner.Kept
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

// proposalCache keeps the newest proposals' records, which Act, Judge and the next Plan
// ask for again. Nobody changes a record that was read or written.
type proposalCache struct {
	mu sync.Mutex
	at map[canon.Digest]*record.Proposal
}

const maxProposals = 256

func (c *proposalCache) load(ctx context.Context, s store.Store, d canon.Digest) (*record.Proposal, error) {
	c.mu.Lock()
	p := c.at[d]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p = &record.Proposal{}
	if err := record.Load(ctx, s, d, p); err != nil {
		return nil, err
	}
	c.put(d, p)
	return p, nil
}

func (c *proposalCache) put(d canon.Digest, p *record.Proposal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil || len(c.at) >= maxProposals {
		c.at = make(map[canon.Digest]*record.Proposal, maxProposals)
	}
	c.at[d] = p
}

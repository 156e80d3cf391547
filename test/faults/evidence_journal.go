package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
)

// done is what the journal holds of one key.
type done struct {
	key        canon.Digest
	name       string // of the call or of the turn
	label      string // of a call: its parameter
	winner     int
	executions []journal.Execution
	bodies     []string // of a turn: the digest of what was sent, by execution
}

func (c *check) readJournal(ctx context.Context) error {
	c.calls, c.asked = map[canon.Digest]*done{}, map[canon.Digest]*done{}
	j := journal.Journal{Store: c.e.Store}
	for name, err := range c.e.Store.List(ctx, "journal/") {
		if err != nil {
			return err
		}
		hex, rest, _ := strings.Cut(strings.TrimPrefix(name, "journal/"), ".")
		key, err := canon.Parse("sha256:" + hex)
		if err != nil {
			return fmt.Errorf("reading the key of journal entry %q: %w", name, err)
		}
		if c.calls[key] != nil || c.asked[key] != nil {
			continue
		}
		d := &done{key: key}
		if d.executions, err = j.Executions(ctx, key); err != nil {
			return err
		}
		if len(d.executions) == 0 {
			c.stray = append(c.stray, hex[:12]+"."+rest)
			continue
		}
		if d.winner, err = j.Winner(ctx, key); err != nil {
			return err
		}
		first := d.executions[0].Intent
		if first.Run != c.told.run {
			continue
		}
		if first.Kind == "plan" {
			c.asked[key] = d
			err = d.nameTurn(ctx, c.e.Store)
		} else {
			c.calls[key] = d
			err = d.nameCall(ctx, c.e.Store)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *done) nameCall(ctx context.Context, s store.Store) error {
	first := d.executions[0].Intent
	d.name = first.Call
	var p record.Proposal
	if err := record.Load(ctx, s, first.Proposal, &p); err != nil {
		return err
	}
	for _, call := range p.Calls {
		var params struct {
			Label string `json:"label"`
		}
		if call.ID != first.Call {
			continue
		}
		err := record.OpenContent(ctx, s, call.Params, &params)
		d.label = params.Label
		return err
	}
	return fmt.Errorf("proposal %s has no call %q, of which the journal has an intent", first.Proposal, first.Call)
}

func (d *done) nameTurn(ctx context.Context, s store.Store) error {
	d.name = fmt.Sprintf("%d.plan", d.executions[0].Intent.Step)
	for _, x := range d.executions {
		var sent struct {
			Body canon.Digest `json:"body"`
		}
		if x.Intent.Request.IsZero() { // of a plan without a model
			d.bodies = append(d.bodies, "")
			continue
		}
		if err := record.OpenContent(ctx, s, x.Intent.Request, &sent); err != nil {
			return err
		}
		d.bodies = append(d.bodies, sent.Body.String())
	}
	return nil
}

// answer is what the outcome of a turn holds.
type answer struct {
	Proposal canon.Digest  `json:"proposal"`
	Usage    record.Usage  `json:"usage"`
	Error    *record.Error `json:"error"`
}

func answerOf(x journal.Execution) (answer, error) {
	var a answer
	if x.Outcome == nil {
		return a, errors.New("it has no outcome")
	}
	err := json.Unmarshal(x.Outcome.Body, &a)
	return a, err
}

// turns compares the model's log with the journal, and both with the proposals on record.
func (c *check) turns() {
	used := map[canon.Digest]*record.Proposal{}
	for _, l := range c.links {
		if p, ok := l.Record.(*record.Proposal); ok {
			used[l.Digest] = p
			c.account.Proposals++
			d := c.asked[p.Turn.Key]
			if d == nil {
				c.find(fmt.Sprintf("%d.plan", p.Index), "the proposal on record names a turn that is not in the journal")
			} else if d.winner != p.Turn.Execution {
				c.find(d.name, "the proposal on record came from execution %d, and execution %d completed first", p.Turn.Execution, d.winner)
			}
		}
	}
	arrived := map[string]int{}
	for _, r := range c.e.Requests {
		arrived[r.Request]++
		c.account.Requests++
	}
	answers := map[string]int{}
	for _, d := range ordered(c.asked) {
		for i, x := range d.executions {
			c.account.Turns++
			body := d.bodies[i]
			arrived[body]-- // fewer arrived than intended: a worker may die before it asks
			if x.Outcome == nil || x.Outcome.Status != journal.Completed {
				continue
			}
			c.account.Answers++
			answers[body]++
			a, err := answerOf(x)
			if err != nil {
				c.find(d.name, "the outcome of execution %d can't be read: %v", x.N, err)
			} else if used[a.Proposal] == nil {
				c.account.Unused = append(c.account.Unused, Unused{Step: x.Intent.Step, Execution: x.N, Usage: a.Usage})
			}
		}
	}
	for i, r := range c.e.Requests {
		if arrived[r.Request] > 0 {
			c.find(r.Request, "request %d reached the model, and the journal has no intent of it", i+1)
			arrived[r.Request]--
		}
		answers[r.Request]--
	}
	for body, n := range answers {
		if body != "" && n > 0 {
			c.find(body, "the journal has %d answers more than the model had requests", n)
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// showOptions are the flags of show.
type showOptions struct {
	store string
	step  int
}

func newShowCommand(a *app) *cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use: "show RUN", Short: "Show what a run did, and how it stands",
		Long: `Show what a run did, and how it stands.

With --step, show one step in full: the prompt as it was sent, the answer,
parameters, verdicts, attempts with their outputs, errors and environments. With
--json the prompt is whole; as text, messages that an earlier step has sent are
one line each.

RUN may be an ensemble: then what its members show so far. ensemble --report
writes that to files, too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runShow(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().IntVar(&o.step, "step", 0, "show step `N` in full")
	return c
}

// stepMessage is one step in full.
type stepMessage struct {
	Run string `json:"run"`
	*follow.Step
	// Attempts are those of a step that is still open, from the history.
	Attempts []follow.Attempt `json:"history_attempts,omitempty"`
}

func (stepMessage) MessageType() string { return "step" }

// standingMessage says what the history alone does not tell of a run.
type standingMessage struct {
	Run       string            `json:"run"`
	Open      bool              `json:"open"`
	Served    bool              `json:"served"` // whether a worker serves an open run
	TaskQueue string            `json:"task_queue"`
	Foreign   bool              `json:"own_worker,omitempty"` // it needs a worker with actions of its own
	Progress  map[string]string `json:"progress,omitempty"`   // what the actions that are under way said last, by call
	Leftovers []follow.Leftover `json:"leftovers"`
	Rewound   []follow.Rewound  `json:"rewound,omitempty"` // what resets left
	Next      []string          `json:"next,omitempty"`
	Imported  string            `json:"imported,omitempty"` // where it comes from, if it wasn't run with this store
}

func (standingMessage) MessageType() string { return "standing" }

func runShow(ctx context.Context, a *app, id string, o showOptions) error {
	if o.step < 0 {
		return badUsage("--step %d: steps are numbered from 1", o.step)
	}
	if s, e, err := a.ensembleNamed(ctx, id, o.store); err != nil {
		return err
	} else if e != nil {
		return a.showEnsemble(ctx, s, e, o)
	}
	c, l, k, err := a.lookUp(ctx, id, o.store)
	if err != nil {
		return err
	}
	if k != nil {
		return a.showArchive(ctx, k, o)
	}
	defer c.close()
	s, storeErr := l.store()
	f := c.follower(l.ID, readable(s))
	if o.step > 0 {
		if storeErr != nil {
			return storeErr
		}
		return showStep(ctx, a, f, l.Record, o.step)
	}
	account, m, err := a.showStory(ctx, f)
	if err != nil {
		return err
	}
	m.TaskQueue = l.TaskQueue
	if m.Open {
		if m.Served, err = c.served(ctx, l.TaskQueue); err != nil {
			return err
		}
		if m.Progress, err = c.progress(ctx, l.ID); err != nil {
			return err
		}
		m.Foreign = foreign(l.TaskQueue, l.StoreDir)
		m.Next = []string{a.program() + " resume " + l.ID}
	} else if s != nil {
		c.archive(ctx, l, s, account.Runs)
	}
	a.printer.Print(*account.End)
	a.printer.Print(*m)
	return nil
}

// showStory tells what happened in a run, and begins to say how it stands.
func (a *app) showStory(ctx context.Context, f follow.Follower) (*follow.Account, *standingMessage, error) {
	a.printer.Print(recap{Run: f.ID})
	account, err := f.Read(ctx, func(e follow.Event) { a.printer.Print(e) })
	if err != nil {
		return nil, nil, err
	}
	m := &standingMessage{Run: f.ID, Open: account.Open(), Leftovers: []follow.Leftover{}, Rewound: account.Rewound}
	if f.Contents.Store != nil {
		left, err := f.Contents.Leftovers(ctx, account)
		if err != nil {
			return nil, nil, err
		}
		m.Leftovers = append(m.Leftovers, left...)
	}
	return account, m, nil
}

// showArchive shows a run of which no server tells.
func (a *app) showArchive(ctx context.Context, k *archive, o showOptions) error {
	f := k.follower()
	if o.step > 0 {
		return showStep(ctx, a, f, k.Record, o.step)
	}
	account, m, err := a.showStory(ctx, f)
	if err != nil {
		return err
	}
	if m.Open { // when it was archived
		a.notef("%s", k.standstill())
	}
	m.Open, m.Imported = false, k.imported()
	a.printer.Print(*account.End)
	a.printer.Print(*m)
	return nil
}

// progress is what the calls under way said last of how far they are: the newest
// heartbeats, which are in no history.
func (c *connection) progress(ctx context.Context, id string) (map[string]string, error) {
	d, err := c.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, fmt.Errorf("asking for the progress of run %q: %w", id, err)
	}
	said := map[string]string{}
	for _, p := range d.GetPendingActivities() {
		var text string
		call, _, _ := strings.Cut(p.GetActivityId(), "#")
		if p.GetHeartbeatDetails() != nil && host.DataConverter().FromPayloads(p.GetHeartbeatDetails(), &text) == nil && text != "" {
			said[call] = text
		}
	}
	return said, nil
}

// archive keeps the histories of a closed run in its store, where its worker could not:
// a terminated run never tells a worker that it ends.
func (c *connection) archive(ctx context.Context, l *located, s *store.Folder, runs []string) {
	for _, run := range runs {
		if err := host.Archive(ctx, c.client, s, l.Record, l.ID, run); err != nil {
			c.notef("Its history stays with the server alone: %v", err)
			return
		}
	}
}

func showStep(ctx context.Context, a *app, f follow.Follower, run canon.Digest, n int) error {
	var attempts []follow.Attempt
	calls := map[string]bool{}
	account, err := f.Read(ctx, func(e follow.Event) {
		switch e := e.(type) {
		case follow.Proposal:
			for _, c := range e.Calls {
				if e.Step == n {
					calls[c.ID] = true
				}
			}
		case follow.Attempt:
			if calls[e.Call] {
				attempts = append(attempts, e)
			}
		}
	})
	if err != nil {
		return err
	}
	step, err := f.Contents.Step(ctx, run, account.End.Head, n)
	var none *follow.NoStepError
	if errors.As(err, &none) {
		return &codedError{exitNotFound, err}
	}
	if err != nil {
		return err
	}
	m := stepMessage{Run: f.ID, Step: step}
	if step.Record.IsZero() {
		m.Attempts = attempts
	}
	a.printer.Print(m)
	return nil
}

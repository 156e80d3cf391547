package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/test/faults/subject"
)

// Evidence is all that tells of one run. The store and the folder of effects must hold
// this run only, and its calls must have labels of their own.
type Evidence struct {
	Store    store.Store
	History  *historypb.History
	Effects  []subject.Effect
	Requests []scripted.Entry
}

// A Finding is something on which two tellers don't agree.
type Finding struct {
	Subject string // a call's id, "2.1", or a planner's turn, "2.plan"
	What    string
}

func (f Finding) String() string { return f.Subject + ": " + f.What }

// Account is what each teller says, in numbers, of the calls and of the planner's turns.
type Account struct {
	Executed   int // outside
	Intents    int // journal
	Outcomes   int // journal
	Scheduled  int // history: attempts
	Failed     int // history: attempts that ended as ActivityTaskFailed
	TimedOut   int // history
	Attempts   int // records
	Requests   int // model
	Turns      int // journal: intents of planner's turns
	Answers    int // journal: turns that were answered
	Proposals  int // records
	Unused     []Unused
	Sealed     bool
	RunStatus  record.Status // of the seal
	HeadRecord canon.Digest
}

// Unused is an answer of the planner that came and that no record uses, with its cost.
type Unused struct {
	Step, Execution int
	Usage           record.Usage
}

// Check holds the tellers against each other.
func (e Evidence) Check(ctx context.Context) (Account, []Finding, error) {
	c := &check{e: e}
	var err error
	if c.told, err = readHistory(e.History); err != nil {
		return Account{}, nil, err
	}
	if c.links, err = record.Chain(ctx, e.Store, c.told.run, c.told.head); err != nil {
		return Account{}, nil, err
	}
	if err := c.readJournal(ctx); err != nil {
		return Account{}, nil, err
	}
	c.outside()
	c.history()
	c.records()
	c.turns()
	return c.account, c.findings, nil
}

// check is one comparison.
type check struct {
	e        Evidence
	told     told
	links    []record.Link
	calls    map[canon.Digest]*done // by the journal's key
	asked    map[canon.Digest]*done
	stray    []string // entries of executions that have no intent
	account  Account
	findings []Finding
}

func (c *check) find(subject, format string, args ...any) {
	c.findings = append(c.findings, Finding{Subject: subject, What: fmt.Sprintf(format, args...)})
}

// ordered is the things of a journal in the order of their names.
func ordered(m map[canon.Digest]*done) []*done {
	return slices.SortedFunc(maps.Values(m), func(a, b *done) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.key.Hex(), b.key.Hex()))
	})
}

// outside compares what ran with what the journal said beforehand and afterwards.
func (c *check) outside() {
	ran := map[string]int{}
	for _, e := range c.e.Effects {
		if e.Event == "begin" {
			ran[e.Label]++
			c.account.Executed++
		}
	}
	for _, s := range c.stray {
		c.find(s, "the journal holds it, and no intent came before")
	}
	for _, d := range ordered(c.calls) {
		completed := 0
		for _, x := range d.executions {
			c.account.Intents++
			if x.Outcome != nil {
				c.account.Outcomes++
				if x.Outcome.Status == "completed" {
					completed++
				}
			}
		}
		n := ran[d.label]
		delete(ran, d.label)
		if n > len(d.executions) {
			c.find(d.name, "it ran %d times and the journal has %d intents", n, len(d.executions))
		}
		if completed > n {
			c.find(d.name, "the journal says that it completed %d times, and it ran %d times", completed, n)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(ran)) {
		c.find(label, "it ran %d times and the journal has no intent of it", ran[label])
	}
}

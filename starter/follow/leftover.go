package follow

import (
	"context"
	"encoding/json"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
)

// Leftover is an execution that the journal knows of and the history does not use: one
// that began and left no outcome, or one whose outcome came too late. What a reset left
// behind in a history of its own is none: see [Rewound].
type Leftover struct {
	Kind      string `json:"kind"`           // "call" or "plan"
	Call      string `json:"call,omitempty"` // of a call
	Step      int    `json:"step,omitempty"` // of a planner's turn
	Execution int    `json:"execution"`
	InDoubt   bool   `json:"in_doubt"` // it is not known what it did
	// Interrupted says that its worker ended it when it had to stop.
	Interrupted bool         `json:"interrupted,omitempty"`
	Worker      string       `json:"worker"`
	Started     string       `json:"started"`
	Model       string       `json:"model,omitempty"`
	Usage       record.Usage `json:"usage,omitzero"` // what an unused answer cost
}

// Leftovers lists the leftovers of a run. Of an open run, what is under way is in doubt
// until it has ended.
func (c Contents) Leftovers(ctx context.Context, a *Account) ([]Leftover, error) {
	if c.Store == nil {
		return nil, errNoStore
	}
	j := journal.Journal{Store: c.Store}
	used := map[canon.Digest]int{}
	var left []Leftover
	steps := 0
	turns := slices.Clone(a.Turns)
	for _, r := range a.Rewound {
		turns = append(turns, r.turns...)
	}
	for _, t := range turns {
		var p record.Proposal
		if err := record.Load(ctx, c.Store, t.Plan.Head, &p); err != nil {
			return nil, err
		}
		used[p.Turn.Key] = p.Turn.Execution
		steps = max(steps, p.Index)
		for _, call := range p.Calls {
			more, err := callLeftovers(ctx, j, t, call.ID)
			if err != nil {
				return nil, err
			}
			left = append(left, more...)
		}
	}
	for _, runID := range a.Runs {
		for step := 1; ; step++ {
			key := journal.TurnKey(runID, step)
			executions, err := j.Executions(ctx, key)
			if err != nil {
				return nil, err
			}
			if len(executions) == 0 && step > steps {
				break
			}
			for _, e := range executions {
				if l, is := turnLeftover(e, used[key]); is {
					left = append(left, l)
				}
			}
		}
	}
	return left, nil
}

func callLeftovers(ctx context.Context, j journal.Journal, t Turn, call string) ([]Leftover, error) {
	executions, err := j.Executions(ctx, journal.CallKey(t.Plan.Head, call))
	if err != nil {
		return nil, err
	}
	var left []Leftover
	for _, e := range executions {
		if e.Outcome != nil && e.N <= t.Acts[call] {
			continue // the history has it
		}
		left = append(left, Leftover{
			Kind: "call", Call: call, Execution: e.N, InDoubt: e.InDoubt(), Interrupted: e.Outcome != nil && e.InDoubt(),
			Worker: e.Intent.Worker, Started: e.Intent.Started,
		})
	}
	return left, nil
}

// turnLeftover says whether an execution of a planner's turn is one. A failed one is
// none: the history shows it as a failed attempt.
func turnLeftover(e journal.Execution, used int) (Leftover, bool) {
	l := Leftover{Kind: "plan", Step: e.Intent.Step, Execution: e.N, InDoubt: e.InDoubt(), Worker: e.Intent.Worker, Started: e.Intent.Started}
	if l.InDoubt {
		return l, true
	}
	if e.Outcome.Status != journal.Completed || e.N == used {
		return l, false
	}
	var body struct {
		Asked string       `json:"asked"`
		Usage record.Usage `json:"usage"`
	}
	if json.Unmarshal(e.Outcome.Body, &body) == nil {
		l.Model, l.Usage = body.Asked, body.Usage
	}
	return l, true
}

package follow

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"

	"rlam/internal/canon"
)

// Rewound is what a reset left: turns, and executions of calls, that happened and are no
// longer part of the run.
type Rewound struct {
	RunID  string    `json:"temporal_run"`   // whose history has them
	At     time.Time `json:"at"`             // of the reset
	Reason string    `json:"reason"`         // as whoever asked for it said
	Gone   bool      `json:"gone,omitempty"` // nobody has that history any more
	Steps  []int     `json:"steps"`          // that had been planned
	Calls  []string  `json:"calls"`          // of which an execution had ended

	runs  []string // RunID, and those that it continued as
	turns []Turn
}

// rewound reads the histories that resets went back from, and leaves out what the line has
// too. A history that nobody has any more tells nothing.
func (f Follower) rewound(ctx context.Context, t *tale) ([]Rewound, error) {
	stands := map[canon.Digest]bool{}
	for _, turn := range t.turns {
		stands[turn.Plan.Head] = true
	}
	all := slices.Clone(t.resets)
	for i := 0; i < len(all); i++ {
		r := &all[i]
		r.Steps, r.Calls = []int{}, []string{}
		aside, err := f.aside(ctx, r.RunID)
		var gone *serviceerror.NotFound
		if r.Gone = errors.As(err, &gone) || errors.Is(err, errNotArchived); r.Gone {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.runs = aside.runs
		for _, turn := range aside.turns {
			if stands[turn.Plan.Head] {
				continue
			}
			stands[turn.Plan.Head] = true
			r.turns = append(r.turns, turn)
			r.Steps = append(r.Steps, turn.Plan.Counters.Steps)
			for call := range turn.Acts {
				r.Calls = append(r.Calls, call)
			}
		}
		slices.Sort(r.Calls)
		for _, before := range aside.resets {
			if !slices.ContainsFunc(all, func(o Rewound) bool { return o.RunID == before.RunID }) {
				all = append(all, before)
			}
		}
	}
	return all, nil
}

// aside tells silently what happened in a Temporal run, and in those that it continued as.
func (f Follower) aside(ctx context.Context, runID string) (*tale, error) {
	t := f.tale(func(Event) {}, true)
	for t.next = runID; t.next != ""; {
		t.begin(t.next)
		if _, err := f.history(ctx, t, false); err != nil {
			return nil, err
		}
	}
	return t, nil
}

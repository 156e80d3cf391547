package follow

import (
	"cmp"
	"slices"
	"time"
)

// Cost is where a run's time went, in seconds. The five parts add up to Wall.
type Cost struct {
	Wall    float64 `json:"wall"`              // from the start to the end, or to the newest event
	Model   float64 `json:"model"`             // planner turns
	Actions float64 `json:"actions"`           // attempts of calls; those that ran side by side count once
	Waiting float64 `json:"waiting"`           // timers, and tasks that no worker took up for longer than a healthy one needs
	Rewound float64 `json:"rewound,omitempty"` // from what resets went back to until they were asked for
	Engine  float64 `json:"engine"`            // the rest: R-LAM and Temporal themselves
}

// unserved is how long a task may wait for a worker before the wait counts as one
// for a worker to come, and no longer as the engine's own time.
const unserved = 2 * time.Second

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) seconds() float64 { return max(0, s.to.Sub(s.from).Seconds()) }

// clock collects what took time.
type clock struct {
	first, last             time.Time
	model, actions, waiting []span
	rewound                 []span
}

func (c *clock) see(t time.Time) {
	if c.first.IsZero() {
		c.first = t
	}
	if t.After(c.last) {
		c.last = t
	}
}

// queued notes the time between a task's being there and a worker's taking it up.
func (c *clock) queued(from, to time.Time) {
	if !from.IsZero() && to.Sub(from) > unserved {
		c.waiting = append(c.waiting, span{from, to})
	}
}

// cost splits the time. Where parts overlap, the model's time comes before the
// actions', both before waiting, and all before what was rewound.
func (c *clock) cost() Cost {
	wall := span{c.first, c.last}.seconds()
	model := covered(c.model)
	busy := covered(slices.Concat(c.model, c.actions))
	spent := covered(slices.Concat(c.model, c.actions, c.waiting))
	all := covered(slices.Concat(c.model, c.actions, c.waiting, c.rewound))
	return Cost{Wall: wall, Model: model, Actions: busy - model, Waiting: spent - busy, Rewound: all - spent, Engine: max(0, wall-all)}
}

// covered is the length of the spans' union, in seconds.
func covered(spans []span) float64 {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from.UnixNano(), b.from.UnixNano()) })
	var total float64
	var end time.Time
	for _, s := range spans {
		if s.from.Before(end) {
			s.from = end
		}
		if s.to.After(end) {
			end = s.to
		}
		total += s.seconds()
	}
	return total
}

package follow

import (
	"math"
	"testing"
	"time"
)

func TestCostAddsUp(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	between := func(from, to float64) span { return span{at(from), at(to)} }
	for _, c := range []struct {
		name  string
		clock clock
		want  Cost
	}{
		{"nothing", clock{}, Cost{}},
		{"apart", clock{model: []span{between(0, 1)}, actions: []span{between(2, 4)}, waiting: []span{between(5, 8)}}, Cost{Wall: 10, Model: 1, Actions: 2, Waiting: 3, Engine: 4}},
		{"side by side actions count once", clock{actions: []span{between(1, 5), between(2, 3), between(4, 6)}}, Cost{Wall: 10, Actions: 5, Engine: 5}},
		{"what was rewound is no overhead", clock{model: []span{between(0, 2)}, rewound: []span{between(1, 8)}}, Cost{Wall: 10, Model: 2, Rewound: 6, Engine: 2}},
		{"a wait beside an action is the action's time", clock{actions: []span{between(1, 4)}, waiting: []span{between(3, 9)}}, Cost{Wall: 10, Actions: 3, Waiting: 5, Engine: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want.Wall > 0 {
				c.clock.see(at(0))
				c.clock.see(at(c.want.Wall))
			}
			if got := c.clock.cost(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTimeWithoutWorkerIsWaiting(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var c clock
	c.see(start)
	c.queued(start, start.Add(time.Second)) // a busy worker
	c.queued(start, start.Add(time.Hour))   // none at all
	c.see(start.Add(2 * time.Hour))
	if got := c.cost(); math.Abs(got.Waiting-3600) > 1 || math.Abs(got.Engine-3600) > 1 {
		t.Errorf("got %+v", got)
	}
}

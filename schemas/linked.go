package schemas

import "fmt"

// components are the calls that are linked by references or order, each group in its
// order, and the groups in the order of their first calls.
func (p *step) components() [][]*trial {
	group := make(map[*trial]*trial, len(p.cases))
	root := func(c *trial) *trial {
		for group[c] != nil {
			c = group[c]
		}
		return c
	}
	for _, c := range p.cases {
		for _, other := range c.waits {
			if a, b := root(c), root(other); a != b {
				group[a] = b
			}
		}
	}
	var out [][]*trial
	at := make(map[*trial]int, len(p.cases))
	for _, c := range p.cases {
		first := root(c)
		i, known := at[first]
		if !known {
			i = len(out)
			at[first], out = i, append(out, nil)
		}
		out[i] = append(out[i], c)
	}
	return out
}

// link refuses the calls that are linked, by references or order, with one that was refused.
func link(component []*trial) {
	linked := map[*trial][]*trial{}
	for _, c := range component {
		for _, other := range c.waits {
			linked[c] = append(linked[c], other)
			linked[other] = append(linked[other], c)
		}
	}
	var queue []*trial
	cause := map[*trial]*trial{}
	for _, c := range component {
		if c.refused() && cause[c] == nil {
			queue, cause[c] = append(queue, c), c
		}
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, other := range linked[c] {
			if cause[other] != nil {
				continue
			}
			cause[other] = cause[c]
			queue = append(queue, other)
			bad := cause[c]
			other.say(GatePlan, Refused, "linked", fmt.Sprintf("nothing of this runs, since it is linked by references with call %s, which is refused: correct that one and propose them together again", bad.called()),
				map[string]any{"call": bad.ID})
		}
	}
}

// called is how people and planners know the call.
func (c *trial) called() string {
	if c.Name != "" {
		return fmt.Sprintf("%q (%s)", c.Name, c.ID)
	}
	return c.ID
}

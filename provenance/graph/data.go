package graph

import "slices"

// flow is a data edge in the direction in which data goes: a node, and one that it
// went to.
type flow struct{ from, to string }

// flowOf is the direction of an edge. What was used or taken from comes before.
func flowOf(e Edge) flow {
	if e.Kind == Generated {
		return flow{e.From, e.To}
	}
	return flow{e.To, e.From}
}

// Cycle is the ids of nodes that data goes round in; none in a graph that is sound.
func (g *Graph) Cycle() []string {
	next, waits := map[string][]string{}, map[string]int{}
	for _, e := range g.Edges {
		if e.Kind.Data() {
			f := flowOf(e)
			next[f.from] = append(next[f.from], f.to)
			waits[f.to]++
		}
	}
	var ready []string
	for _, n := range g.Nodes {
		if waits[n.ID] == 0 {
			ready = append(ready, n.ID)
		}
	}
	for len(ready) > 0 {
		id := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, to := range next[id] {
			if waits[to]--; waits[to] == 0 {
				ready = append(ready, to)
			}
		}
	}
	var left []string
	for id, n := range waits {
		if n > 0 {
			left = append(left, id)
		}
	}
	slices.Sort(left)
	return left
}

package lineage

import (
	"rlam/provenance/graph"
)

// Graph is a tree as a graph: its things, what made or used them, and where data went.
// Nodes of runs other than the tree's own begin with the run's id.
func (i *Item) Graph(d Direction) *graph.Graph {
	g := &graph.Graph{}
	i.into(g, i.Run, d)
	return g
}

func (i *Item) into(g *graph.Graph, home string, d Direction) *graph.Node {
	scope := ""
	if i.Run != home {
		scope = i.Run + ": "
	}
	n := g.Add(graph.Node{ID: scope + i.ID, Kind: i.Kind, Name: i.Name, Digest: i.Digest, Size: i.Size, Source: i.Source})
	taker, p := n, i.By
	if p != nil && p.Attempt != "" && d == Up && i.Kind != graph.Call && i.Kind != graph.Attempt {
		taker = g.Add(graph.Node{ID: scope + p.Attempt, Kind: graph.Attempt, Name: p.Action, Status: p.Status, Failure: p.Failure})
		g.Join(graph.Generated, taker, n)
	}
	for _, of := range i.Of {
		other := of.into(g, home, d)
		from, to := taker, other
		if d == Down {
			from, to = other, n
		}
		e := g.Join(graph.Derived, from, to)
		e.At, e.Pointer, e.Through = of.At, of.Pointer, of.Through
	}
	return n
}

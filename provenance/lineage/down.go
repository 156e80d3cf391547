package lineage

import (
	"cmp"
	"maps"
	"slices"

	"rlam/provenance/graph"
)

// down is a thing with what came of it: the calls whose parameters were taken from it,
// with what they made; the result; and inputs of other runs.
func (f *follower) down(r *Run, n *graph.Node, pointer string) *Item {
	i := f.item(r, n, pointer)
	if f.again(r, n, pointer) {
		i.Again = true
		return i
	}
	switch n.Kind {
	case graph.Call:
		f.produced(i, r, n, r.decisive(n))
	case graph.Attempt:
		f.produced(i, r, r.call(n), n)
	default:
		f.used(i, r, n, pointer)
		f.abroad(i, r, n, pointer)
	}
	return i
}

// produced adds what an attempt made, with what came of that.
func (f *follower) produced(i *Item, r *Run, call, attempt *graph.Node) {
	i.By = r.process(call, attempt)
	if attempt == nil {
		return
	}
	for _, n := range r.edges().made[attempt.ID] {
		made := f.down(r, n, "")
		if n.Name != "log" || len(made.Of) > 0 {
			i.Of = append(i.Of, made)
		}
	}
}

// used adds the calls and results that took from a datum.
func (f *follower) used(i *Item, r *Run, n *graph.Node, pointer string) {
	for _, e := range r.edges().takers[n.ID] {
		if !covers(e.Pointer, pointer) && !covers(pointer, e.Pointer) {
			continue
		}
		taker := r.Graph.Node(e.From)
		if n.Role == "params" && taker.Role == "params" && taker.Call == n.Call {
			continue // the same call's, as judged
		}
		next := taker
		if call := r.call(taker); call != nil && taker.Role == "params" {
			next = call
		}
		at := ""
		if next == taker && taker.Role == "result" {
			at = e.At
		}
		item := f.down(r, next, at)
		item.At, item.Through = e.At, e.Through
		i.Of = append(i.Of, item)
	}
}

// abroad adds the runs that a datum was an input of.
func (f *follower) abroad(i *Item, r *Run, n *graph.Node, pointer string) {
	others := slices.SortedFunc(maps.Values(f.w), func(a, b *Run) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Record.String(), b.Record.String()))
	})
	for _, other := range others {
		if other == r {
			continue
		}
		for _, from := range other.Graph.Nodes {
			if from.Role != "elsewhere" || from.Kind != graph.Value || other.edges().maker[from.ID].Digest != r.Record {
				continue
			}
			t, err := r.Find(spelled(from.Name))
			if err != nil || t.Node != n || !covers(t.Pointer, pointer) && !covers(pointer, t.Pointer) {
				continue
			}
			for _, e := range other.edges().takers[from.ID] {
				i.Of = append(i.Of, f.down(other, other.Graph.Node(e.From), ""))
			}
		}
	}
}

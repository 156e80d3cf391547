package lineage

import (
	"slices"
	"strings"

	"rlam/provenance/graph"
)

// up is a thing with what it came from.
func (f *follower) up(r *Run, n *graph.Node, pointer string) *Item {
	if n.Role == "elsewhere" && n.Kind == graph.Value {
		return f.elsewhere(r, n)
	}
	i := f.item(r, n, pointer)
	if f.again(r, n, pointer) {
		i.Again = true
		return i
	}
	maker := r.edges().maker[n.ID]
	switch {
	case n.Kind == graph.Call:
		f.called(i, r, n, r.decisive(n))
	case n.Kind == graph.Attempt:
		f.called(i, r, r.call(n), n)
	case maker != nil && maker.Kind == graph.Attempt:
		f.called(i, r, r.call(maker), maker)
	default: // parameters, the result, an input
		if maker != nil && maker.Kind == graph.Plan {
			i.By = &Process{Turn: r.turn(maker)}
		}
		f.taken(i, r, n, pointer)
	}
	return i
}

// called adds how an attempt made something: what its parameters were taken from.
func (f *follower) called(i *Item, r *Run, call, attempt *graph.Node) {
	i.By = r.process(call, attempt)
	if attempt != nil && attempt.ID != i.ID && f.again(r, attempt, "") {
		i.By = &Process{Call: i.By.Call, Action: i.By.Action, Attempt: i.By.Attempt, Status: i.By.Status, Again: true}
		return
	}
	if call == nil {
		return
	}
	if params := r.params(call); params != nil {
		f.taken(i, r, params, "")
	}
}

// taken adds what the part of a value that pointer names was taken from, and what of it
// the planner typed.
func (f *follower) taken(i *Item, r *Run, n *graph.Node, pointer string) {
	edges := r.sources(n, pointer)
	var covered []string
	for _, e := range edges {
		covered = append(covered, e.At)
		part := e.Pointer
		switch {
		case covers(e.At, pointer):
			if part += pointer[len(e.At):]; r.Graph.Node(e.To).Kind == graph.Artifact {
				part = "" // an artifact is taken as a whole
			}
		case !covers(pointer, e.At):
			continue
		}
		from := f.up(r, r.Graph.Node(e.To), part)
		from.At, from.Through = e.At, e.Through
		i.Of = append(i.Of, from)
	}
	// What comes from elsewhere is the input itself, as the other run left it.
	if r.Value != nil && (n.Role == "params" || n.Role == "result") {
		i.Typed = typed(r.Value(n.Digest), pointer, covered)
	}
}

// sources are the data edges from a value, each source once: of a reference to an output
// and the artifact whose handle stood there, the artifact; of handles within an output
// that was referred to, none, unless pointer leads further down. A call that was deferred
// has its references replaced in parameters of their own, and those are taken from it.
func (r *Run) sources(n *graph.Node, pointer string) []graph.Edge {
	all := r.edges().sources[n.ID]
	out := make([]graph.Edge, 0, len(all))
	for _, e := range all {
		to := r.Graph.Node(e.To)
		if to.Role == "params" && to.Call == n.Call && n.Role == "params" {
			continue
		}
		within := slices.ContainsFunc(all, func(o graph.Edge) bool {
			same := r.Graph.Node(o.To).Role == "params" && n.Role == "params" // its own, before it was judged
			return !same && o.At != e.At && covers(o.At, e.At) && (pointer == o.At || !covers(o.At, pointer))
		})
		better := slices.ContainsFunc(all, func(o graph.Edge) bool {
			a := r.Graph.Node(o.To)
			return to.Role == "output" && o.At == e.At && o.Through == "" && a.Kind == graph.Artifact && a.Role != "input" && a.Call == to.Call
		})
		if !better && !within {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b graph.Edge) int { return strings.Compare(a.At, b.At) })
	return out
}

// elsewhere is what another run left, with what it came from there, if that run is at
// hand.
func (f *follower) elsewhere(r *Run, n *graph.Node) *Item {
	if other := f.w[r.edges().maker[n.ID].Digest]; other != nil {
		if t, err := other.Find(spelled(n.Name)); err == nil {
			return f.up(other, t.Node, t.Pointer)
		}
	}
	i := f.item(r, n, "")
	i.Run, i.Absent = n.Source, true
	return i
}

// spelled is an output of another run as [Run.Find] takes it.
func spelled(output string) string {
	if output == "" || strings.HasPrefix(output, "/") {
		return "result" + output
	}
	return output
}

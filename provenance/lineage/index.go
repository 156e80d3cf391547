package lineage

import (
	"strings"

	"rlam/provenance/graph"
)

// index is the data edges of a graph by their ends.
type index struct {
	sources  map[string][]graph.Edge  // derived, by From
	takers   map[string][]graph.Edge  // derived, by To
	maker    map[string]*graph.Node   // by what it made
	made     map[string][]*graph.Node // by who made it
	users    map[string][]*graph.Node // attempts, by the parameters they were given
	attempts map[string][]*graph.Node // by the id of the call's node
	places   map[string]*graph.Node   // environments, by the attempt
	workers  map[string]*graph.Node
	prompts  map[string]*graph.Node // by the turn
	answered map[string]*graph.Node // what an attempt's outcome was taken from, by the attempt
}

func (r *Run) edges() *index {
	if r.index != nil {
		return r.index
	}
	x := &index{
		sources: map[string][]graph.Edge{}, takers: map[string][]graph.Edge{}, maker: map[string]*graph.Node{}, made: map[string][]*graph.Node{},
		users: map[string][]*graph.Node{}, attempts: map[string][]*graph.Node{}, places: map[string]*graph.Node{}, workers: map[string]*graph.Node{},
		prompts: map[string]*graph.Node{}, answered: map[string]*graph.Node{},
	}
	r.index = x
	for _, e := range r.Graph.Edges {
		from, to := r.Graph.Node(e.From), r.Graph.Node(e.To)
		switch {
		case e.Kind == graph.Derived:
			x.sources[e.From] = append(x.sources[e.From], e)
			x.takers[e.To] = append(x.takers[e.To], e)
		case e.Kind == graph.Generated:
			x.maker[e.To] = from
			x.made[e.From] = append(x.made[e.From], to)
		case e.Kind == graph.Used && to.Kind == graph.Environment:
			x.places[e.From] = to
		case e.Kind == graph.Used && to.Role == "prompt":
			x.prompts[e.From] = to
		case e.Kind == graph.Used:
			x.users[e.To] = append(x.users[e.To], from)
		case e.Kind == graph.Reused:
			x.answered[e.From] = to
		case e.Kind == graph.AssociatedWith && to.Role == "worker":
			x.workers[e.From] = to
		case e.Kind == graph.Informed && from.Kind == graph.Call && to.Kind == graph.Attempt:
			x.attempts[e.From] = append(x.attempts[e.From], to)
		}
	}
	return x
}

// branch is what the id of a node that a reset left behind ends with.
func branch(id string) string {
	if i := strings.LastIndexByte(id, '~'); i >= 0 {
		return id[i:]
	}
	return ""
}

// call is the node of the call that a node belongs to; nil if it belongs to none.
func (r *Run) call(n *graph.Node) *graph.Node {
	if n.Call == "" {
		return nil
	}
	if c := r.Graph.Node("call:" + n.Call + branch(n.ID)); c != nil {
		return c
	}
	return r.Graph.Node("call:" + n.Call)
}

// params are the parameters that a call was carried out with: as judged, if it was
// deferred.
func (r *Run) params(call *graph.Node) *graph.Node {
	id := strings.TrimPrefix(call.ID, "call:")
	b := branch(id)
	if n := r.Graph.Node("params:" + strings.TrimSuffix(id, b) + "/judged" + b); n != nil {
		return n
	}
	return r.Graph.Node("params:" + id)
}

// decisive is the attempt of a call that counts: the newest that completed, or else the
// newest.
func (r *Run) decisive(call *graph.Node) *graph.Node {
	all := r.edges().attempts[call.ID]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Status == "completed" {
			return all[i]
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// process is what there is to know of an attempt and its call. Either may be nil.
func (r *Run) process(call, attempt *graph.Node) *Process {
	x := r.edges()
	p := &Process{}
	if call != nil {
		p.Call, p.Action, p.Status, p.Spec, p.Binding, p.Seed = call.Call, call.Name, call.Status, call.Spec, call.Binding, call.Seed
		if params := r.Graph.Node("params:" + strings.TrimPrefix(call.ID, "call:")); params != nil {
			p.Turn = r.turn(x.maker[params.ID])
		}
	}
	if attempt == nil {
		return p
	}
	p.Attempt, p.Status, p.Failure, p.Isolation = attempt.ID, attempt.Status, attempt.Failure, attempt.Isolation
	if p.Action == "" {
		p.Action = attempt.Name
	}
	if e := x.places[attempt.ID]; e != nil {
		p.Environment = e.Digest
	}
	if a := x.answered[attempt.ID]; a != nil {
		p.Reused = a.ID
	}
	if w := x.workers[attempt.ID]; w != nil {
		p.Worker = w.Name
	}
	if call == nil {
		return p
	}
	for _, a := range x.attempts[call.ID] {
		if a == attempt {
			break
		}
		before := a.Status
		if a.Failure != nil {
			before += ": " + a.Failure.Type
		}
		p.Before = append(p.Before, before)
	}
	return p
}

// turn is what there is to know of a planner's turn; nil of none.
func (r *Run) turn(plan *graph.Node) *Turn {
	if plan == nil {
		return nil
	}
	t := &Turn{Step: plan.Step, Model: plan.Model}
	x := r.edges()
	if p := x.prompts[plan.ID]; p != nil {
		t.Prompt = p.Digest
	}
	for _, n := range x.made[plan.ID] {
		if n.Role == "answer" {
			t.Answer = n.Digest
		}
	}
	return t
}

package provenance

import (
	"fmt"
	"time"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// people adds the Temporal runs, who started them, and how they hang together.
func (b *builder) people() {
	nodes := map[string]*graph.Node{}
	for _, r := range append(b.line[:len(b.line):len(b.line)], b.aside...) {
		n := b.g.Add(graph.Node{
			ID: "run:" + r.RunID, Kind: graph.Run, Name: r.WorkflowID, Digest: r.Record, Run: r.RunID,
			Status: r.Ended, Started: spell(r.Started), Ended: spell(r.Closed),
		})
		nodes[r.RunID] = n
		if r.Starter != "" {
			b.g.Join(graph.AssociatedWith, n, b.agent("person", r.Starter))
		}
		for _, c := range r.Children {
			child := b.g.Add(graph.Node{ID: "run:child/" + c.WorkflowID, Kind: graph.Run, Name: c.WorkflowID, Role: c.Type, Event: c.Event, Run: r.RunID})
			b.g.Join(graph.Informed, n, child)
		}
	}
	for _, r := range append(b.line[:len(b.line):len(b.line)], b.aside...) {
		b.g.Join(graph.Continued, nodes[r.RunID], nodes[r.Before])
		for _, base := range r.Bases {
			if base != r.RunID {
				b.g.Join(graph.Reset, nodes[r.RunID], nodes[base])
			}
		}
	}
}

// agent is who did something: a person, a model, a worker.
func (b *builder) agent(role, name string) *graph.Node {
	return b.g.Add(graph.Node{ID: "agent:" + role + "/" + name, Kind: graph.Agent, Role: role, Name: name})
}

// worker is the agent that carried out an activity.
func (b *builder) worker(k *history.Activity) *graph.Node {
	if k.Worker == "" {
		return nil
	}
	return b.acting("worker", k.Worker)
}

// acting is a program that acts for the person who started the run.
func (b *builder) acting(role, name string) *graph.Node {
	n := b.g.Node("agent:" + role + "/" + name)
	if n == nil {
		n = b.agent(role, name)
		b.g.Join(graph.ActedOnBehalfOf, n, b.starter())
	}
	return n
}

func (b *builder) starter() *graph.Node { return b.g.Node("agent:person/" + b.line[0].Starter) }

// plain is the graph of a workflow that isn't R-LAM's: its activities, and the workflow
// tasks that asked for them and learned of their ends. Nothing is known of what their
// values have to do with each other.
func (b *builder) plain() {
	for _, r := range append(b.line[:len(b.line):len(b.line)], b.aside...) {
		scope := ""
		if len(b.line)+len(b.aside) > 1 {
			scope = r.RunID + "/"
		}
		tasks := make(map[int64]*graph.Node, len(r.Tasks))
		for i, t := range r.Tasks {
			tasks[t.Event] = b.g.Add(graph.Node{
				ID: fmt.Sprintf("step:%s%d", scope, i+1), Kind: graph.Step, Name: r.Type, Step: i + 1, Event: t.Event, Run: r.RunID, Ended: spell(t.At),
			})
		}
		for _, k := range r.Activities {
			n := b.g.Add(graph.Node{
				ID: fmt.Sprintf("attempt:%s%d", scope, k.Scheduled), Kind: graph.Attempt, Name: k.Type, Call: k.ID, Status: string(k.State),
				Started: spell(k.BeganAt), Ended: spell(k.ClosedAt), Event: k.Scheduled, Run: r.RunID, Failure: failure(k),
			})
			b.g.Join(graph.Informed, tasks[k.Task], n)
			b.g.Join(graph.Informed, n, tasks[k.Heard])
			b.g.Join(graph.AssociatedWith, n, b.worker(k))
			b.payload(graph.Used, n, "input", k.Input)
			b.payload(graph.Generated, n, "output", k.Result)
		}
		b.t.Status = r.Ended
	}
	if b.t.Status == "" {
		b.t.Status = "open"
	}
}

// payload is a value that is known by the digest of its bytes alone.
func (b *builder) payload(kind graph.EdgeKind, n *graph.Node, role string, d canon.Digest) {
	if d.IsZero() {
		return
	}
	v := b.g.Add(graph.Node{ID: role + ":" + n.ID[len("attempt:"):], Kind: graph.Value, Role: role, Digest: d})
	b.g.Join(kind, n, v)
}

// failure is what a history says of an activity that did not complete.
func failure(k *history.Activity) *graph.Failure {
	if k.State != history.Failed && k.State != history.TimedOut && k.State != history.Cancelled {
		return nil
	}
	return &graph.Failure{Type: k.Failure.Type, Message: k.Failure.Message, Detail: k.Study.Detail, Told: true}
}

// spell is a time as records have it; "" of none.
func spell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return journal.Time(t)
}

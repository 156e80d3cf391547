package provenance

import (
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// inherited adds what a fork keeps of the runs that it continues: their steps, as their
// records tell of them. Their histories and journals are theirs: nothing is held against
// each other here, and nothing counts as this run's.
func (b *builder) inherited(first *graph.Node) {
	links, err := record.Lineage(b.ctx, b.e.Store, b.run.Parent)
	if err != nil {
		b.find(RecordMissing, "run", 0, "what the run continues: %v", err)
		return
	}
	var origin *graph.Node
	var run canon.Digest
	var t *turn
	for _, l := range links {
		from := len(b.g.Nodes)
		switch rec := l.Record.(type) {
		case *record.Run:
			other := b.g.Add(graph.Node{ID: "run:" + l.Digest.String(), Kind: graph.Run, Name: rec.ID, Digest: l.Digest, Started: rec.Started})
			b.g.Join(graph.Forked, other, origin)
			origin, run = other, l.Digest
		case *record.Proposal:
			t = b.formerly(l.Digest, rec, "")
		case *record.Step:
			if t != nil && t.digest == rec.Parent {
				b.closed(t, l.Digest, rec)
			}
		}
		b.belongs(from, run)
	}
	b.g.Join(graph.Forked, first, origin)
	b.instructed()
}

// belongs marks what was added since as another run's.
func (b *builder) belongs(from int, run canon.Digest) {
	for _, n := range b.g.Nodes[from:] {
		if n.Kind != graph.Agent && n.Kind != graph.Environment && n.Kind != graph.Run {
			n.Origin = run
		}
	}
}

// formerly adds a planner's turn of another run. Its calls come with the step's record.
func (b *builder) formerly(d canon.Digest, p *record.Proposal, suffix string) *turn {
	n := b.g.Add(graph.Node{
		ID: fmt.Sprintf("plan:%d%s", p.Index, suffix), Kind: graph.Plan, Step: p.Index, Digest: d,
		Status: string(record.AttemptCompleted), Model: p.Model.Answered, Asked: p.Model.Asked, Execution: p.Turn.Execution,
	})
	if p.Model.Answered != "" {
		b.g.Join(graph.AssociatedWith, n, b.acting("model", p.Model.Answered))
	}
	return &turn{digest: d, node: n, rec: p, told: &history.Activity{}}
}

// closed adds a step of another run, and what came of its calls.
func (b *builder) closed(t *turn, d canon.Digest, s *record.Step) {
	b.g.Join(graph.Informed, b.step(s.Index-1, ""), t.node)
	step := b.g.Add(graph.Node{ID: fmt.Sprintf("step:%d", s.Index), Kind: graph.Step, Step: s.Index, Status: t.rec.Outcome, Digest: d})
	b.g.Join(graph.Informed, t.node, step)
	judged := *t.rec
	judged.Calls = nil
	for i := range s.Calls {
		judged.Calls = append(judged.Calls, s.Calls[i].Call)
	}
	if judged.Result != nil { // it was handed in there: this run has a result of its own, or none
		judged.Result = nil
	}
	t.rec = &judged
	b.proposed(t)
	for i, c := range t.calls {
		c.rec, c.node.Status = &s.Calls[i], string(s.Calls[i].Status)
		if c.rec.Kept == nil {
			b.stood(c, s.Calls[i].Attempts)
		}
	}
}

// stood adds the attempts of a call that stand in a record and in no history of this run.
func (b *builder) stood(c *call, attempts []record.AttemptRecord) {
	counted := len(b.t.Contents)
	for i := range attempts {
		rec := &attempts[i]
		n := b.g.Add(graph.Node{
			ID: fmt.Sprintf("attempt:%s#%d%s", c.id, rec.N, c.turn.branch), Kind: graph.Attempt, Name: c.rec.Action, Step: c.turn.node.Step,
			Call: c.id, N: rec.N, Status: string(rec.Status), Execution: rec.Execution, Started: rec.Started, Ended: rec.Ended,
		})
		b.g.Join(graph.Informed, c.node, n)
		b.g.Join(graph.Used, n, c.params)
		b.g.Join(graph.Informed, n, b.step(n.Step, c.turn.branch))
		a := &attempt{told: &history.Activity{}, node: n, rec: rec}
		if len(c.attempts) > 0 {
			b.g.Join(graph.Retried, n, c.attempts[len(c.attempts)-1].node)
		}
		c.attempts = append(c.attempts, a)
		b.left(c, a, *rec)
		if !rec.Output.IsZero() {
			b.output(c, n, rec.Output, c.turn.branch)
		}
	}
	b.t.Contents = b.t.Contents[:counted]
}

// keeps adds what a fork keeps of a call that its own step repeats, and what a person put
// in the place of it.
func (b *builder) keeps(c *call) {
	kept := c.rec.Kept
	from := len(b.g.Nodes)
	var s record.Step
	var origin record.Proposal
	err := record.Load(b.ctx, b.e.Store, kept.Step, &s)
	if err == nil {
		err = record.Load(b.ctx, b.e.Store, s.Parent, &origin)
	}
	if err != nil {
		b.find(RecordMissing, c.node.ID, 0, "what is kept of it: %v", err)
		return
	}
	for i := range s.Calls {
		if s.Calls[i].ID == c.id {
			b.stood(c, s.Calls[i].Attempts)
		}
	}
	b.belongs(from, b.runOf(origin.Parent))
	if said := c.rec.Asserted; said != nil {
		n := b.g.Add(graph.Node{
			ID: "asserted:" + c.id + c.turn.branch, Kind: graph.Value, Role: "output", Step: c.turn.node.Step, Call: c.id, Digest: said.Output, Edited: said.Pointers,
		})
		b.g.Join(graph.Derived, n, b.outputs[c.id+c.turn.branch])
		b.g.Join(graph.AssociatedWith, n, b.starter())
		b.outputs[c.id+c.turn.branch] = n
		b.t.Contents = append(b.t.Contents, Content{Subject: n.ID, Digest: said.Output})
	}
}

// runOf is the record of the run that a record belongs to, or the first on the way to it
// that can't be read.
func (b *builder) runOf(d canon.Digest) canon.Digest {
	run, _, _ := record.RunOf(b.ctx, b.e.Store, d)
	return run
}

// repeats marks a planner's turn that nobody was asked for: it repeats one of the run that
// this one continues.
func (b *builder) repeats(t *turn) {
	var s record.Step
	var p record.Proposal
	err := record.Load(b.ctx, b.e.Store, t.rec.Recorded, &s)
	if err == nil {
		err = record.Load(b.ctx, b.e.Store, s.Parent, &p)
	}
	if err != nil {
		b.find(RecordMissing, t.node.ID, 0, "the turn that it repeats: %v", err)
		return
	}
	from := len(b.g.Nodes)
	was := b.formerly(s.Parent, &p, "/recorded")
	b.belongs(from, b.runOf(p.Parent))
	b.g.Join(graph.Reused, t.node, was.node)
}

// instructed adds what a person told the planner where the fork begins.
func (b *builder) instructed() {
	ch := b.run.Changes
	if ch == nil || ch.Instruct.IsZero() {
		return
	}
	n := b.g.Add(graph.Node{ID: "instruction", Kind: graph.Value, Role: "instruction", Digest: ch.Instruct})
	b.g.Join(graph.AssociatedWith, n, b.starter())
	b.t.Contents = append(b.t.Contents, Content{Subject: n.ID, Digest: ch.Instruct})
}

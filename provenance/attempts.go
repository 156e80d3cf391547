package provenance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/schemas"
)

// acted takes in one attempt of a call.
func (b *builder) acted(k *history.Activity, n *graph.Node, branch string) {
	c := b.calls[journal.CallKey(k.Study.Proposal, k.Study.Call)]
	if c == nil {
		b.find(TurnUnrecorded, n.ID, k.Scheduled, "it is an attempt of call %s of a proposal %s that no turn of the history returned", k.Study.Call, k.Study.Proposal)
		return
	}
	n.Step, n.Name = c.turn.node.Step, c.rec.Action
	c.attempts = append(c.attempts, &attempt{told: k, node: n})
	b.g.Join(graph.Informed, c.node, n)
	if before := c.attempts[:len(c.attempts)-1]; len(before) > 0 {
		b.g.Join(graph.Retried, n, before[len(before)-1].node)
	}
	params := c.params
	if !k.Study.Judgement.IsZero() {
		params = b.judged(c, k, branch)
	} else if params.Digest != k.Study.Params {
		b.find(DigestDiffers, n.ID, k.Scheduled, "it was given parameters %s, and the proposal has %s", k.Study.Params, params.Digest)
	}
	b.g.Join(graph.Used, n, params)
	b.g.Join(graph.Informed, n, b.step(n.Step, branch))
	if k.State == history.Completed {
		b.output(c, n, k.Study.Output, branch)
	}
}

// output adds what an attempt that completed returned.
func (b *builder) output(c *call, n *graph.Node, d canon.Digest, branch string) *graph.Node {
	out := b.g.Add(graph.Node{ID: "output:" + n.ID[len("attempt:"):], Kind: graph.Value, Role: "output", Step: n.Step, Call: n.Call, Digest: d})
	b.g.Join(graph.Generated, n, out)
	b.outputs[c.id+branch] = out
	return out
}

// judged is the parameters of a deferred call, as they stood when its sources had run.
func (b *builder) judged(c *call, k *history.Activity, branch string) *graph.Node {
	id := "params:" + c.id + "/judged" + branch
	if n := b.g.Node(id); n != nil {
		return n
	}
	n := b.g.Add(graph.Node{ID: id, Kind: graph.Value, Role: "params", Step: c.turn.node.Step, Call: c.id, Digest: k.Study.Params})
	b.g.Join(graph.Derived, n, c.params)
	b.uses(n, c.rec.Uses, branch, c)
	c.params = n
	return n
}

// attempted completes attempts with what records or journal know of them besides.
func (b *builder) attempted() {
	for _, t := range b.ordered {
		for _, c := range t.calls {
			if c.rec.Kept != nil {
				continue
			}
			for _, a := range c.attempts {
				if a.rec != nil {
					b.left(c, a, *a.rec)
				} else if b.e.Store != nil {
					b.unclosed(c, a, a.node.Execution)
				}
				b.reused(c, a)
			}
			b.adoptions(c)
		}
	}
}

// unclosed completes an attempt of a step that has no record yet, from the journal, or
// from what it was answered with.
func (b *builder) unclosed(c *call, a *attempt, n int) {
	var x record.Execution
	var err error
	switch reused := a.told.Study.Reused; {
	case reused != nil:
		x, err = record.LoadAnswer(b.ctx, b.e.Store, reused.Answer)
		if err != nil {
			b.lacks(a.node.ID, a.told.Closed, err)
		}
	case n > 0:
		var o journal.Outcome
		if o, err = (journal.Journal{Store: b.e.Store}).Outcome(b.ctx, c.key, n); err == nil {
			err = json.Unmarshal(o.Body, &x)
			x.Ended = o.Ended
		}
	default:
		return
	}
	if err != nil {
		return // the journal's own checks name it
	}
	b.left(c, a, record.AttemptRecord{
		Started: x.Started, Ended: x.Ended, Output: x.Output.Digest, Artifacts: x.Artifacts, Log: x.Log,
		Error: x.Error, Environment: x.Environment, Isolation: x.Isolation,
	})
}

// left adds what an attempt left: artifacts, log, environment, what it failed of.
func (b *builder) left(c *call, a *attempt, r record.AttemptRecord) {
	n := a.node
	if r.Started != "" {
		n.Started, n.Ended = r.Started, r.Ended
	}
	n.Isolation = r.Isolation
	id := n.ID[len("attempt:"):]
	if !r.Environment.IsZero() {
		b.g.Join(graph.Used, n, b.g.Add(graph.Node{ID: "environment:" + r.Environment.Hex(), Kind: graph.Environment, Digest: r.Environment}))
	}
	if !r.Output.IsZero() {
		b.t.Contents = append(b.t.Contents, Content{Subject: "output:" + id, Digest: r.Output})
	}
	all := r.Artifacts
	if !r.Log.IsZero() {
		all = append(all[:len(all):len(all)], record.Artifact{Name: "log", Digest: r.Log, MediaType: "text/plain"})
	}
	for _, art := range all {
		made := b.g.Add(graph.Node{
			ID: "artifact:" + id + "/" + art.Name, Kind: graph.Artifact, Name: art.Name, Digest: art.Digest, Size: art.Size,
			MediaType: art.MediaType, Step: n.Step, Call: c.id,
		})
		b.g.Join(graph.Generated, n, made)
		b.made[art.Digest] = append(b.made[art.Digest], made)
		b.t.Contents = append(b.t.Contents, Content{Subject: made.ID, Digest: art.Digest})
	}
	if r.Error == nil {
		return
	}
	if n.Failure == nil {
		n.Failure = &graph.Failure{Type: r.Error.Type}
	}
	if n.Failure.Detail.IsZero() {
		n.Failure.Detail = r.Error.Detail
	}
}

// adoptions joins an attempt that reported an execution to the attempt that began it.
func (b *builder) adoptions(c *call) {
	for i, a := range c.attempts {
		if !a.told.Study.Adopted {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if c.attempts[j].node.Execution == a.node.Execution {
				b.g.Join(graph.Adopted, a.node, c.attempts[j].node)
				break
			}
		}
	}
}

// reused joins an attempt that the record answered to the one that executed: of this run,
// or of another, of which no more is known here.
func (b *builder) reused(c *call, a *attempt) {
	of := a.told.Study.Reused
	if of == nil {
		return
	}
	if own := b.calls[journal.CallKey(of.Proposal, of.Call)]; own != nil {
		for _, one := range own.attempts {
			if one.node.Execution == of.Execution {
				b.g.Join(graph.Reused, a.node, one.node)
				return
			}
		}
	}
	run := b.g.Add(graph.Node{ID: "run:" + of.Run.String(), Kind: graph.Run, Name: of.ID, Digest: of.Run})
	other := b.g.Add(graph.Node{
		ID: fmt.Sprintf("elsewhere:%s/%s@%d", of.Proposal, of.Call, of.Execution), Kind: graph.Attempt, Role: "elsewhere", Name: c.rec.Action,
		Source: of.ID, Status: string(record.AttemptCompleted), Started: of.Started, Ended: of.Ended,
	})
	b.g.Join(graph.Informed, run, other)
	b.g.Join(graph.Reused, a.node, other)
}

// data joins values to where they were taken from: by the references that are on record,
// and by the handles that stand in them.
func (b *builder) data() {
	referred := map[string][]string{} // by a value's id, the places that a reference stood in
	for _, p := range b.pending {
		source := b.source(p.use, p.branch)
		if source == nil && !p.followed() {
			continue // it refers to what failed or never was, and a gate refused it
		}
		if source == nil {
			b.find(RecordUntold, p.from.ID, 0, "it refers to %q%s, and nothing tells of that", p.use.From, p.use.Pointer)
			continue
		}
		e := b.g.Join(graph.Derived, p.from, source)
		e.At, e.Pointer = p.use.At, p.use.Pointer
		referred[p.from.ID] = append(referred[p.from.ID], p.use.At)
		if p.use.From == schemas.InputSource {
			e.Pointer = ""
		}
	}
	if b.e.Store == nil {
		return
	}
	taken := map[string]bool{}
	for _, e := range b.g.Edges {
		if e.Kind == graph.Derived {
			taken[e.From+" "+b.g.Node(e.To).Call] = true
		}
	}
	for _, n := range b.g.Nodes {
		if n.Kind == graph.Value && (n.Role == "params" || n.Role == "result") {
			b.handles(n, taken, referred[n.ID])
		}
	}
}

// followed says whether something was done with the value that has the reference.
func (p pending) followed() bool {
	if p.call == nil {
		return p.from.Status == string(schemas.Admitted)
	}
	return len(p.call.attempts) > 0
}

// source is the node that a reference names.
func (b *builder) source(u record.Use, branch string) *graph.Node {
	if u.From == schemas.InputSource {
		return b.g.Node("input:" + firstToken(u.Pointer))
	}
	if n := b.outputs[u.From+branch]; n != nil {
		return n
	}
	if n := b.outputs[u.From]; n != nil || b.before == nil || !b.before(u.From) {
		return n
	}
	n := b.g.Add(graph.Node{ID: "output:" + u.From, Kind: graph.Value, Role: "output", Call: u.From})
	b.outputs[u.From] = n
	return n
}

// handles joins a value to the artifacts whose handles stand in it. One that came by a
// reference is of the call that was referred to, if that made it; any other, the planner
// typed.
func (b *builder) handles(n *graph.Node, taken map[string]bool, referred []string) {
	var raw json.RawMessage
	if err := record.OpenContent(b.ctx, b.e.Store, n.Digest, &raw); err != nil {
		if n.Origin.IsZero() {
			b.lacks(n.ID, 0, err)
		}
		return
	}
	for _, h := range handlesIn(raw) {
		var from *graph.Node
		through := "planner"
		for _, m := range b.made[h.digest] {
			if m.Call != "" && taken[n.ID+" "+m.Call] || m.Role == "input" && taken[n.ID+" "] {
				from, through = m, ""
				break
			}
			if from == nil && (m.Role == "input" || m.Step < n.Step) {
				from = m
			}
		}
		if from == nil || through == "" && from.Role == "input" {
			continue // no artifact of this run, or joined to the input already
		}
		if slices.ContainsFunc(referred, func(at string) bool { return strings.HasPrefix(h.at+"/", at+"/") }) {
			through = ""
		}
		e := b.g.Join(graph.Derived, n, from)
		e.At, e.Through = h.at, through
	}
}

// standing says how the run stands.
func (b *builder) standing() {
	newest := b.newest()
	switch {
	case newest.Status != "":
		b.t.Status = string(newest.Status)
	case newest.Ended == "":
		b.t.Status = "open"
	default:
		b.t.Status = "unsealed"
	}
	if !newest.Sealed.IsZero() && newest.Sealed != newest.Head {
		b.find(HeadDiffers, "run:"+newest.RunID, newest.Last, "the run ended with head %s, and its last activity returned %s", newest.Sealed, newest.Head)
	}
	if n := b.g.Node("run:" + newest.RunID); n != nil {
		n.Status = b.t.Status
	}
	b.recoveries()
}

// recoveries joins a turn that went on to the failures that it had been told of, and that
// no turn before it had got over.
func (b *builder) recoveries() {
	var failed []*graph.Node
	for _, t := range b.ordered {
		if t.told.Study.Outcome == "calls" || t.told.Study.Outcome == "result" {
			for _, n := range failed {
				b.g.Join(graph.Recovered, t.node, n)
			}
			failed = nil
		}
		for _, c := range t.calls {
			if len(c.attempts) == 0 {
				continue
			}
			last := c.attempts[len(c.attempts)-1].node
			if last.Failure != nil && last.Status != string(record.AttemptCancelled) {
				failed = append(failed, last)
			}
		}
	}
}

// firstToken is the first member that a JSON pointer names.
func firstToken(pointer string) string {
	for i := 1; i < len(pointer); i++ {
		if pointer[i] == '/' {
			return pointer[1:i]
		}
	}
	return pointer[min(1, len(pointer)):]
}

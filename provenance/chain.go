package provenance

import (
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/schemas"
)

// chain reads the records from the head back to the run's, and holds them against what
// the histories say.
func (b *builder) chain() {
	var seal *record.Seal
	for d := b.from; d != b.until; {
		rec, err := record.LoadAny(b.ctx, b.e.Store, d)
		if err != nil {
			b.find(RecordMissing, d.String(), 0, "the chain can't be followed further back: %v", err)
			return
		}
		switch rec := rec.(type) {
		case *record.Proposal:
			b.recorded(d, rec)
		case *record.Step:
			if t := b.turns[rec.Parent]; t != nil {
				t.step = rec
				b.happened(t, d)
			}
		case *record.Seal:
			seal, b.seal = rec, d
		}
		if d = record.Parent(rec); d.IsZero() {
			b.find(RecordMissing, "run", 0, "the chain doesn't reach the run's record %s", b.t.Record)
			return
		}
	}
	for _, t := range b.ordered {
		if t.branch == "" && !t.chain {
			b.find(TurnUnrecorded, t.node.ID, t.told.Closed, "the history has the proposal %s, and the chain has not", t.digest)
		}
	}
	if seal != nil {
		b.sealed(b.seal, seal)
	}
}

// recorded holds a proposal of the chain against the history.
func (b *builder) recorded(d canon.Digest, p *record.Proposal) {
	t := b.turns[d]
	if t == nil {
		b.find(RecordUntold, fmt.Sprintf("step:%d", p.Index), 0, "the chain has the proposal %s, and no turn of the history returned it", d)
		return
	}
	t.chain = true
}

// sealed holds the last record against the event that closed the run.
func (b *builder) sealed(d canon.Digest, s *record.Seal) {
	newest := b.newest()
	run := b.g.Node("run:" + newest.RunID)
	run.Digest = d
	if newest.Status != "" && newest.Status != s.Status {
		b.find(OutcomeDiffers, run.ID, newest.Last, "the run ended as %s, and is sealed as %s", newest.Status, s.Status)
	}
	if !s.Result.IsZero() {
		b.t.Contents = append(b.t.Contents, Content{Subject: "result", Digest: s.Result})
		if n := b.g.Node("result"); n == nil || n.Digest != s.Result {
			b.find(DigestDiffers, "result", 0, "the seal has the result %s, and no turn on record handed it in", s.Result)
		}
	}
}

// happened holds what a step's record says of each call against the history.
func (b *builder) happened(t *turn, d canon.Digest) {
	if s := b.step(t.node.Step, t.branch); s != nil {
		s.Digest = d
	}
	told := map[string]*call{}
	for _, c := range t.calls {
		told[c.id] = c
	}
	for i := range t.step.Calls {
		rec := &t.step.Calls[i]
		c := told[rec.ID]
		if c == nil {
			b.find(RecordUntold, "call:"+rec.ID+t.branch, 0, "the step's record has it, and the history has not")
			continue
		}
		delete(told, rec.ID)
		if c.rec.Decision == string(schemas.Deferred) {
			b.verdicts(c.node, c.id+t.branch, rec.Verdicts, "/judged")
		}
		c.rec, c.node.Status = rec, string(rec.Status)
		if rec.Kept == nil { // else its attempts are another run's
			b.compare(c)
		}
	}
	for id := range told {
		b.find(AttemptUnrecorded, "call:"+id+t.branch, 0, "the history has it, and the step's record has not")
	}
}

// compare holds the attempts on record against those in the history.
func (b *builder) compare(c *call) {
	byNumber := map[int]*attempt{}
	for _, a := range c.attempts {
		if a.node.Status != "handed_back" {
			byNumber[a.node.N] = a
		}
	}
	for i := range c.rec.Attempts {
		rec := &c.rec.Attempts[i]
		a := byNumber[rec.N]
		if a == nil {
			b.unscheduled(c, rec)
			continue
		}
		delete(byNumber, rec.N)
		a.rec = rec
		b.agree(a)
	}
	for _, a := range c.attempts {
		if byNumber[a.node.N] == a {
			b.find(AttemptUnrecorded, a.node.ID, a.told.Scheduled, "the history has it, and the step's record has not")
		}
	}
}

// unscheduled adds an attempt that only a record tells of.
func (b *builder) unscheduled(c *call, rec *record.AttemptRecord) {
	id := fmt.Sprintf("attempt:%s#%d%s", c.id, rec.N, c.turn.branch)
	b.find(AttemptUnscheduled, id, 0, "it is on record as %s, and the history never scheduled it", rec.Status)
	n := b.g.Add(graph.Node{ID: id, Kind: graph.Attempt, Name: c.rec.Action, Step: c.turn.node.Step, Call: c.id, N: rec.N, Status: string(rec.Status)})
	if rec.Error != nil {
		n.Failure = &graph.Failure{Type: rec.Error.Type, Detail: rec.Error.Detail}
	}
	b.g.Join(graph.Informed, c.node, n)
	b.g.Join(graph.Used, n, c.params)
	a := &attempt{told: &history.Activity{}, node: n, rec: rec}
	c.attempts = append(c.attempts, a)
	if !rec.Output.IsZero() {
		b.output(c, n, rec.Output, c.turn.branch)
	}
}

// agree holds one attempt's record against its events.
func (b *builder) agree(a *attempt) {
	n, k, rec := a.node, a.told, a.rec
	lost := n.Status == string(record.AttemptLost) || n.Status == string(record.AttemptCancelled)
	switch {
	case n.Status == string(rec.Status):
	case rec.Status == record.AttemptCancelled && lost: // lost while the run was being cancelled
		n.Status = string(rec.Status)
	default:
		b.find(OutcomeDiffers, n.ID, k.Closed, "it is on record as %s, and the history says %s", rec.Status, n.Status)
	}
	if rec.Execution > 0 && k.Study.Execution > 0 && rec.Execution != k.Study.Execution {
		b.find(OutcomeDiffers, n.ID, k.Closed, "execution %d is on record, and the history says %d", rec.Execution, k.Study.Execution)
	}
	told := (*record.Reused)(nil)
	if k.Study.Reused != nil {
		told = &k.Study.Reused.Reused
	}
	if (told == nil) != (rec.Reused == nil) || told != nil && *told != *rec.Reused {
		b.find(OutcomeDiffers, n.ID, k.Closed, "what answered it differs: on record it is %s, and in the history %s", answeredBy(rec.Reused), answeredBy(told))
	}
	// Of a cancelled attempt the event says only that it was; how its work ended, the record does.
	if rec.Error != nil && k.State != history.Cancelled && k.Failure.Type != "" && rec.Error.Type != k.Failure.Type {
		b.find(OutcomeDiffers, n.ID, k.Closed, "it is on record as %s, and the history says %s", rec.Error.Type, k.Failure.Type)
	}
	if rec.Output != k.Study.Output {
		b.find(DigestDiffers, n.ID, k.Closed, "the output on record is %s, and the history says %s", rec.Output, k.Study.Output)
	}
}

// answeredBy is an execution in words.
func answeredBy(r *record.Reused) string {
	if r == nil {
		return "its own execution"
	}
	return fmt.Sprintf("execution %d of call %s of run %s", r.Execution, r.Call, r.ID)
}

package bundle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/provenance/history"
)

// maxPin bounds a pinned file that is looked into: a study, a binding.
const maxPin = 16 << 20

// use is one place of a run at which bytes are named.
type use struct {
	role    Role
	name    string
	call    string // id of the call; of prompts and answers the step's number
	attempt int
}

// item is bytes that the run names.
type item struct {
	Blob
	also []use // further places
	why  Why   // why it isn't taken along; "" if it is
	note string
}

// uses are all places at which the item is named.
func (it *item) uses() []use {
	return append([]use{{it.Role, it.Name, it.Call, it.Attempt}}, it.also...)
}

// asked is what the calls of a run have to do with each other: what quotes what.
type asked struct {
	params []canon.Digest
	told   []canon.Digest // reasons, details and logs, which may quote parameters and output
}

// gathering finds everything that a run names, and gives each a place in the bundle.
type gathering struct {
	ctx   context.Context
	run   *export.Run
	store store.Store

	// report is told of each item as it is found, where that is all that is asked for. What
	// it was told of is then known by its digest alone.
	report func(Blob)
	known  *canon.Set
	keys   *canon.Set // of the journal, that were taken in

	items  map[canon.Digest]*item
	order  []*item
	places places
	calls  map[string]*asked
	turns  map[use][]canon.Digest // requests and answers, by role and step
	users  map[string][]string    // calls whose parameters hold something of a call's output

	journal map[string][]string // all entries of the store's journal, by the digits of their keys
	entries map[string]bool     // those of the run
}

// gather finds what belongs to a run: the chains that lead to each head that a history
// names, what those records name, what the histories name besides, and the journal of its
// calls and turns.
func gather(ctx context.Context, run *export.Run) (*gathering, error) {
	g := newGathering(ctx, run)
	if err := g.listJournal(); err != nil {
		return nil, err
	}
	if err := g.all(); err != nil {
		return nil, err
	}
	return g, g.offered()
}

// toolsKeeper is a store that knows which tools were offered in requests that it hasn't
// got: a bundle, or a store into which one was imported.
type toolsKeeper interface{ tools() []canon.Digest }

// offered takes in the tools that only withheld requests name.
func (g *gathering) offered() error {
	if k, is := g.store.(toolsKeeper); is {
		for _, d := range k.tools() {
			g.offer(d)
		}
	}
	return context.Cause(g.ctx)
}

func (g *gathering) offer(tools canon.Digest) {
	g.add(Blob{Digest: tools, Role: RoleTools, Path: toolsDir + tools.Hex() + ".json", MediaType: "application/json"})
}

func newGathering(ctx context.Context, run *export.Run) *gathering {
	return &gathering{
		ctx: ctx, run: run, store: run.Store, items: map[canon.Digest]*item{}, places: places{},
		calls: map[string]*asked{}, turns: map[use][]canon.Digest{}, users: map[string][]string{},
		journal: map[string][]string{}, entries: map[string]bool{},
	}
}

func (g *gathering) all() error {
	run := g.run
	if err := g.chain(run.Trace.Head); err != nil {
		return err
	}
	for _, bare := range append(slices.Clone(run.Trace.Line), run.Trace.Aside...) {
		r, err := run.Trace.Told(bare)
		if err != nil {
			return err
		}
		if err := g.temporal(r); err != nil {
			return err
		}
	}
	for _, x := range run.Trace.Executions { // of keys that nothing else names
		if hex, stray := strings.CutPrefix(x.Subject, "journal/"); stray {
			if err := g.key(hex); err != nil {
				return err
			}
		}
	}
	for _, h := range run.Histories {
		protobuf, err := h.Bytes()
		if err != nil {
			return err
		}
		named, err := history.Contents(protobuf)
		if err != nil {
			return err
		}
		for _, d := range named {
			g.content(d, use{role: RoleError})
		}
	}
	return context.Cause(g.ctx)
}

// temporal takes in what one Temporal run names by itself: the heads it went through, and
// its planner's turns.
func (g *gathering) temporal(r *history.Run) error {
	heads := []canon.Digest{r.Record, r.Base, r.Head, r.Sealed}
	for _, k := range r.Activities {
		heads = append(heads, k.Study.Head)
		if k.Study.Step > 0 {
			if err := g.key(journal.TurnKey(r.RunID, k.Study.Step).Hex()); err != nil {
				return err
			}
		}
		if !k.Study.Judgement.IsZero() {
			g.judgement(k.Study.Judgement)
		}
		if r := k.Study.Reused; r != nil {
			g.add(Blob{Digest: r.Answer, Role: RoleReused, Call: k.Study.Call, Attempt: k.Study.Attempt, Path: reusedDir + r.Answer.Hex() + ".json", MediaType: "application/json"})
		}
	}
	for _, head := range heads {
		if err := g.chain(head); err != nil {
			return err
		}
	}
	return nil
}

// chain takes in the records from a head back to the first, or to one that is known. A
// fork's chain goes on through the run that it was forked from.
func (g *gathering) chain(head canon.Digest) error {
	var found []canon.Digest
	for d := head; !d.IsZero() && !g.knows(d); {
		g.add(Blob{Digest: d, Role: RoleRecord, Path: recordsDir + d.Hex() + ".record"})
		found = append(found, d)
		rec, err := record.LoadAny(g.ctx, g.store, d)
		if err != nil {
			break // what is missing is told when it is to be copied
		}
		d = record.Parent(rec)
	}
	for _, d := range slices.Backward(found) {
		rec, err := record.LoadAny(g.ctx, g.store, d)
		if err != nil {
			continue
		}
		switch rec := rec.(type) {
		case *record.Run:
			g.pins(rec)
		case *record.Proposal:
			err = g.proposal(d, rec)
		case *record.Step:
			g.step(rec)
		case *record.Seal:
			g.content(rec.Result, use{role: RoleResult})
			g.content(rec.Reason, use{role: RoleReason})
		}
		if err = errors.Join(err, g.others(rec)); err != nil {
			return err
		}
	}
	return context.Cause(g.ctx)
}

// knows says whether bytes were taken in.
func (g *gathering) knows(d canon.Digest) bool {
	if g.report != nil {
		return g.known.Has(d)
	}
	return g.items[d] != nil
}

// add takes in bytes, once, and returns them if they are new. b.Path is made one of its own.
func (g *gathering) add(b Blob) *item {
	if b.Digest.IsZero() {
		return nil
	}
	if g.knows(b.Digest) {
		if it := g.items[b.Digest]; it != nil {
			if u := (use{b.Role, b.Name, b.Call, b.Attempt}); !slices.Contains(it.uses(), u) {
				it.also = append(it.also, u)
			}
		}
		return nil
	}
	b.Path = g.places.claim(b.Path, b.Digest)
	it := &item{Blob: b}
	if g.report != nil {
		g.known.Add(b.Digest)
		g.report(b)
		return it
	}
	g.items[b.Digest] = it
	g.order = append(g.order, it)
	return it
}

func (g *gathering) content(d canon.Digest, u use) {
	if u.role == RoleError && g.knows(d) {
		return // known by what it is
	}
	if !d.IsZero() && (u.role == RolePrompt || u.role == RoleAnswer) && g.report == nil {
		g.turns[u] = append(g.turns[u], d)
	}
	g.add(Blob{Digest: d, Role: u.role, Name: u.name, Call: u.call, Attempt: u.attempt, Path: contentsDir + d.Hex() + ".json"})
}

// proposal takes in a planner's turn.
func (g *gathering) proposal(d canon.Digest, p *record.Proposal) error {
	step := strconv.Itoa(p.Index)
	g.prompt(p.Request, step)
	g.content(p.Answer, use{role: RoleAnswer, call: step})
	g.content(p.Reason, use{role: RoleReason, call: step})
	if p.Last != nil {
		g.content(p.Last.Reason, use{role: RoleReason, call: step})
	}
	for i := range p.Calls {
		g.call(&p.Calls[i])
		if err := g.key(journal.CallKey(d, p.Calls[i].ID).Hex()); err != nil {
			return err
		}
	}
	if r := p.Result; r != nil {
		c := g.of(step + ".result")
		c.params = append(c.params, r.Value)
		g.content(r.Value, use{role: RoleResult, call: step + ".result"})
		g.uses(step+".result", r.Uses)
		g.verdicts(c, step+".result", r.Verdicts)
	}
	return g.key(p.Turn.Key.Hex())
}

// prompt takes in a request, those that it goes on from, and the tools it offered.
func (g *gathering) prompt(d canon.Digest, step string) {
	for first := true; !d.IsZero(); first = false {
		u := use{role: RolePrompt}
		if first {
			u.call = step
		} else if g.knows(d) {
			return
		}
		g.content(d, u)
		var kept struct{ Parent, Tools canon.Digest }
		if record.OpenContent(g.ctx, g.store, d, &kept) != nil {
			return
		}
		g.offer(kept.Tools)
		d = kept.Parent
	}
}

func (g *gathering) of(call string) *asked {
	if g.report != nil {
		return &asked{}
	}
	if g.calls[call] == nil {
		g.calls[call] = &asked{}
	}
	return g.calls[call]
}

func (g *gathering) uses(call string, all []record.Use) {
	if g.report != nil {
		return
	}
	for _, u := range all {
		if !slices.Contains(g.users[u.From], call) {
			g.users[u.From] = append(g.users[u.From], call)
		}
	}
}

func (g *gathering) call(call *record.Call) {
	c := g.of(call.ID)
	g.uses(call.ID, call.Uses)
	if !slices.Contains(c.params, call.Params) {
		c.params = append(c.params, call.Params)
	}
	g.content(call.Params, use{role: RoleParams, call: call.ID})
	if call.Asserted != nil {
		g.content(call.Asserted.Output, use{role: RoleOutput, call: call.ID})
	}
	g.verdicts(c, call.ID, call.Verdicts)
}

func (g *gathering) verdicts(c *asked, call string, all []record.Verdict) {
	for _, v := range all {
		c.told = append(c.told, v.Reason)
		g.content(v.Reason, use{role: RoleReason, name: v.Gate, call: call})
	}
}

func (g *gathering) judgement(d canon.Digest) {
	g.add(Blob{Digest: d, Role: RoleJudgement, Path: judgementsDir + d.Hex() + ".json", MediaType: "application/json"})
	var j record.Judgement
	if g.look(d, &j) {
		g.call(&j.Call)
	}
}

// step takes in what came of a proposal.
func (g *gathering) step(s *record.Step) {
	for i := range s.Calls {
		call := &s.Calls[i]
		g.call(&call.Call)
		if !call.Judgement.IsZero() {
			g.judgement(call.Judgement)
		}
		for _, a := range call.Attempts {
			if !a.Answer.IsZero() {
				g.add(Blob{Digest: a.Answer, Role: RoleReused, Call: call.ID, Attempt: a.N, Path: reusedDir + a.Answer.Hex() + ".json", MediaType: "application/json"})
			}
			g.execution(call.ID, a.N, record.Execution{
				Binding: a.Binding, Output: record.Ref{Digest: a.Output}, Artifacts: a.Artifacts, Log: a.Log, Error: a.Error, Environment: a.Environment,
			})
		}
	}
}

// execution takes in what one execution of a call left.
func (g *gathering) execution(call string, attempt int, x record.Execution) {
	c := g.of(call)
	if !x.Output.Digest.IsZero() {
		g.content(x.Output.Digest, use{role: RoleOutput, call: call, attempt: attempt})
	}
	for _, a := range x.Artifacts {
		g.artifact(a, call, attempt)
	}
	if !x.Log.IsZero() {
		c.told = append(c.told, x.Log)
		g.add(Blob{Digest: x.Log, Role: RoleLog, Call: call, Attempt: attempt, MediaType: "text/plain", Path: fmt.Sprintf("%s%s/%d.txt", logsDir, call, attempt)})
	}
	if x.Error != nil && !x.Error.Detail.IsZero() {
		c.told = append(c.told, x.Error.Detail)
		g.add(Blob{Digest: x.Error.Detail, Role: RoleError, Call: call, Attempt: attempt, Path: contentsDir + x.Error.Detail.Hex() + ".json"})
	}
	g.add(Blob{Digest: x.Environment, Role: RoleEnvironment, Path: environmentDir + x.Environment.Hex() + ".json", MediaType: "application/json"})
	if !x.Binding.IsZero() && !g.knows(x.Binding) {
		g.binding("", actionsDir, x.Binding.Hex()+".json", x.Binding)
	}
}

package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/internal/tree"
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
	g := &gathering{
		ctx: ctx, run: run, store: run.Store, items: map[canon.Digest]*item{}, places: places{},
		calls: map[string]*asked{}, turns: map[use][]canon.Digest{}, users: map[string][]string{},
		journal: map[string][]string{}, entries: map[string]bool{},
	}
	if err := g.listJournal(); err != nil {
		return nil, err
	}
	if err := g.chain(run.Trace.Head); err != nil {
		return nil, err
	}
	for _, r := range append(slices.Clone(run.Trace.Line), run.Trace.Aside...) {
		if err := g.temporal(r); err != nil {
			return nil, err
		}
	}
	for _, x := range run.Trace.Executions { // of keys that nothing else names
		if hex, stray := strings.CutPrefix(x.Subject, "journal/"); stray {
			if err := g.key(hex); err != nil {
				return nil, err
			}
		}
	}
	for _, h := range run.Histories {
		named, err := history.Contents(h.Protobuf)
		if err != nil {
			return nil, err
		}
		for _, d := range named {
			g.content(d, use{role: RoleError})
		}
	}
	return g, context.Cause(ctx)
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
	for d := head; !d.IsZero() && g.items[d] == nil; {
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

// add takes in bytes, once, and says whether they are new. b.Path is made one of its own.
func (g *gathering) add(b Blob) bool {
	if b.Digest.IsZero() {
		return false
	}
	if it := g.items[b.Digest]; it != nil {
		if u := (use{b.Role, b.Name, b.Call, b.Attempt}); !slices.Contains(it.uses(), u) {
			it.also = append(it.also, u)
		}
		return false
	}
	b.Path = g.places.claim(b.Path, b.Digest)
	it := &item{Blob: b}
	g.items[b.Digest] = it
	g.order = append(g.order, it)
	return true
}

func (g *gathering) content(d canon.Digest, u use) {
	if u.role == RoleError && g.items[d] != nil {
		return // known by what it is
	}
	if !d.IsZero() && (u.role == RolePrompt || u.role == RoleAnswer) {
		g.turns[u] = append(g.turns[u], d)
	}
	g.add(Blob{Digest: d, Role: u.role, Name: u.name, Call: u.call, Attempt: u.attempt, Path: contentsDir + d.Hex() + ".json"})
}

// pins takes in what a run depends on.
func (g *gathering) pins(r *record.Run) {
	g.add(Blob{Digest: r.Study, Role: RoleStudy, Path: studyDir + "study.json", MediaType: "application/json"})
	if !r.Planner.IsZero() {
		g.add(Blob{Digest: r.Planner, Role: RolePlanner, Path: studyDir + g.plannerName(r.Study), MediaType: "application/yaml"})
	}
	for _, pin := range r.Actions {
		id := pin.Name + "@" + pin.Version
		dir := actionsDir + id + "/"
		g.add(Blob{Digest: pin.Spec, Role: RoleAction, Name: id, Path: dir + "spec.json", MediaType: "application/json"})
		bindings := pin.Bindings
		if len(bindings) == 0 {
			bindings = []canon.Digest{pin.Binding}
		}
		for i, d := range bindings {
			name := "binding.json"
			if i > 0 {
				name = fmt.Sprintf("binding-%d.json", i+1)
			}
			g.binding(id, dir, name, d)
		}
	}
	for _, in := range r.Inputs {
		g.input(in)
	}
}

// others takes in the records of other runs that a record rests on, and what a person
// changed.
func (g *gathering) others(rec any) error {
	var heads []canon.Digest
	switch rec := rec.(type) {
	case *record.Run:
		if c := rec.Changes; c != nil {
			heads = append(heads, c.Steps...)
			g.content(c.Instruct, use{role: RoleEdit})
			for _, e := range c.Edits {
				g.content(e.Value, use{role: RoleEdit, name: e.Pointer, call: e.Call})
			}
		}
		if rec.Reproduces != nil {
			heads = append(heads, rec.Reproduces.Head)
		}
	case *record.Proposal:
		heads = append(heads, rec.Recorded)
		for _, call := range rec.Calls {
			if call.Kept != nil {
				heads = append(heads, call.Kept.Step)
			}
		}
	}
	for _, head := range heads {
		if err := g.chain(head); err != nil {
			return err
		}
	}
	return nil
}

// binding takes in a binding and the files that it brings along.
func (g *gathering) binding(id, dir, name string, d canon.Digest) {
	if !g.add(Blob{Digest: d, Role: RoleBinding, Name: id, Path: dir + name, MediaType: "application/json"}) {
		return
	}
	var pinned struct {
		Digests map[string]canon.Digest `json:"digests"`
	}
	if !g.look(d, &pinned) {
		return
	}
	for _, file := range sortedKeys(pinned.Digests) {
		g.add(Blob{Digest: pinned.Digests[file], Role: RoleScript, Name: id + "/" + file, Path: dir + "files/" + file})
	}
}

// look reads a pinned file as JSON, if it is there.
func (g *gathering) look(d canon.Digest, v any) bool {
	b, err := store.Read(g.ctx, g.store, d, maxPin)
	return err == nil && json.Unmarshal(b, v) == nil
}

// plannerName is what the study calls its plan or scenario.
func (g *gathering) plannerName(study canon.Digest) string {
	var s struct {
		Planner struct{ Plan, Scripted string } `json:"planner"`
	}
	if g.look(study, &s) {
		if name := path.Base(strings.ReplaceAll(s.Planner.Plan+s.Planner.Scripted, `\`, "/")); name != "." && name != "/" {
			return name
		}
	}
	return "planner.yaml"
}

func (g *gathering) input(in record.Input) {
	name := in.Name
	if ext := extension(in.MediaType); path.Ext(name) == "" {
		name += ext
	}
	b := Blob{Digest: in.Digest, Size: in.Size, Role: RoleInput, Name: in.Name, MediaType: in.MediaType, Path: inputsDir + name}
	if !g.add(b) {
		return
	}
	it := g.items[in.Digest]
	switch in.Keep {
	case record.KeepReference:
		it.note = "the file " + in.Path
	case record.KeepDigest:
		it.note = "the run knew no more of it than its digest"
	}
	if in.Given != nil && in.Given.Source != "" {
		it.note = strings.TrimPrefix(it.note+"; made before R-LAM: "+in.Given.Source, "; ")
	}
	g.folder(it)
}

func (g *gathering) artifact(a record.Artifact, call string, attempt int) {
	b := Blob{
		Digest: a.Digest, Size: a.Size, Role: RoleArtifact, Name: a.Name, Call: call, Attempt: attempt, MediaType: a.MediaType,
		Path: fmt.Sprintf("%s%s/%d/%s", artifactsDir, call, attempt, a.Name),
	}
	if g.add(b) {
		g.folder(g.items[a.Digest])
	}
}

// folder takes in the files of an artifact or input that is a folder.
func (g *gathering) folder(it *item) {
	if it.MediaType != tree.MediaType {
		return
	}
	raw, err := store.Read(g.ctx, g.store, it.Digest, tree.MaxManifest)
	if err != nil {
		return // told when it is to be copied
	}
	m, err := tree.Decode(raw)
	if err != nil {
		return // it says that it is a folder, and is none: bytes like any other
	}
	for _, name := range m.Paths() {
		f := m.Files[name]
		g.add(Blob{
			Digest: f.Digest, Size: f.Size, Role: RoleFile, Name: it.Name + "/" + name, Call: it.Call, Attempt: it.Attempt,
			Path: it.Path + ".files/" + name,
		})
	}
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
		} else if g.items[d] != nil {
			return
		}
		g.content(d, u)
		var kept struct{ Parent, Tools canon.Digest }
		if record.OpenContent(g.ctx, g.store, d, &kept) != nil {
			return
		}
		g.add(Blob{Digest: kept.Tools, Role: RoleTools, Path: toolsDir + kept.Tools.Hex() + ".json", MediaType: "application/json"})
		d = kept.Parent
	}
}

func (g *gathering) of(call string) *asked {
	if g.calls[call] == nil {
		g.calls[call] = &asked{}
	}
	return g.calls[call]
}

func (g *gathering) uses(call string, all []record.Use) {
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
	if !x.Binding.IsZero() && g.items[x.Binding] == nil {
		g.binding("", actionsDir, x.Binding.Hex()+".json", x.Binding)
	}
}

// listJournal reads the keys of the store's journal, of all runs.
func (g *gathering) listJournal() error {
	for name, err := range g.store.List(g.ctx, journalDir) {
		if err != nil {
			return fmt.Errorf("listing the journal: %w", err)
		}
		hex, _, _ := strings.Cut(strings.TrimPrefix(name, journalDir), ".")
		g.journal[hex] = append(g.journal[hex], name)
	}
	return nil
}

// key takes in the journal of one key, and what its executions name.
func (g *gathering) key(hex string) error {
	names := g.journal[hex]
	if len(names) == 0 || g.entries[names[0]] {
		return nil
	}
	for _, name := range names {
		g.entries[name] = true
	}
	for n := 1; slices.Contains(names, fmt.Sprintf("journal/%s.%d.intent", hex, n)); n++ {
		var in journal.Intent
		if err := g.entry(fmt.Sprintf("journal/%s.%d.intent", hex, n), &in); err != nil {
			return err
		}
		var out journal.Outcome
		if err := g.entry(fmt.Sprintf("journal/%s.%d.outcome", hex, n), &out); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := g.executed(in, out); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) entry(key string, v any) error {
	b, err := g.store.Entry(g.ctx, key)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("reading journal entry %q: %w", key, err)
	}
	return nil
}

// executed takes in what the journal tells of an execution: also of one that no record
// has, because its outcome came too late or was reset away.
func (g *gathering) executed(in journal.Intent, out journal.Outcome) error {
	if in.Call != "" {
		var x record.Execution
		if len(out.Body) > 0 && json.Unmarshal(out.Body, &x) == nil {
			g.execution(in.Call, in.N, x)
		}
		return nil
	}
	g.prompt(in.Request, strconv.Itoa(in.Step))
	var turn record.TurnOutcome
	if len(out.Body) == 0 || json.Unmarshal(out.Body, &turn) != nil {
		return nil
	}
	if turn.Error != nil {
		g.add(Blob{Digest: turn.Error.Detail, Role: RoleError, Call: strconv.Itoa(in.Step), Attempt: in.N, Path: contentsDir + turn.Error.Detail.Hex() + ".json"})
	}
	return g.chain(turn.Proposal)
}

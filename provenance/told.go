package provenance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/workflows"
)

// open reads what the run pinned.
func (b *builder) open() {
	var run record.Run
	if err := record.Load(b.ctx, b.e.Store, b.t.Record, &run); err != nil {
		b.find(RecordMissing, "run", 0, "%v", err)
		return
	}
	b.run, b.t.Run = &run, &run
	raw, err := store.Read(b.ctx, b.e.Store, run.Study, record.MaxContent)
	if err == nil {
		b.study, err = schemas.ReadStudy(raw)
		b.t.Study = b.study
	}
	if err != nil {
		b.lacks("run", 0, fmt.Errorf("the study: %w", err))
	}
	first := b.g.Node("run:" + b.line[0].RunID)
	b.g.Join(graph.AssociatedWith, first, b.acting("engine", run.Engine))
	for _, in := range run.Inputs {
		b.input(in)
	}
	if run.Fork() && b.before == nil {
		b.inherited(first)
	}
}

// input is data that the run started from.
func (b *builder) input(in record.Input) {
	n := b.g.Add(graph.Node{
		ID: "input:" + in.Name, Kind: graph.Artifact, Role: "input", Name: in.Name, Digest: in.Digest, Size: in.Size, MediaType: in.MediaType, Source: in.Path,
	})
	b.made[in.Digest] = append(b.made[in.Digest], n)
	if in.Given != nil {
		n.Source = in.Given.Source
	}
	if from := in.From; from != nil {
		n.Source = fmt.Sprintf("%s of run %s", from.Output, from.ID)
		other := b.g.Add(graph.Node{ID: "run:" + from.Run.String(), Kind: graph.Run, Name: from.ID, Digest: from.Run})
		made := b.g.Add(graph.Node{ID: fmt.Sprintf("elsewhere:%s/%s", from.Run, strings.TrimPrefix(from.Output, "/")), Kind: graph.Value, Role: "elsewhere", Name: from.Output, Source: from.ID, Digest: from.Head})
		b.g.Join(graph.Generated, other, made)
		b.g.Join(graph.Derived, n, made).Pointer = from.Output
	}
}

// told adds what the histories say.
func (b *builder) told() {
	b.owned()
	kept := map[string]bool{} // activities of the line, also as they stand in what was reset away
	for _, r := range b.runs {
		for _, k := range r.Activities {
			if len(b.aside) > 0 {
				kept[same(k)] = true
			}
			b.activity(r, k, "")
		}
	}
	for _, r := range b.aside {
		for _, k := range r.Activities {
			if !kept[same(k)] {
				b.activity(r, k, "~"+short(r.RunID))
			}
		}
	}
}

// owned finds the Temporal run in which each activity was first asked for: a reset copies
// the events that it keeps, and the journal has the older run's name. A copy has all resets
// that came before, and one more.
func (b *builder) owned() {
	here := map[string]bool{}
	for _, r := range append(b.line[:len(b.line):len(b.line)], b.aside...) {
		here[r.RunID] = true
	}
	for _, r := range append(b.aside[:len(b.aside):len(b.aside)], b.line...) {
		for _, base := range r.Bases {
			if !here[base] {
				b.absent[base] = true
			}
		}
		if len(b.aside) == 0 {
			continue
		}
		for _, k := range r.Activities {
			if old := b.owners[same(k)]; old == nil || len(r.Bases) < len(old.Bases) {
				b.owners[same(k)] = r
			}
		}
	}
}

// owner is the Temporal run in which an activity of r was first asked for.
func (b *builder) owner(r *history.Run, k *history.Activity) string {
	if len(b.owners) > 0 {
		return b.owners[same(k)].RunID
	}
	return r.RunID
}

// turnKey is the journal's key of a planner's turn of r.
func (b *builder) turnKey(r *history.Run, k *history.Activity) canon.Digest {
	return journal.TurnKey(b.owner(r, k), k.Study.Step)
}

// same names an activity of which a reset copied the events.
func same(k *history.Activity) string {
	return strconv.FormatInt(k.Scheduled, 10) + " " + k.ID + " " + strconv.FormatInt(k.ScheduledAt.UnixNano(), 10)
}

// short is the beginning of a Temporal run ID.
func short(runID string) string { return runID[:min(8, len(runID))] }

func (b *builder) activity(r *history.Run, k *history.Activity, branch string) {
	n := graph.Node{
		Name: k.Type, Status: status(k), Started: spell(k.BeganAt), Ended: spell(k.ClosedAt), Event: k.Scheduled, Run: b.owner(r, k),
		Execution: k.Study.Execution, Failure: failure(k),
	}
	base, number := numbered(k.ID)
	switch k.Type {
	case workflows.PlanName:
		n.ID, n.Kind, n.Step, n.N = fmt.Sprintf("plan:%d#%d%s", k.Study.Step, number, branch), graph.Plan, k.Study.Step, number
		b.planned(r, k, b.act(r, k, n), branch)
	case workflows.ActName:
		n.ID, n.Kind, n.Call, n.N = fmt.Sprintf("attempt:%s#%d%s", k.Study.Call, k.Study.Attempt, branch), graph.Attempt, k.Study.Call, k.Study.Attempt
		b.acted(k, b.act(r, k, n), branch)
	default:
		n.ID, n.Kind, n.Role = "engine:"+k.ID+branch, graph.Attempt, "engine"
		if b.g.Node(n.ID) != nil { // of a run that this one continues
			n.ID += "~" + short(r.RunID)
		}
		n.Call, n.N = base, number
		b.act(r, k, n)
	}
}

// act adds the node of an activity, with who carried it out.
func (b *builder) act(r *history.Run, k *history.Activity, n graph.Node) *graph.Node {
	node := b.g.Add(n)
	b.acts[r.RunID+" "+k.ID] = node
	b.g.Join(graph.AssociatedWith, node, b.worker(k))
	return node
}

// numbered splits an activity ID into what it is of and its number: "4.1#2".
func numbered(id string) (string, int) {
	base, number, _ := strings.Cut(id, "#")
	n, err := strconv.Atoi(number)
	if err != nil {
		return base, 1
	}
	return base, n
}

// status is how an attempt ended, as the workflow told it apart.
func status(k *history.Activity) string {
	switch {
	case k.State == history.TimedOut:
		return string(record.AttemptLost)
	case k.State == history.Failed && handedBack(k.Failure.Type):
		return "handed_back"
	case k.State == history.Failed && k.Failure.Type == workflows.TypeCancelled:
		return string(record.AttemptCancelled)
	case k.State == history.Failed && workflows.IsLoss(k.Failure.Type):
		return string(record.AttemptLost)
	}
	return string(k.State)
}

// handedBack says whether a failure of this type is no attempt: the worker did nothing.
func handedBack(typ string) bool { return typ == workflows.TypeNoBinding || typ == workflows.TypeBusy }

// planned takes in a planner's turn.
func (b *builder) planned(r *history.Run, k *history.Activity, n *graph.Node, branch string) {
	if n.N > 1 {
		b.g.Join(graph.Retried, n, b.g.Node(fmt.Sprintf("plan:%d#%d%s", n.Step, n.N-1, branch)))
	}
	if before := b.step(n.Step-1, branch); before != nil {
		b.g.Join(graph.Informed, before, n)
	}
	key := b.turnKey(r, k)
	if k.State != history.Completed {
		b.asked(key, n)
		return
	}
	t := &turn{digest: k.Study.Head, node: n, told: k, branch: branch}
	b.turns[t.digest] = t
	b.ordered = append(b.ordered, t)
	n.Digest = k.Study.Head
	s := b.g.Add(graph.Node{ID: fmt.Sprintf("step:%d%s", n.Step, branch), Kind: graph.Step, Step: n.Step, Status: k.Study.Outcome, Run: r.RunID})
	b.g.Join(graph.Informed, n, s)
	if b.e.Store != nil {
		var p record.Proposal
		if err := record.Load(b.ctx, b.e.Store, t.digest, &p); err != nil {
			b.find(RecordMissing, n.ID, k.Closed, "%v", err)
		} else {
			t.rec, key = &p, p.Turn.Key
			b.byTurn[key] = t
		}
	}
	if t.rec != nil && !t.rec.Recorded.IsZero() {
		b.repeats(t)
	} else if n.Model = k.Study.Model; n.Model != "" {
		b.g.Join(graph.AssociatedWith, n, b.acting("model", n.Model))
	}
	b.asked(key, n)
	b.proposed(t)
}

// asked notes a turn under its key in the journal.
func (b *builder) asked(key canon.Digest, n *graph.Node) {
	b.keys[key] = n.Step
	b.plans[key] = append(b.plans[key], n)
}

// step is the node of a step: of a branch, or else of the line that the branch left.
func (b *builder) step(n int, branch string) *graph.Node {
	if s := b.g.Node(fmt.Sprintf("step:%d%s", n, branch)); s != nil {
		return s
	}
	return b.g.Node(fmt.Sprintf("step:%d", n))
}

// proposed adds the calls of a turn, from its record or else from what the workflow was told.
func (b *builder) proposed(t *turn) {
	if t.rec == nil {
		for _, c := range t.told.Study.Calls {
			b.call(t, record.Call{ID: c.ID, Name: c.Name, Action: c.Action, Params: c.Params, Decision: string(c.Decision)})
		}
		return
	}
	t.node.Execution = t.rec.Turn.Execution
	if t.rec.Recorded.IsZero() {
		t.node.Asked = t.rec.Model.Asked
		if !t.rec.Request.IsZero() {
			b.g.Join(graph.Used, t.node, b.value("prompt", t, t.rec.Request))
		}
	}
	b.g.Join(graph.Generated, t.node, b.value("answer", t, t.rec.Answer))
	for i, c := range t.rec.Calls {
		b.call(t, c)
		if told := t.told.Study.Calls; i < len(told) && told[i].Params != c.Params {
			b.find(DigestDiffers, "call:"+c.ID+t.branch, t.told.Closed, "the workflow was told of parameters %s, and the record has %s", told[i].Params, c.Params)
		}
	}
	if t.rec.Result != nil {
		b.result(t)
	}
}

func (b *builder) value(role string, t *turn, d canon.Digest) *graph.Node {
	return b.g.Add(graph.Node{ID: fmt.Sprintf("%s:%d%s", role, t.node.Step, t.branch), Kind: graph.Value, Role: role, Step: t.node.Step, Digest: d})
}

// call adds a proposed call.
func (b *builder) call(t *turn, c record.Call) {
	k := &call{id: c.ID, turn: t, key: journal.CallKey(t.digest, c.ID), rec: &record.CallRecord{Call: c}}
	k.node = b.g.Add(graph.Node{
		ID: "call:" + c.ID + t.branch, Kind: graph.Call, Name: c.Action, Step: t.node.Step, Call: c.ID, Status: c.Decision,
		Spec: c.Spec, Binding: c.Binding, Seed: b.seed(c),
	})
	b.g.Join(graph.Informed, t.node, k.node)
	k.params = b.g.Add(graph.Node{ID: "params:" + c.ID + t.branch, Kind: graph.Value, Role: "params", Step: t.node.Step, Call: c.ID, Digest: c.Params, Edited: c.Edited})
	b.g.Join(graph.Generated, t.node, k.params)
	if len(c.Edited) > 0 {
		b.g.Join(graph.AssociatedWith, k.params, b.starter())
	}
	b.verdicts(k.node, c.ID+t.branch, c.Verdicts, "")
	if c.Decision != string(schemas.Deferred) {
		b.uses(k.params, c.Uses, t.branch, k)
	}
	if c.Decision == string(schemas.Refused) {
		b.g.Join(graph.Informed, k.node, b.step(t.node.Step, t.branch))
	}
	b.calls[k.key] = k
	t.calls = append(t.calls, k)
	if c.Kept != nil {
		b.keeps(k)
	}
}

// result adds a result that the planner handed in.
func (b *builder) result(t *turn) {
	r := t.rec.Result
	c := b.g.Add(graph.Node{ID: fmt.Sprintf("call:%d.result%s", t.node.Step, t.branch), Kind: graph.Call, Name: "result", Step: t.node.Step, Status: r.Decision})
	b.g.Join(graph.Informed, t.node, c)
	b.verdicts(c, fmt.Sprintf("%d.result%s", t.node.Step, t.branch), r.Verdicts, "")
	v := graph.Node{ID: fmt.Sprintf("result:%d%s", t.node.Step, t.branch), Kind: graph.Value, Role: "result", Step: t.node.Step, Digest: r.Value, Status: r.Decision}
	if r.Decision == string(schemas.Admitted) && t.branch == "" {
		v.ID = "result"
	}
	n := b.g.Add(v)
	b.g.Join(graph.Generated, t.node, n)
	b.uses(n, r.Uses, t.branch, nil)
}

func (b *builder) verdicts(call *graph.Node, id string, all []record.Verdict, again string) {
	for i, v := range all {
		name := fmt.Sprintf("verdict:%s/%s%s", id, v.Gate, again)
		if b.g.Node(name) != nil { // a gate with several rules
			name += "/" + strconv.Itoa(i+1)
		}
		n := b.g.Add(graph.Node{ID: name, Kind: graph.Verdict, Name: v.Gate, Version: v.Version, Status: v.Decision, Rule: v.Rule, Step: call.Step, Call: call.Call, Digest: v.Reason})
		b.g.Join(graph.Informed, n, call)
	}
}

// seed is what the call gets as its seed, if its action takes one.
func (b *builder) seed(c record.Call) *uint64 {
	if b.study == nil || c.Spec.IsZero() {
		return nil
	}
	return b.study.Study.SeedOf(b.action(c.Spec), c.ID, c.Seed)
}

// action reads an action's formal schema. One that can't be read takes no seed, and the
// audit names it as missing.
func (b *builder) action(spec canon.Digest) *schemas.Action {
	if a := b.actions[spec]; a != nil {
		return a
	}
	a := &schemas.Action{}
	raw, err := store.Read(b.ctx, b.e.Store, spec, record.MaxContent)
	if err == nil {
		err = json.Unmarshal(raw, a)
	}
	if err != nil {
		b.lacks("run", 0, fmt.Errorf("the schema of an action: %w", err))
	}
	b.actions[spec] = a
	return a
}

// uses remembers data edges: their sources may run later.
func (b *builder) uses(n *graph.Node, all []record.Use, branch string, c *call) {
	for _, u := range all {
		b.pending = append(b.pending, pending{from: n, use: u, branch: branch, call: c})
	}
}

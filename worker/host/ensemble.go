package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rlam/internal/canon"
	"rlam/internal/design"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// MaxMembers bounds the members of an ensemble: what is known of all of them must fit into
// one payload of the ensemble's workflow.
const MaxMembers = 5000

// EnsembleOptions say what an ensemble is of.
type EnsembleOptions struct {
	LaunchOptions
	Design   *design.Design
	Repeats  int // of each point, with seeds of their own; 0: each once, with the study's seed there
	Parallel int // members that are under way at once, at most
}

// LaunchEnsemble puts an ensemble on record and starts it. No member is on record before
// it begins.
func LaunchEnsemble(ctx context.Context, c client.Client, s store.Store, base *schemas.LoadedStudy, o EnsembleOptions) (client.WorkflowRun, error) {
	if err := Vacant(ctx, c, o.ID); err != nil {
		return nil, err
	}
	b := newBeginning(ctx, s, base)
	e, err := (&designing{base: base, o: o, b: b}).all(c)
	if err != nil {
		return nil, err
	}
	e.ID, e.Engine, e.Started = o.ID, "rlam "+Version, journal.Time(time.Now())
	d, blob, err := record.Encode(e)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.Commit(ctx, store.Batch{Blobs: append(b.blobs, blob), Entries: []store.Entry{
		{Key: record.EnsembleKey(*e), Value: []byte(d.String())},
	}}); err != nil {
		return nil, fmt.Errorf("writing the ensemble's record: %w", err)
	}
	in := workflows.EnsembleInput{Ensemble: d, Head: d, Ended: []workflows.MemberEnd{}}
	for n := range e.Members {
		in.Todo = append(in.Todo, workflows.MemberGo{N: n + 1, Go: 1})
	}
	return startEnsemble(ctx, c, e, in, o, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE)
}

func startEnsemble(ctx context.Context, c client.Client, e *record.Ensemble, in workflows.EnsembleInput, o EnsembleOptions, reuse enumspb.WorkflowIdReusePolicy) (client.WorkflowRun, error) {
	dir, err := filepath.Abs(o.StoreDir)
	if err != nil {
		return nil, err
	}
	in.Title, in.Store, in.SearchAttributes, in.Parallel = record.Preview(e.Title), dir, o.SearchAttributes, o.Parallel
	opts := client.StartWorkflowOptions{
		ID: e.ID, TaskQueue: o.TaskQueue, WorkflowIDReusePolicy: reuse, WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary: clip(fmt.Sprintf("%s: ensemble of %d", e.Title, len(e.Members)), 200),
		Memo:          map[string]any{MemoStore: dir, MemoEnsemble: in.Ensemble.String()},
	}
	if o.SearchAttributes {
		opts.TypedSearchAttributes = temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(workflows.StudyAttribute).ValueSet(clip(e.Title, 200)),
			temporal.NewSearchAttributeKeyKeyword(workflows.StatusAttribute).ValueSet("running"),
		)
	}
	run, err := c.ExecuteWorkflow(ctx, opts, workflows.EnsembleName, in)
	var taken *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &taken) {
		return nil, &TakenError{ID: e.ID}
	}
	if err != nil {
		return nil, fmt.Errorf("starting ensemble %q: %w", e.ID, err)
	}
	return run, nil
}

func newBeginning(ctx context.Context, s store.Store, study *schemas.LoadedStudy) *beginning {
	return &beginning{ctx: ctx, store: s, dir: filepath.Dir(study.Path)}
}

// designing makes the record of an ensemble.
type designing struct {
	base *schemas.LoadedStudy
	o    EnsembleOptions
	b    *beginning

	vary    *varier
	draft   *record.Run               // of the study before anything is varied
	actions map[string]*schemas.Bound // that its plan may call
}

// all pins what each member is to be. What the design doesn't touch is pinned once.
func (g *designing) all(c client.Client) (*record.Ensemble, error) {
	d := g.o.Design
	if n := len(d.Points) * max(g.o.Repeats, 1); n > MaxMembers {
		return nil, fmt.Errorf("the design has %d members (%d points, each %d times), and an ensemble has at most %d: divide it", n, len(d.Points), max(g.o.Repeats, 1), MaxMembers)
	}
	var err error
	if g.vary, err = newVarier(g.base, d); err != nil {
		return nil, err
	}
	if g.draft, err = g.b.draft(g.base, BeginOptions{Actions: g.o.Actions, Plan: g.o.Plan, Client: c}); err != nil {
		return nil, err
	}
	registry, err := schemas.NewRegistry()
	if err != nil {
		return nil, err
	}
	g.actions, _ = registry.Resolve(g.base, g.o.Actions...) // the draft has them: there is no problem
	e := &record.Ensemble{
		Kind: record.KindEnsemble, Title: g.base.Study.Title, Study: g.draft.Study, Paths: append([]string{}, d.Paths...), Repeats: g.o.Repeats,
	}
	for i := range d.Points {
		members, err := g.point(i, c)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			m.ID = record.MemberID(len(e.Members) + 1)
			e.Members = append(e.Members, m)
		}
	}
	return e, nil
}

// point pins the members at a point of the design.
func (g *designing) point(i int, c client.Client) ([]record.EnsembleMember, error) {
	at, err := g.vary.at(i)
	if err != nil {
		return nil, err
	}
	run := *g.draft
	if err := g.pin(&run, at, c); err != nil {
		return nil, &PointError{i, g.vary.blame(err), err}
	}
	if g.o.Repeats == 0 {
		m, err := g.member(run, at.study, i, 0)
		return []record.EnsembleMember{m}, err
	}
	var members []record.EnsembleMember
	for r := 1; r <= g.o.Repeats; r++ {
		seed, _ := json.Marshal(design.Seed(at.study.Study.Seed, g.o.Design.Paths, g.o.Design.Points[i], r)) // a number always can be
		study, err := WithChanges(at.study, map[string]json.RawMessage{"/seed": seed})
		if err != nil {
			return nil, &PointError{i, -1, err}
		}
		m, err := g.member(run, study, i, r)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// pin pins anew what the design touches.
func (g *designing) pin(run *record.Run, at varied, c client.Client) (err error) {
	actions := g.actions
	if g.vary.touches("actions") {
		if err := g.b.actions(run, at.study, g.o.Actions); err != nil {
			return err
		}
		actions = nil
	}
	if g.vary.touches("planner") {
		run.Planner, run.Models = g.b.planner(at.study.Study.Planner, at.plan)
		if g.b.err != nil {
			return g.b.err
		}
	}
	if at.study.Study.Planner.Plan != "" && (at.plan != nil || g.vary.touches("planner")) {
		file, text, err := at.planText()
		if err != nil {
			return err
		}
		if problems := schemas.CheckPlanText(file, text, actions); len(problems) > 0 {
			return problems
		}
	}
	if g.vary.touches("inputs") {
		run.Inputs, err = g.b.inputs(at.study, c)
	}
	return err
}

func (g *designing) member(run record.Run, study *schemas.LoadedStudy, point, repeat int) (record.EnsembleMember, error) {
	run.Study = g.b.blob(study.JSON)
	text, err := canon.Marshal(run)
	if err != nil {
		return record.EnsembleMember{}, err
	}
	return record.EnsembleMember{
		Values: slices.Clone(g.o.Design.Points[point]), Repeat: repeat, Seed: study.Study.Seed, Run: g.b.blob(text),
	}, nil
}

// UnderWayError says that members of a closed ensemble go on by themselves.
type UnderWayError struct{ Runs []string }

func (e *UnderWayError) Error() string {
	return fmt.Sprintf("the ensemble was terminated, and %d of its members have not ended yet (%s, …): wait until they have sealed their records, or end them by starter cancel", len(e.Runs), e.Runs[0])
}

// Missing are the members of a closed ensemble that have not begun, or were cut off, each
// with the go that it begins next; and those that have ended for good.
func (r *Roster) Missing(ctx context.Context, s store.Store) (todo []workflows.MemberGo, ended []workflows.MemberEnd, err error) {
	begun, err := r.begun(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var running []string
	ended = []workflows.MemberEnd{}
	for i, m := range r.Members {
		n := i + 1
		switch {
		case m.Status == MemberRunning:
			running = append(running, m.RunID)
		case m.Status == MemberWaits || m.Status == MemberUnknown || m.Status.CutOff():
			todo = append(todo, workflows.MemberGo{N: n, Go: max(begun[n], m.Go) + 1})
		default:
			ended = append(ended, workflows.MemberEnd{MemberGo: workflows.MemberGo{N: n, Go: m.Go}, Status: m.Status, Head: m.Head})
		}
	}
	if len(running) > 0 {
		return nil, nil, &UnderWayError{running}
	}
	return todo, ended, nil
}

// GoOn starts the workflow of a closed ensemble again, for members that are missing.
func GoOn(ctx context.Context, c client.Client, r *Roster, todo []workflows.MemberGo, ended []workflows.MemberEnd, o EnsembleOptions) (client.WorkflowRun, error) {
	in := workflows.EnsembleInput{Ensemble: r.Digest, Head: r.Head, Todo: todo, Ended: ended}
	return startEnsemble(ctx, c, r.Record, in, o, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

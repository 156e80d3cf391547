package activities

import (
	"context"
	"fmt"
	"time"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// wholeOutput is the name of the artifact that holds an output too large to show.
const wholeOutput = "output.json"

// pinned is all that a run's record pins, loaded. It is not changed after it was made.
type pinned struct {
	digest      canon.Digest
	record      record.Run
	study       *schemas.LoadedStudy
	secret      record.Secret
	actions     map[string]*schemas.Bound // by name
	inputs      schemas.Source            // the pseudo call "input"
	plan        *schemas.Plan             // of a planner without a model
	scenario    []byte                    // of a scripted one
	system      planner.Message
	tools       []planner.Tool
	toolsDigest canon.Digest
	toolsBlob   []byte
}

// maxPin bounds a pinned file: a study, an action, a scenario or a plan.
const maxPin = 16 << 20

// pinned loads a run's record with all it pins, once.
func (a *Activities) pinned(ctx context.Context, run canon.Digest) (*pinned, error) {
	a.mu.Lock()
	found := a.runs[run]
	a.mu.Unlock()
	if found != nil {
		return found, nil
	}
	p, err := loadPinned(ctx, a.cfg.Store, run)
	if err != nil {
		return nil, fmt.Errorf("loading run %s: %w", run, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.runs) >= maxChains {
		clear(a.runs) // a run that still goes on is read again
	}
	a.runs[run] = p
	return p, nil
}

func loadPinned(ctx context.Context, s store.Store, run canon.Digest) (*pinned, error) {
	p, err := readPinned(ctx, s, run)
	if err != nil {
		return nil, err
	}
	secret, err := s.Entry(ctx, record.SecretKey(run))
	if err != nil {
		return nil, fmt.Errorf("reading the run's secret: %w", err)
	}
	copy(p.secret[:], secret)
	return p, nil
}

// readPinned is loadPinned without the run's secret, which is in no bundle: it is enough
// to judge, and not to record.
func readPinned(ctx context.Context, s store.Store, run canon.Digest) (*pinned, error) {
	p := &pinned{digest: run, actions: map[string]*schemas.Bound{}}
	if err := record.Load(ctx, s, run, &p.record); err != nil {
		return nil, err
	}
	raw, err := store.Read(ctx, s, p.record.Study, maxPin)
	if err != nil {
		return nil, err
	}
	if p.study, err = schemas.ReadStudy(raw); err != nil {
		return nil, err
	}
	var specs []planner.ToolSpec
	for _, pin := range p.record.Actions {
		b, err := loadBound(ctx, s, pin)
		if err != nil {
			return nil, fmt.Errorf("action %s@%s: %w", pin.Name, pin.Version, err)
		}
		p.actions[pin.Name] = b
		specs = append(specs, planner.ToolSpec{Action: pin.Name, Summary: b.Action.Summary, Parameters: p.study.ToolSchema(b)})
	}
	if err := p.loadInputs(); err != nil {
		return nil, err
	}
	return p, p.loadPlanner(ctx, s, specs)
}

func loadBound(ctx context.Context, s store.Store, pin record.Pin) (*schemas.Bound, error) {
	spec, err := store.Read(ctx, s, pin.Spec, maxPin)
	if err != nil {
		return nil, err
	}
	binding, err := store.Read(ctx, s, pin.Binding, maxPin)
	if err != nil {
		return nil, err
	}
	others := make([][]byte, max(0, len(pin.Bindings)-1))
	for i := range others {
		if others[i], err = store.Read(ctx, s, pin.Bindings[i+1], maxPin); err != nil {
			return nil, err
		}
	}
	b, err := schemas.ReadBound(spec, binding, others...)
	if err != nil {
		return nil, err
	}
	// A newer R-LAM may fill in defaults that the record doesn't have: the record's name counts.
	b.Spec, b.Binding = pin.Spec, pin.Binding
	for i := range b.Others {
		b.Others[i].Digest = pin.Bindings[i+1]
	}
	return b, nil
}

func (p *pinned) loadInputs() error {
	handles := map[string]string{}
	for _, in := range p.record.Inputs {
		handles[in.Name] = in.Digest.String()
	}
	output, err := canon.Marshal(handles)
	p.inputs = schemas.Source{Call: schemas.InputSource, Action: schemas.InputSource, Status: schemas.StatusCompleted, Output: output}
	return err
}

func (p *pinned) loadPlanner(ctx context.Context, s store.Store, specs []planner.ToolSpec) (err error) {
	var file []byte
	if !p.record.Planner.IsZero() {
		if file, err = store.Read(ctx, s, p.record.Planner, maxPin); err != nil {
			return err
		}
	}
	pl := p.study.Study.Planner
	switch {
	case pl.Plan != "":
		var problems schemas.Problems
		if p.plan, problems = schemas.ParsePlan(pl.Plan, file); len(problems) > 0 {
			return problems.Err()
		}
		return nil
	case pl.Scripted != "":
		p.scenario = file
	}
	p.tools = planner.Tools(specs, schemas.ResultToolSchema(p.study))
	if p.toolsDigest, p.toolsBlob, err = canon.Of(p.tools); err != nil {
		return err
	}
	inputs := make([]planner.Input, 0, len(p.record.Inputs))
	for _, in := range p.record.Inputs {
		told := planner.Input{Name: in.Name, Description: p.study.Study.Inputs[in.Name].Description, MediaType: in.MediaType, Size: in.Size, Origin: origin(in)}
		if in.Unseen {
			told.Size = planner.SizeUnknown
		}
		inputs = append(inputs, told)
	}
	p.system, err = planner.System(&p.study.Study, p.tools, inputs)
	return err
}

// bound is the action with this spec and this binding.
func (p *pinned) bound(spec, binding canon.Digest) (*schemas.Bound, error) {
	for _, pin := range p.record.Actions {
		if pin.Spec == spec && pin.Binding == binding {
			return p.actions[pin.Name], nil
		}
	}
	return nil, fmt.Errorf("the run pins no action with spec %s and binding %s", spec, binding)
}

// fullName is NAME@VERSION of an action of the run, and any other name as it is.
func (p *pinned) fullName(action string) string {
	if b := p.actions[action]; b != nil {
		return b.ID()
	}
	return action
}

// seed is what a call of the run gets as its seed; nil of an action that takes none.
func (p *pinned) seed(b *schemas.Bound, call record.Call) *uint64 {
	return p.study.Study.SeedOf(&b.Action, call.ID, call.Seed)
}

// facts are what the gates judge a proposal by.
func (a *Activities) facts(run *pinned, c *chain) schemas.Facts {
	used := schemas.Counters{
		Steps: c.counters.Steps, Calls: c.counters.Calls, Attempts: c.counters.Attempts, Tokens: c.counters.Usage.Total(),
		Money: c.money, Bytes: c.bytes, Repairs: c.counters.Repairs, Elapsed: c.elapsed(time.Now()),
	}
	return schemas.Facts{
		Study: run.study, Actions: run.actions, Sources: c.sources,
		HasArtifact: func(handle string) bool { return c.artifacts[handle] },
		Counters:    used,
	}
}

// Open rebuilds from a chain what the loop needs to go on from its head.
func (a *Activities) Open(ctx context.Context, in workflows.OpenInput) (workflows.State, error) {
	stop := a.heartbeat(ctx)
	defer stop()
	state, err := a.open(ctx, in)
	if err != nil {
		return workflows.State{}, a.trouble(ctx, err)
	}
	return state, nil
}

func (a *Activities) open(ctx context.Context, in workflows.OpenInput) (workflows.State, error) {
	run, err := a.pinned(ctx, in.Run)
	if err != nil {
		return workflows.State{}, err
	}
	c, err := a.chainAt(ctx, run, in.Head)
	if err != nil {
		return workflows.State{}, err
	}
	defer a.chains.put(c)
	study := run.study.Study
	return workflows.State{
		Title: study.Title, Step: c.step, Counters: c.counters, Limits: study.Limits,
		Deadline: c.began.Add(time.Duration(study.Limits.WallTime - c.spent)),
		Retry:    study.Planner.Attempts, Models: run.record.Models, Candidate: c.candidate,
		LastTurn: run.plan == nil,
	}, nil
}

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/schemas"
)

// Version is R-LAM's.
const Version = "0.1.0"

// Begun is a run that is on record and can be started.
type Begun struct {
	Run   canon.Digest
	Study *schemas.LoadedStudy
	Model string // who will be asked first
}

// BeginOptions say how a run departs from its study file.
type BeginOptions struct {
	ID      string // the workflow ID
	Actions []string
	Model   string        // asked instead of the study's planner
	Plan    []byte        // the text of the plan that the study names, where that is no file
	Client  client.Client // asked how another run ended that is an input; else the store's archived histories tell
}

// Begin pins everything that a run of a loaded study depends on, and writes the run's
// record. Nothing is executed. dir is what the study's paths are relative to.
func Begin(ctx context.Context, s store.Store, study *schemas.LoadedStudy, o BeginOptions) (*Begun, error) {
	b := newBeginning(ctx, s, study)
	run, err := b.draft(study, o)
	if err != nil {
		return nil, err
	}
	run.ID, run.Engine, run.Started = o.ID, "rlam "+Version, journal.Time(time.Now())
	d, err := b.write(run)
	if err != nil {
		return nil, err
	}
	return &Begun{Run: d, Study: study, Model: run.Models[0]}, nil
}

// draft is the record of a run that has no id yet and has not begun.
func (b *beginning) draft(study *schemas.LoadedStudy, o BeginOptions) (*record.Run, error) {
	run := &record.Run{Kind: record.KindRun, Study: b.blob(study.JSON), Gates: gates()}
	if err := b.actions(run, study, o.Actions); err != nil {
		return nil, err
	}
	run.Planner, run.Models = b.planner(study.Study.Planner, o.Plan)
	var err error
	run.Inputs, err = b.inputs(study, o.Client)
	return run, err
}

// actions pins those that a study lists, and those that are added to it.
func (b *beginning) actions(run *record.Run, study *schemas.LoadedStudy, more []string) error {
	registry, err := schemas.NewRegistry()
	if err != nil {
		return err
	}
	actions, problems := registry.Resolve(study, more...)
	if len(problems) > 0 {
		return problems.Err()
	}
	run.Actions = []record.Pin{}
	for _, name := range sorted(actions) {
		a := actions[name]
		run.Actions = append(run.Actions, b.pin(a))
		for _, file := range sorted(a.Content) {
			b.blob(a.Content[file])
		}
	}
	return nil
}

// gates are those of this build.
func gates() []record.Gate {
	versions := schemas.GateVersions()
	all := make([]record.Gate, 0, len(versions))
	for _, name := range sorted(versions) {
		all = append(all, record.Gate{Name: name, Version: versions[name]})
	}
	return all
}

// beginning collects what a run pins, and keeps the first error.
type beginning struct {
	ctx   context.Context
	store store.Store
	dir   string
	blobs [][]byte
	err   error
}

func (b *beginning) blob(content []byte) canon.Digest {
	b.blobs = append(b.blobs, content)
	return canon.Sum(content)
}

// pin keeps an action: its spec, and all its bindings.
func (b *beginning) pin(a *schemas.Bound) record.Pin {
	p := record.Pin{Name: a.Action.Name, Version: a.Action.Version, Spec: b.blob(a.SpecJSON), Binding: b.blob(a.BindingJSON)}
	if len(a.Others) == 0 {
		return p
	}
	p.Bindings = []canon.Digest{p.Binding}
	for _, other := range a.Others {
		p.Bindings = append(p.Bindings, b.blob(other.JSON))
	}
	return p
}

// write puts a run's record into the store, with a secret of its own and all that it pins.
func (b *beginning) write(run *record.Run) (canon.Digest, error) {
	d, blob, err := record.Encode(run)
	if err != nil {
		return d, err
	}
	secret := record.NewSecret()
	_, _, err = b.store.Commit(b.ctx, store.Batch{Blobs: append(b.blobs, blob), Entries: []store.Entry{
		{Key: record.SecretKey(d), Value: secret[:]},
		{Key: record.RunKey(*run), Value: []byte(d.String())},
	}})
	if err != nil {
		return d, fmt.Errorf("writing the run's record: %w", err)
	}
	return d, nil
}

func (b *beginning) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.dir, name)
}

// inputs resolves the study's inputs. It comes last: before anything of them is
// stored, all that is cheaper to find wrong was found.
func (b *beginning) inputs(study *schemas.LoadedStudy, c client.Client) ([]record.Input, error) {
	r := &resolver{ctx: b.ctx, store: b.store, client: c, dir: b.dir, keep: b.err == nil}
	inputs, problems, err := r.all(study)
	b.blobs = append(b.blobs, r.blobs...)
	return inputs, errors.Join(problems.Err(), err, b.err)
}

// planner pins the planner's file, and says who is asked. A plan that is given stands for
// the file.
func (b *beginning) planner(p schemas.Planner, plan []byte) (canon.Digest, []string) {
	name := p.Plan + p.Scripted // at most one of them is set
	if name == "" {
		if p.Model == "" {
			b.err = errors.Join(b.err, errors.New("the study names no model: add planner: {model: NAME} to it, or run it with --model NAME"))
			return canon.Digest{}, []string{""}
		}
		return canon.Digest{}, append([]string{p.Model}, p.Fallbacks...)
	}
	text, err := plan, error(nil)
	if plan == nil {
		text, err = os.ReadFile(b.path(name))
	}
	if err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("reading the planner's file: %w", err))
		return canon.Digest{}, []string{""}
	}
	if p.Plan != "" {
		if _, problems := schemas.ParsePlan(b.path(name), text); len(problems) > 0 {
			b.err = errors.Join(b.err, problems.Err())
		}
		return b.blob(text), []string{planner.PlanModel}
	}
	scenario, err := scripted.Load(text)
	if err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("reading the scenario %q: %w", name, err))
		return canon.Digest{}, []string{""}
	}
	return b.blob(text), []string{scenario.Model()}
}

// mediaType goes by the file's name, the same on every machine.
func mediaType(file string) string {
	switch ext := filepath.Ext(file); ext {
	case ".csv":
		return "text/csv"
	case ".tsv":
		return "text/tab-separated-values"
	case ".txt", ".dat", ".md", ".log":
		return "text/plain"
	case ".json":
		return "application/json"
	case ".yaml", ".yml":
		return "application/yaml"
	case ".png", ".jpg", ".jpeg", ".svg", ".pdf":
		t, _, _ := mime.ParseMediaType(mime.TypeByExtension(ext))
		return t
	}
	return "application/octet-stream"
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// WithModel is a loaded study with a model to ask in place of its planner.
func WithModel(study *schemas.LoadedStudy, name string) (*schemas.LoadedStudy, error) {
	p := study.Study.Planner
	p.Model, p.Scripted, p.Plan, p.Fallbacks = name, "", "", nil
	planner, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return WithChanges(study, map[string]json.RawMessage{"/planner": planner})
}

// WithChanges is a loaded study with members replaced, checked again as a whole:
// set holds JSON pointers and the JSON values to put there.
func WithChanges(study *schemas.LoadedStudy, set map[string]json.RawMessage) (*schemas.LoadedStudy, error) {
	if len(set) == 0 {
		return study, nil
	}
	var doc any
	if err := json.Unmarshal(study.JSON, &doc); err != nil {
		return nil, err
	}
	for _, pointer := range sorted(set) {
		var v any
		if err := json.Unmarshal(set[pointer], &v); err != nil {
			return nil, fmt.Errorf("setting %q: %w", pointer, err)
		}
		var err error
		if doc, err = replace(doc, pointer, v); err != nil {
			return nil, fmt.Errorf("setting %q: %w", pointer, err)
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	changed, problems := schemas.ParseStudy(study.Path, text)
	if len(problems) > 0 {
		return nil, problems.Err()
	}
	return changed, nil
}

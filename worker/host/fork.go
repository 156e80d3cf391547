package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rlam/activities"
	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// ForkOptions say where a fork leaves the run that it continues, and in what it departs
// from it.
type ForkOptions struct {
	ID      string       // the fork's workflow ID
	Head    canon.Digest // the newest record of the run that is forked
	At      int          // the steps before it are kept; 0 leaves it to the changes, which name calls
	End     bool         // all steps are kept
	Changes change.Changes
	// Recorded has the steps that are on record from there on carried out once more, with
	// the changes and without a planner.
	Recorded bool
	Trial    bool  // everything is checked, and nothing written
	Trust    Trust // of a run that was imported: by what right its bindings are executed
}

// Forked is a fork that is on record and can be started.
type Forked struct {
	Begun
	ID   string // its workflow ID
	From string // the workflow ID of the run that it continues
	Step int    // its first own step
}

// ChangeError says that a run can't be forked like this, and what is nearest to it.
type ChangeError struct {
	What, Nearest string
	Refused       bool // by a gate, or by what an action promises of its output
}

func (e *ChangeError) Error() string {
	if e.Nearest == "" {
		return e.What
	}
	return e.What + "; did you mean " + e.Nearest + "?"
}

func impossible(format string, args ...any) error {
	return &ChangeError{What: fmt.Sprintf(format, args...)}
}

// Fork writes the record of a run that continues another one from a point of its chain.
// What the other run pinned is pinned again by digest, but for what is changed; no file
// of it is read. Nothing is executed, and a fork that would be stopped at once isn't
// written: the error is a [*ChangeError] or schemas.Problems.
func Fork(ctx context.Context, s store.Store, origin canon.Digest, o ForkOptions) (*Forked, error) {
	links, err := record.Lineage(ctx, s, o.Head)
	if err != nil {
		return nil, err
	}
	f := &forking{ctx: ctx, store: s, o: o, secret: record.NewSecret(), past: readPast(links)}
	if err := record.Load(ctx, s, origin, &f.run); err != nil {
		return nil, err
	}
	if err := CheckTrust(ctx, s, ListedRun{Digest: origin, Record: &f.run}, o.Trust); err != nil {
		return nil, err
	}
	from := f.run.ID
	if err := f.part(); err != nil {
		return nil, err
	}
	if err := f.change(); err != nil {
		return nil, err
	}
	f.run.ID, f.run.Engine, f.run.Started = o.ID, "rlam "+Version, journal.Time(time.Now())
	f.run.Gates, f.run.Ensemble = gates(), nil // a fork of a member is none
	d, err := f.write()
	if err != nil {
		return nil, err
	}
	return &Forked{ID: o.ID, Begun: Begun{Run: d, Study: f.study, Model: f.run.Models[0]}, From: from, Step: f.first}, nil
}

// forking makes the record of a fork out of that of the run it continues.
type forking struct {
	ctx     context.Context
	store   store.Store
	o       ForkOptions
	secret  record.Secret
	past    past
	run     record.Run
	study   *schemas.LoadedStudy
	changes record.Changes
	first   int // own step
	blobs   [][]byte
}

// content keeps a value that a person gave.
func (f *forking) content(v any) (canon.Digest, error) {
	ref, blob, err := f.secret.Content(v)
	f.blobs = append(f.blobs, blob)
	return ref.Digest, err
}

// change pins what the changes make of the run.
func (f *forking) change() error {
	raw, err := store.Read(f.ctx, f.store, f.run.Study, record.MaxContent)
	if err != nil {
		return err
	}
	if f.study, err = schemas.ReadStudy(raw); err != nil {
		return err
	}
	ch := f.o.Changes
	if f.o.Recorded && (ch.Model != "" || ch.Instruct != "") {
		return impossible("with --planner recorded nobody is asked: leave out --model and --instruct, or ask with --planner live")
	}
	set, err := f.members(ch)
	if err != nil {
		return err
	}
	if len(set) > 0 {
		if f.study, err = WithChanges(f.study, set); err != nil {
			return f.flagged(err)
		}
	}
	if ch.Model != "" {
		if f.study, err = WithModel(f.study, ch.Model); err != nil {
			return err
		}
		f.changes.Model, f.run.Planner, f.run.Models = ch.Model, canon.Digest{}, []string{ch.Model}
	}
	if len(set) > 0 || ch.Model != "" {
		f.blobs = append(f.blobs, f.study.JSON)
		f.run.Study = canon.Sum(f.study.JSON)
	}
	if ch.Instruct != "" {
		if f.changes.Instruct, err = f.content(ch.Instruct); err != nil {
			return err
		}
	}
	if err := f.drop(ch.Drop); err != nil {
		return err
	}
	return f.inputs(ch.Inputs)
}

// flagged tells what is wrong with the changed study by the flag that made it so.
func (f *forking) flagged(err error) error {
	var problems schemas.Problems
	if !errors.As(err, &problems) {
		return err
	}
	p := problems[0]
	flag, at := "", strings.Split(p.Pointer, "/")
	if len(at) > 1 {
		flag = at[1]
	}
	switch flag {
	case "limits":
		flag = "--limits " + strings.Join(at[2:], ".")
	case "policy":
		flag = "--policy " + f.o.Changes.Policy + ": " + strings.Join(at[2:], "/")
	case "inputs":
		flag = "--input " + strings.Join(at[2:], "/")
	default:
		flag = "--" + flag
	}
	p.File, p.Line, p.Pointer = strings.TrimRight(flag, " :"), 0, ""
	return &ChangeError{What: p.Error()}
}

// members are those of the study that other values go into, by JSON pointer.
func (f *forking) members(ch change.Changes) (map[string]json.RawMessage, error) {
	set := map[string]json.RawMessage{}
	for _, l := range ch.Limits {
		set["/limits/"+l.Member] = l.Value
		f.changes.Limits = append(f.changes.Limits, l.Member)
	}
	if ch.Seed != nil {
		f.changes.Seed = ch.Seed
		set["/seed"], _ = json.Marshal(*ch.Seed) // a number always can be
	}
	if ch.Policy != "" {
		text, err := os.ReadFile(ch.Policy)
		if err != nil {
			return nil, impossible("the policy can't be read: %v", err)
		}
		policy, problems := schemas.ReadDocument(ch.Policy, text)
		if len(problems) > 0 {
			return nil, problems
		}
		f.changes.Policy, set["/policy"] = true, policy
	}
	for _, in := range ch.Inputs {
		was, is := f.study.Study.Inputs[in.Name]
		if !is {
			names := sorted(f.study.Study.Inputs)
			return nil, &ChangeError{What: fmt.Sprintf("the study has no input %q (it has %q)", in.Name, names), Nearest: schemas.Nearest(in.Name, names)}
		}
		path, err := filepath.Abs(in.File)
		if err != nil {
			return nil, err
		}
		member, err := json.Marshal(schemas.Input{File: path, Keep: was.Keep, Description: was.Description})
		if err != nil {
			return nil, err
		}
		set["/inputs/"+in.Name] = member
	}
	return set, nil
}

// drop takes actions out of what the run may use.
func (f *forking) drop(names []string) error {
	var all []string
	for _, pin := range f.run.Actions {
		all = append(all, pin.Name)
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return &ChangeError{What: fmt.Sprintf("the run may not use an action %q (it may use %q)", name, all), Nearest: schemas.Nearest(name, all)}
		}
		f.run.Actions = slices.DeleteFunc(f.run.Actions, func(p record.Pin) bool { return p.Name == name })
	}
	f.changes.Drop = names
	return nil
}

// inputs takes in the data of those inputs that are changed. It comes last: it stores files.
func (f *forking) inputs(changed []change.Input) error {
	r := &resolver{ctx: f.ctx, store: f.store, keep: !f.o.Trial, hash: true}
	for _, c := range changed {
		in, err := r.input(c.Name, f.study.Study.Inputs[c.Name])
		if p := (schemas.Problem{}); errors.As(err, &p) {
			return impossible("the input %q can't be changed: %s", c.Name, p.Message)
		}
		if err != nil {
			return err
		}
		i := slices.IndexFunc(f.run.Inputs, func(old record.Input) bool { return old.Name == c.Name })
		if i < 0 {
			return fmt.Errorf("the run's record has no input %q, and its study has", c.Name)
		}
		f.run.Inputs[i] = in
		f.changes.Inputs = append(f.changes.Inputs, c.Name)
	}
	f.blobs = append(f.blobs, r.blobs...)
	return nil
}

// write rehearses the fork on a store that forgets, and then puts it on record.
func (f *forking) write() (canon.Digest, error) {
	if changed, _, err := canon.Of(f.changes); err != nil {
		return canon.Digest{}, err
	} else if none, _, _ := canon.Of(record.Changes{}); changed != none {
		f.run.Changes = &f.changes
	}
	d, blob, err := record.Encode(&f.run)
	if err != nil {
		return canon.Digest{}, err
	}
	batch := store.Batch{Blobs: append(f.blobs, blob), Entries: []store.Entry{
		{Key: record.SecretKey(d), Value: f.secret[:]},
		{Key: record.RunKey(f.run), Value: []byte(d.String())},
	}}
	trial := &rehearsal{Store: f.store}
	if _, _, err := trial.Commit(f.ctx, batch); err != nil {
		return canon.Digest{}, err
	}
	if err := activities.Rehearse(f.ctx, trial, d); err != nil {
		return canon.Digest{}, refusal(err)
	}
	if f.o.Trial {
		return d, nil
	}
	if _, _, err := f.store.Commit(f.ctx, batch); err != nil {
		return canon.Digest{}, fmt.Errorf("writing the fork's record: %w", err)
	}
	return d, nil
}

// refusal makes of what stops a fork at once an error of the change that asks for it.
func refusal(err error) error {
	var none *change.NoPlaceError
	var refused *activities.RefusedError
	var breach *schemas.Breach
	var stopped *activities.StoppedError
	switch {
	case errors.As(err, &none):
		e := &ChangeError{What: err.Error(), Nearest: schemas.Nearest(none.Pointer, none.Have)}
		if len(none.Have) > 0 {
			e.What += fmt.Sprintf(" (there is %q)", none.Have[:min(len(none.Have), 20)])
		}
		return e
	case errors.As(err, &refused), errors.As(err, &breach):
		return &ChangeError{What: err.Error(), Refused: true}
	case errors.As(err, &stopped):
		return &ChangeError{What: err.Error()}
	}
	return err
}

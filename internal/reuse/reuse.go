// Package reuse finds executions whose outcome answers a call, so that it need not be
// executed again, and says of two executions in what they differ.
//
// Two executions come to the same if their action is of class bitwise and these are equal:
// the action's formal schema, the binding that ran, the parameters (the artifacts among
// them by their digests), the seed, and the identity of the environment ([Components]).
// [Components.Key] is the name of all of them together.
//
// An execution that completed is entered under its key in the commit that has its outcome,
// so that looking it up reads a handful of entries whatever the store holds:
//
//	reuse/<action>/<key>.any.<n>        of any run
//	reuse/<action>/<key and run>.run.<n>  of one run
//
// <action> is the digest of the action's name, which keeps what [Index.Of] lists together.
// Numbers begin with 1; a second is written only where the execution that the first one
// names can't be read any more. An entry is an [Entry] as canonical JSON. Digests of
// parameters in it have no salt, so entries stay in the store and belong into no bundle.
// Executions of an R-LAM that knew no index are in none: they answer nothing.
package reuse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// Components are what two executions must share for one to stand in for the other.
type Components struct {
	Spec     canon.Digest `json:"spec"`           // the action's formal schema
	Binding  canon.Digest `json:"binding"`        // that ran
	Params   canon.Digest `json:"params"`         // of the canonical JSON, without salt
	Seed     *uint64      `json:"seed,omitempty"` // of a seeded action
	Identity canon.Digest `json:"identity"`       // of the environment
}

// Key names all components together.
func (c Components) Key() canon.Digest {
	seed := "none"
	if c.Seed != nil {
		seed = strconv.FormatUint(*c.Seed, 10)
	}
	return canon.Key("rlam.reuse.v1", c.Spec.String(), c.Binding.String(), c.Params.String(), seed, c.Identity.String())
}

// The names of components, as [Components.Differing] gives them.
const (
	Spec     = "spec"
	Binding  = "binding"
	Params   = "params"
	Seed     = "seed"
	Identity = "environment"
)

// Differing names the components that two executions don't share, in the order of the
// members of Components.
func (c Components) Differing(o Components) []string {
	differing := []string{}
	for _, one := range []struct {
		name string
		same bool
	}{
		{Spec, c.Spec == o.Spec},
		{Binding, c.Binding == o.Binding},
		{Params, c.Params == o.Params},
		{Seed, c.Seed == nil && o.Seed == nil || c.Seed != nil && o.Seed != nil && *c.Seed == *o.Seed},
		{Identity, c.Identity == o.Identity},
	} {
		if !one.same {
			differing = append(differing, one.name)
		}
	}
	return differing
}

// Entry is an execution that completed, in the index.
type Entry struct {
	record.Reused
	Components Components `json:"components"`
	// Given and Environment have what two of the components name: the content that holds
	// the parameters, and the blob of the environment.
	Given       canon.Digest `json:"given"`
	Environment canon.Digest `json:"environment"`
}

// Index is the executions of a store that can answer.
type Index struct{ Store store.Store }

// Found is what the index has under a key.
type Found struct {
	Entries []Entry // those of the runs that were asked for, in their order; then of any run

	action   string
	own, any int // entries there are, of the first run and of any
}

// Find looks up the executions of an action, by its name without a version, under a key:
// those of runs, of which the first is the one that asks, and if anywhere is set those of
// every run of the store.
func (x Index) Find(ctx context.Context, action string, key canon.Digest, runs []canon.Digest, anywhere bool) (Found, error) {
	f := Found{action: action}
	for i, run := range runs {
		n, err := x.read(ctx, &f, func(n int) string { return runEntry(action, key, run, n) })
		if err != nil {
			return f, err
		}
		if i == 0 {
			f.own = n
		}
	}
	if !anywhere {
		return f, nil
	}
	var err error
	f.any, err = x.read(ctx, &f, func(n int) string { return anyEntry(action, key, n) })
	return f, err
}

// read adds the entries of one series, and returns how many it has.
func (x Index) read(ctx context.Context, f *Found, name func(n int) string) (int, error) {
	for n := 1; ; n++ {
		var e Entry
		err := x.entry(ctx, name(n), &e)
		var corrupt *store.CorruptError
		switch {
		case errors.Is(err, store.ErrNotFound):
			return n - 1, nil
		case errors.As(err, &corrupt): // it answers nothing, and the next may
		case err != nil:
			return 0, err
		default:
			f.add(e)
		}
	}
}

// add leaves out what is there already: an execution is entered twice.
func (f *Found) add(e Entry) {
	for _, old := range f.Entries {
		if old.Reused == e.Reused {
			return
		}
	}
	f.Entries = append(f.Entries, e)
}

func (x Index) entry(ctx context.Context, name string, e *Entry) error {
	b, err := x.Store.Entry(ctx, name)
	if err == nil {
		err = json.Unmarshal(b, e)
	}
	if err != nil {
		return fmt.Errorf("reading the entry %q of the index of reuse: %w", name, err)
	}
	return nil
}

// With is what is to be committed for e to be found: by run, and if executed is set by every
// other run too. An execution that answered run is found by run already, where it is its own.
func (f Found) With(e Entry, run canon.Digest, executed bool) ([]store.Entry, error) {
	value, err := canon.Marshal(e)
	if err != nil {
		return nil, err
	}
	entries := []store.Entry{{Key: runEntry(f.action, e.Key, run, f.own+1), Value: value}}
	if executed {
		entries = append(entries, store.Entry{Key: anyEntry(f.action, e.Key, f.any+1), Value: value})
	}
	return entries, nil
}

// Of lists all executions of an action in the index, by its name without a version, in no
// particular order. It reads as many entries as there are.
func (x Index) Of(ctx context.Context, action string) ([]Entry, error) {
	var all []Entry
	seen := map[record.Reused]bool{} // by a run that executed it, and by those that it answered
	for name, err := range x.Store.List(ctx, folder(action)+"/") {
		if err != nil {
			return nil, fmt.Errorf("listing the index of reuse: %w", err)
		}
		if !strings.Contains(name, ".run.") {
			continue
		}
		var e Entry
		var corrupt *store.CorruptError
		if err := x.entry(ctx, name, &e); errors.As(err, &corrupt) {
			continue
		} else if err != nil {
			return nil, err
		}
		if !seen[e.Reused] {
			seen[e.Reused] = true
			all = append(all, e)
		}
	}
	return all, nil
}

func folder(action string) string { return "reuse/" + canon.Key("rlam.reuse.action.v1", action).Hex() }

func runEntry(action string, key, run canon.Digest, n int) string {
	return fmt.Sprintf("%s/%s.run.%d", folder(action), canon.Key("rlam.reuse.run.v1", key.String(), run.String()).Hex(), n)
}

func anyEntry(action string, key canon.Digest, n int) string {
	return fmt.Sprintf("%s/%s.any.%d", folder(action), key.Hex(), n)
}

// Ancestry is a run and those it was forked from, itself first and its oldest ancestor last.
// A chain that the store doesn't have to its beginning ends the ancestry.
func Ancestry(ctx context.Context, s store.Store, run canon.Digest, parent canon.Digest) ([]canon.Digest, error) {
	all := []canon.Digest{run}
	for d := parent; !d.IsZero(); {
		rec, err := record.LoadAny(ctx, s, d)
		if errors.Is(err, store.ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the runs that run %s was forked from: %w", run, err)
		}
		if _, is := rec.(*record.Run); is {
			all = append(all, d)
		}
		d = record.Parent(rec)
	}
	return all, nil
}

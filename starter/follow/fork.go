package follow

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// Fork says of what run a run is a fork, and in what it departs from it.
type Fork struct {
	From    string       `json:"run"`
	Record  canon.Digest `json:"record"` // of that run
	Parent  canon.Digest `json:"parent"` // its last record that is kept
	Step    int          `json:"step"`   // the fork's first own; those before it are kept
	Changes []Change     `json:"changes,omitempty"`
	// Recorded says that no planner is asked: the steps on record are gone through once more.
	Recorded bool `json:"recorded,omitempty"`
}

// Change is one thing that a person changed.
type Change struct {
	What  string `json:"what"` // as it is typed: set 2.1/params/start, limits steps, instruct, …
	Value Value  `json:"value,omitzero"`
}

// fork tells of what a run is a fork; nil of one that is none.
func (c Contents) fork(ctx context.Context, run *record.Run) (*Fork, error) {
	if !run.Fork() {
		return nil, nil
	}
	links, err := record.Lineage(ctx, c.Store, run.Parent)
	if err != nil {
		return nil, err
	}
	f := &Fork{Parent: run.Parent, Step: 1}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Run:
			f.From, f.Record = rec.ID, l.Digest
		case *record.Step:
			f.Step = rec.Index + 1
		}
	}
	if run.Changes != nil {
		f.Recorded = run.Changes.Recorded
		f.Changes, err = c.Changes(ctx, run)
	}
	return f, err
}

// Argument spells a change as it is typed for the command fork, so that a shell takes it
// as it stands: of a file, its digest is in the place of its name.
func (c Change) Argument() string {
	flag, rest, more := strings.Cut(c.What, " ")
	if !more {
		return "--" + flag + " " + quoted(c.Value.text())
	}
	if flag == "drop" {
		return "--drop " + quoted(rest)
	}
	return "--" + flag + " " + quoted(rest+"="+c.Value.text())
}

// text is a value as it is typed: a string as its characters, anything else as JSON.
func (v Value) text() string {
	var s string
	switch {
	case len(v.Value) == 0 && v.Preview == "":
		return "(withheld)"
	case len(v.Value) == 0:
		return v.Preview
	case json.Unmarshal(v.Value, &s) == nil && !json.Valid([]byte(s)):
		return s
	}
	return string(v.Value)
}

// quoted quotes a word for a shell, if it has to be.
func quoted(word string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Changes are what a person changed for a fork. With an error, what can be read is there.
func (c Contents) Changes(ctx context.Context, run *record.Run) ([]Change, error) {
	var out []Change
	ch := run.Changes
	if ch == nil {
		return nil, nil
	}
	for _, e := range ch.Edits {
		out = append(out, Change{What: "set " + e.Call + "/" + e.Part + e.Pointer, Value: c.Value(ctx, record.Ref{Digest: e.Value})})
	}
	plain := func(what string, v any) {
		text, err := json.Marshal(v)
		if err == nil {
			out = append(out, Change{What: what, Value: Value{Value: text}})
		}
	}
	for _, in := range run.Inputs {
		for _, name := range ch.Inputs {
			if in.Name == name {
				plain("input "+name, in.Digest)
			}
		}
	}
	if ch.Model != "" {
		plain("model", ch.Model)
	}
	if !ch.Instruct.IsZero() {
		out = append(out, Change{What: "instruct", Value: c.Value(ctx, record.Ref{Digest: ch.Instruct})})
	}
	if ch.Seed != nil {
		plain("seed", *ch.Seed)
	}
	for _, action := range ch.Drop {
		out = append(out, Change{What: "drop " + action})
	}
	if len(ch.Limits) == 0 && !ch.Policy {
		return out, nil
	}
	study, err := store.Read(ctx, c.Store, run.Study, record.MaxContent)
	if err != nil {
		return out, fmt.Errorf("reading what a fork changed in its study: %w", err)
	}
	for _, member := range ch.Limits {
		v, err := schemas.At(study, "/limits/"+member)
		if err != nil {
			return out, err
		}
		plain("limits "+strings.ReplaceAll(member, "/", "."), v)
	}
	if ch.Policy {
		if v, err := schemas.At(study, "/policy"); err == nil {
			plain("policy", v)
		}
	}
	return out, nil
}

// pinned is a run's record.
func (c Contents) pinned(ctx context.Context, run canon.Digest) (*record.Run, error) {
	if c.Store == nil {
		return nil, errNoStore
	}
	var rec record.Run
	return &rec, record.Load(ctx, c.Store, run, &rec)
}

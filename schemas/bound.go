package schemas

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"rlam/internal/canon"
)

// Pinned is a binding whose files are known by content: what a binding's digest covers.
type Pinned struct {
	Binding
	Digests map[string]canon.Digest `json:"digests,omitempty"` // of Command.Files and templates, by the name written there
}

// Bound is an action with what carries it out, both checked and compiled. It is
// not changed after it was made, and safe for concurrent use.
type Bound struct {
	Action  Action
	Pinned  Pinned            // of several bindings the preferred one
	Others  []Alternative     // the bindings after it, in order of preference; most actions have none
	File    string            // where it was loaded from; empty when it came from a record or from Go code
	Content map[string][]byte // of the command's files, by name; nil when it came from a record

	Spec, Binding         canon.Digest
	SpecJSON, BindingJSON []byte // canonical; Spec and Binding are their digests

	params, returns, loose *Schema // loose: params with references admitted at every value
	pre, post              []*Expression
	facts                  map[string]any // as the variable action of a policy's rules
}

// ID is NAME@VERSION.
func (b *Bound) ID() string { return b.Action.Name + "@" + b.Action.Version }

// LoadAction reads an action file. The action is nil if there are problems.
func LoadAction(path string) (*Bound, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, Problems{{File: path, Message: "opening its folder: " + err.Error()}}
	}
	defer root.Close()
	return ParseAction(path, text, root.FS())
}

// ParseAction is [LoadAction] for a text that has been read; file names it in
// problems. The command's files are read from files, which may be nil if there are none.
func ParseAction(file string, text []byte, files fs.FS) (*Bound, Problems) {
	d := open("action", file, text)
	b := &Bound{File: file}
	d.fill(&b.Action)
	var run struct {
		Run Bindings `json:"run"`
	}
	d.fill(&run)
	b.Action.setDefaults()
	if _, said := d.members["idempotent"]; !said {
		b.Action.Idempotent = b.Action.Effects == EffectsNone || b.Action.Effects == EffectsWorkspace
	}
	d.pin(b, run.Run, files)
	b.prepare(d)
	if len(d.problems) > 0 {
		return nil, d.problems.Sorted()
	}
	if err := b.digest(); err != nil {
		return nil, Problems{{File: file, Message: err.Error()}}
	}
	return b, nil
}

// Bind makes a Bound of a spec and a binding that come from a record or from Go code,
// and of other bindings after the preferred one. Defaults are filled in, except for
// Idempotent.
func Bind(spec Action, binding Pinned, others ...Pinned) (*Bound, error) {
	spec.setDefaults()
	b := &Bound{Action: spec, Pinned: binding}
	run := Bindings{binding.Binding}
	for _, other := range others {
		b.Others = append(b.Others, Alternative{Pinned: other})
		run = append(run, other.Binding)
	}
	raw, err := json.Marshal(struct {
		Action
		Run Bindings `json:"run"`
	}{spec, run})
	if err != nil {
		return nil, fmt.Errorf("binding action %q: %w", spec.Name, err)
	}
	d := open("action", spec.Name+".json", raw)
	b.prepare(d)
	if err := d.problems.Sorted().Err(); err != nil {
		return nil, fmt.Errorf("binding action %q: %w", spec.Name, err)
	}
	if err := b.digest(); err != nil {
		return nil, fmt.Errorf("binding action %q: %w", spec.Name, err)
	}
	return b, nil
}

// ReadBound makes a Bound of recorded JSON: its [Bound.SpecJSON] and the JSON of its
// [Bound.Bindings], in their order.
func ReadBound(spec, binding []byte, others ...[]byte) (*Bound, error) {
	var a Action
	if err := json.Unmarshal(spec, &a); err != nil {
		return nil, fmt.Errorf("reading a recorded spec: %w", err)
	}
	pinned := make([]Pinned, 1+len(others))
	for i, raw := range append([][]byte{binding}, others...) {
		if err := json.Unmarshal(raw, &pinned[i]); err != nil {
			return nil, fmt.Errorf("reading the recorded binding of %q: %w", a.Name, err)
		}
	}
	return Bind(a, pinned[0], pinned[1:]...)
}

func (b *Bound) digest() (err error) {
	if b.Spec, b.SpecJSON, err = canon.Of(b.Action); err != nil {
		return err
	}
	if b.Binding, b.BindingJSON, err = canon.Of(b.Pinned); err != nil {
		return err
	}
	for i := range b.Others {
		if b.Others[i].Digest, b.Others[i].JSON, err = canon.Of(b.Others[i].Pinned); err != nil {
			return err
		}
	}
	return nil
}

// prepare checks what a schema of the file can't say, and compiles.
func (b *Bound) prepare(d *document) {
	a := &b.Action
	if slices.Contains(reservedNames, a.Name) {
		d.refuse("/name", "", "another name", "%q is reserved", a.Name)
	}
	if a.Attempts.Backoff.Max < a.Attempts.Backoff.Initial && !d.spoiled("/attempts") {
		d.refuse("/attempts/backoff", "", "", "the longest wait is shorter than the first")
	}
	d.checkIsolation(*a, b.Bindings())
	b.params, b.returns = d.schema("params"), d.schema("returns")
	d.object("params", b.params)
	if b.params != nil {
		loose, err := Compile(looseSchema(a.Params))
		if err != nil {
			d.refuse("/params", "", "", "references can't be admitted: %v", err)
		}
		b.loose = loose
	}
	d.commands(b)
	d.grades(a.Reproducibility)
	d.remote(b)
	b.pre = d.conditions("preconditions", a.Preconditions, variables{
		"params": rootOf(b.params), "inputs": nil, "seed": fact("seed"), "step": fact("step"), "calls": fact("calls"),
	})
	b.post = d.conditions("postconditions", a.Postconditions, variables{"params": rootOf(b.params), "output": rootOf(b.returns)})
	b.facts = b.actionFacts()
}

func (d *document) grades(r Reproducibility) {
	check := func(at string, g Grade) {
		if toleranced := g.Relative != 0 || g.Absolute != 0; toleranced != (g.Class == Tolerance) && !d.spoiled(at) {
			d.refuse(at, "", `"relative" or "absolute" with class "tolerance", and with no other`, "tolerances and class %q don't go together", g.Class)
		}
	}
	for _, p := range sortedKeys(r.Fields) {
		check(join("/reproducibility/fields", p), r.Fields[p])
		if _, err := tokens(p); err != nil {
			d.refuse(join("/reproducibility/fields", p), "", "", "%v", err)
		}
	}
	for _, name := range sortedKeys(r.Artifacts) {
		check(join("/reproducibility/artifacts", name), r.Artifacts[name])
		if _, err := path.Match(name, ""); err != nil {
			d.refuse(join("/reproducibility/artifacts", name), "", "", "the pattern %q can't be read: %v", name, err)
		}
	}
}

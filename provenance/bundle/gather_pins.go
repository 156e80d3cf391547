package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/internal/tree"
)

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
	if g.add(Blob{Digest: d, Role: RoleBinding, Name: id, Path: dir + name, MediaType: "application/json"}) == nil {
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
	it := g.add(b)
	if it == nil {
		return
	}
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
	if it := g.add(b); it != nil {
		g.folder(it)
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

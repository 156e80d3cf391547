package lineage

import (
	"fmt"
	"slices"
	"strings"

	"rlam/internal/jsonpointer"
	"rlam/provenance/graph"
)

// Target is a thing of a run that somebody asks about.
type Target struct {
	Run     *Run
	Node    *graph.Node
	Pointer string // the part of it that is meant; "" is all
}

// UnknownError says that a run has nothing of a name.
type UnknownError struct {
	Run, Name string
	Known     []string // what could have been meant
}

func (e *UnknownError) Error() string { return fmt.Sprintf("run %q has no %q", e.Run, e.Name) }

// AmbiguousError says that several things have a name.
type AmbiguousError struct {
	Run, Name string
	Of        []string // names that tell them apart
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("run %q has several of the name %q: %s", e.Run, e.Name, strings.Join(e.Of, ", "))
}

// Find finds what a name means, which is one of
//
//	result, result/a/b          the result, or a part of it
//	4.1, 4.1#2                  a call, one of its attempts
//	4.1/fit.png                 an artifact of a call
//	4.1/output/a, 4.1/params/a  a part of what a call gave, or was given
//	fit.png, NAME               an artifact or an input, where only one has the name
//	sha256:…                    what has the digest, or one that begins so
//	input:NAME, output:4.1#1, … a node, by its id
func (r *Run) Find(name string) (Target, error) {
	if n := r.Graph.Node(name); n != nil && n.ID != "result" {
		return Target{r, n, ""}, nil
	}
	head, rest, _ := strings.Cut(name, "/")
	pointer := ""
	if rest != "" {
		pointer = "/" + rest
	}
	if n := r.Graph.Node("result"); n != nil && head == "result" {
		if n.Kind == graph.Value && r.has(n, pointer) {
			return Target{r, n, pointer}, nil
		}
		return Target{}, r.unknown(name)
	}
	if a := r.Graph.Node("attempt:" + head); a != nil && rest == "" {
		return Target{r, a, ""}, nil
	}
	if call := r.Graph.Node("call:" + head); call != nil {
		return r.ofCall(name, call, rest)
	}
	return r.named(name)
}

// has says whether a value has a part, as far as that is known.
func (r *Run) has(n *graph.Node, pointer string) bool {
	if r.Value == nil || pointer == "" {
		return true
	}
	raw := r.Value(n.Digest)
	_, ok := at(raw, pointer)
	return ok || len(raw) == 0
}

// ofCall finds something of a call.
func (r *Run) ofCall(name string, call *graph.Node, rest string) (Target, error) {
	if rest == "" {
		return Target{r, call, ""}, nil
	}
	var made []*graph.Node
	if a := r.decisive(call); a != nil {
		made = r.edges().made[a.ID]
	}
	for _, n := range made {
		if n.Kind == graph.Artifact && n.Name == rest {
			return Target{r, n, ""}, nil
		}
	}
	head, pointer, found := strings.Cut(rest, "/")
	if found {
		pointer = "/" + pointer
	}
	for _, n := range append(made[:len(made):len(made)], r.params(call)) {
		if n != nil && n.Kind == graph.Value && n.Role == head && r.has(n, pointer) {
			return Target{r, n, pointer}, nil
		}
	}
	return Target{}, r.unknown(name)
}

// named finds an artifact or input by its name, or anything by its digest.
func (r *Run) named(name string) (Target, error) {
	hex, isDigest := strings.CutPrefix(name, "sha256:")
	isDigest = isDigest && len(hex) >= 6
	var found []*graph.Node
	for _, n := range r.Graph.Nodes {
		data := n.Kind == graph.Artifact || n.Kind == graph.Value && n.Role != "elsewhere"
		if n.Kind == graph.Artifact && n.Name == name || isDigest && data && strings.HasPrefix(n.Digest.Hex(), strings.TrimSuffix(hex, "…")) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return Target{}, r.unknown(name)
	case 1:
		return Target{r, found[0], ""}, nil
	}
	e := &AmbiguousError{Run: r.ID, Name: name}
	for _, n := range found {
		e.Of = append(e.Of, handy(n))
	}
	return Target{}, e
}

// handy is the name by which a node is asked for.
func handy(n *graph.Node) string {
	if n.Kind == graph.Artifact && n.Call != "" && branch(n.ID) == "" {
		return n.Call + "/" + n.Name
	}
	return n.ID
}

// unknown lists what could have been meant.
func (r *Run) unknown(name string) error {
	e := &UnknownError{Run: r.ID, Name: name}
	for _, n := range r.Graph.Nodes {
		switch {
		case n.Kind == graph.Artifact:
			e.Known = append(e.Known, handy(n), n.Name)
		case n.Kind == graph.Call && n.Call != "":
			e.Known = append(e.Known, n.Call)
		case n.Role == "result":
			e.Known = append(e.Known, n.ID)
			for _, m := range r.members(n) {
				e.Known = append(e.Known, n.ID+"/"+m)
			}
		}
	}
	slices.Sort(e.Known)
	e.Known = slices.Compact(e.Known)
	return e
}

// members are the names of a value's members, if it is an object that can be read.
func (r *Run) members(n *graph.Node) []string {
	if r.Value == nil {
		return nil
	}
	v, _ := decode(r.Value(n.Digest))
	o, _ := v.(map[string]any)
	var names []string
	for name := range o {
		names = append(names, jsonpointer.Escape(name))
	}
	return names
}

// Package crates checks Provenance Run Crates, more strictly than their readers do: it
// holds every line of the profiles (RO-Crate 1.1, Process, Workflow and Provenance Run
// Crate 0.5) that says MUST or SHOULD of what R-LAM writes. It knows nothing of how R-LAM
// writes one. Beside it, read.js has two programs of others read the same crates.
package crates

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Metadata is the name of the file that describes a crate.
const Metadata = "ro-crate-metadata.json"

// Crate is a crate as its metadata describe it.
type Crate struct {
	Entities []Entity
	byID     map[string]Entity
	files    fs.FS
}

// Entity is a node of the graph.
type Entity map[string]any

// Read reads a crate. It is an error if it has no metadata that are JSON-LD, flattened.
func Read(files fs.FS) (*Crate, error) {
	raw, err := fs.ReadFile(files, Metadata)
	if err != nil {
		return nil, fmt.Errorf("reading a crate: %w", err)
	}
	var doc struct {
		Context []any    `json:"@context"`
		Graph   []Entity `json:"@graph"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading a crate: %w", err)
	}
	c := &Crate{Entities: doc.Graph, byID: map[string]Entity{}, files: files}
	for i, want := range []string{"https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"} {
		if i >= len(doc.Context) || doc.Context[i] != want {
			return nil, fmt.Errorf("reading a crate: the contexts are %v, want %q as number %d", doc.Context, want, i+1)
		}
	}
	for _, e := range doc.Graph {
		if c.byID[e.ID()] != nil || e.ID() == "" {
			return nil, fmt.Errorf("reading a crate: %q is there twice, or has no id", e.ID())
		}
		c.byID[e.ID()] = e
	}
	return c, nil
}

// Get is the entity of an id; nil if there is none.
func (c *Crate) Get(id string) Entity { return c.byID[id] }

// ID is the entity's id.
func (e Entity) ID() string { s, _ := e["@id"].(string); return s }

// Text is a member that is a string.
func (e Entity) Text(name string) string { s, _ := e[name].(string); return s }

// Is says whether the entity has a type.
func (e Entity) Is(types ...string) bool {
	return slices.ContainsFunc(list(e["@type"]), func(v any) bool { s, _ := v.(string); return slices.Contains(types, s) })
}

// Refs are the ids that a member refers to.
func (e Entity) Refs(name string) []string {
	var ids []string
	for _, v := range list(e[name]) {
		if o, ok := v.(map[string]any); ok {
			id, _ := o["@id"].(string)
			ids = append(ids, id)
		}
	}
	return ids
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// Problem is a line of a profile that a crate breaks.
type Problem struct{ Rule, Entity, What string }

func (p Problem) String() string { return p.Rule + ": " + p.Entity + ": " + p.What }

// check goes through the rules.
type check struct {
	*Crate
	problems  []Problem
	referrers map[string][]Entity // by member and id
}

// Check is all that a crate breaks; none of one that is sound.
func Check(c *Crate) []Problem {
	k := &check{Crate: c, referrers: map[string][]Entity{}}
	for _, e := range c.Entities {
		for name := range e {
			for _, id := range e.Refs(name) {
				k.referrers[name+" "+id] = append(k.referrers[name+" "+id], e)
			}
		}
	}
	root := k.descriptor()
	if root == nil {
		return k.problems
	}
	k.root(root)
	k.linked()
	for _, e := range c.Entities {
		for _, rule := range []func(Entity){k.entity, k.file, k.workflow, k.software, k.parameter, k.step, k.action, k.control, k.connection, k.value} {
			rule(e)
		}
	}
	return k.problems
}

// want notes a problem unless ok.
func (k *check) want(ok bool, rule string, e Entity, format string, args ...any) {
	if !ok {
		k.problems = append(k.problems, Problem{rule, e.ID(), fmt.Sprintf(format, args...)})
	}
}

// all says whether a member refers to entities of a type, and at least to so many.
func (k *check) all(e Entity, name string, least int, types ...string) bool {
	refs := e.Refs(name)
	if len(refs) < least || len(refs) < len(list(e[name])) {
		return false
	}
	for _, id := range refs {
		if to := k.byID[id]; to == nil || !to.Is(types...) {
			return false
		}
	}
	return true
}

// from are the entities that refer to an id by a member.
func (k *check) from(id, name string) []Entity { return k.referrers[name+" "+id] }

var absolute = regexp.MustCompile(`^https?://[^/]+/`)

func (k *check) descriptor() Entity {
	d := k.byID[Metadata]
	if d == nil {
		k.want(false, "descriptor", Entity{"@id": Metadata}, "there is none")
		return nil
	}
	k.want(d.Is("CreativeWork"), "descriptor-type", d, "it is %v, want a CreativeWork", d["@type"])
	k.want(slices.Equal(d.Refs("about"), []string{"./"}), "descriptor-about", d, "it is about %v", d["about"])
	to := d.Refs("conformsTo")
	k.want(slices.Contains(to, "https://w3id.org/ro/crate/1.1"), "descriptor-version", d, "it conforms to %v, want RO-Crate 1.1", to)
	k.want(slices.Contains(to, "https://w3id.org/workflowhub/workflow-ro-crate/1.0"), "descriptor-workflow", d, "it conforms to %v", to)
	root := k.byID["./"]
	k.want(root != nil && root.Is("Dataset"), "root", d, "there is no Dataset with the id ./")
	return root
}

var date = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)

func (k *check) root(r Entity) {
	for _, name := range []string{"name", "description"} {
		k.want(r.Text(name) != "", "root-"+name, r, "it has no %s", name)
	}
	k.want(date.MatchString(r.Text("datePublished")), "root-date", r, "datePublished is %v", r["datePublished"])
	k.want(k.all(r, "license", 1, "CreativeWork"), "root-license", r, "license is %v, want a CreativeWork", r["license"])
	k.want(k.all(r, "author", 0, "Person", "Organization"), "root-author", r, "author is %v", r["author"])
	for _, profile := range []string{"process", "workflow", "provenance"} {
		id := "https://w3id.org/ro/wfrun/" + profile + "/0.5"
		k.want(slices.Contains(r.Refs("conformsTo"), id), "root-profiles", r, "it doesn't conform to %s", id)
	}
	k.want(k.all(r, "conformsTo", 3, "CreativeWork"), "root-profiles", r, "what it conforms to are no CreativeWorks: %v", r["conformsTo"])
	k.want(k.all(r, "mainEntity", 1, "ComputationalWorkflow"), "main-entity", r, "mainEntity is %v", r["mainEntity"])
	k.want(k.all(r, "hasPart", 1, "File", "Dataset"), "parts", r, "hasPart has what is no data: %v", r["hasPart"])
	for _, e := range k.Entities {
		if e.Is("CreateAction", "ControlAction", "OrganizeAction") {
			k.want(len(k.from(e.ID(), "mentions")) > 0, "mentions", e, "the root doesn't mention it")
		}
		if e.Is("File") {
			k.want(len(k.from(e.ID(), "hasPart")) > 0, "parts", e, "it is a file, and no part of the root")
		}
	}
	readme := k.byID["README.md"]
	k.want(readme != nil && readme.Text("encodingFormat") == "text/markdown" && slices.Equal(readme.Refs("about"), []string{"./"}),
		"readme", r, "README.md is %v, want text/markdown about ./", readme)
}

// linked looks for references that lead nowhere: each is to an entity of the graph, or to
// an address.
func (k *check) linked() {
	for _, e := range k.Entities {
		for name := range e {
			for _, id := range e.Refs(name) {
				k.want(k.byID[id] != nil || absolute.MatchString(id), "dangling", e, "%s refers to %q, which isn't there", name, id)
			}
		}
	}
}

// entity holds what is true of all: JSON-LD that is flattened, and ids that are URIs.
func (k *check) entity(e Entity) {
	k.want(len(list(e["@type"])) > 0, "type", e, "it has no type")
	u, err := url.Parse(e.ID())
	k.want(err == nil && (u.Fragment == "" || strings.Count(e.ID(), "#") == 1) && !strings.ContainsAny(e.ID(), " \\<>\"{}|^`"), "id", e, "the id is no URI: %v", err)
	for name, v := range e {
		for _, x := range list(v) {
			switch x := x.(type) {
			case map[string]any:
				k.want(len(x) == 1 && x["@id"] != nil, "flat", e, "%s has an object in it: %v", name, x)
			case []any, nil:
				k.want(false, "flat", e, "%s has a list in a list, or null", name)
			}
		}
	}
}

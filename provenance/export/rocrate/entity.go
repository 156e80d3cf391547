package rocrate

import (
	"bytes"
	"encoding/json"
	"slices"
)

// entity is a node of the crate's JSON-LD graph: its members are terms of the two
// contexts, and their values strings, numbers, booleans, references or lists of those.
type entity map[string]any

// ref is a reference to an entity.
type ref struct {
	ID string `json:"@id"`
}

// The contexts in which the terms stand.
const (
	crateContext = "https://w3id.org/ro/crate/1.1/context"
	runContext   = "https://w3id.org/ro/terms/workflow-run/context"
)

// creativeWork is the type of what is described here and lies elsewhere.
const creativeWork = "CreativeWork"

// document is what ro-crate-metadata.json holds.
type document struct {
	Context []string `json:"@context"`
	Graph   []entity `json:"@graph"`
}

// graph is the entities in the order in which they were added.
type graph struct {
	entities []entity
	byID     map[string]entity
}

// add puts an entity in, or returns the one that has its id already.
func (g *graph) add(id string, types []string, members entity) entity {
	if old := g.byID[id]; old != nil {
		return old
	}
	e := entity{"@id": id, "@type": types}
	if len(types) == 1 {
		e["@type"] = types[0]
	}
	for name, value := range members {
		e.set(name, value)
	}
	if g.byID == nil {
		g.byID = map[string]entity{}
	}
	g.byID[id] = e
	g.entities = append(g.entities, e)
	return e
}

// set gives an entity a member. What is empty isn't known, and is left out.
func (e entity) set(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case ref:
		if v.ID == "" {
			return
		}
	case []ref:
		if len(v) == 0 {
			return
		}
		if len(v) == 1 {
			value = v[0]
		}
	case []any:
		if len(v) == 0 {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	}
	e[name] = value
}

// link adds a reference to a member that may have several.
func (e entity) link(name, id string) {
	to := ref{id}
	switch v := e[name].(type) {
	case nil:
		e[name] = to
	case ref:
		if v != to {
			e[name] = []ref{v, to}
		}
	case []ref:
		if !slices.Contains(v, to) {
			e[name] = append(v, to)
		}
	}
}

func (e entity) id() string { return e["@id"].(string) }

// encode spells the document with two spaces a level, and leaves <, > and & as they are.
func (g *graph) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(document{Context: []string{crateContext, runContext}, Graph: g.entities})
	return b.Bytes(), err
}

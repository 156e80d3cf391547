package rocrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	graphs "rlam/provenance/graph"
	"rlam/schemas"
)

// tool is what did something: an action, a model, a plan, or the study as a whole.
type tool struct {
	entity
	key    string // in the ids of its parameters
	params map[string]member
	gives  map[string]member
}

// member is what a schema says of one of its properties.
type member struct {
	Type        any    `json:"type"`
	Format      string `json:"format"`
	Description string `json:"description"`
	Required    bool   `json:"-"`
}

// The sides on which a tool has parameters.
const (
	input  = "input"
	output = "output"
)

// The profiles of Bioschemas that entities follow.
const (
	bioWorkflow  = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
	bioParameter = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
)

// study adds the main workflow, and the engine that runs it.
func (c *crate) study() error {
	var file *File
	for i := range c.files {
		if c.files[i].Role == RoleStudy {
			file = &c.files[i]
		}
	}
	if file == nil {
		return fmt.Errorf("there is no file with the role %q among the %d given: it is the crate's workflow", RoleStudy, len(c.files))
	}
	study := c.trace.Study.Study
	e := c.file(file)
	e["@type"] = []string{"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
	e["name"] = study.Title
	e.set("version", c.trace.Study.Digest.String())
	e.set("url", ref{e.id()})
	e.set("conformsTo", ref{bioWorkflow})
	e.set("license", ref{c.license(study.License)})
	for i, a := range study.Authors {
		e.link("creator", c.author(i, a).id())
	}
	language := c.add("#language", []string{"ComputerLanguage"}, entity{
		"name": "R-LAM study file", "version": "1",
		"description": "A goal, data, allowed actions, limits and the schema of the result. Which actions are called, in which order and with which parameters, a planner decides while the study runs.",
	})
	e.set("programmingLanguage", ref{language.id()})
	c.workflow = e
	c.tools[e.id()] = &tool{entity: e, key: "study", params: map[string]member{}, gives: members(study.Result)}
	version := strings.TrimPrefix(c.trace.Run.Engine, "rlam ")
	engine := names + "engine/" + fileID(version)
	c.engine = c.add(engine, []string{"SoftwareApplication"}, entity{
		"name": "R-LAM", "softwareVersion": version, "url": engine,
		"description": "The engine: workflows on Temporal, and a record of all that happened in them.",
	})
	if who := c.trace.Line[0].Starter; who != "" {
		c.starter = ref{c.add("#person/"+fileID(who), []string{"Person"}, entity{
			"name": who, "description": "Who started the run: the identity that Temporal's history has.",
		}).id()}
	}
	return nil
}

// ofAction is the tool that a call was of.
func (c *crate) ofAction(call *graphs.Node) *tool {
	id := names + "actions/" + fileID(call.Name) + "/" + call.Spec.Hex()
	if t := c.tools[id]; t != nil {
		return t
	}
	name, version, _ := strings.Cut(call.Name, "@")
	var a schemas.Action
	raw, err := store.Read(c.ctx, c.run.Store, call.Spec, record.MaxContent)
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	summary := a.Summary
	if err != nil {
		summary = "Its formal schema could not be read."
	}
	t := &tool{key: fileID(call.Name) + "/" + short(call.Spec), params: members(a.Params), gives: members(a.Returns)}
	t.entity = c.add(id, []string{"SoftwareApplication"}, entity{
		"name": name, "softwareVersion": cmp.Or(version, "unknown"), "description": summary, "identifier": call.Spec.String(),
	})
	spec := c.fileOf(place{role: RoleAction, name: call.Name}, call.Spec)
	t.set("url", id)
	if spec != nil {
		t.set("url", ref{fileID(spec.Path)})
		t.link("isBasedOn", fileID(spec.Path))
	}
	if binding := c.fileOf(place{role: RoleBinding, name: call.Name}, call.Binding); binding != nil {
		t.link("isBasedOn", fileID(binding.Path))
	}
	c.orchestrated(t)
	return t
}

// ofPlanner is the tool that answered a turn: a model, a script in its place, or a plan.
// Of a turn that failed only who was asked is known, and that only if there is one model.
func (c *crate) ofPlanner(n *graphs.Node, p *record.Proposal) *tool {
	asked, answered, fingerprint := n.Asked, cmp.Or(n.Model, n.Asked), ""
	about := "A language model that proposed what to do next."
	if p != nil {
		asked, answered, fingerprint = p.Model.Asked, cmp.Or(p.Model.Answered, p.Model.Asked), p.Model.Fingerprint
		if p.Model.Scripted {
			about = "A script that played the model, over the protocol that models speak."
		}
	}
	if asked == "" && len(c.trace.Run.Models) > 0 {
		asked = strings.Join(c.trace.Run.Models, " or ")
	}
	planner := c.trace.Study.Study.Planner
	if planner.Plan != "" {
		about = "A fixed plan that a person wrote, in a model's place."
	}
	asked = cmp.Or(asked, answered, "planner")
	version := strings.TrimSpace(cmp.Or(answered, asked) + " " + fingerprint)
	id := names + "planners/" + fileID(asked) + "/" + fileID(version)
	if t := c.tools[id]; t != nil {
		return t
	}
	t := &tool{key: "planner/" + fileID(asked) + "/" + fileID(version)}
	t.entity = c.add(id, []string{"SoftwareApplication"}, entity{
		"name": asked, "softwareVersion": version, "description": about, "url": cmp.Or(planner.BaseURL, id),
	})
	if file := c.fileOf(place{role: RolePlanner}, c.trace.Run.Planner); file != nil {
		t.set("url", ref{fileID(file.Path)})
		t.link("isBasedOn", fileID(file.Path))
	}
	c.orchestrated(t)
	return t
}

// orchestrated lists a tool as one of the workflow's. It is called of what ran, and of
// nothing else: readers take a tool without an action for a mistake.
func (c *crate) orchestrated(t *tool) {
	c.tools[t.id()] = t
	c.workflow.link("hasPart", t.id())
}

// members are the properties that an object's schema has at its top.
func members(schema json.RawMessage) map[string]member {
	var s struct {
		Properties map[string]member `json:"properties"`
		Required   []string          `json:"required"`
	}
	if json.Unmarshal(schema, &s) != nil {
		return nil // no schema of an object, or none that can be read
	}
	for name, m := range s.Properties {
		m.Required = slices.Contains(s.Required, name)
		s.Properties[name] = m
	}
	return s.Properties
}

// kind is a FormalParameter's additionalType, and whether values are spelled as JSON.
func (m member) kind(v any) (string, bool) {
	if m.Format == "artifact" {
		return "File", false
	}
	switch v := v.(type) {
	case string:
		return "Text", false
	case bool:
		return "Boolean", false
	case json.Number:
		if m.Type == "integer" {
			return "Integer", false
		}
		return "Float", false
	case file:
		return "File", false
	case []any:
		if m.Type == "array" && plain(v) {
			return m.kind(v[0])
		}
	}
	return "Text", true
}

// parameter is the FormalParameter of a tool that a value is an example of. There is one
// for each member that had a value, and for no other: a reader looks for its examples.
func (c *crate) parameter(t *tool, side, name string, v any) entity {
	m := t.params[name]
	if side == output {
		m = t.gives[name]
	}
	id := "#parameter/" + t.key + "/" + side + "/" + fileID(name)
	if old := c.byID[id]; old != nil {
		return old
	}
	kind, spelled := m.kind(v)
	p := c.add(id, []string{"FormalParameter"}, entity{
		"name": name, "additionalType": kind, "description": m.Description, "conformsTo": ref{bioParameter},
	})
	if m.Required {
		p["valueRequired"] = true
	}
	if _, several := v.([]any); several && !spelled {
		p["multipleValues"] = true
	}
	if spelled {
		p["encodingFormat"] = "application/json"
	}
	t.link(side, id)
	return p
}

// fileOf finds a file by what it holds, or else by where it belongs: a content may lie in a
// crate as the blob that its digest names, or as its value alone.
func (c *crate) fileOf(at place, d canon.Digest) *File {
	if f := c.byDigest[d]; f != nil && !d.IsZero() {
		return f
	}
	return c.byPlace[at]
}

// short is the beginning of a digest, for ids of one crate.
func short(d canon.Digest) string { return d.Hex()[:12] }

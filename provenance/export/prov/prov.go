// Package prov writes the trace graph of a run as PROV-JSON, the JSON of W3C PROV
// (member submission of 24 April 2013), for any program that reads provenance.
//
// Turns, attempts, steps and Temporal runs are activities; values, artifacts,
// environments, calls and verdicts are entities; people, models, workers and the engine
// are agents. A call is a prov:Plan: what was proposed, which its attempts carry out. The
// edges of the graph become relations as the table in relations.go says. What PROV has
// no word for stands in the namespace rlam, below it PROV-AGENT's AIModelInvocation and
// AgentTool as types of turns and attempts.
//
// Contents are named by digest and aren't written.
package prov

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"rlam/provenance/export"
	"rlam/provenance/graph"
)

// Namespace is that of the terms with the prefix rlam.
const Namespace = "urn:rlam:prov:1:"

// Document is a PROV-JSON document. Elements and relations are maps by identifier, so
// that it is spelled the same whenever it is of the same run.
type Document struct {
	Prefix            map[string]string     `json:"prefix"`
	Entity            map[string]Attributes `json:"entity,omitempty"`
	Activity          map[string]Attributes `json:"activity,omitempty"`
	Agent             map[string]Attributes `json:"agent,omitempty"`
	WasGeneratedBy    map[string]Attributes `json:"wasGeneratedBy,omitempty"`
	Used              map[string]Attributes `json:"used,omitempty"`
	WasInformedBy     map[string]Attributes `json:"wasInformedBy,omitempty"`
	WasStartedBy      map[string]Attributes `json:"wasStartedBy,omitempty"`
	WasDerivedFrom    map[string]Attributes `json:"wasDerivedFrom,omitempty"`
	WasAttributedTo   map[string]Attributes `json:"wasAttributedTo,omitempty"`
	WasAssociatedWith map[string]Attributes `json:"wasAssociatedWith,omitempty"`
	ActedOnBehalfOf   map[string]Attributes `json:"actedOnBehalfOf,omitempty"`
	WasInfluencedBy   map[string]Attributes `json:"wasInfluencedBy,omitempty"`
}

// Attributes are those of one element or relation. A value is a string, a [Literal] or a
// []Literal.
type Attributes map[string]any

// Literal is a value with a type.
type Literal struct {
	Value string `json:"$"`
	Type  string `json:"type"`
}

// name is a qualified name as a value.
func name(s string) Literal { return Literal{s, "prov:QUALIFIED_NAME"} }

func integer(i int64) Literal { return Literal{strconv.FormatInt(i, 10), "xsd:long"} }

// Write writes the run as PROV-JSON.
func Write(ctx context.Context, w io.Writer, run *export.Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing PROV-JSON of run %q: %w", run.Trace.ID, context.Cause(ctx))
	}
	if err := enc.Encode(Translate(run)); err != nil {
		return fmt.Errorf("writing PROV-JSON of run %q: %w", run.Trace.ID, err)
	}
	return nil
}

// Translate is the trace graph of a run in the words of PROV.
func Translate(run *export.Run) *Document {
	t := &translation{g: run.Trace.Graph, d: &Document{Prefix: map[string]string{
		"rlam": Namespace, "run": base(run), "xsd": "http://www.w3.org/2001/XMLSchema#",
	}}, seen: map[[3]string]bool{}}
	for _, n := range t.g.Nodes {
		t.element(n)
	}
	for _, e := range t.g.Edges {
		t.relation(e)
	}
	for _, n := range t.g.Nodes {
		t.started(n)
	}
	return t.d
}

// base is the namespace of a run's own things: its record's digest is its name for ever.
// A workflow without one has the name that Temporal knows it by.
func base(run *export.Run) string {
	if d := run.Trace.Record; !d.IsZero() {
		return "urn:rlam:run:" + d.Hex() + ":"
	}
	return "urn:temporal:" + url.PathEscape(run.Namespace) + ":" + url.PathEscape(run.Trace.ID) + ":"
}

// translation makes one document.
type translation struct {
	g    *graph.Graph
	d    *Document
	seen map[[3]string]bool // relations between the same two that PROV has once
}

// put adds an element or relation to one of the document's maps.
func put(m *map[string]Attributes, id string, a Attributes) {
	if *m == nil {
		*m = map[string]Attributes{}
	}
	(*m)[id] = a
}

// numbered adds a relation under an identifier that is the document's alone.
func numbered(m *map[string]Attributes, kind string, a Attributes) {
	put(m, fmt.Sprintf("_:%s%d", kind, len(*m)+1), a)
}

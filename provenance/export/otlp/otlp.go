// Package otlp writes a run as OpenTelemetry traces, in OTLP's JSON, with the GenAI
// semantic conventions: what MLflow, Langfuse, Jaeger and a collector's file receiver take
// in.
//
//	invoke_workflow STUDY            the run
//	└ invoke_agent planner           the turns of a model, and what came of them
//	  ├ chat MODEL                   one request; CLIENT
//	  └ execute_tool ACTION          one attempt at a call; INTERNAL
//
// A run of a plan has no model, so neither agent nor chat: its turns are spans of their
// own kind, "plan". A call that a gate refused was never executed: it is an event of the
// turn that proposed it. An attempt that follows another has a link to it. What had not
// ended when the history was read has no end that could be told: it is an event of the
// run.
//
// Ids are derived from the run's record, so the same run is the same trace wherever it is
// written, and times are those of the run. What was said is left out unless it is asked
// for. Attributes that no convention has begin with "rlam.".
package otlp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/graph"
	"rlam/schemas"
)

// Conventions is the version of the semantic conventions that names and values follow. The
// GenAI conventions are still in development, and change from version to version.
const Conventions = "1.41.0"

const schemaURL = "https://opentelemetry.io/schemas/" + Conventions

// Options say what is written.
type Options struct {
	// Content adds what was said: messages, arguments and results. They can hold what
	// isn't for everybody.
	Content bool
}

// Write writes a run as one object of resource spans.
func Write(ctx context.Context, w io.Writer, run *export.Run, o Options) error {
	b := &builder{
		ctx: ctx, run: run, t: run.Trace, o: o,
		edges: map[string][]graph.Edge{}, calls: map[string]record.Call{}, actions: map[canon.Digest]*schemas.Action{},
	}
	if err := b.build(); err != nil {
		return fmt.Errorf("writing run %q as traces: %w", run.Trace.ID, err)
	}
	version := "unknown"
	if b.t.Run != nil {
		version = b.t.Run.Engine
	}
	resource := attributes{}
	resource.text("service.name", "rlam")
	resource.text("service.version", version)
	resource.text("rlam.run.id", b.t.ID)
	if !b.t.Record.IsZero() {
		resource.text("rlam.run.record", b.t.Record.String())
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(traces{ResourceSpans: []resourceSpans{{
		Resource: owner{Attributes: resource}, SchemaURL: schemaURL,
		ScopeSpans: []scopeSpans{{Scope: scope{Name: "rlam", Version: version}, Spans: b.spans, SchemaURL: schemaURL}},
	}}})
	if err != nil {
		return fmt.Errorf("writing run %q as traces: %w", run.Trace.ID, err)
	}
	return nil
}

// builder makes the spans of one run.
type builder struct {
	ctx context.Context
	run *export.Run
	t   *provenance.Trace
	o   Options

	traceID  string
	spans    []*span
	root     *span
	agent    *span // nil of a run without a model
	newest   time.Time
	lastChat string // span id of the request before

	edges   map[string][]graph.Edge // by the node they come from
	calls   map[string]record.Call  // as proposed, by id and branch
	actions map[canon.Digest]*schemas.Action
}

func (b *builder) build() error {
	b.traceID = b.identify()
	for _, e := range b.t.Graph.Edges {
		b.edges[e.From] = append(b.edges[e.From], e)
	}
	b.whole()
	for _, n := range b.t.Graph.Nodes {
		var err error
		switch {
		case n.Kind == graph.Plan:
			err = b.turn(n)
		case n.Kind == graph.Attempt && n.Role != "engine" && n.Status != "handed_back":
			err = b.attempt(n)
		}
		if err != nil {
			return err
		}
	}
	b.close()
	return b.ctx.Err()
}

// identify is the trace's id: that of the run's record, or of a workflow that has none
// its Temporal runs'.
func (b *builder) identify() string {
	of := b.t.Record.String()
	if b.t.Record.IsZero() {
		of = b.t.ID + " " + b.t.Line[0].RunID
	}
	sum := sha256.Sum256([]byte("rlam.otlp.trace.v1\n" + of))
	return hex.EncodeToString(sum[:16])
}

// spanID is the id of a node's span.
func (b *builder) spanID(node string) string {
	sum := sha256.Sum256([]byte("rlam.otlp.span.v1\n" + b.traceID + "\n" + node))
	return hex.EncodeToString(sum[:8])
}

// whole adds the run, and the agent if there is one.
func (b *builder) whole() {
	first := b.t.Line[0]
	name := first.Type
	b.root = b.span("run", nil, "", internal, first.Started)
	if b.t.Study != nil {
		name = b.t.Study.Study.Title
		b.root.Attributes.text("gen_ai.operation.name", "invoke_workflow")
		b.root.Attributes.text("gen_ai.workflow.name", name)
		b.root.Attributes.text("gen_ai.conversation.id", b.t.ID)
		name = "invoke_workflow " + name
	}
	b.root.Name = name
	b.root.Attributes.text("rlam.status", b.t.Status)
	for _, e := range b.edges["run:"+first.RunID] {
		if who := b.t.Graph.Node(e.To); e.Kind == graph.AssociatedWith && who.Role == "person" {
			b.root.Attributes.text("rlam.started_by", who.Name)
		}
	}
	if b.t.Study == nil || b.t.Study.Study.Planner.Plan != "" {
		return
	}
	b.agent = b.span("agent", b.root, "invoke_agent planner", internal, first.Started)
	b.agent.Attributes.text("gen_ai.operation.name", "invoke_agent")
	b.agent.Attributes.text("gen_ai.agent.name", "planner")
	b.agent.Attributes.text("gen_ai.provider.name", b.provider(false))
	b.agent.Attributes.text("gen_ai.conversation.id", b.t.ID)
}

// close gives the run and its agent their ends: that of the history, or of what is still
// open the newest time that is known.
func (b *builder) close() {
	newest := b.t.Line[len(b.t.Line)-1]
	end := b.newest
	if newest.Closed.After(end) {
		end = newest.Closed
	}
	for _, s := range []*span{b.root, b.agent} {
		if s == nil {
			continue
		}
		s.end(end)
		if b.t.Status != string(record.Completed) && b.t.Status != "open" {
			s.fail(b.t.Status, "the run ended as "+b.t.Status)
		}
	}
}

// action reads the schema of an action; an empty one if it can't be read.
func (b *builder) action(d canon.Digest) *schemas.Action {
	if a := b.actions[d]; a != nil {
		return a
	}
	a := &schemas.Action{}
	if b.run.Store != nil && !d.IsZero() {
		if raw, err := store.Read(b.ctx, b.run.Store, d, record.MaxContent); err == nil {
			_ = json.Unmarshal(raw, a) // the audit says what is wrong with it
		}
	}
	b.actions[d] = a
	return a
}

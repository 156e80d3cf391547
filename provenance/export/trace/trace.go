// Package trace writes the trace graph of a run as JSON: all that is known of the run,
// without the contents themselves. The form is published as schemas/meta/trace.schema.json
// and described in docs/trace-format.md.
//
//	{"format": "rlam.trace", "version": 1, "run": {…}, "nodes": […], "edges": […], "findings": […]}
//
// Nodes and edges stand in the order in which the graph was built: that of the history.
package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rlam/internal/canon"
	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// The head of the document.
const (
	Format  = "rlam.trace"
	Version = 1
)

// Facts are what the document says of the run as a whole.
type Facts struct {
	ID        string       `json:"id"`                  // workflow ID
	Namespace string       `json:"namespace,omitempty"` // Temporal's, where it is known
	Status    string       `json:"status"`
	Record    canon.Digest `json:"record,omitzero"` // none of a workflow that isn't R-LAM's
	Head      canon.Digest `json:"head,omitzero"`
	Parent    canon.Digest `json:"parent,omitzero"` // of a fork: the record it continues from
	Study     canon.Digest `json:"study,omitzero"`
	Title     string       `json:"title,omitempty"` // the study's
	Engine    string       `json:"engine,omitempty"`
	Temporal  []Temporal   `json:"temporal_runs"` // those that lead to the newest, then those that a reset went back from
}

// Temporal is one Temporal run.
type Temporal struct {
	RunID   string `json:"run_id"`
	Type    string `json:"type"` // of the workflow
	Started string `json:"started,omitempty"`
	Closed  string `json:"closed,omitempty"`
	Ended   string `json:"ended,omitempty"` // how Temporal closed it; absent while it is open
	Events  int64  `json:"events"`
	Aside   bool   `json:"aside,omitempty"` // a reset went back from it
}

// Write writes the trace of a run. Metrics are left out if nil.
func Write(w io.Writer, run *export.Run, metrics *provenance.Metrics) error {
	out := &writer{w: bufio.NewWriter(w)}
	out.member("{\n", "format", Format)
	out.member(",\n", "version", Version)
	out.member(",\n", "run", facts(run))
	list(out, "nodes", run.Trace.Graph.Nodes)
	list(out, "edges", run.Trace.Graph.Edges)
	findings := run.Trace.Findings
	if findings == nil {
		findings = []graph.Finding{}
	}
	list(out, "findings", findings)
	if metrics != nil {
		out.member(",\n", "metrics", metrics)
	}
	out.text("\n}\n")
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("writing the trace of run %q: %w", run.Trace.ID, out.err)
	}
	return nil
}

func facts(run *export.Run) Facts {
	t := run.Trace
	f := Facts{ID: t.ID, Namespace: run.Namespace, Status: t.Status, Record: t.Record, Head: t.Head}
	if t.Run != nil {
		f.Study, f.Engine, f.Parent = t.Run.Study, t.Run.Engine, t.Run.Parent
	}
	if t.Study != nil {
		f.Title = t.Study.Study.Title
	}
	for _, r := range t.Line {
		f.Temporal = append(f.Temporal, temporal(r, false))
	}
	for _, r := range t.Aside {
		f.Temporal = append(f.Temporal, temporal(r, true))
	}
	return f
}

func temporal(r *history.Run, aside bool) Temporal {
	return Temporal{RunID: r.RunID, Type: r.Type, Started: spell(r.Started), Closed: spell(r.Closed), Ended: r.Ended, Events: r.Events, Aside: aside}
}

// spell is a time as RFC 3339 in UTC; "" of none.
func spell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// writer writes JSON with one node, edge or finding a line, so that two traces can be
// compared line by line. Its first error stays.
type writer struct {
	w   *bufio.Writer
	buf bytes.Buffer
	err error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = w.w.WriteString(s)
	}
}

func (w *writer) value(v any) {
	if w.err != nil {
		return
	}
	w.buf.Reset()
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if w.err = enc.Encode(v); w.err == nil {
		_, w.err = w.w.Write(bytes.TrimSuffix(w.buf.Bytes(), []byte("\n")))
	}
}

func (w *writer) member(before, name string, v any) {
	w.text(before + `"` + name + `": `)
	w.value(v)
}

// list writes a member that is an array, an element a line.
func list[T any](w *writer, name string, all []T) {
	w.text(",\n\"" + name + "\": [")
	for i, v := range all {
		if i > 0 {
			w.text(",")
		}
		w.text("\n")
		w.value(v)
	}
	w.text("]")
}

// Package dot writes the trace graph of a run in the language of Graphviz.
//
// Steps are clusters. What was done is a box, data is an ellipse, artifacts are notes,
// runs are folders; failed attempts are red, what was refused or cancelled is dashed.
// Edges point the way in which data went and time passed: solid ones carry data, dashed
// ones data that a planner typed, dotted ones are of who knew of what. Verdicts that let
// a call through, agents and environments are left out: with them a drawing can't be read,
// and the trace has them.
package dot

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"

	"rlam/provenance/export"
	"rlam/provenance/graph"
)

// Write writes a run. The same run gives the same bytes.
func Write(ctx context.Context, w io.Writer, run *export.Run) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing DOT of run %q: %w", run.Trace.ID, context.Cause(ctx))
	}
	return Graph(w, run.Trace.ID, run.Trace.Graph)
}

// Graph writes a graph, or a part of one, under a name.
func Graph(w io.Writer, name string, g *graph.Graph) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "digraph %s {\n", quoted(name))
	fmt.Fprintln(out, "  rankdir=LR; node [fontname=\"sans-serif\" fontsize=11 style=filled]; edge [fontname=\"sans-serif\" fontsize=9];")
	clusters, order := map[string][]*graph.Node{}, []string{""}
	for _, n := range g.Nodes {
		if !drawn(n) {
			continue
		}
		c := cluster(n)
		if clusters[c] == nil && c != "" {
			order = append(order, c)
		}
		clusters[c] = append(clusters[c], n)
	}
	for _, c := range order {
		if c != "" {
			fmt.Fprintf(out, "  subgraph %s {\n    label=%s; color=gray;\n", quoted("cluster "+c), quoted(c))
		}
		for _, n := range clusters[c] {
			node(out, n)
		}
		if c != "" {
			fmt.Fprintln(out, "  }")
		}
	}
	for _, e := range g.Edges {
		edge(out, g, e)
	}
	fmt.Fprintln(out, "}")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing DOT of %q: %w", name, err)
	}
	return nil
}

func drawn(n *graph.Node) bool {
	switch n.Kind {
	case graph.Agent, graph.Environment:
		return false
	case graph.Verdict:
		return n.Status != "admitted" && n.Status != "deferred"
	}
	return true
}

// cluster is the name of a node's step, "" if it belongs to none.
func cluster(n *graph.Node) string {
	if n.Step == 0 {
		return ""
	}
	name := fmt.Sprintf("step %d", n.Step)
	if i := strings.LastIndexByte(n.ID, '~'); i >= 0 {
		name += " " + n.ID[i:]
	}
	return name
}

func node(w io.Writer, n *graph.Node) {
	shape, fill := "box", "#e3eefb"
	switch n.Kind {
	case graph.Value:
		shape, fill = "ellipse", "#e2f3e8"
	case graph.Artifact:
		shape, fill = "note", "#e2f3e8"
	case graph.Plan, graph.Step:
		fill = "#e9e2f8"
	case graph.Run:
		shape, fill = "folder", "#f4f6f8"
	case graph.Verdict, graph.Approval:
		shape, fill = "octagon", "#fbe3e1"
	}
	style, colour := "filled", "#3f78b8"
	switch n.Status {
	case "failed", "lost", "timed_out":
		if n.Kind == graph.Attempt || n.Kind == graph.Plan {
			fill, colour = "#fbe3e1", "#c0392b"
		}
	case "refused", "cancelled", "skipped":
		style = "filled,dashed"
	}
	label := n.ID
	if n.Name != "" && !strings.Contains(n.ID, n.Name) {
		label += "\n" + n.Name
	}
	tip := n.Status
	if n.Failure != nil {
		label += "\n" + n.Failure.Type
		tip = n.Failure.Message
	}
	if tip == "" {
		tip = n.ID
	}
	fmt.Fprintf(w, "    %s [label=%s shape=%s fillcolor=%q color=%q style=%q tooltip=%s];\n", quoted(n.ID), quoted(label), shape, fill, colour, style, quoted(tip))
}

func edge(w io.Writer, g *graph.Graph, e graph.Edge) {
	from, to := g.Node(e.From), g.Node(e.To)
	if from == nil || to == nil || !drawn(from) || !drawn(to) {
		return
	}
	style, label := "dotted", ""
	switch {
	case e.Kind == graph.Derived && e.Through != "":
		style, label = "dashed", "through the "+e.Through
	case e.Kind.Data():
		style = "solid"
	case e.Kind != graph.Informed:
		label = string(e.Kind)
	}
	if e.Kind != graph.Generated && e.Kind != graph.Informed { // they lead to what came before
		from, to = to, from
	}
	fmt.Fprintf(w, "  %s -> %s [style=%s", quoted(from.ID), quoted(to.ID), style)
	if label != "" {
		fmt.Fprintf(w, " label=%s", quoted(label))
	}
	fmt.Fprintln(w, "];")
}

// quoted is text as a string of DOT, without what its readers take for control.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsControl(r):
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

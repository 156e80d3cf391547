package rocrate

import (
	"maps"
	"slices"
	"strings"

	"rlam/internal/jsonpointer"
	graphs "rlam/provenance/graph"
)

// connections says which output or input went into which parameter, and into which part of
// the result: the references that planner and plan wrote, and nothing that was guessed.
func (c *crate) connections() {
	for _, n := range c.trace.Graph.Nodes {
		if n.Kind == graphs.Value && n.Role == "params" {
			if at := c.byID["#step/"+fileID(n.Call+branch(n.ID))]; at != nil {
				c.connect(at, n, input)
			}
		}
	}
	if n := c.trace.Graph.Node("result"); n != nil {
		c.connect(c.workflow, n, output)
	}
}

// connect adds the connections into a value, to the step or workflow that received it.
func (c *crate) connect(at entity, n *graphs.Node, side string) {
	target := c.producers[n.ID]
	for _, e := range c.edges[n.ID] {
		from := c.trace.Graph.Node(e.To)
		if e.Kind != graphs.Derived || e.Through != "" || target == nil {
			continue
		}
		source, sourceSide := c.producers[from.ID], output
		name := token(e.Pointer)
		if from.Role == "input" {
			source, sourceSide, name = c.tools[c.workflow.id()], input, from.Name
		}
		if source == nil {
			continue
		}
		out := "#parameter/" + source.key + "/" + sourceSide + "/" + fileID(name)
		in := "#parameter/" + target.key + "/" + side + "/" + fileID(token(e.At))
		if c.byID[out] == nil || c.byID[in] == nil {
			continue // the whole of an output, which is no parameter of its own
		}
		link := c.add("#connection/"+strings.TrimPrefix(at.id(), "#")+"/"+strings.TrimPrefix(out, "#parameter/")+"/"+strings.TrimPrefix(in, "#parameter/"),
			[]string{"ParameterConnection"}, entity{"sourceParameter": ref{out}, "targetParameter": ref{in}})
		at.link("connection", link.id())
	}
}

// token is the first member that a JSON pointer names, as it is spelled in the value.
func token(pointer string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	return jsonpointer.Unescape(first)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package prov

import (
	"fmt"
	"strings"

	"rlam/internal/canon"
	"rlam/provenance/graph"
)

// class is what PROV takes a kind of node for.
type class int

const (
	entity class = iota
	activity
	agent
)

func classOf(k graph.Kind) class {
	switch k {
	case graph.Run, graph.Step, graph.Plan, graph.Attempt:
		return activity
	case graph.Agent:
		return agent
	}
	return entity
}

// element adds a node.
func (t *translation) element(n *graph.Node) {
	a := attributes(n)
	switch classOf(n.Kind) {
	case activity:
		if n.Started != "" {
			a["prov:startTime"] = n.Started
		}
		if n.Ended != "" {
			a["prov:endTime"] = n.Ended
		}
		put(&t.d.Activity, ID(n.ID), a)
	case agent:
		put(&t.d.Agent, ID(n.ID), a)
	default:
		put(&t.d.Entity, ID(n.ID), a)
	}
}

// attributes are what is known of a node but for its times.
func attributes(n *graph.Node) Attributes {
	a := Attributes{"prov:label": label(n), "prov:type": types(n)}
	for _, s := range []struct{ name, value string }{
		{"rlam:status", n.Status},
		{"rlam:name", n.Name},
		{"rlam:call", n.Call},
		{"rlam:temporalRun", n.Run},
		{"rlam:intent", n.Intent},
		{"rlam:isolation", n.Isolation},
		{"rlam:model", n.Model},
		{"rlam:modelAsked", n.Asked},
		{"rlam:rule", n.Rule},
		{"rlam:mediaType", n.MediaType},
		{"rlam:role", n.Role},
		{"rlam:source", n.Source},
	} {
		if s.value != "" {
			a[s.name] = s.value
		}
	}
	for _, i := range []struct {
		name  string
		value int64
	}{
		{"rlam:step", int64(n.Step)},
		{"rlam:number", int64(n.N)},
		{"rlam:event", n.Event},
		{"rlam:execution", int64(n.Execution)},
		{"rlam:gateVersion", int64(n.Version)},
		{"rlam:size", n.Size},
	} {
		if i.value != 0 {
			a[i.name] = integer(i.value)
		}
	}
	for _, d := range []struct {
		name  string
		value canon.Digest
	}{{"rlam:digest", n.Digest}, {"rlam:spec", n.Spec}, {"rlam:binding", n.Binding}, {"rlam:origin", n.Origin}} {
		if !d.value.IsZero() {
			a[d.name] = d.value.String()
		}
	}
	if len(n.Edited) > 0 {
		a["rlam:edited"] = n.Edited
	}
	if n.Seed != nil {
		a["rlam:seed"] = Literal{fmt.Sprint(*n.Seed), "xsd:unsignedLong"}
	}
	if f := n.Failure; f != nil {
		a["rlam:failureType"], a["rlam:failureMessage"] = f.Type, f.Message
		if !f.Detail.IsZero() {
			a["rlam:failureDetail"] = f.Detail.String()
		}
	}
	return a
}

// label is what people call a node.
func label(n *graph.Node) string {
	if n.Name == "" || strings.Contains(n.ID, n.Name) {
		return n.ID
	}
	return n.ID + " " + n.Name
}

// types are PROV's own, PROV-AGENT's and ours.
func types(n *graph.Node) []Literal {
	own := name("rlam:" + strings.ToUpper(string(n.Kind[:1])) + string(n.Kind[1:]))
	switch {
	case n.Kind == graph.Agent && n.Role == "person":
		return []Literal{name("prov:Person"), own}
	case n.Kind == graph.Agent && n.Role == "model":
		return []Literal{name("prov:SoftwareAgent"), name("rlam:AIModel"), own}
	case n.Kind == graph.Agent:
		return []Literal{name("prov:SoftwareAgent"), own}
	case n.Kind == graph.Plan && (n.Asked != "" || n.Model != ""):
		return []Literal{own, name("rlam:AIModelInvocation")}
	case n.Kind == graph.Attempt && n.Role != "engine":
		return []Literal{own, name("rlam:AgentTool")}
	case n.Kind == graph.Call:
		return []Literal{name("prov:Plan"), own}
	}
	return []Literal{own}
}

// ID is the qualified name of a node: its id with the prefix run. Letters, digits, dots
// and hyphens stay; the colon after the kind becomes a hyphen, # two underscores, and any
// other byte an underscore and its two hexadecimal digits. So no two nodes share a name,
// and it is one in PROV-N, in Turtle and in XML as well.
func ID(node string) string {
	var b strings.Builder
	b.WriteString("run:")
	kind, rest, found := strings.Cut(node, ":")
	escape(&b, kind)
	if found {
		b.WriteByte('-')
		escape(&b, rest)
	}
	return b.String()
}

func escape(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.' && i < len(s)-1:
			b.WriteByte(c)
		case c == '#':
			b.WriteString("__")
		default:
			fmt.Fprintf(b, "_%02X", c)
		}
	}
}

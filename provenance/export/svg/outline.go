package svg

import (
	"strings"

	"rlam/provenance/graph"
)

// band is a step with what belongs to it, or the inputs, or the result.
type band struct {
	title string
	step  *graph.Node // nil of inputs and result
	turns []*graph.Node
	calls []*call
	data  []*graph.Node
	aside bool // a reset went back from it
}

// call is a call with its attempts. Of an activity that is no call, node is nil.
type call struct {
	node     *graph.Node
	params   []*graph.Node
	refused  string // the gate that refused it
	attempts []*attempt
}

type attempt struct {
	node *graph.Node
	made []*graph.Node
}

// rows is how many rows a band takes where it isn't collapsed.
func (b *band) rows() int {
	n := 0
	for _, c := range b.calls {
		n += c.rows()
	}
	return max(1, len(b.turns), n+len(b.data))
}

func (c *call) rows() int {
	n := 0
	if c.node != nil {
		n = max(1, len(c.params))
	}
	for _, a := range c.attempts {
		n += max(1, len(a.made))
	}
	return n
}

// outliner sorts the nodes of a graph into bands.
type outliner struct {
	g      *graph.Graph
	bands  []*band
	steps  map[string]*band // by the step's number and branch
	calls  map[string]*call // by the call's id and branch
	taken  map[string]bool  // data that something was taken from
	maker  map[string]*graph.Node
	asked  map[string]*graph.Node // of attempts that belong to no call: the step that asked
	result []*graph.Node
}

// outline is the bands of a run: its inputs, its steps in the order of the history, its
// result.
func outline(g *graph.Graph) []*band {
	o := &outliner{g: g, steps: map[string]*band{}, calls: map[string]*call{}, taken: map[string]bool{}, maker: map[string]*graph.Node{}, asked: map[string]*graph.Node{}}
	inputs := &band{title: "inputs"}
	for _, e := range g.Edges {
		from, to := g.Node(e.From), g.Node(e.To)
		switch {
		case e.Kind == graph.Derived:
			o.taken[e.To] = true
		case e.Kind == graph.Generated:
			o.maker[e.To] = from
		case e.Kind == graph.Informed && from.Kind == graph.Step && to.Kind == graph.Attempt:
			o.asked[e.To] = from
		}
	}
	for _, n := range g.Nodes {
		if n.Role == "input" && n.Kind == graph.Artifact {
			inputs.data = append(inputs.data, n)
		}
		o.process(n)
	}
	for _, n := range g.Nodes {
		o.datum(n)
	}
	all := o.bands
	if len(inputs.data) > 0 {
		all = append([]*band{inputs}, all...)
	}
	if len(o.result) > 0 {
		all = append(all, &band{title: "result", data: o.result})
	}
	return all
}

// branch is what the id of a node that a reset left behind ends with.
func branch(id string) string {
	if i := strings.LastIndexByte(id, '~'); i >= 0 {
		return id[i:]
	}
	return ""
}

// band is the band of a step's number, as n's branch has it.
func (o *outliner) band(n *graph.Node) *band {
	key := number(n.Step) + branch(n.ID)
	b := o.steps[key]
	if b == nil {
		b = &band{title: "step " + number(n.Step), aside: branch(n.ID) != ""}
		o.steps[key] = b
		o.bands = append(o.bands, b)
	}
	return b
}

// process puts what was done into its band.
func (o *outliner) process(n *graph.Node) {
	switch {
	case n.Kind == graph.Step:
		o.band(n).step = n
	case n.Kind == graph.Plan:
		b := o.band(n)
		b.turns = append(b.turns, n)
	case n.Kind == graph.Call && n.Call != "":
		o.call(n, n.Call).node = n
	case n.Kind == graph.Verdict && n.Status == "refused":
		if c := o.calls[n.Call+branch(n.ID)]; c != nil && c.refused == "" {
			c.refused = n.Name
		}
	case n.Kind == graph.Attempt && n.Role != "engine" && n.Role != "elsewhere":
		at := n
		if asked := o.asked[n.ID]; asked != nil && n.Step == 0 {
			at = asked
		}
		key := n.Call
		if n.Step == 0 { // no call: an activity of its own
			key = n.ID
		}
		c := o.call(at, key)
		c.attempts = append(c.attempts, &attempt{node: n})
	}
}

// call is the call with an id, in the band of n.
func (o *outliner) call(n *graph.Node, id string) *call {
	key := id + branch(n.ID)
	c := o.calls[key]
	if c == nil {
		c = &call{}
		o.calls[key] = c
		b := o.band(n)
		b.calls = append(b.calls, c)
	}
	return c
}

// datum puts data beside what made it, or beside the call whose parameters it is. A log
// that nothing was taken from is left out, as are prompts and answers.
func (o *outliner) datum(n *graph.Node) {
	maker := o.maker[n.ID]
	switch {
	case n.Kind == graph.Value && n.Role == "result":
		o.result = append(o.result, n)
	case n.Kind == graph.Value && n.Role == "params":
		if c := o.calls[n.Call+branch(n.ID)]; c != nil {
			c.params = append(c.params, n)
		}
	case (n.Kind == graph.Artifact || n.Role == "output") && maker != nil && maker.Kind == graph.Attempt:
		if n.Name == "log" && !o.taken[n.ID] {
			return
		}
		key := maker.Call
		if maker.Step == 0 {
			key = maker.ID
		}
		c := o.calls[key+branch(maker.ID)]
		if c == nil {
			return
		}
		for _, a := range c.attempts {
			if a.node == maker {
				a.made = append(a.made, n)
			}
		}
	}
}

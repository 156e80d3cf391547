package rocrate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/record"
	"rlam/provenance/export"
	graphs "rlam/provenance/graph"
	"rlam/schemas"
)

// How an action ended. The profiles know no other end, and no state before it.
const (
	completed = "http://schema.org/CompletedActionStatus"
	failed    = "http://schema.org/FailedActionStatus"
)

// happened adds all that was executed: the planner's turns, and the attempts of calls, in
// the order in which they were asked for, with the steps that they belong to. What a reset
// left behind was executed too.
func (c *crate) happened() error {
	attempts, calls := map[string][]*graphs.Node{}, map[int][]*graphs.Node{}
	for _, n := range c.trace.Graph.Nodes {
		switch {
		case n.Kind == graphs.Call:
			calls[n.Step] = append(calls[n.Step], n)
		case n.Kind == graphs.Attempt && n.Call != "" && n.Role == "" && n.Status != handedBack:
			of := "call:" + n.Call + branch(n.ID)
			attempts[of] = append(attempts[of], n)
		}
	}
	turns := map[string]*step{}
	for _, n := range c.trace.Graph.Nodes {
		switch n.Kind {
		case graphs.Plan:
			name := strconv.Itoa(n.Step) + branch(n.ID)
			if err := c.turn(c.step(turns, name, "Turn "+name+" of the planner"), n, calls[n.Step]); err != nil {
				return err
			}
		case graphs.Call:
			for _, a := range attempts[n.ID] {
				name := n.Call + branch(n.ID)
				if err := c.attempt(c.step(turns, name, "Call "+name+" of "+n.Name), n, a); err != nil {
					return err
				}
			}
		}
	}
	if len(c.controls) == 0 {
		return fmt.Errorf("nothing has been executed yet, so there is nothing to describe; export the run again once it has a step")
	}
	c.workflow.set("step", c.steps)
	return nil
}

// handedBack is the status of an attempt for which nothing was done.
const handedBack = "handed_back"

// step is one planner's turn, or one call: what the workflow plans, and what it controlled.
type step struct{ planned, control entity }

// step is the step of a name; its first action makes it.
func (c *crate) step(all map[string]*step, name, title string) *step {
	if s := all[name]; s != nil {
		return s
	}
	s := &step{planned: c.add("#step/"+fileID(name), []string{"HowToStep"}, entity{"name": title, "position": len(c.steps) + 1})}
	s.control = c.add("#control/"+fileID(name), []string{"ControlAction"}, entity{
		"name": title, "description": "What the engine had done for this step.", "instrument": ref{s.planned.id()}, "agent": c.starter,
	})
	all[name] = s
	c.steps = append(c.steps, ref{s.planned.id()})
	c.controls = append(c.controls, ref{s.control.id()})
	c.actions = append(c.actions, ref{s.control.id()})
	return s
}

// act adds an execution to its step.
func (c *crate) act(s *step, n *graphs.Node, t *tool, name string) entity {
	e := c.add(fragment(n.ID), []string{"CreateAction"}, entity{
		"name": name, "instrument": ref{t.id()}, "agent": c.starter, "startTime": stamp(n.Started), "endTime": stamp(n.Ended),
	})
	s.planned.link("workExample", t.id())
	s.control.link("object", e.id())
	c.actions = append(c.actions, ref{e.id()})
	c.end(e, n.Status, n.Failure)
	// A step began with its first execution, and ended as its last one did.
	if s.control["startTime"] == nil {
		s.control.set("startTime", e["startTime"])
	}
	for _, member := range []string{"endTime", "actionStatus", "error"} {
		delete(s.control, member)
		if v, ok := e[member]; ok {
			s.control[member] = v
		}
	}
	return e
}

// end says how an execution ended. One that is still open has no end.
func (c *crate) end(e entity, status string, f *graphs.Failure) {
	switch {
	case status == string(record.AttemptCompleted):
		e["actionStatus"] = completed
	case status == "" || status == "open":
		delete(e, "endTime")
	default:
		e["actionStatus"] = failed
		e["error"] = status
		if f != nil {
			e["error"] = strings.TrimSuffix(f.Type+": "+f.Message, ": ")
		}
	}
}

// reported is what a failed execution left in an output's place: its report.
func (c *crate) reported(e entity, n *graphs.Node) {
	if e["actionStatus"] != failed || e["result"] != nil {
		return
	}
	report := c.add("#report/"+strings.TrimPrefix(e.id(), "#"), []string{creativeWork}, entity{
		"name": "Failure report", "description": "What came instead of an output.", "text": e["error"],
	})
	if n != nil && n.Failure != nil && !n.Failure.Detail.IsZero() {
		report.set("identifier", n.Failure.Detail.String())
	}
	e.set("result", ref{report.id()})
}

// turn adds one attempt at a planner's turn.
func (c *crate) turn(s *step, n *graphs.Node, calls []*graphs.Node) error {
	var p *record.Proposal
	if !n.Digest.IsZero() {
		p = &record.Proposal{}
		if record.Load(c.ctx, c.run.Store, n.Digest, p) != nil {
			p = nil // the trace's findings name it
		}
	}
	t := c.ofPlanner(n, p)
	e := c.act(s, n, t, s.planned["name"].(string)+", attempt "+strconv.Itoa(n.N))
	var used, made []ref
	for _, edge := range c.edges[n.ID] {
		to := c.trace.Graph.Node(edge.To)
		switch {
		case edge.Kind == graphs.Used && to.Role == "prompt":
			prompt, err := c.said(t, to, input, "Prompt of "+s.planned["name"].(string))
			if err != nil {
				return err
			}
			used = append(used, prompt)
		case edge.Kind == graphs.Generated && to.Role == "answer":
			answer, err := c.said(t, to, output, "Answer of "+s.planned["name"].(string))
			if err != nil {
				return err
			}
			made = append(made, answer)
		}
	}
	e.set("object", used)
	e.set("result", made)
	e.set("description", c.proposed(n, p, calls))
	if p != nil {
		c.usage(e, p.Usage)
	}
	c.reported(e, n)
	return nil
}

// said is a prompt or an answer: a file of the crate, or what is known of it.
func (c *crate) said(t *tool, n *graphs.Node, side, what string) (ref, error) {
	if f := c.fileOf(placeOf(n), n.Digest); f != nil {
		e := c.byID[fileID(f.Path)]
		e.link("exampleOfWork", c.parameter(t, side, n.Role, file{ref{e.id()}}).id())
		return ref{e.id()}, nil
	}
	content, err := c.run.Content(c.ctx, n.Digest)
	state := string(content.State)
	if content.State == export.Present {
		state = "not in this crate"
	}
	return ref{c.unread(n, what, state).id()}, err
}

// proposed says what came of a turn, refusals included: those were never executed, so no
// action tells of them.
func (c *crate) proposed(n *graphs.Node, p *record.Proposal, calls []*graphs.Node) string {
	if p == nil {
		return "The planner was asked what to do next, and gave no answer that could be used."
	}
	var parts []string
	for _, call := range calls {
		if branch(call.ID) != branch(n.ID) {
			continue
		}
		part := cmp.Or(call.Call, "a result") + " "
		if call.Call != "" {
			part += call.Name + " "
		}
		parts = append(parts, part+"("+call.Status+c.refusedBy(call)+")")
	}
	if len(parts) == 0 {
		return "The planner was asked what to do next. Outcome: " + p.Outcome + "."
	}
	return "The planner was asked what to do next, and proposed: " + strings.Join(parts, ", ") + "."
}

// refusedBy names the gates that refused a call.
func (c *crate) refusedBy(call *graphs.Node) string {
	if call.Status != string(schemas.Refused) {
		return ""
	}
	var gates []string
	id := strings.TrimPrefix(call.ID, "call:")
	for _, v := range c.verdictsOf(id) {
		if v.Status == string(schemas.Refused) && !slices.Contains(gates, v.Name) {
			gates = append(gates, v.Name)
		}
	}
	if len(gates) == 0 {
		return ""
	}
	return " by " + strings.Join(gates, ", ")
}

// attempt adds one execution of a call.
func (c *crate) attempt(s *step, call, n *graphs.Node) error {
	t := c.ofAction(call)
	e := c.act(s, n, t, call.Name+", call "+call.Call+branch(call.ID)+", attempt "+strconv.Itoa(n.N))
	var used, made []ref
	what := "call " + call.Call + branch(call.ID)
	for _, edge := range c.edges[n.ID] {
		to := c.trace.Graph.Node(edge.To)
		var err error
		var all []ref
		switch {
		case edge.Kind == graphs.Used && to.Role == "params":
			all, err = c.values(to, t, input, "Parameters of "+what)
			used = append(used, all...)
			c.kept(e, to)
		case edge.Kind == graphs.Used && to.Kind == graphs.Environment:
			var where []ref
			where, err = c.environment(to.Digest)
			e.set("environment", where)
		case edge.Kind == graphs.Generated && to.Role == "output":
			all, err = c.values(to, t, output, "Output of "+what)
			made = append(made, all...)
			c.kept(e, to)
		case edge.Kind == graphs.Generated && to.Kind == graphs.Artifact:
			made = append(made, ref{c.artifact(to).id()})
		}
		if err != nil {
			return err
		}
	}
	if call.Seed != nil && t.params["seed"].Type == nil {
		p := c.add("#seed/"+fileID(call.Call+branch(call.ID)), []string{"PropertyValue"}, entity{"name": "seed", "value": *call.Seed})
		p.link("exampleOfWork", c.parameter(t, input, "seed", *call.Seed).id())
		used = append(used, ref{p.id()})
	}
	e.set("object", unique(used))
	e.set("result", unique(made))
	e.set("description", c.told(t, n))
	c.reported(e, n)
	return nil
}

// kept links an attempt to the file that has a value of it as a whole.
func (c *crate) kept(e entity, n *graphs.Node) {
	if f := c.fileOf(placeOf(n), n.Digest); f != nil {
		e.link("subjectOf", fileID(f.Path))
	}
}

// told is an attempt in a few words: what was to be done, where, and how it hangs together
// with others.
func (c *crate) told(t *tool, n *graphs.Node) string {
	words := []string{"An attempt at call " + n.Call + branch(n.ID) + " of " + t.entity["name"].(string) + "."}
	if n.Isolation != "" {
		words = append(words, "Isolation: "+n.Isolation+".")
	}
	for _, e := range c.edges[n.ID] {
		switch e.Kind {
		case graphs.AssociatedWith:
			if to := c.trace.Graph.Node(e.To); to.Role == "worker" {
				words = append(words, "Carried out by worker "+to.Name+".")
			}
		case graphs.Retried:
			words = append(words, "It follows "+e.To+", which did not complete.")
		case graphs.Adopted:
			words = append(words, "It reports what "+e.To+" began; nothing was executed a second time.")
		case graphs.Reused:
			words = append(words, "Nothing was executed: it was answered from the record, by "+e.To+".")
		}
	}
	if b := branch(n.ID); b != "" {
		words = append(words, "A reset left it behind.")
	}
	return strings.Join(words, " ")
}

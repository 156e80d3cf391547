package otlp

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/schemas"
)

// times are when an execution began and ended. One that has not ended, or of which neither
// is known, is no span: it is noted on the run.
func (b *builder) times(n *graph.Node) (start, end time.Time, ok bool) {
	end, err := time.Parse(time.RFC3339Nano, n.Ended)
	ended := err == nil
	if start, err = time.Parse(time.RFC3339Nano, n.Started); err != nil {
		start = end // it never began: a timeout before any worker took it
	}
	for _, t := range []time.Time{start, end} {
		if t.After(b.newest) {
			b.newest = t
		}
	}
	if !ended && !start.IsZero() {
		e := event{Time: nanos(start), Name: "rlam.open"}
		e.Attributes.text("rlam.node", n.ID)
		b.root.Events = append(b.root.Events, e)
	}
	return start, end, ended
}

// turn adds one request to the planner.
func (b *builder) turn(n *graph.Node) error {
	start, end, ok := b.times(n)
	if !ok {
		return nil
	}
	p := b.proposal(n)
	if b.agent == nil {
		s := b.span(n.ID, b.root, "plan", internal, start)
		s.end(end)
		b.placed(s, n)
		b.proposed(s, n, p, end)
		return nil
	}
	asked := n.Asked
	if asked == "" && b.t.Run != nil && len(b.t.Run.Models) == 1 {
		asked = b.t.Run.Models[0]
	}
	s := b.span(n.ID, b.agent, strings.TrimSpace("chat "+asked), client, start)
	s.end(end)
	a := &s.Attributes
	a.text("gen_ai.operation.name", "chat")
	a.text("gen_ai.provider.name", b.provider(p != nil && p.Model.Scripted))
	a.text("gen_ai.conversation.id", b.t.ID)
	a.text("gen_ai.request.model", asked)
	b.server(a)
	b.placed(s, n)
	if n.Failure != nil {
		s.fail(cmp.Or(n.Failure.Type, "_OTHER"), n.Failure.Message)
	}
	if p == nil {
		return nil
	}
	if b.lastChat != "" {
		s.link(b, b.lastChat, "the request before")
	}
	b.lastChat = s.SpanID
	a.text("gen_ai.response.model", p.Model.Answered)
	a.text("openai.response.system_fingerprint", p.Model.Fingerprint)
	if p.Usage.Total() > 0 {
		a.int("gen_ai.usage.input_tokens", int64(p.Usage.Prompt))
		a.int("gen_ai.usage.output_tokens", int64(p.Usage.Completion))
		if p.Usage.Cached > 0 {
			a.int("gen_ai.usage.cache_read.input_tokens", int64(p.Usage.Cached))
		}
		if p.Usage.Estimated {
			a.bool("rlam.usage.estimated", true)
		}
	}
	if err := b.asked(a, p.Request); err != nil {
		return err
	}
	if err := b.answered(a, p.Answer); err != nil {
		return err
	}
	b.proposed(s, n, p, end)
	return nil
}

// placed says where in the run a span belongs.
func (b *builder) placed(s *span, n *graph.Node) {
	a := &s.Attributes
	if n.Step > 0 {
		a.int("rlam.step", int64(n.Step))
	}
	if n.N > 0 {
		a.int("rlam.attempt", int64(n.N))
	}
	a.text("rlam.status", n.Status)
	if _, left, ok := strings.Cut(n.ID, "~"); ok {
		a.text("rlam.left_by_reset", left)
	}
	for _, e := range b.edges[n.ID] {
		to := b.t.Graph.Node(e.To)
		switch {
		case e.Kind == graph.AssociatedWith && to.Role == "worker":
			a.text("rlam.worker", to.Name)
		case e.Kind == graph.Used && to.Kind == graph.Environment:
			a.text("rlam.environment", to.Digest.String())
		case e.Kind == graph.Retried || e.Kind == graph.Recovered || e.Kind == graph.Adopted || e.Kind == graph.Reused:
			s.link(b, b.spanID(to.ID), string(e.Kind))
		}
	}
}

// link points from a span to another of the trace, and says why.
func (s *span) link(b *builder, to, why string) {
	l := link{TraceID: b.traceID, SpanID: to}
	l.Attributes.text("rlam.link", why)
	s.Links = append(s.Links, l)
}

// proposal reads a turn's record; nil if it has none that can be read.
func (b *builder) proposal(n *graph.Node) *record.Proposal {
	if n.Digest.IsZero() || b.run.Store == nil {
		return nil
	}
	var p record.Proposal
	if record.Load(b.ctx, b.run.Store, n.Digest, &p) != nil {
		return nil // the audit says what is wrong with it
	}
	for _, c := range p.Calls {
		b.calls[c.ID+branch(n.ID)] = c
	}
	return &p
}

// branch is the end of a node's id that says which reset left it behind.
func branch(id string) string {
	if i := strings.LastIndexByte(id, '~'); i >= 0 {
		return id[i:]
	}
	return ""
}

// proposed notes the calls that a gate refused, and so were never executed.
func (b *builder) proposed(s *span, n *graph.Node, p *record.Proposal, at time.Time) {
	if p == nil {
		return
	}
	s.Attributes.text("rlam.outcome", p.Outcome)
	for _, c := range p.Calls {
		if c.Decision == string(schemas.Refused) {
			s.Events = append(s.Events, refused(at, c.ID, c.Action, c.Verdicts))
		}
	}
	if r := p.Result; r != nil && r.Decision == string(schemas.Refused) {
		s.Events = append(s.Events, refused(at, strconv.Itoa(n.Step)+".result", "result", r.Verdicts))
	}
}

func refused(at time.Time, call, action string, verdicts []record.Verdict) event {
	e := event{Time: nanos(at), Name: "rlam.refused"}
	e.Attributes.text("rlam.call", call)
	e.Attributes.text("rlam.action", action)
	for _, v := range verdicts {
		if v.Decision == string(schemas.Refused) {
			e.Attributes.text("rlam.gate", v.Gate)
			e.Attributes.text("rlam.rule", v.Rule)
			break
		}
	}
	return e
}

// attempt adds one execution of a call, or of an activity of a workflow that isn't R-LAM's.
func (b *builder) attempt(n *graph.Node) error {
	start, end, ok := b.times(n)
	if !ok {
		return nil
	}
	parent := cmp.Or(b.agent, b.root)
	if n.Call == "" || b.t.Study == nil {
		s := b.span(n.ID, parent, cmp.Or(n.Name, n.ID), internal, start)
		s.end(end)
		b.placed(s, n)
		b.failed(s, n)
		return nil
	}
	name, version, _ := strings.Cut(n.Name, "@")
	s := b.span(n.ID, parent, "execute_tool "+name, internal, start)
	s.end(end)
	a := &s.Attributes
	a.text("gen_ai.operation.name", "execute_tool")
	a.text("gen_ai.tool.name", name)
	a.text("gen_ai.tool.type", "function")
	call := b.t.Graph.Node("call:" + n.Call + branch(n.ID))
	if call != nil {
		a.text("gen_ai.tool.description", b.action(call.Spec).Summary)
	}
	proposed := b.calls[n.Call+branch(n.ID)]
	a.text("gen_ai.tool.call.id", cmp.Or(proposed.ToolCall, n.Call))
	a.text("gen_ai.conversation.id", b.t.ID)
	a.text("rlam.call", n.Call)
	a.text("rlam.action.version", version)
	a.text("rlam.isolation", n.Isolation)
	if call != nil && call.Seed != nil {
		a.text("rlam.seed", strconv.FormatUint(*call.Seed, 10))
	}
	b.placed(s, n)
	b.failed(s, n)
	return b.exchanged(a, n)
}

func (b *builder) failed(s *span, n *graph.Node) {
	switch {
	case n.Failure != nil:
		s.fail(cmp.Or(n.Failure.Type, "_OTHER"), n.Failure.Message)
	case n.Status != string(record.AttemptCompleted):
		s.fail(cmp.Or(n.Status, "_OTHER"), "")
	}
}

// exchanged adds arguments and result of a call, where content is asked for.
func (b *builder) exchanged(a *attributes, n *graph.Node) error {
	if !b.o.Content {
		return nil
	}
	for _, e := range b.edges[n.ID] {
		to := b.t.Graph.Node(e.To)
		key := ""
		switch {
		case e.Kind == graph.Used && to.Role == "params":
			key = "gen_ai.tool.call.arguments"
		case e.Kind == graph.Generated && to.Role == "output":
			key = "gen_ai.tool.call.result"
		default:
			continue
		}
		raw, err := b.content(to.Digest, nil)
		if err != nil {
			return err
		}
		a.text(key, string(raw))
	}
	return nil
}

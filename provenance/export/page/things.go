package page

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/export"
	"rlam/provenance/graph"
)

// thing is a node of the trace graph as the page shows it. Verdicts are part of their call.
type thing struct {
	ID       string       `json:"id"`
	Kind     graph.Kind   `json:"kind"`
	Role     string       `json:"role,omitempty"`
	Title    string       `json:"title"`
	Label    string       `json:"label"` // short, for the graph
	Status   string       `json:"status,omitempty"`
	Digest   canon.Digest `json:"digest,omitzero"`
	Step     string       `json:"step,omitempty"` // the step it belongs to, with the branch: "4", "4~01a2b3c4"
	Owner    int          `json:"owner"`          // index of the thing in whose row it is; its own where it has one
	Facts    []fact       `json:"facts,omitempty"`
	Parts    []part       `json:"parts,omitempty"`
	Verdicts []verdict    `json:"verdicts,omitempty"`
	Failure  *failure     `json:"failure,omitempty"`

	node *graph.Node
}

// fact is a line of what is known of a thing. A fact with a digest can be copied.
type fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Mono bool   `json:"mono,omitempty"`
}

// part is a content that belongs to a thing.
type part struct {
	Name   string       `json:"name"`
	Digest canon.Digest `json:"digest"`
}

type verdict struct {
	Gate     string       `json:"gate"`
	Version  int          `json:"version,omitempty"`
	Decision string       `json:"decision"`
	Rule     string       `json:"rule,omitempty"`
	Again    bool         `json:"again,omitempty"` // of a deferred call, when its sources had run
	Reason   canon.Digest `json:"reason,omitzero"`
	Facts    canon.Digest `json:"facts,omitzero"`
}

type failure struct {
	Type    string `json:"type"`
	Message string `json:"message,omitempty"`
}

// edge joins two things by their indices.
type edge struct {
	Kind graph.EdgeKind `json:"kind"`
	From int            `json:"from"`
	To   int            `json:"to"`
	Note string         `json:"note,omitempty"`
}

// builder makes a page's data.
type builder struct {
	run       *export.Run
	o         Options
	reader    *reader
	things    []*thing
	index     map[string]int // by id
	edges     []edge
	proposals map[string]proposed // by step and branch
	seal      *record.Seal
}

// proposed is what the records hold of a step.
type proposed struct {
	rec   *record.Proposal
	facts map[string]canon.Digest // that gates judged, by the verdict's id
}

// build turns nodes into things and reads what they name.
func (b *builder) build(ctx context.Context) error {
	b.records(ctx)
	for _, n := range b.run.Trace.Graph.Nodes {
		if n.Kind != graph.Verdict {
			b.index[n.ID] = len(b.things)
			b.things = append(b.things, &thing{ID: visible(n.ID), Kind: n.Kind, Role: n.Role, Status: n.Status, Digest: n.Digest, Step: stepOf(n), Owner: len(b.things), node: n})
		}
	}
	if err := b.first(ctx); err != nil {
		return err
	}
	for _, t := range b.things {
		if err := b.contents(ctx, t); err != nil {
			return err
		}
	}
	for _, n := range b.run.Trace.Graph.Nodes {
		if n.Kind == graph.Verdict {
			if err := b.judged(ctx, n); err != nil {
				return err
			}
		}
	}
	for _, t := range b.things {
		if t.Kind == graph.Step && t.Status == "calls" {
			t.Status = "" // as nearly every step
		}
		b.name(t)
		b.tell(t)
	}
	b.join()
	b.own()
	return nil
}

// records reads what the records hold and the graph has not. A record that can't be read
// is a finding of the trace already.
func (b *builder) records(ctx context.Context) {
	t := b.run.Trace
	if b.run.Store == nil {
		return
	}
	for _, n := range t.Graph.Nodes {
		var p record.Proposal
		var s record.Step
		switch {
		case n.Kind == graph.Plan && !n.Digest.IsZero() && record.Load(ctx, b.run.Store, n.Digest, &p) == nil:
			got := proposed{rec: &p, facts: map[string]canon.Digest{}}
			for _, c := range p.Calls {
				got.judged(c.ID+branch(n.ID), c.Verdicts, "")
			}
			if p.Result != nil {
				got.judged(strconv.Itoa(p.Index)+".result"+branch(n.ID), p.Result.Verdicts, "")
			}
			b.proposals[stepOf(n)] = got
		case n.Kind == graph.Step && !n.Digest.IsZero() && record.Load(ctx, b.run.Store, n.Digest, &s) == nil:
			for _, c := range s.Calls {
				if got := b.proposals[stepOf(n)]; got.facts != nil {
					got.judged(c.ID+branch(n.ID), c.Verdicts, "/judged")
				}
			}
		}
	}
	var seal record.Seal
	if !t.Head.IsZero() && record.Load(ctx, b.run.Store, t.Head, &seal) == nil {
		b.seal = &seal
	}
}

func (p proposed) judged(call string, all []record.Verdict, again string) {
	for i, v := range all {
		id := fmt.Sprintf("verdict:%s/%s%s", call, v.Gate, again)
		if _, several := p.facts[id]; several {
			id += "/" + strconv.Itoa(i+1)
		}
		p.facts[id] = v.Facts
	}
}

// branch is what the id of a node has that a reset left: "~01a2b3c4".
func branch(id string) string {
	if strings.HasPrefix(id, "artifact:") || strings.HasPrefix(id, "verdict:") {
		id, _, _ = strings.Cut(id, "/") // what follows is a name
	}
	if at := strings.LastIndexByte(id, '~'); at >= 0 {
		return id[at:]
	}
	return ""
}

// stepOf is the step that a node belongs to.
func stepOf(n *graph.Node) string {
	if n.Kind == graph.Step {
		return strings.TrimPrefix(n.ID, "step:")
	}
	if n.Step == 0 {
		return ""
	}
	return strconv.Itoa(n.Step) + branch(n.ID)
}

// join keeps the edges between things. How a call came to its verdicts is told with it.
func (b *builder) join() {
	for _, e := range b.run.Trace.Graph.Edges {
		from, ok := b.index[e.From]
		to, also := b.index[e.To]
		if !ok || !also {
			continue
		}
		note := visible(cmp.Or(e.At, e.Pointer))
		if e.At != "" && e.Pointer != "" {
			note = visible(e.At + " from " + e.Pointer)
		}
		if e.Through != "" {
			note = strings.TrimSpace(note + " through the " + e.Through)
		}
		b.edges = append(b.edges, edge{Kind: e.Kind, From: from, To: to, Note: note})
	}
}

// own says in which row of the tree each thing is found: in that of what made it, or else
// of what it is of.
func (b *builder) own() {
	made := map[int]int{}
	for _, e := range b.edges {
		if e.Kind == graph.Generated {
			made[e.To] = e.From
		}
	}
	for i, t := range b.things {
		if t.Kind != graph.Value && t.Kind != graph.Artifact || t.ID == "result" || t.Role == "input" {
			continue
		}
		by, ok := made[i]
		if call, found := b.index["call:"+t.node.Call+branch(t.ID)]; t.Role == "params" && found {
			by, ok = call, true
		}
		if turn, found := b.index[fmt.Sprintf("plan:%d#1%s", t.node.Step, branch(t.ID))]; !ok && found {
			by, ok = turn, true
		}
		if ok {
			t.Owner = by
		}
	}
}

// when is a time of the trace; zero if there is none.
func when(s string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// clock is a time for people, in UTC.
func clock(s string) string {
	at := when(s)
	if at.IsZero() {
		return s
	}
	return at.Format("2006-01-02 15:04:05.000") + " UTC"
}

// lasted is a duration for people, in two units at most.
func lasted(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// bytesOf is a number of bytes for people.
func bytesOf(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1e6:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	case n < 1e9:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + " GB"
}

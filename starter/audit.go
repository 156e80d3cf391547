package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"rlam/provenance"
	"rlam/provenance/graph"
)

// auditOptions are the flags of audit.
type auditOptions struct {
	store   string
	metrics bool
}

func newAuditCommand(a *app) *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use: "audit RUN|HISTORY", Short: "Hold history, records and journal of a run against each other",
		Long: `Check what is known of a run: history, records and journal against each other.

Each disagreement is a finding with a name. What happens in a run that met a crash
or a reset, and is on record as such, is a note and no disagreement.

With --metrics, say how well the run is documented, with what was counted:
reproducibility success (decisions that a replay makes again, and outputs whose
bytes are there), trace completeness (executions that journal, history and graph
know) and failure visibility (failures with type, message, event and detail).

RUN may be any workflow of the server, or a file with a history (JSON as Temporal's
tools write it, or protobuf): then the history is held against itself, and of a run
of a study against the store, if that has its records. With --metrics an ensemble's
members are audited, all that have begun, and what was counted of each is added up.

The exit code is 12 if there is a disagreement, or a metric below 1.`,
		Example: "  starter audit @last --metrics\n  starter audit history.json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runAudit(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().BoolVar(&o.metrics, "metrics", false, "replay the run, read its outputs again, and count")
	return c
}

// auditMessage is what an audit found.
type auditMessage struct {
	Run string `json:"run"`
	// HistoryAlone says that there are no records: of a workflow that isn't R-LAM's, or of
	// a history of which the store knows nothing.
	HistoryAlone bool                `json:"history_alone,omitempty"`
	Status       string              `json:"status"`
	Nodes        int                 `json:"nodes"`
	Edges        int                 `json:"edges"`
	Findings     []graph.Finding     `json:"findings"`
	Notes        []graph.Finding     `json:"notes"`
	Metrics      *provenance.Metrics `json:"metrics,omitempty"`
	// Members says of an ensemble how many of its members were audited; nodes, edges,
	// findings and metrics are then of all of them.
	Members *auditedMembers `json:"members,omitempty"`
}

// auditedMembers are how many members of an ensemble were audited, of how many.
type auditedMembers struct {
	Counted int `json:"counted"`
	Of      int `json:"of"`
}

func (auditMessage) MessageType() string { return "audit" }

// sound says whether nothing disagrees and nothing is missing.
func (m auditMessage) sound() bool {
	whole := m.Metrics == nil || m.Metrics.Reproducibility.Whole() && m.Metrics.Completeness.Whole() && m.Metrics.Visibility.Whole()
	return len(m.Findings) == 0 && whole
}

func runAudit(ctx context.Context, a *app, id string, o auditOptions) error {
	e, err := a.gatherAny(ctx, id, gatherOptions{store: o.store, strays: true})
	if err != nil {
		return err
	}
	if o.metrics && e.Store == nil {
		return a.auditMembers(ctx, id, o)
	}
	m := auditMessage{
		HistoryAlone: e.Store == nil, Run: e.Trace.ID, Status: e.Trace.Status, Nodes: len(e.Trace.Graph.Nodes), Edges: len(e.Trace.Graph.Edges),
		Findings: []graph.Finding{}, Notes: []graph.Finding{},
	}
	m.sort(e.Trace.Findings)
	if o.metrics {
		metrics, err := e.measure(ctx)
		if err != nil {
			return err
		}
		m.Metrics = &metrics
	}
	a.printer.Print(m)
	if !m.sound() {
		return &codedError{code: exitUnverified}
	}
	return nil
}

// sort adds what was found to the findings or to the notes.
func (m *auditMessage) sort(found []graph.Finding) {
	for _, f := range found {
		if provenance.Harmless(f.Name) {
			m.Notes = append(m.Notes, f)
		} else {
			m.Findings = append(m.Findings, f)
		}
	}
}

// audit writes what an audit found.
func (p *textPrinter) audit(m auditMessage) {
	of := ""
	if m.Members != nil {
		of = fmt.Sprintf("%s of %s counted: ", thousands(m.Members.Counted), count(m.Members.Of, "member"))
	}
	p.printf("%s  %s, %s%s and %s\n", m.Run, m.Status, of, count(m.Nodes, "node"), count(m.Edges, "edge"))
	for _, f := range m.Findings {
		p.block(p.bad.Render("✗")+" ", f.String(), unstyled)
	}
	for _, f := range m.Notes {
		p.block("· ", f.String(), unstyled)
	}
	switch {
	case len(m.Findings) > 0:
	case m.HistoryAlone:
		p.printf("%s the history is whole; there are no records to hold it against\n", p.good.Render("✓"))
	default:
		p.printf("%s history, records and journal agree\n", p.good.Render("✓"))
	}
	if m.Metrics == nil {
		return
	}
	for _, row := range []struct {
		name   string
		metric provenance.Metric
	}{
		{"reproducibility success", m.Metrics.Reproducibility},
		{"trace completeness", m.Metrics.Completeness},
		{"failure visibility", m.Metrics.Visibility},
	} {
		p.block(fmt.Sprintf("%-24s %s  ", row.name, share(row.metric)), fmt.Sprintf("%s of %s %s", thousands(row.metric.Good), thousands(row.metric.Total), row.metric.Counted), unstyled)
		for _, missing := range row.metric.Missing {
			p.block("  "+p.bad.Render("✗")+" ", missing, unstyled)
		}
	}
	p.printf("%s\n", p.dim.Render(count(len(m.Findings), "finding")+", "+count(len(m.Notes), "note")))
}

// share spells a metric's score in thousandths, cut and not rounded: what lacks one of ten
// thousand isn't 1.000.
func share(m provenance.Metric) string {
	if m.Total == 0 {
		return "1.000"
	}
	thousandths := 1000 * m.Good / m.Total
	return fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000)
}

package main

import (
	"context"

	"rlam/internal/record"
	"rlam/provenance"
	"rlam/provenance/graph"
	"rlam/worker/host"
)

// auditMembers audits the members of an ensemble that have begun, each by its newest go, and
// adds up what was counted of them.
func (a *app) auditMembers(ctx context.Context, id string, o auditOptions) error {
	s, e, err := a.ensembleNamed(ctx, id, o.store)
	if err != nil {
		return err
	}
	if e == nil {
		return badUsage("--metrics counts what records and journal hold, and of %q there is only a history: leave out --metrics", id)
	}
	c := a.reached(ctx)
	if c != nil {
		defer c.close()
	}
	r, err := host.ReadRoster(ctx, c.asked(), s, *e)
	if err != nil {
		return err
	}
	metrics := provenance.NoMetrics()
	m := auditMessage{
		Run: e.Record.ID, Status: string(standing(r).status(r.Open)), Findings: []graph.Finding{}, Notes: []graph.Finding{},
		Metrics: &metrics, Members: &auditedMembers{Of: len(r.Members)},
	}
	for i := range r.Members {
		if !begun(&r.Members[i]) {
			continue
		}
		if err := a.auditMember(ctx, &r.Members[i], o.store, &m); err != nil {
			return err
		}
	}
	a.printer.Print(m)
	if !m.sound() {
		return &codedError{code: exitUnverified}
	}
	return nil
}

// begun says whether there is a run of a member that can be audited.
func begun(m *host.Member) bool {
	return m.RunID != "" && m.Status != host.MemberWaits && m.Status != record.NotStarted
}

// auditMember adds the audit of a member's run to that of its ensemble.
func (a *app) auditMember(ctx context.Context, member *host.Member, storeFlag string, m *auditMessage) error {
	e, err := a.gather(ctx, member.RunID, gatherOptions{store: storeFlag, strays: true})
	if err != nil {
		return err
	}
	metrics, err := e.measure(ctx)
	if err != nil {
		return err
	}
	m.Members.Counted++
	m.Nodes += len(e.Trace.Graph.Nodes)
	m.Edges += len(e.Trace.Graph.Edges)
	for i := range e.Trace.Findings {
		e.Trace.Findings[i].Subject = member.ID + ": " + e.Trace.Findings[i].Subject
	}
	m.sort(e.Trace.Findings)
	m.Metrics.Add(member.ID, metrics)
	return nil
}

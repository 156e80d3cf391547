package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"rlam/internal/quantity"
	"rlam/provenance"
	"rlam/provenance/attest"
	"rlam/provenance/export"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// told reads the histories and joins them with records and journal. It reports nothing:
// the checks after it do.
func (v *verification) told() (Check, error) {
	t, err := v.joined()
	if err != nil {
		v.unread = err
		return Check{}, nil
	}
	v.run = &export.Run{Trace: t, Store: v.in.Store, Histories: v.in.Histories, Namespace: v.in.Claims.Namespace}
	withheld := 0
	for _, a := range v.in.Absent {
		if a.Withheld {
			withheld++
		}
	}
	v.facts, v.unread = attest.FactsOf(v.run, withheld, v.in.Claims.Engine)
	return Check{}, nil
}

// joined is what the histories, the records and the journal tell together: a link of the
// line at a time, and all at once where that doesn't say everything.
func (v *verification) joined() (*provenance.Trace, error) {
	of := map[*history.Run]export.History{}
	var runs []*history.Run
	for _, h := range v.in.Histories {
		r, err := v.read(h)
		if err != nil {
			return nil, err
		}
		bare := r.Bare()
		of[bare] = h
		runs = append(runs, bare)
	}
	evidence := provenance.Evidence{Runs: runs, Store: v.in.Store, Strays: true}
	// What Audit can't tell in one pass, for whichever reason, Build tells or fails at.
	t, _ := provenance.Audit(v.ctx, evidence, func(bare *history.Run) (*history.Run, error) { return v.read(of[bare]) })
	if gone := context.Cause(v.ctx); gone != nil {
		return nil, gone
	}
	if t != nil {
		return t, nil
	}
	for i, bare := range runs {
		r, err := v.read(of[bare])
		if err != nil {
			return nil, err
		}
		runs[i] = r
	}
	return provenance.Build(v.ctx, evidence)
}

// runs are the Temporal runs of the run, the line first.
func (v *verification) runs() []*history.Run {
	return slices.Concat(v.run.Trace.Line, v.run.Trace.Aside)
}

func (v *verification) read(h export.History) (*history.Run, error) {
	b, err := h.Bytes()
	if err != nil {
		return nil, err
	}
	r, err := history.Read(history.FromProtobuf(b), history.Options{RunID: h.RunID, Payloads: v.in.Code.DataConverter})
	if err != nil {
		return nil, fmt.Errorf("the history of Temporal run %s: %w", h.RunID, err)
	}
	return r, nil
}

// file names the file that has a history.
func (v *verification) file(runID string) string {
	if v.in.FileOf == nil {
		return ""
	}
	return v.in.FileOf(runID)
}

// trace holds history, records, journal and index against each other.
func (v *verification) trace() (Check, error) {
	const bad = "history, records and journal don't tell of the same run"
	if v.unread != nil {
		return outcome(Trace, []Fault{{What: v.unread.Error()}}, "", "the run's history can't be read"), nil
	}
	t := v.run.Trace
	c := Check{Name: Trace}
	unknown := 0
	for _, f := range t.Findings {
		switch {
		case f.Name == history.Unknown:
			unknown++
		case provenance.Harmless(f.Name):
			c.Notes = append(c.Notes, f.String())
		default:
			c.Faults = append(c.Faults, v.fault(f))
		}
	}
	c.Faults = append(c.Faults, v.claims()...)
	more, err := v.spelled()
	if err != nil {
		return c, err
	}
	c.Faults = append(c.Faults, more...)
	var events int64
	for _, r := range v.facts.Runs {
		events += r.Events
	}
	notes := c.Notes
	c = outcome(Trace, c.Faults, fmt.Sprintf("%s of history, the records and the journal tell of the same %s", quantity.Of(int(events), "event"), quantity.Of(t.Executed(), "execution")), bad)
	c.Notes = notes
	if c.State == Passed && unknown > 0 {
		c.State, c.Says = Skew, fmt.Sprintf("a newer server wrote %s of types that this version doesn't know; all else fits", quantity.Of(unknown, "event"))
	}
	return c, nil
}

// fault says where a finding is.
func (v *verification) fault(f graph.Finding) Fault {
	out := Fault{Event: f.Event, Field: f.Subject, What: f.Name + ": " + f.What}
	// Of a trace without a graph nothing is found but what is harmless.
	if n := v.run.Trace.Graph.Node(f.Subject); n != nil {
		out.Record, out.Run = n.Digest, n.Run
	}
	if f.Event > 0 {
		if out.Run == "" && len(v.in.Histories) == 1 {
			out.Run = v.in.Histories[0].RunID
		}
		out.File = v.file(out.Run)
	}
	return out
}

// claims holds what the index says of the run against what histories and records say.
func (v *verification) claims() []Fault {
	var faults []Fault
	differ := func(field string, claimed, told any) {
		if claimed != told {
			faults = append(faults, Fault{File: v.in.Index, Field: "run/" + field, What: fmt.Sprintf("it says %s, and the history says %s", shown(claimed), shown(told))})
		}
	}
	c, f := v.in.Claims, v.facts
	differ("id", c.WorkflowID, f.WorkflowID)
	differ("record", c.Record, f.Record)
	differ("head", c.Head, f.Head)
	differ("status", c.Status, f.Status)
	differ("temporal_runs", len(c.Runs), len(f.Runs))
	for i := range min(len(c.Runs), len(f.Runs)) {
		differ(fmt.Sprintf("temporal_runs/%d/run_id", i), c.Runs[i].RunID, f.Runs[i].RunID)
		differ(fmt.Sprintf("temporal_runs/%d/events", i), c.Runs[i].Events, f.Runs[i].Events)
		differ(fmt.Sprintf("temporal_runs/%d/aside", i), c.Runs[i].Aside, f.Runs[i].Aside)
	}
	if t := v.run.Trace; t.Run != nil && t.Run.ID != t.ID {
		faults = append(faults, Fault{Record: t.Record, Field: "/id", What: fmt.Sprintf("it is of run %q, and the history of run %q", t.Run.ID, t.ID)})
	}
	aside := 0
	for _, r := range v.facts.Runs {
		if r.Aside {
			aside++
		}
	}
	if aside != len(v.run.Trace.Aside) {
		faults = append(faults, Fault{File: v.in.Index, Field: "run/temporal_runs", What: fmt.Sprintf("it sets %d Temporal runs aside, and by their histories %d were reset away", aside, len(v.run.Trace.Aside))})
	}
	return faults
}

// spelled checks that the histories in JSON, which people read, say what those in
// protobuf say, which all else rests on.
func (v *verification) spelled() ([]Fault, error) {
	if v.in.Spelled == nil {
		return nil, nil
	}
	var faults []Fault
	for _, h := range v.in.Histories {
		text, err := v.in.Spelled(h.RunID)
		switch {
		case err != nil && v.ctx.Err() != nil:
			return nil, err
		case err != nil:
			faults = append(faults, Fault{Run: h.RunID, What: "reading its history in JSON: " + err.Error()})
			continue
		}
		if text == nil {
			continue
		}
		b, err := h.Bytes()
		if err != nil {
			return nil, err
		}
		at, err := history.Parts(history.FromJSON(bytes.NewReader(text)), history.FromProtobuf(b))
		if err != nil {
			faults = append(faults, Fault{Run: h.RunID, What: "its history in JSON: " + err.Error()})
		} else if at > 0 {
			faults = append(faults, Fault{Run: h.RunID, Event: at, What: "its history in JSON says something else than the one in protobuf"})
		}
	}
	return faults, nil
}

func (v *verification) completeness() (Check, error) {
	if v.run == nil {
		return Check{Name: Completeness, State: Unchecked, Says: "without a history nothing can be counted"}, nil
	}
	m, err := v.run.Trace.Measure(v.ctx, v.in.Store, v.replayed)
	if err != nil {
		return Check{}, fmt.Errorf("counting what is on record: %w", err)
	}
	c := Check{Name: Completeness, State: Passed, Says: fmt.Sprintf("on record: %s of %s; told in full: %s of %s; had again: %s of %s decisions and outputs",
		quantity.Thousands(m.Completeness.Good), quantity.Of(m.Completeness.Total, "execution"), quantity.Thousands(m.Visibility.Good), quantity.Of(m.Visibility.Total, "failure"),
		quantity.Thousands(m.Reproducibility.Good), quantity.Thousands(m.Reproducibility.Total))}
	c.Notes = slices.Concat(m.Completeness.Missing, m.Visibility.Missing, m.Reproducibility.Missing)
	return c, nil
}

// absent says what isn't here.
func (v *verification) absent() (Check, error) {
	c := Check{Name: Absence, State: Passed, Says: "nothing was left out"}
	for _, a := range v.in.Absent {
		c.Notes = append(c.Notes, a.What+": "+a.Why)
	}
	if len(v.in.Absent) > 0 {
		c.Says = fmt.Sprintf("not here, and named by digest alone: %s", quantity.Of(len(v.in.Absent), "content"))
	}
	return c, nil
}

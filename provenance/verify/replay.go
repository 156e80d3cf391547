package verify

import (
	"errors"
	"fmt"

	"rlam/internal/quantity"
	"rlam/internal/record"
	"rlam/internal/replay"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/schemas"
)

// gates asks today's gates about each call, on the facts of then.
func (v *verification) gates() (Check, error) {
	if v.run == nil || v.run.Trace.Run == nil {
		return Check{Name: Gates, State: Unchecked, Says: "the run's record can't be read"}, nil
	}
	t := v.run.Trace
	differences, err := v.in.Judge(v.ctx, v.in.Store, t.Record, t.Head)
	c := Check{Name: Gates, State: Passed, Says: quantity.Thousands(v.verdicts) + " verdicts are what today's gates say on the facts of then"}
	for _, d := range differences {
		if d.Kind == schemas.Contradicted {
			c.Faults = append(c.Faults, Fault{Record: v.proposing(d.Call), Field: verdictOf(d), What: d.String()})
		} else {
			c.Notes = append(c.Notes, d.String())
		}
	}
	newer := newerGates(t.Run.Gates)
	switch {
	case len(newer) > 0:
		c.State, c.Says = Skew, fmt.Sprintf("newer gates than this version has judged these calls: %v", newer)
		for _, f := range c.Faults {
			c.Notes = append(c.Notes, f.What)
		}
		c.Faults = nil
	case len(c.Faults) > 0:
		c.State, c.Says = Failed, "verdicts are on record that the gates don't give"
	case errors.Is(err, export.ErrWithheld) || errors.Is(err, store.ErrNotFound) && v.left():
		c.State, c.Says = Unchecked, "what the gates judged was left out, so they can't be asked again"
		c.Notes = append(c.Notes, err.Error())
	case err != nil && v.ctx.Err() == nil:
		c.State, c.Says = Failed, "the gates can't be asked about what is on record"
		c.Faults = []Fault{{What: err.Error()}}
	case len(c.Notes) > 0:
		c.Says = fmt.Sprintf("%s of %s judged differently now, by rules that changed since", quantity.Thousands(len(c.Notes)), quantity.Of(v.verdicts, "verdict"))
	}
	return c, nil
}

// left says whether the bundle leaves anything out.
func (v *verification) left() bool { return len(v.in.Absent) > 0 }

func verdictOf(d schemas.Difference) string {
	if d.Call == "" {
		return "result, gate " + d.Gate
	}
	return "call " + d.Call + ", gate " + d.Gate
}

// replay gives each history to the workflow's code.
func (v *verification) replay() (Check, error) {
	if v.run == nil {
		return Check{Name: Replay, State: Unchecked, Says: "without a history nothing can be replayed"}, nil
	}
	c := Check{Name: Replay}
	histories := map[string]export.History{}
	for _, h := range v.in.Histories {
		histories[h.RunID] = h
	}
	for i, bare := range v.runs() {
		r, err := v.run.Trace.Told(bare)
		if err != nil {
			return c, err
		}
		protobuf, err := histories[r.RunID].Bytes()
		if err != nil {
			return c, err
		}
		if !r.Study {
			return Check{Name: Replay, State: Unchecked, Says: fmt.Sprintf("the workflow %q isn't R-LAM's, and its code isn't here", r.Type)}, nil
		}
		made := len(r.Activities)
		if err := history.Replay(v.ctx, v.in.Code, protobuf); err != nil {
			if v.ctx.Err() != nil {
				return c, err
			}
			f := Fault{File: v.file(r.RunID), Run: r.RunID, What: err.Error()}
			var d *replay.Divergence
			made = 0
			if errors.As(err, &d) {
				f.Event, f.Field, made = d.Event, d.Field, r.ScheduledBefore(d.Event)
			}
			c.Faults = append(c.Faults, f)
			v.replayed.Divergent = f.String()
		}
		if i < len(v.run.Trace.Line) {
			v.replayed.Decisions += made
			v.replayed.Total += len(r.Activities)
		}
	}
	for _, f := range v.run.Trace.Findings {
		if f.Name == history.Unknown && len(c.Faults) > 0 {
			return Check{Name: Replay, State: Skew, Says: "a newer server wrote events that this version can't replay"}, nil
		}
	}
	return outcome(Replay, c.Faults,
		fmt.Sprintf("given what happened, the workflow's code decides as recorded: %s, their inputs, timers and the result", quantity.Of(v.replayed.Total, "decision")),
		"the workflow's code, given what happened, decides otherwise"), nil
}

// newerGates are those of a run that this version has not, or has in an older version.
func newerGates(pinned []record.Gate) []string {
	var newer []string
	ours := schemas.GateVersions()
	for _, g := range pinned {
		if g.Version > ours[g.Name] {
			newer = append(newer, fmt.Sprintf("%s version %d", g.Name, g.Version))
		}
	}
	return newer
}

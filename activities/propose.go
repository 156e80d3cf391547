package activities

import (
	"encoding/json"
	"errors"
	"fmt"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
)

// proposed numbers a planner's calls.
func proposed(step int, calls []planner.Call) []schemas.Proposed {
	out := make([]schemas.Proposed, 0, len(calls))
	for i, c := range calls {
		out = append(out, schemas.Proposed{ID: fmt.Sprintf("%d.%d", step, i+1), Name: c.ID, Action: c.Action, Params: c.Params, Position: i, After: c.After})
	}
	return out
}

// proposalWriter turns what was judged into records and contents, and keeps the first error.
type proposalWriter struct {
	secret record.Secret
	blobs  [][]byte
	refs   map[canon.Digest]record.Ref // of what was kept
	err    error
}

func (w *proposalWriter) keep(v any) canon.Digest {
	ref, blob, err := w.secret.Content(v)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return canon.Digest{}
	}
	w.blobs = append(w.blobs, blob)
	if w.refs == nil {
		w.refs = map[canon.Digest]record.Ref{}
	}
	w.refs[ref.Digest] = ref
	return ref.Digest
}

// text is a text that was kept.
func (w *proposalWriter) text(d canon.Digest) string {
	for _, blob := range w.blobs {
		var kept struct {
			Value string `json:"value"`
		}
		if canon.Sum(blob) == d && json.Unmarshal(blob, &kept) == nil {
			return kept.Value
		}
	}
	return ""
}

func (w *proposalWriter) call(run *pinned, j schemas.Judged, c planner.Call) record.Call {
	rec := record.Call{
		ID: j.ID, Name: j.Name, ToolCall: c.ToolCallID, Action: run.fullName(j.Action), Spec: j.Spec, Binding: j.Binding, Params: w.params(j),
		Uses: uses(j.Uses), After: append([]string{}, j.After...), Verdicts: w.verdicts(j.Verdicts), Decision: string(j.Decision),
		Seed: c.Seed,
	}
	return rec
}

// params keeps parameters: with references replaced where that was possible, else as proposed.
func (w *proposalWriter) params(j schemas.Judged) canon.Digest {
	switch {
	case j.Resolved != nil:
		return w.keep(j.Resolved)
	case canon.Check(j.Params) == nil:
		return w.keep(json.RawMessage(j.Params))
	}
	return w.keep(string(j.Params)) // not JSON: the text as it is
}

func (w *proposalWriter) verdicts(from []schemas.Verdict) []record.Verdict {
	to := make([]record.Verdict, 0, len(from))
	for _, v := range from {
		rec := record.Verdict{Gate: v.Gate, Version: v.Version, Decision: string(v.Decision), Rule: v.Rule, Facts: v.Facts}
		if v.Reason != "" {
			rec.Reason = w.keep(v.Reason)
		}
		to = append(to, rec)
	}
	return to
}

func uses(from []schemas.Use) []record.Use {
	to := make([]record.Use, 0, len(from))
	for _, u := range from {
		to = append(to, record.Use{From: u.From, Pointer: u.Pointer, At: u.At})
	}
	return to
}

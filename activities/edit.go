package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/record"
	"rlam/schemas"
)

const partOutput = string(change.Output)

// raw is a content's canonical JSON.
func (a *Activities) raw(ctx context.Context, d canon.Digest) (json.RawMessage, error) {
	var v json.RawMessage
	err := record.OpenContent(ctx, a.cfg.Store, d, &v)
	return v, err
}

// editParams puts a value into parameters as the planner wrote them. A reference on the
// way to it gives way to the value that it had.
func (a *Activities) editParams(ctx context.Context, was record.Call, written []byte, e record.Edit) (json.RawMessage, error) {
	value, err := a.raw(ctx, e.Value)
	if err != nil || e.Pointer == "" {
		return value, err
	}
	resolved, err := a.raw(ctx, was.Params)
	if err != nil {
		return nil, err
	}
	params := json.RawMessage(written)
	if canon.Check(params) != nil {
		return nil, &StoppedError{fmt.Sprintf("what the planner wrote is no JSON: change the whole, as in %s/params={…}", was.ID)}
	}
	for i := 0; i < len(e.Pointer); i++ {
		if i > 0 && e.Pointer[i] != '/' {
			continue
		}
		if at, err := schemas.At(params, e.Pointer[:i]); err != nil || !isReference(at) {
			continue
		}
		had, err := schemas.At(resolved, e.Pointer[:i])
		if err == nil {
			params, err = change.Put(params, e.Pointer[:i], had, false)
		}
		if err != nil {
			return nil, err
		}
	}
	return change.Put(params, e.Pointer, value, true)
}

// isReference says whether a value is a reference and not a value of its own.
func isReference(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	_, is := members["$from"]
	return is
}

// asserted is the output that a person's edits make of a call's, and what of it they changed.
func (a *Activities) asserted(ctx context.Context, run *pinned, was record.CallRecord, edits []record.Edit) (output json.RawMessage, pointers []string, err error) {
	if was.Decision != string(schemas.Admitted) {
		return nil, nil, &StoppedError{fmt.Sprintf("the call was %s, and only one that the gates admitted has an output", was.Status)}
	}
	if output, err = a.output(ctx, was); err != nil {
		return nil, nil, err
	}
	for _, e := range edits {
		value, err := a.raw(ctx, e.Value)
		if err != nil {
			return nil, nil, err
		}
		if output == nil && e.Pointer != "" {
			return nil, nil, &StoppedError{fmt.Sprintf("it %s and left none: give the whole of it, as in %s/output={…}", was.Status, was.ID)}
		}
		if output, err = change.Put(output, e.Pointer, value, false); err != nil {
			return nil, nil, err
		}
		pointers = append(pointers, e.Pointer)
	}
	bound, err := run.bound(was.Spec, was.Binding)
	if err != nil {
		return nil, nil, err
	}
	params, err := a.raw(ctx, was.Params)
	if err != nil {
		return nil, nil, err
	}
	if breach := a.gate.CheckOutput(bound, params, output); breach != nil {
		return nil, nil, breach
	}
	return output, pointers, nil
}

// output is what counts as a call's output: a person's, or its last attempt's; nil if there is none.
func (a *Activities) output(ctx context.Context, call record.CallRecord) (json.RawMessage, error) {
	if call.Asserted != nil {
		return a.raw(ctx, call.Asserted.Output)
	}
	if n := len(call.Attempts); n > 0 && !call.Attempts[n-1].Output.IsZero() {
		return a.raw(ctx, call.Attempts[n-1].Output)
	}
	return nil, nil
}

// hand says to the planner what of a call a person changed; nothing if nobody did.
func (a *Activities) hand(ctx context.Context, call record.Call) (note string, params json.RawMessage, err error) {
	if len(call.Edited) > 0 {
		note = "A person changed the parameters that you proposed (" + places(call.Edited) + "); these were used."
		params, err = a.raw(ctx, call.Params)
	}
	if call.Asserted != nil {
		note = "A person put this output, or a part of it (" + places(call.Asserted.Pointers) + "), in place of what was computed: take it as given."
	}
	return note, params, err
}

func places(pointers []string) string {
	named := make([]string, len(pointers))
	for i, p := range pointers {
		if named[i] = p; p == "" {
			named[i] = "the whole"
		}
	}
	return strings.Join(named, ", ")
}

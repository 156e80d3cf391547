package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rlam/schemas"
)

// PlanModel is the name that answers of [NextPlan] give as their model's.
const PlanModel = "plan"

// Seen is what came of a call of a plan.
type Seen struct {
	Status string // completed, failed, refused, skipped or cancelled
	Reason string // of all but completed; may be empty
}

// NextPlan is the planner without a model: a plan's next proposal, after what was
// seen of its calls so far, by their ids.
//
// A proposal holds every call that waits for none which has not been proposed, up to
// [MaxCalls]: as a rule, the first one holds the whole plan. A call with each is one for every value of
// that array, with ids ID.0, ID.1, …; {"$each": true} in its parameters stands for
// the value. A reference to such an ID collects: {"$from": "ID", "pointer": "/x"}
// becomes the array of the references to /x of each. After names ids in the same
// way. Once all calls have completed, the proposal is the plan's result; as soon as
// one has not, it is to give up, naming those, unless the plan says that it goes on. Calls that were not seen
// although others were (in a fork of a plan that has grown) are proposed then.
func NextPlan(plan *schemas.Plan, seen map[string]Seen) (Answer, error) {
	e := expansion{loops: map[string][]string{}, ids: map[string]bool{}}
	calls, err := e.expand(plan.Calls)
	if err != nil {
		return Answer{}, fmt.Errorf("reading the plan: %w", err)
	}
	var missing []Call
	var lost []string
	for _, c := range calls {
		switch s, ok := seen[c.ID]; {
		case !ok:
			missing = append(missing, c)
		case s.Status != "completed" && plan.Failures != schemas.PlanGoesOn:
			text := c.ID + " (" + s.Status
			if s.Reason != "" {
				text += ": " + s.Reason
			}
			lost = append(lost, text+")")
		}
	}
	a := Answer{Asked: PlanModel, Answered: PlanModel}
	var said any
	switch {
	case len(lost) > 0:
		a.Outcome = OutcomeGiveUp
		a.GiveUp = "calls of the plan did not complete: " + strings.Join(lost, "; ")
		said = map[string]any{GiveUpTool: map[string]string{"reason": a.GiveUp}}
	case len(missing) > 0:
		a.Outcome, a.Calls = OutcomeCalls, together(missing)
		said = map[string]any{"calls": planned(a.Calls)}
	default:
		result, err := e.rewrite(plan.Result, nil)
		if err != nil {
			return Answer{}, fmt.Errorf("reading the plan's result: %w", err)
		}
		a.Outcome, a.Finish = OutcomeFinish, Raw(result)
		said = map[string]any{FinishTool: map[string]json.RawMessage{"result": result}}
	}
	if a.Body, err = encode(said); err != nil {
		return Answer{}, fmt.Errorf("writing a proposal of the plan: %w", err)
	}
	a.Assistant = Message{Role: RoleAssistant, Content: string(a.Body)}
	return a, nil
}

// together is the calls of one proposal: all, where there are no more than [MaxCalls], else
// as many of those whose sources are none of the others, or come before them.
func together(calls []Call) []Call {
	if len(calls) <= MaxCalls {
		return calls
	}
	var out []Call
	waiting := map[string]bool{}
	for _, c := range calls {
		waiting[c.ID] = true
	}
	for more := true; more && len(out) < MaxCalls; {
		more = false
		for _, c := range calls {
			if !waiting[c.ID] || len(out) == MaxCalls || slices.ContainsFunc(sources(c), func(id string) bool { return waiting[id] }) {
				continue
			}
			out, more = append(out, c), true
			delete(waiting, c.ID)
		}
	}
	return out
}

// sources are the calls that c waits for.
func sources(c Call) []string {
	ids := slices.Clone(c.After)
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				look(x)
			}
		case map[string]any:
			ids = append(ids, from(v))
			for _, x := range v {
				look(x)
			}
		}
	}
	if v, err := decode([]byte(c.Params)); err == nil {
		look(v)
	}
	return ids
}

// planned is how calls of a plan are spelled in a conversation.
func planned(calls []Call) []map[string]any {
	out := make([]map[string]any, len(calls))
	for i, c := range calls {
		out[i] = map[string]any{"id": c.ID, "action": c.Action, "params": json.RawMessage(c.Params)}
		if len(c.After) > 0 {
			out[i]["after"] = c.After
		}
	}
	return out
}

// expansion unrolls a plan's loops.
type expansion struct {
	loops map[string][]string // a looped id's own ids
	ids   map[string]bool     // of all calls
}

func (e *expansion) expand(calls []schemas.PlannedCall) ([]Call, error) {
	values := make([][]json.RawMessage, len(calls))
	for i, c := range calls {
		if c.ID == "" {
			return nil, fmt.Errorf("call %d has no id", i)
		}
		ids := []string{c.ID}
		if c.Each != nil {
			if err := json.Unmarshal(c.Each, &values[i]); err != nil || values[i] == nil {
				return nil, fmt.Errorf("call %q: each is not an array", c.ID)
			}
			ids = make([]string, len(values[i]))
			for n := range ids {
				ids[n] = fmt.Sprintf("%s.%d", c.ID, n)
			}
			if _, twice := e.loops[c.ID]; twice || e.ids[c.ID] {
				return nil, fmt.Errorf("two calls have the id %q", c.ID)
			}
			e.loops[c.ID] = ids
		}
		for _, id := range ids {
			if _, loop := e.loops[id]; e.ids[id] || loop {
				return nil, fmt.Errorf("two calls have the id %q", id)
			}
			e.ids[id] = true
		}
	}
	var out []Call
	for i, c := range calls {
		after := e.after(c.After)
		if c.Each == nil {
			params, err := e.rewrite(c.Params, nil)
			if err != nil {
				return nil, fmt.Errorf("call %q: %w", c.ID, err)
			}
			out = append(out, Call{ID: c.ID, Action: c.Action, Params: Raw(params), After: after, Seed: c.Seed})
			continue
		}
		for n, id := range e.loops[c.ID] {
			params, err := e.rewrite(c.Params, values[i][n])
			if err != nil {
				return nil, fmt.Errorf("call %q: %w", id, err)
			}
			out = append(out, Call{ID: id, Action: c.Action, Params: Raw(params), After: slices.Clone(after), Seed: c.Seed})
		}
	}
	return out, nil
}

func (e *expansion) after(names []string) []string {
	var out []string
	for _, name := range names {
		if ids, loop := e.loops[name]; loop {
			out = append(out, ids...)
		} else {
			out = append(out, name)
		}
	}
	return out
}

// rewrite replaces {"$each": true} by value and references to loops by arrays of
// references. A nil value means that there is no loop to be in.
func (e *expansion) rewrite(raw, value json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("{}"), nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	v, err = e.replace(v, value)
	if err != nil {
		return nil, err
	}
	return encode(v)
}

func (e *expansion) replace(v any, value json.RawMessage) (any, error) {
	var err error
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = e.replace(v[i], value); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if _, ok := v["$each"]; ok {
			if v["$each"] != true || len(v) != 1 {
				return nil, fmt.Errorf(`%q must stand alone and be true: {"$each": true}`, "$each")
			}
			if value == nil {
				return nil, fmt.Errorf("%q stands in a call that has no each", "$each")
			}
			return value, nil
		}
		if ids, ok := e.loops[from(v)]; ok {
			refs := make([]any, len(ids))
			for i, id := range ids {
				ref := map[string]any{"$from": id}
				if pointer, ok := v["pointer"]; ok {
					ref["pointer"] = pointer
				}
				refs[i] = ref
			}
			return refs, nil
		}
		for key := range v {
			if v[key], err = e.replace(v[key], value); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// from is the call that an object refers to; "" if the object is no reference.
func from(object map[string]any) string {
	id, _ := object["$from"].(string)
	return id
}

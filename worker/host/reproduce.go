package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// Reproduction is a run that executes another one's calls again.
type Reproduction struct {
	Of     record.Reproduced
	Origin *record.Run   // its record
	Plan   *schemas.Plan // of its calls
	Inputs []record.Input
	// Pins are actions of runs that the origin continues, and that it has dropped.
	Pins []record.Pin
	// Actions are bound instead of what the origin pins, by NAME@VERSION.
	Actions map[string]*schemas.Bound
}

// reproducedResult is what the plan of a reproduction hands in.
const reproducedResult = `{"type":"object","additionalProperties":false,"required":["executions"],"properties":{"executions":{"type":"integer"}}}`

// LaunchReproduction puts a reproduction on record and starts it. It has the origin's
// study, actions, inputs and policy; a plan in place of the planner; limits that its calls
// fit into; and answers nothing from the record.
func LaunchReproduction(ctx context.Context, c client.Client, s store.Store, r Reproduction, o LaunchOptions) (client.WorkflowRun, error) {
	if err := Vacant(ctx, c, o.ID); err != nil {
		return nil, err
	}
	begun, err := r.begin(ctx, s, o.ID)
	if err != nil {
		return nil, fmt.Errorf("beginning a reproduction of run %q: %w", r.Of.ID, err)
	}
	return start(ctx, c, begun, o)
}

func (r Reproduction) begin(ctx context.Context, s store.Store, id string) (*Begun, error) {
	study, err := r.study(ctx, s)
	if err != nil {
		return nil, err
	}
	plan, err := canon.Marshal(r.Plan)
	if err != nil {
		return nil, err
	}
	if _, problems := schemas.ParsePlan("reproduction.json", plan); len(problems) > 0 {
		return nil, problems.Err()
	}
	run := *r.Origin
	run.ID, run.Engine, run.Started = id, "rlam "+Version, journal.Time(time.Now())
	run.Study, run.Planner, run.Models = study.Digest, canon.Sum(plan), []string{planner.PlanModel}
	run.Inputs = append(run.Inputs[:len(run.Inputs):len(run.Inputs)], r.Inputs...)
	run.Parent, run.Changes, run.Ensemble, run.Reproduces = canon.Digest{}, nil, nil, &r.Of
	run.Gates = gates()
	b := &beginning{ctx: ctx, store: s, blobs: [][]byte{study.JSON, plan}}
	run.Actions = slices.Concat(run.Actions, r.Pins)
	for i, pin := range run.Actions {
		if own := r.Actions[pin.Name+"@"+pin.Version]; own != nil {
			run.Actions[i] = b.pin(own)
			for _, file := range sorted(own.Content) {
				b.blob(own.Content[file])
			}
		}
	}
	d, err := b.write(&run)
	if err != nil {
		return nil, err
	}
	return &Begun{Run: d, Study: study, Model: planner.PlanModel}, nil
}

// study is the origin's, with what a reproduction has of its own.
func (r Reproduction) study(ctx context.Context, s store.Store) (*schemas.LoadedStudy, error) {
	raw, err := store.Read(ctx, s, r.Origin.Study, record.MaxContent)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("reading the study: %w", err)
	}
	limits, ok := members["limits"].(map[string]any)
	if !ok {
		limits = map[string]any{}
	}
	calls := len(r.Plan.Calls)
	limits["calls"], limits["attempts"], limits["steps"] = calls, calls*attemptsEach, calls/planner.MaxCalls+stepsBesides
	members["limits"], members["result"] = limits, json.RawMessage(reproducedResult)
	members["title"] = "Reproduction of " + r.Of.ID
	members["goal"] = fmt.Sprintf("Execute the recorded calls of run %s again, without its planner, and compare what comes of them.", r.Of.ID)
	members["planner"], members["reuse"] = map[string]string{"plan": "reproduction.json"}, "never"
	delete(members, "accept")
	if len(r.Inputs) > 0 {
		inputs, ok := members["inputs"].(map[string]any)
		if !ok {
			inputs = map[string]any{}
		}
		for _, in := range r.Inputs {
			inputs[in.Name] = member(in)
		}
		members["inputs"] = inputs
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	return schemas.ReadStudy(text)
}

// member is how a study file would name data that a run on record has.
func member(in record.Input) schemas.Input {
	if in.From != nil {
		return schemas.Input{Run: in.From.ID, Output: in.From.Output, Digest: in.Digest}
	}
	return schemas.Input{File: cmp.Or(in.Path, in.Name), Digest: in.Digest}
}

// What a reproduction is allowed besides its calls: attempts of each, and steps of a plan
// whose calls wait for others.
const (
	attemptsEach = 20
	stepsBesides = 8
)

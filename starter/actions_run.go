package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rlam/activities/planner"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// repeatOptions are the flags of actions run.
type repeatOptions struct {
	actionsOptions
	judgeOptions
	params    string
	inputs    []string
	times     int
	parallel  int
	seed      uint64
	varySeed  bool
	id        string
	taskQueue string
}

// mostTimes bounds how often one command executes an action: all calls go into one step,
// since a plan gives up after a step in which one failed.
const mostTimes = planner.MaxCalls

func newActionsRunCommand(a *app) *cobra.Command {
	var o repeatOptions
	c := &cobra.Command{
		Use: "run NAME", Short: "Execute one action, and say how far its outputs can be had again",
		Long: `Execute one action with the same parameters, once or many times, and say of each
output field and artifact whether it was the same each time, the same within a
tolerance, or varied. Where the action file declares more than that, the
reproducibility to declare is printed, to be pasted.

It is a run like others: a study is made of it, whose plan has one call for each
execution. The calls pass the gates, retries go by the action file, and all of it
is on record: see it with show. NAME is an action's name, NAME@VERSION, or its file.

A seeded action gets the same seed each time, to see whether it is deterministic;
--vary-seed gives each execution another one, to see how its outputs scatter.

The exit code is 1 if more is declared than was seen, or if some of the executions
failed; 14 if all did; 13 if a gate refused the parameters.`,
		Example: `  starter actions run fit.nonlinear --params fit.yaml \
    --input data=data.csv --times 5
  starter actions run actions/relax.yaml --params params.json --times 10 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runActionsRun(c.Context(), a, args[0], o) },
	}
	o.actionsOptions.addFlags(c)
	o.judgeOptions.addFlags(c)
	f := c.Flags()
	f.StringVar(&o.params, "params", "", "`FILE` with the parameters, YAML or JSON; none by default")
	f.StringArrayVar(&o.inputs, "input", nil, "`NAME=FILE` to pass as the parameter NAME, or to refer to as {$from: input, pointer: /NAME} (repeatable)")
	f.IntVar(&o.times, "times", 1, "execute it `N` times")
	f.IntVar(&o.parallel, "parallel", 1, "at most `N` executions at once")
	f.Uint64Var(&o.seed, "seed", 1, "`S` that a seeded action gets")
	f.BoolVar(&o.varySeed, "vary-seed", false, "derive another seed from it for each execution")
	f.StringVar(&o.id, "id", "", "the run's `ID`; one is made from the action's name by default")
	f.StringVar(&o.taskQueue, "task-queue", "", "`NAME` of the task queue of a worker of your own, which must serve it")
	return c
}

func runActionsRun(ctx context.Context, a *app, name string, o repeatOptions) error {
	b, err := o.find(name)
	if err != nil {
		return err
	}
	study, plan, err := o.study(b)
	if err != nil {
		return err
	}
	c, s, err := a.connectWithStore(ctx, o.store)
	if err != nil {
		return err
	}
	defer c.close()
	dir := s.Dir()
	launch := host.LaunchOptions{ID: o.id, TaskQueue: o.taskQueue, StoreDir: dir, Plan: plan, SearchAttributes: c.searchAttributes(ctx)}
	if launch.TaskQueue == "" {
		launch.TaskQueue = host.DefaultTaskQueue(dir)
		h, err := c.startWorker(launch.TaskQueue, dir, o.parallel)
		if err != nil {
			return err
		}
		defer h.Stop()
	}
	run, err := launchAs(ctx, c, s, study, launch)
	if err != nil {
		return err
	}
	a.words.Print(recap{Run: run.GetID()}) // so that an execution is a line
	end, err := c.followTo(ctx, run.GetID(), run.GetRunID(), s, func(e follow.Event) {
		switch e.(type) {
		case follow.Proposal, follow.CaughtUp, follow.End:
			if !a.json { // every execution is proposed at once, and has the same parameters
				return
			}
		}
		a.words.Print(e)
	})
	if err != nil {
		return err
	}
	return c.judge(ctx, end, s, o.judgeOptions)
}

// study makes a study and a plan of it that calls the action so many times.
func (o repeatOptions) study(b foundAction) (*schemas.LoadedStudy, []byte, error) {
	if o.times < 1 || o.times > mostTimes {
		return nil, nil, badUsage("--times %d: between 1 and %d executions can be asked for", o.times, mostTimes)
	}
	if o.parallel < 1 {
		return nil, nil, badUsage("--parallel %d: at least one execution must be under way", o.parallel)
	}
	if o.varySeed && !b.Action.Seeded {
		return nil, nil, badUsage("--vary-seed: %s is not seeded, so that no seed reaches it; its file must say seeded: true", b.ID())
	}
	inputs, err := parseInputs(o.inputs)
	if err != nil {
		return nil, nil, err
	}
	params, err := o.parameters(b, inputs)
	if err != nil {
		return nil, nil, err
	}
	each := make([]int, o.times)
	for i := range each {
		each[i] = i + 1
	}
	plan, err := json.Marshal(map[string]any{
		"calls":  []any{map[string]any{"id": "execution", "action": b.Action.Name, "params": params, "each": each}},
		"result": map[string]int{"executions": o.times},
	})
	if err != nil {
		return nil, nil, err
	}
	s := schemas.Study{
		Title:   fmt.Sprintf("%s, executed %s", b.ID(), count(o.times, "time")),
		Goal:    fmt.Sprintf("Say how far the outputs of %s can be had again: execute it %s with the same parameters.", b.ID(), count(o.times, "time")),
		Actions: o.listed(b), Inputs: inputs, Planner: schemas.Planner{Plan: "executions.json"},
		Seed: o.seed, Seeds: schemas.SeedsShared,
		Result: json.RawMessage(`{"type":"object","additionalProperties":false,"required":["executions"],"properties":{"executions":{"type":"integer"}}}`),
	}
	if o.varySeed {
		s.Seeds = schemas.SeedsCall
	}
	s.Limits.Calls, s.Limits.Attempts = o.times, o.times*b.Action.Attempts.Max
	loaded, err := loadMade(b.Action.Name+".run", s)
	return loaded, plan, err
}

// loadMade loads a study that no file holds. Its paths are relative to this folder.
func loadMade(name string, s schemas.Study) (*schemas.LoadedStudy, error) {
	// As a person would write it: defaults are the loader's.
	raw, err := json.Marshal(map[string]any{
		"title": s.Title, "goal": s.Goal, "actions": s.Actions, "inputs": s.Inputs, "planner": map[string]string{"plan": s.Planner.Plan},
		"reuse": schemas.ReuseNever, // what is asked is what executions give
		"seed":  s.Seed, "seeds": s.Seeds, "result": s.Result, "limits": map[string]int{"calls": s.Limits.Calls, "attempts": s.Limits.Attempts},
	})
	if err != nil {
		return nil, err
	}
	loaded, problems := schemas.ParseStudy(name, raw)
	for i := range problems { // they are lines of no file
		problems[i].Line, problems[i].Column = 0, 0
	}
	return loaded, problems.Err()
}

// listed is how the study lists the action, and the one that would undo it.
func (o repeatOptions) listed(b foundAction) []schemas.Listed {
	names := []string{b.ID()}
	if b.file != "" {
		names[0] = b.file
		if !isFile(b.file) {
			names[0] = "./" + b.file
		}
	}
	if b.Action.Undo != "" {
		if undo, err := o.find(b.Action.Undo); err == nil && undo.file != "" {
			names = append(names, undo.file)
		} else {
			names = append(names, b.Action.Undo) // what can't be found is reported with the study
		}
	}
	return schemas.List(names...)
}

// parseInputs reads the values of --input.
func parseInputs(texts []string) (map[string]schemas.Input, error) {
	inputs := map[string]schemas.Input{}
	for _, text := range texts {
		name, file, ok := strings.Cut(text, "=")
		if !ok || name == "" || file == "" {
			return nil, badUsage("--input %q names no file: want NAME=FILE", text)
		}
		if _, twice := inputs[name]; twice {
			return nil, badUsage("--input %s is given twice", name)
		}
		inputs[name] = schemas.Input{File: file}
	}
	return inputs, nil
}

// parameters are those of the file, and for each input that the action has a parameter
// for, and the file has not, a reference to it.
func (o repeatOptions) parameters(b foundAction, inputs map[string]schemas.Input) (map[string]json.RawMessage, error) {
	params := map[string]json.RawMessage{}
	if o.params != "" {
		raw, problems := schemas.LoadValue(o.params)
		if len(problems) > 0 {
			return nil, problems.Err()
		}
		if err := json.Unmarshal(raw, &params); err != nil || params == nil {
			return nil, badUsage("the parameters in %q are no object: want NAME: VALUE", o.params)
		}
	}
	var takes struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(b.Action.Params, &takes); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		_, given := params[name]
		_, taken := takes.Properties[name]
		switch {
		case !given && taken:
			params[name] = json.RawMessage(fmt.Sprintf(`{"$from":"input","pointer":"/%s"}`, name))
		case !given && o.params == "":
			return nil, badUsage("--input %s: %s has no such parameter; it has %s", name, b.ID(), strings.Join(slices.Sorted(maps.Keys(takes.Properties)), ", "))
		}
	}
	return params, nil
}

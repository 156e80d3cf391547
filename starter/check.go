package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
)

func newCheckCommand(a *app) *cobra.Command {
	var o askOptions
	c := &cobra.Command{
		Use: "check FILE... | check --study STUDY --call FILE", Short: "Check files, and say what the gates would do with a call",
		Long: `Check study, action, plan, scenario and call files, and report every problem
with its place.

What kind of file it is shows in its members. With a study, the files it names
are checked too: actions, inputs (an input with a digest is hashed), and the
planner's. Runs that it names as inputs are looked up in the store, if there is one.

With --study and --call, say what would happen to a proposed call in a run of
the study, gate by gate, and why. Nothing is run or stored. FILE is YAML or
JSON; - is stdin:

  {action: heat, params: {temperature: 420}}

or several calls of one step, which may refer to each other, and what the run
is supposed to have come to before:

  calls:
    - {id: a, action: fit, params: {...}, output: {rss: 0.3}}
    - {id: b, action: heat, params: {temperature: {$from: a, pointer: /rss}}}
  facts:
    counters: {tokens: 90000}
    earlier: [{id: old, action: fit, output: {rss: 0.5}}]

The exit code is 0 if no gate refuses, 13 if one does, 3 for a bad file.`,
		Args: func(_ *cobra.Command, args []string) error { return o.check(args) },
		RunE: func(c *cobra.Command, args []string) error {
			if o.study != "" {
				return runAsk(c.Context(), a, o)
			}
			return runCheck(c.Context(), a, args)
		},
	}
	o.addFlags(c)
	return c
}

// checked is what came of checking a file.
type checked struct {
	File     string           `json:"file"`
	Kind     string           `json:"kind"` // study, action, plan, scenario or call
	Problems schemas.Problems `json:"problems"`
}

func (checked) MessageType() string { return "checked" }

func runCheck(ctx context.Context, a *app, files []string) error {
	dir, err := a.storeDir("")
	if err != nil {
		return err
	}
	s, _ := existingStore(dir) // without one, nothing can be said of other runs
	runs := readable(s)
	bad := false
	for _, file := range files {
		m := checked{File: file, Kind: kindOf(file), Problems: schemas.Problems{}}
		m.Problems = append(m.Problems, checkFile(ctx, m.Kind, file, runs)...)
		bad = bad || len(m.Problems) > 0
		a.printer.Print(m)
	}
	if bad {
		return &codedError{code: exitUsage}
	}
	return nil
}

func checkFile(ctx context.Context, kind, file string, runs store.Store) schemas.Problems {
	switch kind {
	case "action":
		_, problems := schemas.LoadAction(file)
		return problems
	case "plan":
		_, problems := schemas.LoadPlan(file)
		return problems
	case "scenario":
		return checkScenario(file)
	case "call":
		_, problems := schemas.LoadSupposition(file)
		return problems
	}
	study, problems := schemas.DraftStudy(file)
	if study != nil {
		problems = append(problems, checkStudy(ctx, study, nil, runs)...)
	}
	return problems.Sorted()
}

func checkScenario(file string) schemas.Problems {
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = scripted.Load(text)
	}
	if err != nil {
		return schemas.Problems{{File: file, Message: err.Error()}}
	}
	return nil
}

// kindOf tells by its members what a file is meant to be: a study, unless most of its
// members speak for something else.
func kindOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "study"
	}
	members := map[string]any{}
	if yaml.Unmarshal(text, &members) != nil {
		return "study"
	}
	best, most := "study", 0
	for _, k := range []struct {
		kind  string
		names []string
	}{
		{"study", []string{"title", "goal", "actions", "planner", "inputs", "limits", "accept"}},
		{"action", []string{"name", "version", "summary", "params", "returns", "effects", "reproducibility", "run"}},
		{"plan", []string{"calls", "result"}},
		{"scenario", []string{"rules", "model"}},
		{"call", []string{"action", "params", "calls", "facts"}},
	} {
		n := 0
		for name := range members {
			if slices.Contains(k.names, name) {
				n++
			}
		}
		if n > most {
			best, most = k.kind, n
		}
	}
	return best
}

// checkStudy checks the files that a study, or what is sound of one, names, with the
// actions that are added to it. Runs that it names are looked up in a store, unless that
// is nil.
func checkStudy(ctx context.Context, study *schemas.LoadedStudy, actions []string, runs store.Store) schemas.Problems {
	var problems schemas.Problems
	refuse := func(pointer, format string, args ...any) {
		problems = append(problems, schemas.Problem{File: study.Path, Pointer: pointer, Message: fmt.Sprintf(format, args...)})
	}
	registry, err := schemas.NewRegistry()
	if err != nil {
		refuse("", "%v", err)
		return problems
	}
	resolved, found := registry.Resolve(study, actions...)
	problems = append(problems, found...)

	found, err = host.CheckInputs(ctx, runs, study)
	problems = append(problems, found...)
	if err != nil {
		refuse("/inputs", "%v", err)
	}
	readable := func(pointer, name string) bool {
		_, err := os.Stat(besideStudy(study, name))
		if missing := (*fs.PathError)(nil); errors.As(err, &missing) {
			refuse(pointer, "the file %q can't be read: %v", name, missing.Err)
		}
		return err == nil
	}
	switch p := study.Study.Planner; {
	case p.Plan != "" && readable("/planner/plan", p.Plan):
		problems = append(problems, schemas.CheckPlan(besideStudy(study, p.Plan), resolved)...)
	case p.Scripted != "" && readable("/planner/scripted", p.Scripted):
		problems = append(problems, checkScenario(besideStudy(study, p.Scripted))...)
	}
	return study.Locate(problems)
}

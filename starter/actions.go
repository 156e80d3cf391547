package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/schemas"
)

// actionsOptions say where actions are looked for.
type actionsOptions struct {
	actions []string
}

func (o *actionsOptions) addFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.actions, "actions", nil, "`DIR` with action files, or one file, beside the shipped actions (repeatable)")
}

func newActionsCommand(a *app) *cobra.Command {
	var o actionsOptions
	c := &cobra.Command{
		Use: "actions", Short: "List actions, show one, try one, write one",
		Long: `List the actions that studies can name: those that R-LAM ships, and those of the
files that --actions names.`,
		Example: `  starter actions
  starter actions --actions ./actions
  starter actions show fit.nonlinear`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runActions(a, o) },
	}
	o.addFlags(c)
	c.AddCommand(newActionsShowCommand(a), newActionsRunCommand(a), newActionsJudgeCommand(a), newActionsNewCommand(a))
	return c
}

// listedAction is a line of actions.
type listedAction struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Summary string          `json:"summary"`
	Class   schemas.Class   `json:"class"` // declared for what has none of its own
	Effects schemas.Effects `json:"effects"`
	Seeded  bool            `json:"seeded,omitempty"`
	Runs    string          `json:"runs"`           // "builtin" or "command"
	File    string          `json:"file,omitempty"` // of those that are not shipped
	Spec    canon.Digest    `json:"spec"`
	Binding canon.Digest    `json:"binding"`
}

func (listedAction) MessageType() string { return "listed_action" }

func runActions(a *app, o actionsOptions) error {
	registry, own, err := o.registry()
	if err != nil {
		return err
	}
	for _, b := range registry.All() {
		m := listedAction{
			Name: b.Action.Name, Version: b.Action.Version, Summary: b.Action.Summary, Class: b.Action.Reproducibility.Default,
			Effects: b.Action.Effects, Seeded: b.Action.Seeded, Runs: runs(b), Spec: b.Spec, Binding: b.Binding,
		}
		if slices.Contains(own, b) {
			m.File = b.File
		}
		a.printer.Print(m)
	}
	return nil
}

// registry holds the shipped actions and those of the named files, which it returns
// once more. All problems of all files are reported.
func (o *actionsOptions) registry() (*schemas.Registry, []*schemas.Bound, error) {
	registry, err := schemas.NewRegistry()
	if err != nil {
		return nil, nil, err
	}
	var own []*schemas.Bound
	var problems schemas.Problems
	for _, path := range o.actions {
		found, wrong, err := schemas.LoadActions(path)
		if err != nil {
			return nil, nil, &codedError{exitUsage, err}
		}
		own, problems = append(own, found...), append(problems, wrong...)
	}
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	if err := registry.Add(own...); err != nil {
		return nil, nil, &codedError{exitUsage, err}
	}
	return registry, own, nil
}

// foundAction is an action and the file it came from, "" if it is shipped.
type foundAction struct {
	*schemas.Bound
	file string
}

// find is the action with a name, or NAME@VERSION, or the one of a file.
func (o *actionsOptions) find(name string) (foundAction, error) {
	registry, own, err := o.registry()
	if err != nil {
		return foundAction{}, err
	}
	if isFile(name) {
		b, problems := schemas.LoadAction(name)
		return foundAction{b, name}, problems.Err()
	}
	b, err := registry.Find(name)
	if err != nil {
		return foundAction{}, &codedError{exitUsage, fmt.Errorf("%w; actions of your own are found with --actions DIR", err)}
	}
	if slices.Contains(own, b) {
		return foundAction{b, b.File}, nil
	}
	return foundAction{b, ""}, nil
}

// isFile tells an action file's path from an action's name, as studies do.
func isFile(name string) bool {
	return strings.ContainsAny(name, `/\`) || slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name)))
}

// runs are the kinds of what carries an action out: the names of the bindings' members.
func runs(b *schemas.Bound) string {
	var kinds []string
	for _, one := range b.Bindings() {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(one.JSON, &members); err != nil {
			return "unknown"
		}
		delete(members, "digests")
		kinds = append(kinds, slices.Sorted(maps.Keys(members))...)
	}
	return strings.Join(slices.Compact(kinds), " or ")
}

package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
)

func newActionsShowCommand(a *app) *cobra.Command {
	var o actionsOptions
	c := &cobra.Command{
		Use: "show NAME", Short: "Show an action's formal schema and what carries it out",
		Long: `Show an action's formal schema and what carries it out, as a run records them,
with the digest of each. NAME is an action's name, NAME@VERSION, or its file.`,
		Example: `  starter actions show fit.nonlinear
  starter actions show actions/decay.yaml --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runActionsShow(a, args[0], o) },
	}
	o.addFlags(c)
	return c
}

// shownAction is an action in full.
type shownAction struct {
	ID            string          `json:"action"` // NAME@VERSION
	File          string          `json:"file,omitempty"`
	SpecDigest    canon.Digest    `json:"spec_digest"`
	Spec          json.RawMessage `json:"spec"`
	BindingDigest canon.Digest    `json:"binding_digest"`
	Binding       json.RawMessage `json:"binding"`          // with the digests of its files; of several the preferred one
	Others        []shownBinding  `json:"others,omitempty"` // bindings after it, in order of preference
}

// shownBinding is another of an action's bindings.
type shownBinding struct {
	Digest  canon.Digest    `json:"digest"`
	Binding json.RawMessage `json:"binding"`
}

func (shownAction) MessageType() string { return "action" }

func runActionsShow(a *app, name string, o actionsOptions) error {
	b, err := o.find(name)
	if err != nil {
		return err
	}
	m := shownAction{
		ID: b.ID(), File: b.file, SpecDigest: b.Spec, Spec: b.SpecJSON, BindingDigest: b.Binding, Binding: b.BindingJSON,
	}
	for _, other := range b.Others {
		m.Others = append(m.Others, shownBinding{other.Digest, other.JSON})
	}
	a.printer.Print(m)
	return nil
}

package main

import "github.com/spf13/cobra"

// newActionsCommand groups what is done with actions outside of a run.
func newActionsCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "actions", Short: "Make action files",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newActionsNewCommand(a))
	return c
}

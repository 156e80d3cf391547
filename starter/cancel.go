package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"

	"rlam/starter/follow"
)

func newCancelCommand(a *app) *cobra.Command {
	var storeDir string
	c := &cobra.Command{
		Use: "cancel RUN", Short: "End a run, and keep what it did on record",
		Long: `Ask a run to end, and wait until it has sealed its record.

Attempts that run are ended, and what they had done by then is recorded. If no
worker serves the run, one runs in this process until the record is sealed.

RUN may be an ensemble: no more members begin, and those under way are cancelled and
seal their records. resume begins what is missing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runCancel(c.Context(), a, args[0], storeDir) },
	}
	c.Flags().StringVar(&storeDir, "store", "", "`DIR` of the store in which RUN is looked for")
	return c
}

func runCancel(ctx context.Context, a *app, id, storeDir string) error {
	if s, e, err := a.ensembleNamed(ctx, id, storeDir); err != nil {
		return err
	} else if e != nil {
		return a.cancelEnsemble(ctx, s, e)
	}
	c, l, err := a.find(ctx, id, storeDir)
	if err != nil {
		return err
	}
	defer c.close()
	s, _ := l.store() // what can't be read is not shown
	f := c.follower(l.ID, readable(s))
	if l.open() {
		err := c.client.CancelWorkflow(ctx, l.ID, "")
		var over *serviceerror.NotFound // it ended just now
		if err != nil && !errors.As(err, &over) {
			return fmt.Errorf("cancelling run %q: %w", l.ID, err)
		}
		stop, err := c.serveIfNeeded(ctx, l)
		if err != nil {
			return err
		}
		defer stop()
		if _, err := f.Follow(ctx, "", func(follow.Event) {}); err != nil {
			return err
		}
	} else {
		a.notef("Run %s had ended already.", l.ID)
	}
	account, err := f.Read(ctx, func(follow.Event) {})
	if err != nil {
		return err
	}
	account.End.Next = c.next(account.End)
	a.printer.Print(*account.End)
	return nil
}

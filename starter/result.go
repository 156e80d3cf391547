package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/starter/follow"
)

// resultOptions are the flags of result.
type resultOptions struct {
	store string
	wait  bool
}

func newResultCommand(a *app) *cobra.Command {
	var o resultOptions
	c := &cobra.Command{
		Use: "result RUN", Short: "Print a run's result, as JSON",
		Long: `Print a run's result on stdout, as JSON and nothing else.

Of a run that is still open there is none yet: that is an error, unless --wait
says to wait for it. Waiting runs no worker; resume does.

Of a run that a limit ended there may be a partial result. It is printed as any
other, and the exit code is 14.`,
		Example: "  starter result @last | jq .parameters",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runResult(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().BoolVar(&o.wait, "wait", false, "wait for the run's end")
	return c
}

func runResult(ctx context.Context, a *app, id string, o resultOptions) error {
	c, l, k, err := a.lookUp(ctx, id, o.store)
	if err != nil {
		return err
	}
	var f follow.Follower
	var storeErr error
	if k != nil {
		f, o.wait = k.follower(), false
	} else {
		defer c.close()
		var s *store.Folder
		s, storeErr = l.store()
		f = c.follower(l.ID, readable(s))
	}
	return a.result(ctx, f, storeErr, o.wait)
}

// result prints what a run came to. storeErr is why its store can't be read, if it can't.
func (a *app) result(ctx context.Context, f follow.Follower, storeErr error, wait bool) error {
	var end *follow.End
	var err error
	if wait {
		end, err = f.Follow(ctx, "", func(follow.Event) {})
	} else {
		var account *follow.Account
		if account, err = f.Read(ctx, func(follow.Event) {}); err == nil {
			end = account.End
		}
	}
	switch {
	case err != nil:
		return err
	case end.Status == follow.Running:
		a.notef("Run %s is still running, in step %d. Wait for it with --wait, or go on with it by: %s resume %s", f.ID, end.Counters.Steps, a.program(), f.ID)
		return &codedError{code: exitNoResult}
	case !end.HasResult():
		a.notef("Run %s ended without a result: %s. %s", f.ID, end.Status, end.Reason)
		return &codedError{code: exitNoResult}
	case len(end.Result.Value) == 0:
		if storeErr != nil {
			return storeErr
		}
		return unreadable(ctx, f, end.Result.Digest)
	}
	a.printer.Print(resultMessage{end.Result, end.Partial})
	if end.Partial {
		a.notef("The result is partial: %s.", end.Reason)
	}
	return ended(end)
}

// unreadable is why a result can't be read that the history knows by its digest.
func unreadable(ctx context.Context, f follow.Follower, d canon.Digest) error {
	var value json.RawMessage
	return record.OpenContent(ctx, f.Contents.Store, d, &value)
}

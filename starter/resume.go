package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"rlam/internal/store"
	"rlam/starter/follow"
)

// resumeOptions are the flags of resume.
type resumeOptions struct {
	store    string
	detach   bool
	idle     time.Duration
	parallel int
}

func newResumeCommand(a *app) *cobra.Command {
	var o resumeOptions
	c := &cobra.Command{
		Use: "resume RUN", Short: "Go on with a run and follow it",
		Long: `Go on with a run and follow it to its end.

The server is started if it isn't there, and so is a worker in this process if
none serves the run. Only what had not finished is done. Of a run that has
ended, its end and its result are shown. Output and exit codes are those of run.

RUN may be an ensemble. Of one that was stopped, members that have not begun are
begun, and those that were cut off (cancelled, terminated, failed, or left by their
model) begin anew, as runs of their own. What came to an end of its own stays.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runResume(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().IntVar(&o.parallel, "parallel", 0, "of an ensemble that was stopped: at most `K` members under way at once")
	addDetachFlags(c, &o.detach, &o.idle)
	return c
}

func runResume(ctx context.Context, a *app, id string, o resumeOptions) error {
	if s, e, err := a.ensembleNamed(ctx, id, o.store); err != nil {
		return err
	} else if e != nil {
		return a.resumeEnsemble(ctx, s, e, o)
	}
	c, l, k, err := a.lookUp(ctx, id, o.store)
	if err != nil {
		return err
	}
	if k != nil {
		return a.resumeArchive(ctx, k)
	}
	defer c.close()
	s, storeErr := l.store()
	if !l.open() {
		account, err := c.follower(l.ID, readable(s)).Read(ctx, func(follow.Event) {})
		if err != nil {
			return err
		}
		return a.conclude(account.End)
	}
	if o.detach {
		if storeErr != nil {
			return storeErr
		}
		log, err := c.background(ctx, l.TaskQueue, l.StoreDir, o.idle)
		if err != nil {
			return err
		}
		a.printer.Print(c.launched(l.ID, l.RunID, log))
		return nil
	}
	stop, err := c.serveIfNeeded(ctx, l)
	if err != nil {
		return err
	}
	defer stop()
	c.words.Print(recap{Run: l.ID})
	return c.attach(ctx, l.ID, "", readable(s))
}

// resumeArchive shows the end of a run of which no server tells. One that has not ended
// can't be gone on with: what happened since is nowhere known.
func (a *app) resumeArchive(ctx context.Context, k *archive) error {
	account, err := k.follower().Read(ctx, func(follow.Event) {})
	if err != nil {
		return err
	}
	if account.Open() {
		return errors.New(k.standstill())
	}
	return a.conclude(account.End)
}

// readable is a store to read from: none, and not one that is nil, if it could not be opened.
func readable(s *store.Folder) store.Store {
	if s == nil {
		return nil
	}
	return s
}

// serveIfNeeded runs a worker in this process if none serves an open run.
func (c *connection) serveIfNeeded(ctx context.Context, l *located) (stop func(), err error) {
	served, err := c.served(ctx, l.TaskQueue)
	if err != nil || served {
		return func() {}, err
	}
	if foreign(l.TaskQueue, l.StoreDir) {
		c.notef("No worker serves this run, and it needs one of your own, on task queue %s: start that one.", l.TaskQueue)
		return func() {}, nil
	}
	if _, err := l.store(); err != nil {
		return nil, err
	}
	h, err := c.startWorker(l.TaskQueue, l.StoreDir, 0)
	if err != nil {
		return nil, err
	}
	return h.Stop, nil
}

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"rlam/internal/store"
	"rlam/worker/host"
)

// carryOptions say who carries out a run that is started.
type carryOptions struct {
	taskQueue string
	noWorker  bool
	detach    bool
	idle      time.Duration
}

func (o *carryOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.taskQueue, "task-queue", "", "`NAME` of the task queue of a worker of your own, which must serve it; implies --no-worker")
	f.BoolVar(&o.noWorker, "no-worker", false, "run no worker in this process")
	addDetachFlags(c, &o.detach, &o.idle)
}

// elsewhere says whether a worker that isn't this command's carries the run out.
func (o carryOptions) elsewhere() bool { return o.taskQueue != "" || o.noWorker }

// carry has a worker for the store in dir, starts a run on its task queue, and follows it.
func (c *connection) carry(ctx context.Context, s store.Store, dir string, o carryOptions, start func(queue string) (started, error)) error {
	return c.carryTo(ctx, dir, o, start, func(run started) error { return c.attach(ctx, run.GetID(), run.GetRunID(), s) })
}

// carryTo is carry for what is followed in another way.
func (c *connection) carryTo(ctx context.Context, dir string, o carryOptions, start func(queue string) (started, error), attach func(started) error) error {
	queue := o.taskQueue
	if queue == "" {
		queue = host.DefaultTaskQueue(dir)
	}
	log := ""
	var err error
	switch {
	case o.detach:
		if log, err = c.background(ctx, queue, dir, o.idle); err != nil {
			return err
		}
	case !o.elsewhere():
		h, err := c.startWorker(queue, dir, 0)
		if err != nil {
			return err
		}
		defer h.Stop()
	}
	run, err := start(queue)
	if err != nil {
		return err
	}
	if o.detach {
		c.printer.Print(c.launched(run.GetID(), run.GetRunID(), log))
		return nil
	}
	if served, err := c.served(ctx, queue); err == nil && !served && o.elsewhere() {
		c.notef("No worker serves task queue %s yet; the run waits for one.", queue)
	}
	return attach(run)
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/workflowservice/v1"

	"rlam/internal/canon"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	taskQueue, store string
	idle             time.Duration
}

// newServeCommand is the background worker of --detach. Whoever wants a worker in the
// foreground uses the worker program, or dev.
func newServeCommand(a *app) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use: "serve", Short: "Serve a task queue until its runs have ended", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runServe(c.Context(), a, o) },
	}
	c.Flags().StringVar(&o.taskQueue, "task-queue", "", "")
	c.Flags().StringVar(&o.store, "store", "", "")
	c.Flags().DurationVar(&o.idle, "idle", time.Minute, "")
	return c
}

// ready is what a background worker writes on stdout once it serves: a line, and no more.
const ready = "ready"

// lookEvery is how often a background worker looks for open runs.
const lookEvery = 2 * time.Second

// unanswered is how long a background worker waits for a server that is gone: long
// enough for one that is restarted.
const unanswered = 5 * time.Minute

// idleness tells when a background worker has nothing to wait for any more.
type idleness struct {
	idle  time.Duration // without an open run
	deaf  time.Duration // without an answer of the server, which may have open runs
	busy  time.Time     // when a run was last open
	heard time.Time     // when the server last answered
}

// look takes in what the server said of its open runs, and returns why to end; "" to go on.
func (i *idleness) look(now time.Time, open int64, err error) string {
	switch {
	case err != nil:
		if now.Sub(i.heard) > i.deaf {
			return fmt.Sprintf("the server has not answered for %s (%v): ending; resume starts both again", i.deaf, err)
		}
		return ""
	case open > 0:
		i.busy = now
	}
	i.heard = now
	if now.Sub(i.busy) > i.idle {
		return fmt.Sprintf("no open runs for %s: ending", i.idle)
	}
	return ""
}

func runServe(ctx context.Context, a *app, o serveOptions) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	h, err := c.startWorker(o.taskQueue, o.store, 0)
	if err != nil {
		return err
	}
	defer h.Stop()
	a.notef("%s serving task queue %s", time.Now().Format(time.RFC3339), o.taskQueue)
	fmt.Fprintln(a.stdout, ready)

	rest := idleness{idle: o.idle, deaf: max(o.idle, unanswered), busy: time.Now(), heard: time.Now()}
	every := time.NewTicker(min(lookEvery, max(o.idle, 100*time.Millisecond)))
	defer every.Stop()
	for {
		n, err := c.openRuns(ctx, o.taskQueue)
		if why := rest.look(time.Now(), n, err); why != "" {
			a.notef("%s %s", time.Now().Format(time.RFC3339), why)
			return nil
		}
		select {
		case <-ctx.Done():
			a.notef("%s told to stop", time.Now().Format(time.RFC3339))
			return nil
		case <-every.C:
		}
	}
}

func (c *connection) openRuns(ctx context.Context, queue string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	n, err := c.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: c.namespace(), Query: fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running'", strings.ReplaceAll(queue, "'", "")),
	})
	return n.GetCount(), err
}

// background sees to it that a worker serves a task queue without this process, and
// returns the log of the one it started.
func (c *connection) background(ctx context.Context, queue, storeDir string, idle time.Duration) (log string, err error) {
	if foreign(queue, storeDir) {
		return "", badUsage("task queue %s needs a worker of your own: start that one", queue)
	}
	home, err := c.home()
	if err != nil {
		return "", err
	}
	// A worker that is there may be about to end, so that another is started: the
	// server spreads the work among those that there are.
	log = filepath.Join(home, "worker-"+canon.Sum([]byte(queue)).Short()+".log")
	if err := os.MkdirAll(home, 0o777); err != nil {
		return "", fmt.Errorf("starting a background worker: %w", err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return "", fmt.Errorf("starting a background worker: %w", err)
	}
	defer out.Close()
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("starting a background worker: %w", err)
	}
	cmd := exec.Command(exe, "serve", "--task-queue", queue, "--store", storeDir, "--idle", idle.String())
	cmd.Stderr, cmd.SysProcAttr = out, session()
	// So that it finds the server that this command has found, whatever folder it is in.
	cmd.Env = append(os.Environ(), "RLAM_HOME="+home)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("starting a background worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting a background worker: %w", err)
	}
	if err := isReady(ctx, pipe); err != nil {
		return "", fmt.Errorf("starting a background worker: %w; its log is %q", err, log)
	}
	return log, cmd.Process.Release()
}

// isReady waits for a background worker to say that it serves, or to end.
func isReady(ctx context.Context, pipe io.ReadCloser) error {
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(pipe).ReadString('\n')
		said <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case line := <-said:
		if line != ready {
			return errors.New("it ended at once")
		}
		return nil
	}
}

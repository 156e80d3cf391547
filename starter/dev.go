package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rlam/internal/devserver"
	"rlam/internal/store"
	"rlam/worker/host"
)

func newDevCommand(a *app) *cobra.Command {
	var storeDir string
	c := &cobra.Command{
		Use: "dev", Short: "Run a Temporal server, its UI and a worker until Ctrl-C",
		Long: `Run a Temporal server, its UI and a worker until Ctrl-C.

A server that ran before is used, and left running; one that this command
started is stopped with it. The runs survive both.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDev(c.Context(), a, storeDir) },
	}
	c.Flags().StringVar(&storeDir, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	c.AddCommand(&cobra.Command{
		Use: "status", Short: "Tell how the background server is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDevStatus(c.Context(), a) },
	}, &cobra.Command{
		Use: "stop", Short: "Stop the background server", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDevStop(c.Context(), a) },
	})
	return c
}

// serving says that a server and a worker are up.
type serving struct {
	Address   string `json:"address"`
	UI        string `json:"ui,omitempty"`
	Store     string `json:"store"`
	TaskQueue string `json:"task_queue"`
}

func (serving) MessageType() string { return "serving" }

// serverStatus is how the background server is.
type serverStatus struct{ devserver.Status }

func (serverStatus) MessageType() string { return "server_status" }

// serverStopped says that the background server was stopped.
type serverStopped struct {
	Address string `json:"address"`
}

func (serverStopped) MessageType() string { return "server_stopped" }

func runDev(ctx context.Context, a *app, storeDir string) (err error) {
	dir, err := a.storeDir(storeDir)
	if err != nil {
		return err
	}
	_, reachErr := host.Reach(ctx, devserver.Options{Home: a.getenv("RLAM_HOME")})
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if errors.Is(reachErr, devserver.ErrNotRunning) {
		defer func() {
			a.notef("Stopping the Temporal server.")
			err = errors.Join(err, c.server.Stop(context.WithoutCancel(ctx)))
		}()
	}
	if _, err := store.OpenFolder(dir); err != nil {
		return err
	}
	h, err := c.startWorker(host.DefaultTaskQueue(dir), dir, 0)
	if err != nil {
		return err
	}
	defer h.Stop()
	a.printer.Print(serving{Address: c.server.Address, UI: c.server.UI, Store: dir, TaskQueue: h.TaskQueue})
	<-ctx.Done()
	a.notef("Stopping the worker.")
	return nil // to be interrupted is how this command ends
}

func runDevStatus(ctx context.Context, a *app) error {
	s, err := a.backgroundServer()
	if err != nil {
		return err
	}
	a.printer.Print(serverStatus{s.Status(ctx)})
	return nil
}

func runDevStop(ctx context.Context, a *app) error {
	s, err := a.backgroundServer()
	if errors.Is(err, devserver.ErrNotRunning) {
		a.notef("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	address := s.Address
	if err := s.Stop(ctx); err != nil {
		return fmt.Errorf("stopping the Temporal server: %w", err)
	}
	a.printer.Print(serverStopped{Address: address})
	return nil
}

func (a *app) backgroundServer() (*devserver.Server, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	return devserver.Running(home)
}

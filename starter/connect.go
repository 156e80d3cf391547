package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/sdk/client"

	"rlam/internal/devserver"
	"rlam/internal/store"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// connection is a Temporal server and a client of it.
type connection struct {
	*app
	server *devserver.Server
	client client.Client
}

func (c *connection) close() { c.client.Close() }

// asked is the client, or nil where no server is there.
func (c *connection) asked() client.Client {
	if c == nil {
		return nil
	}
	return c.client
}

// connect finds the Temporal server, and starts one if there is none.
func (a *app) connect(ctx context.Context) (*connection, error) { return a.dial(ctx, devserver.Find) }

// reach finds a Temporal server that is there already.
func (a *app) reach(ctx context.Context) (*connection, error) { return a.dial(ctx, host.Reach) }

func (a *app) dial(ctx context.Context, find func(context.Context, devserver.Options) (*devserver.Server, error)) (*connection, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	server, err := find(ctx, devserver.Options{Home: home, SearchAttributes: host.SearchAttributes(), Progress: a.stderr})
	if err != nil {
		return nil, err
	}
	c, err := host.Dial(ctx, server.ClientOptions())
	if err != nil {
		return nil, err
	}
	return &connection{app: a, server: server, client: c}, nil
}

func (c *connection) namespace() string { return c.server.ClientOptions().Namespace }

// searchAttributes says whether the server knows them, and if not, how it gets to.
func (c *connection) searchAttributes(ctx context.Context) bool {
	missing, err := devserver.MissingSearchAttributes(ctx, c.client, c.namespace(), host.SearchAttributes())
	switch {
	case err != nil:
		c.notef("Going on without search attributes: %v", err)
		return false
	case len(missing) == 0:
		return true
	}
	kinds := host.SearchAttributes()
	var command strings.Builder
	fmt.Fprintf(&command, "temporal operator search-attribute create --namespace %s", c.namespace())
	for _, name := range missing {
		fmt.Fprintf(&command, " --name %s --type %s", name, kinds[name])
	}
	c.notef("Going on without search attributes; this registers them, once: %s", &command)
	return false
}

// follower reads the history of a run and what its store holds, if s is not nil.
func (c *connection) follower(id string, s store.Store) follow.Follower {
	return follow.Follower{Client: c.client, Contents: follow.Contents{Store: s}, ID: id, URL: c.server.RunURL}
}

// connectWithStore connects to the server and opens the store that runs are to be kept in,
// making it if there is none; storeDir is the value of --store. The caller closes the
// connection.
func (a *app) connectWithStore(ctx context.Context, storeDir string) (*connection, *store.Folder, error) {
	dir, err := a.storeDir(storeDir)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := store.OpenFolder(dir)
	if err != nil {
		c.close()
		return nil, nil, err
	}
	return c, s, nil
}

// existingStore opens the store in dir, if there is one. It makes none.
func existingStore(dir string) (*store.Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, "format")); err != nil {
		return nil, fmt.Errorf("reading the store %q: %w", dir, err)
	}
	return store.OpenFolder(dir)
}

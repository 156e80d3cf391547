package devserver

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// dialLimit bounds how long a configured server may take to answer.
const dialLimit = 15 * time.Second

// configuredServer is the server that the options or the environment name, or
// nil when they name none.
func configuredServer(ctx context.Context, o Options) (*Server, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Temporal's client configuration: %w", err)
	}
	source := "Temporal's client profile"
	switch {
	case o.Address != "":
		profile.Address, source = o.Address, "the address that was given"
	case os.Getenv("TEMPORAL_ADDRESS") != "":
		source = "TEMPORAL_ADDRESS"
	}
	if profile.Address == "" {
		return nil, nil
	}
	opts, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return nil, fmt.Errorf("reading Temporal's client configuration: %w", err)
	}
	if opts.Namespace == "" {
		opts.Namespace = client.DefaultNamespace
	}
	s := &Server{Address: profile.Address, options: opts}

	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	opts.Logger = silent{}
	c, err := client.DialContext(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("reaching the Temporal server at %q (from %s): %w", s.Address, source, err)
	}
	defer c.Close()
	// What a server doesn't say about itself is left empty: nothing depends on it.
	s.Version, _ = serverVersion(ctx, c)
	return s, nil
}

// silent is a logger for clients whose errors are returned, and so said once.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

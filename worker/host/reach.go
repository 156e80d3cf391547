package host

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/contrib/envconfig"

	"rlam/internal/devserver"
)

// Reach returns the server that is configured (o.Address, TEMPORAL_ADDRESS, or the
// profile that Temporal's tools read), else the one that runs below o.Home. Unlike
// devserver.Find it starts none: where there is none, the error wraps
// [devserver.ErrNotRunning].
func Reach(ctx context.Context, o devserver.Options) (*devserver.Server, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Temporal's client configuration: %w", err)
	}
	if o.Address != "" || profile.Address != "" {
		return devserver.Find(ctx, o)
	}
	s, err := devserver.Running(o.Home)
	if err != nil {
		return nil, err
	}
	if st := s.Status(ctx); !st.Healthy {
		return nil, fmt.Errorf("reaching the Temporal server at %q: %s", s.Address, st.Problem)
	}
	return s, nil
}

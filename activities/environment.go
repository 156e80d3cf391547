package activities

import (
	"context"

	"rlam/activities/executor"
	"rlam/internal/canon"
)

// environment is where an attempt ran, as a blob.
type environment struct {
	digest    canon.Digest
	isolation string
	blob      []byte // nil if this worker has stored it before
}

// environment describes where the attempts of a task run on this worker.
func (a *Activities) environment(ctx context.Context, t executor.Task) (environment, error) {
	env, err := a.cfg.Executors.Environment(ctx, t)
	if err != nil {
		return environment{}, err
	}
	e := environment{isolation: env.Isolation}
	if e.digest, e.blob, err = canon.Of(env); err != nil {
		return environment{}, err
	}
	if a.shared.has(e.digest) {
		e.blob = nil
	}
	return e, nil
}

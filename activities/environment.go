package activities

import (
	"context"
	"errors"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/workflows"
)

// environment is where an attempt ran, as a blob.
type environment struct {
	digest    canon.Digest
	identity  canon.Digest // of what can change a result
	isolation string
	blob      []byte // nil if this worker has stored it before
}

// environment describes where the attempts of a task run on this worker.
func (a *Activities) environment(ctx context.Context, t executor.Task) (environment, error) {
	env, err := a.cfg.Executors.Environment(ctx, t)
	if err != nil {
		return environment{}, err
	}
	e := environment{isolation: string(env.Isolation)}
	if e.digest, e.blob, err = canon.Of(env); err != nil {
		return environment{}, err
	}
	if e.identity, _, err = canon.Of(env.Identity); err != nil {
		return environment{}, err
	}
	if a.shared.has(e.digest) {
		e.blob = nil
	}
	return e, nil
}

// isolated refuses a call that needs to be kept apart more than this worker can. Nothing
// has begun, so that the journal has nothing of it.
func (a *Activities) isolated(ctx context.Context, w *work) error {
	_, err := a.cfg.Executors.Isolation(ctx, a.task(w, ""))
	var refused *executor.Failure
	if !errors.As(err, &refused) {
		return err
	}
	ref, err := a.content(ctx, w.run, refused)
	if err != nil {
		return err
	}
	return failed(refused.Type, refused.Message, workflows.Failure{Detail: ref})
}

package host

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"rlam/activities/builtin"
	"rlam/activities/executor"
	"rlam/schemas"
)

// Walls say how a worker keeps the commands that it runs from the rest of the machine. See
// docs/isolation.md.
type Walls struct {
	Least    schemas.Isolation // for every command; what the system has up to "process" if empty
	Readable []string          // files and folders that a sandbox shows besides the system
}

// ReadWalls takes Walls from the environment: RLAM_ISOLATION, and RLAM_READABLE, a list of
// paths as in PATH.
func ReadWalls(getenv func(string) string) Walls {
	return Walls{Least: schemas.Isolation(getenv("RLAM_ISOLATION")), Readable: filepath.SplitList(getenv("RLAM_READABLE"))}
}

// executors completes the configuration of a worker's executors. No sandbox shows the store.
func (w Walls) executors(c executor.Config, store string) executor.Config {
	c.Isolation, c.Readable = w.Least, w.Readable
	if store != "" {
		c.Hidden = []string{store}
	}
	return c
}

// Choose is the action with the binding by which a worker of this process would carry it
// out; nil if it has none of them.
func (w Walls) Choose(blobs executor.Blobs, b *schemas.Bound) (*schemas.Bound, error) {
	set, err := executor.New(w.executors(executor.Config{Blobs: blobs, Builtins: builtin.All()}, ""))
	if err != nil {
		return nil, err
	}
	return set.Choose(b), nil
}

// Environment is where an attempt of t would run if this process were its worker. blobs
// holds the binding's scripts.
func (w Walls) Environment(ctx context.Context, blobs executor.Blobs, t executor.Task) (executor.Env, error) {
	set, err := executor.New(w.executors(executor.Config{Blobs: blobs}, ""))
	if err != nil {
		return executor.Env{}, err
	}
	return set.Environment(ctx, t)
}

// Check says why a worker on this machine couldn't carry out an action of a study, as far
// as that is known beforehand: it needs to be kept apart more than is possible here.
func (w Walls) Check(ctx context.Context, study *schemas.LoadedStudy, actions []*schemas.Bound) error {
	for _, b := range actions {
		if slices.ContainsFunc(b.Bindings(), func(one schemas.Alternative) bool { return one.Pinned.Command == nil }) {
			continue // it needs no program to be kept apart, or can do without
		}
		level := study.Study.Isolation.Stronger(b.Action.Isolation)
		if err := executor.CheckIsolation(ctx, level); err != nil {
			return fmt.Errorf("action %q needs isolation %q, which this machine can't give: %w", b.ID(), level, err)
		}
	}
	return nil
}

package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"rlam/activities/executor/confine"
	"rlam/schemas"
)

// Limits that every confined program has, so that they are the same wherever it runs.
const (
	openFiles   = 4096
	largestFile = 64 << 30
)

// walls say how commands are kept from the rest of the machine.
type walls struct {
	least    schemas.Isolation
	search   string   // where bubblewrap is looked for
	readable []string // shown to a sandbox besides the system
	hidden   []string // never shown
}

func checkWalls(c Config) error {
	if c.Isolation != "" && !slices.Contains(schemas.Isolations(), c.Isolation) {
		return fmt.Errorf("making executors: there is no isolation %q: want one of %q", c.Isolation, schemas.Isolations())
	}
	for _, path := range slices.Concat(c.Readable, c.Hidden) {
		if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
			return fmt.Errorf("making executors: %q can't be shown to a sandbox, or hidden: want an absolute path, and not all there is", path)
		}
	}
	return nil
}

func newWalls(c Config) walls {
	least := schemas.IsolationNone
	if confine.Works {
		least = schemas.IsolationProcess
	}
	return walls{least: cmp.Or(c.Isolation, least), search: c.Path, readable: c.Readable, hidden: c.Hidden}
}

// level is what is in force for a task: the strongest that worker, study or action ask
// for. It is a *Failure if that can't be had here.
func (w walls) level(ctx context.Context, t Task) (schemas.Isolation, error) {
	if commandOf(t.Binding) == nil {
		return schemas.IsolationNone, nil // a handler is part of the worker
	}
	level := w.least.Stronger(t.Isolation)
	if err := w.has(ctx, level); err != nil {
		return "", &Failure{Type: TypeNoIsolation, Message: fmt.Sprintf("%s needs isolation %q, which this worker can't give: %v", t.Action, level, err)}
	}
	return level, nil
}

// has says why a level can't be had on this machine, in words that say what to do; nil
// if it can.
func (w walls) has(ctx context.Context, level schemas.Isolation) error {
	if level == schemas.IsolationNone {
		return nil
	}
	if !confine.Works {
		return errors.New("this system has no way to hold a program to it; run a worker on Linux")
	}
	if level == schemas.IsolationSandbox {
		return w.sandboxWorks(ctx)
	}
	return nil
}

// limits hold each process of a task's program.
func limits(t Task, processors int) confine.Limits {
	return confine.Limits{
		Memory: t.Memory, FileSize: cmp.Or(t.FileSize, largestFile), OpenFiles: openFiles,
		// No program gets past it in its time; it ends one that nobody else is left to end.
		CPUTime: t.Timeout * time.Duration(processors),
	}
}

// Isolation is the level at which an attempt of t runs on this worker. It is a *[Failure]
// if t needs a stronger one than there is: nothing was begun.
func (s *Set) Isolation(ctx context.Context, t Task) (schemas.Isolation, error) {
	return s.walls.level(ctx, t)
}

// CheckIsolation says why commands can't be kept apart at a level on this machine, and
// what to do about it. Nil says that they can.
func CheckIsolation(ctx context.Context, level schemas.Isolation) error {
	return newWalls(Config{Path: standardPath}).has(ctx, level)
}

// confinement is the part of a command's environment that its walls are.
func (w walls) confinement(level schemas.Isolation, t Task) *Confinement {
	if level == schemas.IsolationNone {
		return nil
	}
	c := &Confinement{Level: level, Memory: t.Memory, FileSize: cmp.Or(t.FileSize, largestFile)}
	if level == schemas.IsolationSandbox {
		c.Offline = !t.Network
		c.Readable = w.readable
	}
	return c
}

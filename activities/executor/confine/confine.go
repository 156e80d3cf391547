// Package confine starts a program under limits that neither it nor anything it starts
// can lift.
//
// Limits of a process, and the promise to gain no privileges, can only be set from
// within the process, before it becomes another program. Go has no hook between fork
// and exec, so the binary that links this package is executed once more in front of the
// program: its init function sees by the name it was called by what it is for, sets the
// limits, and executes the program in its own place. The process keeps its number, its
// parent, its session and the signal it gets when its parent dies; what the worker had
// inherited as open files, it loses. It works in every binary: the worker, a worker of one's own, a test.
//
// That first image runs before any limit stands, so that nothing of the action's gets
// near it: its environment is the caller's choice, and what the program is to get comes
// through a file without a name. All other packages' init functions that Go sorts before
// this one run in it too; one that ends the process, or writes to stdout, would spoil
// every program's start.
//
// The package does nothing outside of Linux: see [Works].
package confine

import (
	"time"
)

// Limits are what every process of a program is held to, each for itself. A limit that
// the worker itself is held to, and that is lower, stands.
type Limits struct {
	Memory    int64         // bytes of private writable memory; 0: no limit. Shared memory and mapped files aren't counted
	FileSize  int64         // bytes of the largest file that it may write; 0: no limit
	OpenFiles int64         // 0: as the worker has
	CPUTime   time.Duration // of all its threads together, rounded up to seconds; 0: no limit
}

// order is what the binary is to do, in its second life.
type order struct {
	Program string
	Argv    []string
	Env     []string
	Limits  Limits
	Files   int // that are passed on, beside the three that every program has
}

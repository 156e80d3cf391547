package executor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"rlam/internal/canon"
	"rlam/schemas"
)

// ErrNoBinding says that this worker has nothing that carries a binding out. The call
// goes back to the task queue: that is no attempt.
var ErrNoBinding = errors.New("this worker lacks the binding")

// ErrLost says that a handle's work isn't in this process and can't be collected: the
// process that started it has ended, or the outcome was collected before.
var ErrLost = errors.New("the work is not in this process")

// ErrElsewhere says that a handle names processes of another machine, or of another
// container of this one, which can be neither seen nor ended from here.
var ErrElsewhere = errors.New("the work runs on another machine")

// Task is one attempt of one call, admitted.
type Task struct {
	Call           string                  // "4.1"
	Attempt        int                     // from 1
	Action         string                  // NAME@VERSION
	Binding        schemas.Binding         // what carries it out
	Files          map[string]canon.Digest // the binding's scripts and templates, by the names written there
	Params         json.RawMessage         // admitted; references replaced
	Takes          json.RawMessage         // the action's params schema; "format": "artifact" marks handles
	Returns        json.RawMessage         // the action's returns schema, likewise
	Seed           *uint64                 // only of a seeded action
	CPUs           int                     // processors that a program may use, told to it as OMP_NUM_THREADS and {cpus}; 0 means 1
	Dir            string                  // a folder that no other attempt has: made by Start, removed by the caller after Collect
	ID             string                  // random, known before Start, so that what it leaves is found without a handle: see [Marked]; Start makes one if it is empty
	IdempotencyKey string                  // the same for every attempt of the call
	Idempotent     bool                    // whether the action says that doing it twice does no harm
	Timeout        time.Duration           // 0: none
	Isolation      schemas.Isolation       // the least that it needs; of a command the worker's own default, if that is stronger
	Network        bool                    // whether it reaches the network even in a sandbox
	Memory         int64                   // bytes that each process of a command may have; 0: no limit
	FileSize       int64                   // bytes of the largest file that a command may write; 64 GiB if 0
	Progress       func(message string)    // optional; hears what a handler reports
	Blobs          Blobs                   // where its artifacts are read; nil: where the executor's are
}

// blobs is where the task's artifacts are read.
func (t Task) blobs(executors Blobs) Blobs {
	if t.Blobs != nil {
		return t.Blobs
	}
	return executors
}

// NewTask is the part of a task that follows from its action: all that an environment
// depends on. The isolation is the least that the study asks for.
func NewTask(b *schemas.Bound, isolation schemas.Isolation) Task {
	needs := b.Takes()
	return Task{
		Action: b.ID(), Binding: b.Pinned.Binding, Files: b.Pinned.Digests,
		Takes: b.Action.Params, Returns: b.Action.Returns, Timeout: time.Duration(b.Action.Timeout), Idempotent: b.Action.Idempotent,
		Isolation: isolation.Stronger(b.Action.Isolation), Network: b.Action.Network,
		CPUs: needs.CPUs, Memory: int64(needs.Memory), FileSize: int64(needs.FileSize),
	}
}

// Handle names work that was started, so that it can be found again. It is JSON, and
// means something to another process of the same machine.
type Handle struct {
	Kind    string `json:"kind"`              // "builtin" or "command"
	ID      string `json:"id"`                // random; a command's processes carry it as RLAM_EXECUTION
	Host    string `json:"host,omitempty"`    // the machine's name
	Boot    string `json:"boot,omitempty"`    // what makes process ids comparable: this boot, this process namespace
	PID     int    `json:"pid,omitempty"`     // of a command's first process, which leads its group; of a builtin, the worker
	Started string `json:"started,omitempty"` // when the kernel says that PID began; tells a process from its namesake
	Dir     string `json:"dir,omitempty"`     // the task's
	URL     string `json:"url,omitempty"`     // of remote work

	Isolation schemas.Isolation `json:"isolation,omitempty"` // of a command, what keeps it from the rest of the machine
}

// Executor carries attempts out. Its methods may be called from several goroutines.
type Executor interface {
	// Start begins the work and returns without waiting for it. An error that is a
	// *Failure is the attempt's outcome; another is the worker's trouble.
	Start(ctx context.Context, t Task) (Handle, error)

	// Wait returns nil when the work has ended, however it ended. The end of ctx ends
	// the waiting, and not the work.
	Wait(ctx context.Context, h Handle) error

	// Collect returns what came of work that has ended: a Result, or a *Failure. An
	// error that is no *Failure is the worker's trouble. It can be called once.
	Collect(ctx context.Context, h Handle) (Result, error)

	// Cancel ends the work with everything it started, and returns when it has ended.
	// It works on another process's handles too, and does nothing where nothing is left.
	Cancel(ctx context.Context, h Handle) error
}

// Adopter is an Executor whose live work another attempt can take over.
type Adopter interface {
	// Adopt says whether h's work is alive, and t's attempt may Wait for it and Collect
	// it. Where it says false, Cancel ends what may be left. It is an ErrElsewhere if
	// that can't be seen from here.
	Adopt(ctx context.Context, h Handle, t Task) (alive bool, err error)
}

// Blobs is where content lies that is known by its digest.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (canon.Digest, int64, error)
	Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error)
}

// Result is what a completed attempt left.
type Result struct {
	Output    json.RawMessage // canonical JSON; not yet checked against the action's schema
	Artifacts []Artifact      // ordered by name
	Log       Artifact        // the zero Artifact if nothing was logged
}

// Artifact is bytes in the store, with the name that the action gave them.
type Artifact struct {
	Name      string       `json:"name"`
	Digest    canon.Digest `json:"digest"`
	Size      int64        `json:"size"`
	MediaType string       `json:"media_type,omitempty"`
}

// Run carries t out from Start to Collect. The end of ctx cancels the work, which then
// is a *Failure as a rule. It is for tests of actions, and for those who keep no journal.
func Run(ctx context.Context, e Executor, t Task) (Result, error) {
	h, err := e.Start(ctx, t)
	if err != nil {
		return Result{}, err
	}
	waited := e.Wait(ctx, h)
	ctx = context.WithoutCancel(ctx)
	if waited != nil {
		if err := e.Cancel(ctx, h); err != nil {
			return Result{}, errors.Join(waited, err)
		}
	}
	return e.Collect(ctx, h)
}

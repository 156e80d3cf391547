// Package activities does what workflows ask for: it plans, judges, acts and seals,
// and writes down each before the workflow hears of it.
//
//	run.go      what a run's record pins; Open
//	plan.go     closes a step, asks the planner, judges, appends the proposal
//	turn.go     spells the question to the planner, within what the limits leave
//	judge.go    judges a call whose sources have run since
//	rejudge.go  judges a recorded run again, to compare
//	act.go      one attempt of one call; contact.go: without the server for a while;
//	            resources.go: waiting for what it takes; past.go: answered from the record
//	seal.go     closes the chain, or only a step
//	chain.go    what a chain amounts to at its head; rebuild.go: reading it from the store
//	step.go     the record of a step, and what the planner is told of it
//	ensemble.go the record of an ensemble's member, and of what became of all
//	propose.go  from what was judged to records and contents
//
// Every activity can be run again after any crash: what it writes is named by its
// content, and what it executes is in the journal (package journal) before it begins.
package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"rlam/activities/capacity"
	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// Config is what activities need. Store, Executors and Scratch are required.
type Config struct {
	Store     store.Store
	Executors *executor.Set
	Scratch   string // folder for the attempts' own folders
	Identity  string // of this worker, in the journal
	Models    Models // how models are reached
	// Closing is told of a Temporal run that is about to close: it was sealed, or
	// continues as new. Optional.
	Closing func(run canon.Digest, workflowID, temporalRunID string)
	// Room is what the attempts that run at once may take together of those resources that
	// actions declare; what the machine or the container has if zero.
	Room capacity.Room
	// Patience is how long a call waits here for what it takes before it is handed back; 10 min,
	// and no more.
	Patience time.Duration
	// StopGrace is how long work may go on when the worker is told to stop; 2 s.
	StopGrace time.Duration
}

// maxResponse bounds a model's answer so that it fits one content, in which it stands as
// received and as understood.
const maxResponse = 2 << 20

// Models says how models are reached.
type Models struct {
	Client  *planner.Client
	BaseURL string // for studies that name none; OpenAI's if empty
	Key     string
	// Scripted gives the base URL of a server that plays a scenario.
	Scripted func(scenario []byte) (string, error)
}

// Activities holds what the activities share.
type Activities struct {
	cfg     Config
	journal journal.Journal
	gate    *schemas.Gate
	pool    *capacity.Pool
	names   capacity.Names // that attempts of this worker use alone

	mu        sync.Mutex
	runs      map[canon.Digest]*pinned
	chains    chainCache
	proposals proposalCache
	shared    digests  // blobs that many attempts share and this worker has stored
	ancestry  sync.Map // of runs: []canon.Digest by the run's record
	newest    atomic.Pointer[keptEnsemble]
}

// New checks c and makes the activities.
func New(c Config) (*Activities, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("making activities: no store")
	case c.Executors == nil:
		return nil, errors.New("making activities: no executors")
	case c.Scratch == "":
		return nil, errors.New("making activities: no scratch folder")
	}
	if c.StopGrace == 0 {
		c.StopGrace = 2 * time.Second
	}
	if c.Patience == 0 || c.Patience > patience {
		c.Patience = patience
	}
	machine := capacity.Machine(executor.MachineMemory())
	c.Room.CPUs, c.Room.Memory = cmp.Or(c.Room.CPUs, machine.CPUs), cmp.Or(c.Room.Memory, machine.Memory)
	if c.Models.Client == nil {
		c.Models.Client = &planner.Client{MaxResponse: maxResponse}
	}
	return &Activities{
		cfg: c, journal: journal.Journal{Store: c.Store}, gate: schemas.NewGate(), pool: capacity.NewPool(c.Room),
		runs: map[canon.Digest]*pinned{},
	}, nil
}

// Register registers the activities under the names of package workflows.
func (a *Activities) Register(r worker.ActivityRegistry) {
	for name, fn := range map[string]any{
		workflows.OpenName: a.Open, workflows.PlanName: a.Plan, workflows.JudgeName: a.Judge,
		workflows.ActName: a.Act, workflows.AppendName: a.Append, workflows.SealName: a.Seal,
		workflows.EnrolName: a.Enrol, workflows.ConcludeName: a.Conclude,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// heartbeat tells the server once a second that this worker is alive, and so hears of a cancel.
func (a *Activities) heartbeat(ctx context.Context) (stop func()) {
	return a.beat(ctx, &progress{})
}

// progress is the newest that an action said of how far it is.
type progress struct{ text atomic.Pointer[string] }

// tell keeps a message of one line: what a program prints may move a terminal's cursor.
func (p *progress) tell(message string) {
	message = record.Preview(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(message, "\uFFFD")))
	p.text.Store(&message)
}

// beat is heartbeat with an action's progress as details.
func (a *Activities) beat(ctx context.Context, p *progress) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				if text := p.text.Load(); text != nil && *text != "" {
					activity.RecordHeartbeat(ctx, *text)
				} else {
					activity.RecordHeartbeat(ctx)
				}
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// stopping closes when the worker was told to stop and the grace is over.
func (a *Activities) stopping(ctx context.Context) <-chan struct{} {
	over := make(chan struct{})
	stop := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-stop:
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.cfg.StopGrace):
			close(over)
		}
	}()
	return over
}

// untilStopped is ctx, and ends too when the worker was told to stop and the grace is over.
func (a *Activities) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stopping := a.stopping(ctx)
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// lock keeps two executions of one key apart where the store can. It is no more than
// an optimisation: what counts is decided by the journal.
func (a *Activities) lock(ctx context.Context, key canon.Digest) (func(), error) {
	l, ok := a.cfg.Store.(store.Locker)
	if !ok {
		return func() {}, nil
	}
	return l.Lock(ctx, key.Hex())
}

// digests is a set of digests.
type digests struct{ m sync.Map }

func (s *digests) has(d canon.Digest) bool { _, ok := s.m.Load(d); return ok }
func (s *digests) add(d canon.Digest)      { s.m.Store(d, true) }

// closing tells the worker that this Temporal run is about to close.
func (a *Activities) closing(ctx context.Context, run canon.Digest) {
	if a.cfg.Closing != nil {
		at := activity.GetInfo(ctx).WorkflowExecution
		a.cfg.Closing(run, at.ID, at.RunID)
	}
}

// content stores one content of a run.
func (a *Activities) content(ctx context.Context, run *pinned, v any) (record.Ref, error) {
	ref, blob, err := run.secret.Content(v)
	if err != nil {
		return record.Ref{}, err
	}
	_, _, err = a.cfg.Store.Commit(ctx, store.Batch{Blobs: [][]byte{blob}})
	return ref, err
}

// failed is a failure with a stable type, as the workflow and the history see it.
func failed(typ, message string, f workflows.Failure) error {
	return failedAfter(typ, message, f, 0)
}

func failedAfter(typ, message string, f workflows.Failure, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(record.Preview(message), typ, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{f}, NextRetryDelay: wait,
	})
}

func cancelled(f workflows.Failure) error { return temporal.NewCanceledError(f) }

func cancelRequested(ctx context.Context) bool {
	var cancelled *temporal.CanceledError // what the SDK cancels with when the workflow asks for it
	return ctx.Err() != nil && errors.As(context.Cause(ctx), &cancelled)
}

// trouble is an error that is the worker's, not the work's: the workflow tries again.
// An error that already has a type keeps it.
func (a *Activities) trouble(ctx context.Context, err error) error {
	var app *temporal.ApplicationError
	var cancel *temporal.CanceledError
	switch {
	case errors.As(err, &app), errors.As(err, &cancel):
		return err
	case cancelRequested(ctx):
		return cancelled(workflows.Failure{})
	case ctx.Err() != nil:
		return failed(workflows.TypeWorkerShutdown, fmt.Sprintf("the worker stopped: %v", err), workflows.Failure{})
	case errors.Is(err, syscall.ENOSPC):
		return failed(workflows.TypeStorage, fmt.Sprintf("the disk is full: free some space; nothing that was recorded is lost (%v)", err), workflows.Failure{})
	}
	return failed(workflows.TypeStorage, err.Error(), workflows.Failure{})
}

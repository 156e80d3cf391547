package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"rlam/activities/capacity"
	"rlam/internal/store"
	"rlam/workflows"
)

// patience is the longest that a call waits here for what it takes. The workflow gives an
// attempt that time besides its own.
const patience = 10 * time.Minute

// Why a call stops to wait for what it takes.
var (
	errPatience = errors.New("it waited long enough")
	errStopping = errors.New("the worker stops")
)

// take waits until the worker has what a call takes, and returns how to give it back. It
// is before the intent: a call that waits has not begun, and its timeout doesn't run. After
// a while it is handed back, so that it is seen to wait in the history as well, and another
// worker may have it.
func (a *Activities) take(ctx context.Context, w *work, say func(string)) (giveBack func(), err error) {
	need := w.bound.Takes()
	if !need.Waits() {
		return func() {}, nil
	}
	waiting := ""
	waits := func(text string) {
		waiting = text
		say(text)
	}
	defer say("")
	patient, end := a.patient(ctx)
	defer end()
	var taken []func()
	giveBack = func() {
		for _, give := range taken {
			give()
		}
	}
	keep := func(give func(), err error) error {
		if err == nil {
			taken = append(taken, give)
		}
		return err
	}
	// What is exclusive comes first: who waits for it shouldn't hold processors.
	if name := need.Exclusive; name != "" {
		if err = keep(a.names.Enter(patient, name, waits)); err == nil {
			err = keep(a.alone(patient, name, waits))
		}
	}
	if err == nil {
		err = keep(a.pool.Enter(patient, capacity.Room{CPUs: need.CPUs, Memory: need.Memory}, waits))
	}
	if err == nil {
		return giveBack, nil
	}
	giveBack()
	var large *capacity.TooLargeError
	switch {
	case errors.As(err, &large):
		text := fmt.Sprintf("%s can't run here: %v", w.call.Action, err)
		return nil, failed(workflows.TypeNoBinding, text+"; run a worker on a larger machine", workflows.Failure{Waiting: "waiting for a larger worker"})
	case ctx.Err() == nil && patient.Err() != nil:
		return nil, failed(workflows.TypeBusy, fmt.Sprintf("%s is %s; it has not begun (%v)", w.call.Action, waiting, context.Cause(patient)), workflows.Failure{Waiting: waiting})
	}
	return nil, err
}

// alone takes a name for this worker among all that share the store.
func (a *Activities) alone(ctx context.Context, name string, say func(string)) (func(), error) {
	l, ok := a.cfg.Store.(store.Locker)
	if !ok {
		return func() {}, nil
	}
	say(capacity.InUse(name))
	return l.Lock(ctx, "exclusive/"+name)
}

// patient is ctx for as long as a call waits here: it ends when the patience is over, and
// at once when the worker is told to stop.
func (a *Activities) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithTimeoutCause(ctx, a.cfg.Patience, errPatience)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stop:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); end() }
}

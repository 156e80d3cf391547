package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/activity"

	"rlam/activities/executor"
	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// work is one admitted call, loaded and checked.
type work struct {
	in     workflows.ActInput
	run    *pinned
	call   record.Call
	bound  *schemas.Bound // with the one of its bindings that this worker uses
	all    *schemas.Bound // with all of them
	params json.RawMessage
	key    canon.Digest
	// progress hears how far the work is, for whoever watches; nothing of it is recorded.
	progress func(message string)
	// cancelled says whether the workflow asks for the attempt's end. It looks at the
	// attempt's own context: outcomes are written under one that a cancel doesn't reach.
	cancelled func() bool
	past      *past // executions like it; nil where none could answer it, or be answered by it
}

// Act makes one attempt of one call, or reports what an earlier attempt of it came
// to that the workflow has not heard of.
func (a *Activities) Act(ctx context.Context, in workflows.ActInput) (workflows.ActResult, error) {
	var told progress
	stop := a.beat(ctx, &told)
	defer stop()
	w, err := a.admitted(ctx, in)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	w.progress = told.tell
	w.cancelled = func() bool { return cancelRequested(ctx) }
	if w.bound = a.cfg.Executors.Choose(w.all); w.bound == nil {
		return workflows.ActResult{}, failed(workflows.TypeNoBinding, fmt.Sprintf("this worker has nothing that carries out %s", w.call.Action), workflows.Failure{})
	}
	if err := a.isolated(ctx, w); err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	unlock, err := a.lock(ctx, w.key)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, fmt.Errorf("waiting for another execution of call %s: %w", in.Call, err))
	}
	defer unlock()
	var giveBack func()
	for {
		executions, err := a.journal.Executions(ctx, w.key)
		if err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err)
		}
		if result, err, known := a.known(ctx, w, executions); known {
			return result, err
		}
		if len(executions) == 0 && w.past == nil {
			if result, err, answered := a.fromPast(ctx, w); answered {
				return result, err
			}
		}
		if giveBack == nil {
			if giveBack, err = a.take(ctx, w, told.tell); err != nil {
				return workflows.ActResult{}, a.trouble(ctx, err)
			}
			defer giveBack()
		}
		in, err := a.journal.Begin(ctx, a.intent(ctx, w), len(executions)+1)
		if errors.Is(err, journal.ErrTaken) {
			continue // by a worker on another machine, which shares no lock: look again
		}
		if err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err)
		}
		return a.execute(ctx, w, in)
	}
}

// admitted loads what the call is about, and refuses anything that the gates have not admitted.
func (a *Activities) admitted(ctx context.Context, in workflows.ActInput) (*work, error) {
	run, err := a.pinned(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	call, err := a.proposedCall(ctx, in.Proposal, in.Call)
	if err != nil {
		return nil, err
	}
	if call.Decision == string(schemas.Deferred) {
		judged, err := a.judgement(ctx, in.Judgement, in.Proposal, in.Call)
		if err != nil {
			return nil, err
		}
		call = judged.Call
	}
	if call.Decision != string(schemas.Admitted) || call.Params != in.Params.Digest {
		return nil, failed(workflows.TypeNotAdmitted, fmt.Sprintf("call %s with parameters %s is not what the gates admitted (%s, %s)",
			in.Call, in.Params.Digest, call.Params, call.Decision), workflows.Failure{})
	}
	bound, err := run.bound(call.Spec, call.Binding)
	if err != nil {
		return nil, err
	}
	w := &work{in: in, run: run, call: call, all: bound, key: journal.CallKey(in.Proposal, in.Call)}
	return w, record.OpenContent(ctx, a.cfg.Store, call.Params, &w.params)
}

// known reports what the journal already holds and the workflow hasn't heard of: a
// completed execution, a failure, or an execution that nobody knows the end of.
func (a *Activities) known(ctx context.Context, w *work, executions []journal.Execution) (workflows.ActResult, error, bool) {
	winner, err := a.journal.Winner(ctx, w.key)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err), true
	}
	for _, e := range executions {
		switch {
		case e.InDoubt() && e.N < len(executions):
			// A later execution began, so this one was settled then.
		case e.InDoubt():
			return a.settle(ctx, w, e)
		case e.N == winner || winner == 0 && e.N > w.in.Seen:
			result, err := a.report(ctx, w, e.N, *e.Outcome, true)
			return result, err, true
		}
	}
	return workflows.ActResult{}, nil, false
}

// settle decides what becomes of an execution that began and left no outcome: its
// work is taken over where it lives, or ended; then the call may run again if that is harmless.
func (a *Activities) settle(ctx context.Context, w *work, e journal.Execution) (workflows.ActResult, error, bool) {
	w, err := w.begunBy(e.Intent.Binding)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err), true
	}
	if e.Handle == nil && e.Outcome == nil && executor.Outlives(w.bound.Pinned.Binding) {
		// The worker may have died between the program's start and its handle.
		h, err := executor.Marked(e.Intent.ID)
		if err == nil {
			err = a.cfg.Executors.Cancel(ctx, h)
		}
		if err != nil {
			return workflows.ActResult{}, a.trouble(ctx, fmt.Errorf("ending what may be left of execution %d of call %s: %w", e.N, w.in.Call, err)), true
		}
	}
	if e.Handle != nil && e.Outcome == nil {
		var h executor.Handle
		if err := json.Unmarshal(e.Handle, &h); err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err), true
		}
		task := a.task(w, h.Dir)
		task.Progress = w.progress
		alive, err := a.cfg.Executors.Adopt(ctx, h, task)
		switch {
		case errors.Is(err, executor.ErrElsewhere):
			return workflows.ActResult{}, failed(workflows.TypeNoBinding, fmt.Sprintf("call %s began on another machine: %v", w.in.Call, err), workflows.Failure{}), true
		case err != nil:
			return workflows.ActResult{}, a.trouble(ctx, err), true
		case alive:
			result, err := a.follow(ctx, w, e.Intent, h, nil)
			return result, err, true
		}
		if err := a.cfg.Executors.Cancel(ctx, h); err != nil {
			return workflows.ActResult{}, a.trouble(ctx, fmt.Errorf("ending what is left of execution %d of call %s: %w", e.N, w.in.Call, err)), true
		}
		os.RemoveAll(filepath.Join(a.cfg.Scratch, e.Intent.ID)) // of this worker's store; another's is not there
	}
	if w.bound.Action.Idempotent {
		return workflows.ActResult{}, nil, false
	}
	f := &executor.Failure{
		Type: workflows.TypeInDoubt,
		Message: fmt.Sprintf("execution %d of this call began at %s on worker %s and left no outcome; %s is not idempotent, so it is not run again before someone has looked",
			e.N, e.Intent.Started, e.Intent.Worker, w.call.Action),
	}
	ref, err := a.content(ctx, w.run, f)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err), true
	}
	return workflows.ActResult{}, failed(f.Type, f.Message, workflows.Failure{Detail: ref}), true
}

func (a *Activities) intent(ctx context.Context, w *work) journal.Intent {
	info := activity.GetInfo(ctx)
	return journal.Intent{
		Key: w.key, Kind: "call", Run: w.in.Run, Call: w.in.Call, Proposal: w.in.Proposal,
		Activity: info.ActivityID, Workflow: info.WorkflowExecution.RunID, Worker: a.cfg.Identity, Started: journal.Time(time.Now()),
		Binding: w.chosen(),
	}
}

func (a *Activities) task(w *work, dir string) executor.Task {
	t := executor.NewTask(w.bound, w.run.study.Study.Isolation)
	t.Call, t.Attempt, t.Action = w.in.Call, w.in.Attempt, w.call.Action
	t.Params, t.Seed = w.params, w.run.seed(w.bound, w.call)
	t.Dir, t.IdempotencyKey = dir, w.key.Hex()
	t.Blobs = newInputBlobs(a.cfg.Store, w.run.record.Inputs, w.call.Uses)
	return t
}

// execute begins the work of an intent that has just been written.
func (a *Activities) execute(ctx context.Context, w *work, in journal.Intent) (workflows.ActResult, error) {
	dir := filepath.Join(a.cfg.Scratch, in.ID)
	defer os.RemoveAll(dir)
	task := a.task(w, dir)
	task.ID, task.Progress = in.ID, w.progress
	h, err := a.cfg.Executors.Start(ctx, task)
	if err == nil && executor.Outlives(w.bound.Pinned.Binding) {
		if err := a.journal.SetHandle(ctx, in, h); err != nil {
			return workflows.ActResult{}, a.trouble(ctx, errors.Join(err, a.cfg.Executors.Cancel(context.WithoutCancel(ctx), h)))
		}
	}
	return a.follow(ctx, w, in, h, err)
}

// follow waits for work that has begun, ends it where it must, and writes the outcome.
func (a *Activities) follow(ctx context.Context, w *work, in journal.Intent, h executor.Handle, err error) (workflows.ActResult, error) {
	var result executor.Result
	status := journal.Completed
	if err == nil {
		working, done := a.working(ctx)
		why := a.wait(working, w, h)
		done()
		result, err = a.cfg.Executors.Collect(context.WithoutCancel(ctx), h)
		if why != nil && err != nil {
			status = why.status
			if f := (*executor.Failure)(nil); errors.As(err, &f) && f.Type == executor.TypeCancelled {
				f.Type = why.typ // Cancel was this worker's way to end it; this is the reason
			} else if f != nil && status == journal.Interrupted {
				// What it says of being interrupted is no failure of its own: it may run again.
				f.Causes = append(f.Causes, f.Type+": "+f.Message)
				f.Type = why.typ
			}
		}
	}
	var failure *executor.Failure
	if err != nil && !errors.As(err, &failure) {
		return workflows.ActResult{}, a.trouble(ctx, fmt.Errorf("carrying out call %s: %w", w.in.Call, err))
	}
	if n := len(result.Output); failure == nil && n > record.MaxContent {
		failure = &executor.Failure{Type: schemas.InvalidOutput, Message: fmt.Sprintf("the output has %d bytes, and %d is the most: save what is large as an artifact", n, record.MaxContent), Artifacts: result.Artifacts, Log: result.Log}
	}
	if failure == nil {
		if v := a.gate.CheckOutput(w.bound, w.params, result.Output); v != nil {
			failure = &executor.Failure{Type: v.Type, Message: v.Message, Partial: result.Output, Artifacts: result.Artifacts, Log: result.Log}
		}
	}
	if failure != nil && status == journal.Completed {
		status = journal.Failed
	}
	return a.end(context.WithoutCancel(ctx), w, in, status, result, failure)
}

// interruption is why work was ended before it was done.
type interruption struct {
	status journal.Status
	typ    string
}

// wait returns when the work has ended. It ends the work when the run was cancelled,
// when the action's time is up, and when the worker must stop.
func (a *Activities) wait(ctx context.Context, w *work, h executor.Handle) *interruption {
	waiting, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	ended := make(chan error, 1)
	go func() { ended <- a.cfg.Executors.Wait(waiting, h) }()
	var timeout <-chan time.Time
	if d := time.Duration(w.bound.Action.Timeout); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	var why *interruption
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		why = &interruption{status: journal.Interrupted, typ: workflows.TypeWorkerShutdown}
		if cancelRequested(ctx) {
			why = &interruption{status: journal.Cancelled, typ: executor.TypeCancelled}
		}
	case <-timeout:
		why = &interruption{status: journal.Failed, typ: executor.TypeTimeout}
	case <-a.stopping(ctx):
		why = &interruption{status: journal.Interrupted, typ: workflows.TypeWorkerShutdown}
	}
	if err := a.cfg.Executors.Cancel(context.WithoutCancel(ctx), h); err != nil {
		activity.GetLogger(ctx).Error("ending an attempt's work", "call", w.in.Call, "error", err)
	}
	<-ended
	return why
}

// end writes an outcome with everything that belongs to it, synced together, and reports it.
func (a *Activities) end(ctx context.Context, w *work, in journal.Intent, status journal.Status, result executor.Result, failure *executor.Failure) (workflows.ActResult, error) {
	env, err := a.environment(ctx, a.task(w, ""))
	if f := (*executor.Failure)(nil); errors.As(err, &f) && failure == nil {
		failure, status = f, journal.Failed // what ran can't be described: its output would have no environment
	} else if err != nil && failure == nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	e := record.Execution{Started: in.Started, Binding: w.chosen(), Environment: env.digest, Isolation: env.isolation, Artifacts: artifacts(result.Artifacts), Log: result.Log.Digest}
	var blobs [][]byte
	if env.blob != nil {
		blobs = append(blobs, env.blob)
	}
	keep := func(v any) (record.Ref, error) {
		ref, blob, err := w.run.secret.Content(v)
		blobs = append(blobs, blob)
		return ref, err
	}
	if failure != nil {
		e.Artifacts, e.Log = artifacts(failure.Artifacts), failure.Log.Digest
		detail, err := keep(failure)
		if err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err)
		}
		e.Error = &record.Error{Type: failure.Type, Detail: detail.Digest}
	} else {
		if e.Output, err = keep(result.Output); err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err)
		}
		if n := int64(len(result.Output)); n > planner.DefaultObservation {
			// The planner will see its beginning, and read the rest by handle.
			blobs = append(blobs, result.Output)
			e.Artifacts = append(e.Artifacts, record.Artifact{Name: wholeOutput, Digest: canon.Sum(result.Output), Size: n, MediaType: "application/json"})
		}
	}
	e.PassedOver = w.past.passedOver()
	body, err := canon.Marshal(e)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	out := journal.Outcome{Intent: in.ID, Status: status, Ended: journal.Time(time.Now()), Body: body}
	batch := store.Batch{Blobs: blobs}
	if status == journal.Completed {
		if batch.Entries, err = w.past.enter(w, in, out, env); err != nil {
			return workflows.ActResult{}, a.trouble(ctx, err)
		}
	}
	winner, err := a.journal.EndWith(ctx, in, out, batch)
	if err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	a.shared.add(env.digest)
	if winner != 0 && winner != in.N {
		// Another execution completed first: its outcome counts, this one stays on the journal as unused.
		first, err := a.journal.Execution(ctx, w.key, winner)
		if err != nil || first.Outcome == nil {
			return workflows.ActResult{}, a.trouble(ctx, errors.Join(err, fmt.Errorf("execution %d of call %s completed first and can't be read", winner, w.in.Call)))
		}
		return a.report(ctx, w, winner, *first.Outcome, true)
	}
	return a.report(ctx, w, in.N, out, in.Activity != activity.GetInfo(ctx).ActivityID)
}

// report gives an outcome to the workflow.
func (a *Activities) report(ctx context.Context, w *work, n int, out journal.Outcome, adopted bool) (workflows.ActResult, error) {
	var e record.Execution
	if err := json.Unmarshal(out.Body, &e); err != nil {
		return workflows.ActResult{}, a.trouble(ctx, fmt.Errorf("reading the outcome of execution %d of call %s: %w", n, w.in.Call, err))
	}
	if out.Status == journal.Completed {
		return workflows.ActResult{Execution: n, Adopted: adopted, Output: e.Output}, nil
	}
	var f executor.Failure
	if err := record.OpenContent(ctx, a.cfg.Store, e.Error.Detail, &f); err != nil {
		return workflows.ActResult{}, a.trouble(ctx, err)
	}
	details := workflows.Failure{Execution: n, Adopted: adopted, Detail: record.Ref{Digest: e.Error.Detail, Preview: record.Preview(f.Message)}}
	if out.Status == journal.Cancelled && w.cancelled() {
		return workflows.ActResult{}, cancelled(details)
	}
	return workflows.ActResult{}, failedAfter(e.Error.Type, f.Message, details, time.Duration(f.RetryAfter))
}

func artifacts(from []executor.Artifact) []record.Artifact {
	to := make([]record.Artifact, 0, len(from))
	for _, a := range from {
		to = append(to, record.Artifact{Name: a.Name, Digest: a.Digest, Size: a.Size, MediaType: a.MediaType})
	}
	return to
}

//go:build linux || darwin

package executor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"rlam/internal/canon"
)

// commandsRun says that this platform has the command executor.
const commandsRun = true

const (
	// pipesClose is how long a program's pipes may stay open after everything that is
	// known of it has ended.
	pipesClose = 2 * time.Second

	work    = "work" // the program's folder, within the attempt's
	logFile = "log"
)

// commands runs programs.
type commands struct {
	blobs   Blobs
	path    string
	maxLog  int64
	running running[*execution]
}

func newCommands(c Config) adopting {
	return &commands{blobs: c.Blobs, path: c.Path, maxLog: c.MaxLog}
}

// execution is a program at work.
type execution struct {
	handle  Handle
	returns json.RawMessage
	params  json.RawMessage
	cmd     *exec.Cmd
	secrets []secret
	out     scrubber // stdout, to the log
	err     scrubber // stderr, to its tail and the log
	stderr  tail
	log     *log
	stopped atomic.Pointer[stop]
	done    chan struct{}
	trouble error // of the worker, not of the program; set before done is closed
}

// stop is why the engine ended a program.
type stop struct{ typ, message string }

func (c *commands) Start(ctx context.Context, t Task) (Handle, error) {
	l, err := c.layOut(ctx, t)
	if err != nil {
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	log, err := createLog(filepath.Join(t.Dir, logFile), c.maxLog)
	if err != nil {
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	id := cmp.Or(t.ID, newID())
	secrets := secretsOf(t.Binding.Command)
	e := &execution{
		returns: t.Returns, params: l.params, secrets: secrets, log: log, done: make(chan struct{}),
		cmd: &exec.Cmd{
			Path: l.program, Args: l.argv, Dir: l.dir, Env: environ(t, l.dir, c.path, id),
			SysProcAttr: processAttributes(), WaitDelay: pipesClose,
		},
	}
	e.stderr.to = log
	e.out, e.err = scrubber{to: log, secrets: secrets}, scrubber{to: &e.stderr, secrets: secrets}
	e.cmd.Stdout, e.cmd.Stderr = &e.out, &e.err
	began := make(chan error)
	go e.supervise(id, t.Dir, began)
	if err := <-began; err != nil {
		log.file.Close()
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	c.running.add(id, e)
	if t.Timeout > 0 {
		timer := time.AfterFunc(t.Timeout, func() {
			e.end(context.Background(), &stop{TypeTimeout, fmt.Sprintf("the program was ended after %v", t.Timeout)})
		})
		go func() {
			<-e.done
			timer.Stop()
		}()
	}
	return e.handle, nil
}

// supervise starts the program and sees it out. It keeps its thread: the kernel ends
// the program with the thread that started it, not with the process.
func (e *execution) supervise(id, dir string, began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := e.cmd.Start(); err != nil {
		began <- notStarted(e.cmd.Args[0], err)
		return
	}
	h, err := newHandle(kindCommand, e.cmd.Process.Pid)
	if err != nil {
		e.cmd.Process.Kill()
		e.cmd.Wait()
		began <- err
		return
	}
	h.ID, h.Dir = id, dir
	e.handle = h
	began <- nil

	defer close(e.done)
	// The leader isn't waited for yet: as long as it is a zombie, its process id and
	// its group's stay its own, and what it left behind can be ended without doubt.
	awaitExit(h.PID)
	switch n, err := endAll(context.Background(), h, termGrace); {
	case err != nil:
		e.trouble = err
	case n > 0 && e.stopped.Load() == nil:
		e.log.note("ended %d process(es) that the program left behind", n)
	}
	if err := e.cmd.Wait(); errors.Is(err, exec.ErrWaitDelay) {
		e.log.note("a process that could not be found kept the program's output open")
	} else if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		e.trouble = fmt.Errorf("waiting for process %d: %w", h.PID, err)
	}
}

// notStarted tells a program that can't be run, which is the action's failure, from a
// machine that can't start any.
func notStarted(name string, err error) error {
	for _, cause := range []error{syscall.ENOENT, syscall.EACCES, syscall.ENOEXEC, syscall.E2BIG, syscall.ENOTDIR, syscall.ELOOP, syscall.EINVAL, syscall.EISDIR, syscall.EPERM} {
		if errors.Is(err, cause) {
			return &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("running %q: %v", name, err)}
		}
	}
	return fmt.Errorf("running %q: %w", name, err)
}

// end has the program ended, for a reason that stands if none stood before.
func (e *execution) end(ctx context.Context, why *stop) error {
	select {
	case <-e.done:
		return nil
	default:
	}
	e.stopped.CompareAndSwap(nil, why)
	if _, err := endAll(ctx, e.handle, termGrace); err != nil {
		return err
	}
	select {
	case <-e.done:
		return e.trouble
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *commands) Wait(ctx context.Context, h Handle) error {
	e, ok := c.running.get(h.ID)
	if !ok {
		return fmt.Errorf("waiting for execution %q: %w", h.ID, ErrLost)
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *commands) Cancel(ctx context.Context, h Handle) error {
	if e, ok := c.running.get(h.ID); ok {
		if err := e.end(ctx, &stop{TypeCancelled, "the program was ended because the attempt was cancelled"}); err != nil {
			return fmt.Errorf("cancelling execution %q: %w", h.ID, err)
		}
		return nil
	}
	ended, err := beyondReach(h)
	if !ended && err == nil {
		_, err = endAll(ctx, h, termGrace)
	}
	if err != nil {
		return fmt.Errorf("cancelling execution %q: %w", h.ID, err)
	}
	return nil
}

// Adopt takes over what this very process started. A program whose worker died has
// lost its pipes, and nobody can learn its exit status: Cancel ends it.
func (c *commands) Adopt(_ context.Context, h Handle, _ Task) (bool, error) {
	if _, ok := c.running.get(h.ID); ok {
		return true, nil
	}
	if _, err := beyondReach(h); err != nil {
		return false, fmt.Errorf("adopting execution %q: %w", h.ID, err)
	}
	return false, nil
}

func (c *commands) Collect(ctx context.Context, h Handle) (Result, error) {
	if err := c.Wait(ctx, h); err != nil {
		return Result{}, err
	}
	e, ok := c.running.take(h.ID)
	if !ok {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, ErrLost)
	}
	r, err := e.collect(ctx, c.blobs)
	if f := (*Failure)(nil); err != nil && !errors.As(err, &f) {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, err)
	}
	return r, err
}

func (e *execution) collect(ctx context.Context, blobs Blobs) (Result, error) {
	e.out.flush()
	e.err.flush()
	log, err := e.log.store(ctx, blobs)
	if err = errors.Join(e.trouble, err); err != nil {
		return Result{}, err
	}
	o, err := openOutputs(filepath.Join(e.handle.Dir, work), blobs, digestsIn(e.params))
	if err != nil {
		return Result{}, err
	}
	defer o.close()
	failed := e.failure(o)
	output, err := o.result(ctx, e.returns)
	invalid := (*Failure)(nil)
	if err != nil && !errors.As(err, &invalid) {
		return Result{}, err
	}
	if failed == nil && invalid == nil {
		return Result{Output: output, Artifacts: o.artifacts(), Log: log}, nil
	}
	switch {
	case failed == nil:
		failed = invalid
	case invalid != nil && o.has("result.json"):
		failed.Causes = append(failed.Causes, "partial output is lost: "+invalid.Message)
	}
	failed.Partial, failed.Artifacts, failed.Log, failed.Stderr = output, o.artifacts(), log, e.stderr.text()
	return Result{}, failed.complete(nil)
}

// failure is what the program's end, and what it wrote about it, say; nil if they say
// nothing bad.
func (e *execution) failure(o *outputs) *Failure {
	status, _ := e.cmd.ProcessState.Sys().(syscall.WaitStatus)
	f := &Failure{}
	if status.Signaled() {
		f.Signal = signalName(status.Signal())
	} else {
		code := status.ExitStatus()
		f.Exit = &code
	}
	if why := e.stopped.Load(); why != nil {
		f.Type, f.Message = why.typ, why.message
		return f
	}
	told, err := o.error()
	switch {
	case f.Signal != "":
		f.Type, f.Message = TypeSignalled, fmt.Sprintf("the program was ended by %s", f.Signal)
	case *f.Exit != 0:
		f.Type, f.Message = TypeExitStatus, fmt.Sprintf("the program exited with status %d", *f.Exit)
	case err != nil:
		f.Type, f.Message = TypeInvalidOutput, err.Error()
		return f
	case told == nil:
		return nil
	default: // status 0, and yet it wrote of a failure: that is believed
		f.Type, f.Message = TypeActionFailed, "the program wrote error.json"
	}
	switch {
	case err != nil:
		f.Causes = append(f.Causes, err.Error())
	case told != nil && mayClaim(told.Type):
		told.Message = withoutSecrets(told.Message, e.secrets)
		f.Causes = append(f.Causes, f.Message)
		f.Type, f.Message = told.Type, told.Message
	case told != nil:
		f.Causes = append(f.Causes, withoutSecrets(told.Message, e.secrets), notClaimable(told.Type))
	}
	return f
}

// layout is what Start made of a task.
type layout struct {
	dir     string // the program's folder
	program string // its file
	argv    []string
	params  json.RawMessage // as admitted: with handles, not with paths
}

// layOut makes the attempt's folder.
func (c *commands) layOut(ctx context.Context, t Task) (layout, error) {
	cmd := t.Binding.Command
	if err := checkVariables(cmd); err != nil {
		return layout{}, err
	}
	params, err := canon.Transform(t.Params)
	if err != nil {
		return layout{}, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	if !filepath.IsAbs(t.Dir) {
		return layout{}, fmt.Errorf("the attempt's folder %q is no absolute path", t.Dir)
	}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return layout{}, fmt.Errorf("making the attempt's folder: %w", err)
	}
	l := layout{dir: filepath.Join(t.Dir, work), params: params}
	if err := os.Mkdir(l.dir, 0o700); err != nil { // exists: another attempt's
		return layout{}, fmt.Errorf("making the attempt's folder: %w", err)
	}
	f, err := newFolder(l.dir, c.blobs)
	if err != nil {
		return layout{}, err
	}
	defer f.close()
	seen, err := f.place(ctx, t.Takes, params)
	if err != nil {
		return layout{}, err
	}
	if err := f.scripts(ctx, cmd.Files, t.Files); err != nil {
		return layout{}, err
	}
	if l.argv, err = arguments(cmd.Argv, seen); err != nil {
		return layout{}, err
	}
	l.program, err = findProgram(l.argv[0], l.dir, searchPath(cmd, c.path))
	return l, err
}

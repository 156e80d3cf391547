//go:build linux || darwin

package executor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rlam/schemas"
)

// commandsRun says that this platform has the command executor.
const commandsRun = true

const (
	// pipesClose is how long a program's pipes may stay open after everything that is
	// known of it has ended.
	pipesClose = 2 * time.Second

	work = "work" // the program's folder, within the attempt's
)

// commands runs programs.
type commands struct {
	blobs   Blobs
	path    string
	maxLog  int64
	walls   walls
	running running[*execution]
}

func newCommands(c Config) commander {
	return &commands{blobs: c.Blobs, path: c.Path, maxLog: c.MaxLog, walls: newWalls(c)}
}

// probe runs a command that describes a program's environment, in a scratch folder and
// with nothing to read, and returns what it prints on stdout.
func (c *commands) probe(ctx context.Context, t Task, argv []string) (string, error) {
	scratch, err := os.MkdirTemp("", "rlam-probe-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the probe: %w", err)
	}
	defer os.RemoveAll(scratch)
	blobs := &small{}
	one := &commands{blobs: blobs, path: c.path, maxLog: maxProbe / 2, walls: c.walls}
	r, err := Run(ctx, one, probeTask(t, argv, filepath.Join(scratch, "attempt")))
	if err != nil {
		return "", whyProbeFailed(err)
	}
	said, err := blobs.Get(ctx, r.Artifacts[0].Digest)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(said)
	return strings.ToValidUTF8(string(text), "\uFFFD"), err
}

// execution is a program at work.
type execution struct {
	handle   Handle
	task     Task
	params   json.RawMessage
	cmd      *exec.Cmd
	fence    *fence
	secrets  []secret
	readings *readings
	progress teller
	kept     map[string]*kept // stdout and stderr, where the whole of one is needed
	out      scrubber         // stdout, to the log, what is kept and what is looked for
	err      scrubber         // stderr, to its tail as well
	stderr   tail
	log      *log
	stopped  atomic.Pointer[stop]
	done     chan struct{}
	unborn   bool  // the walls stood, and the program could not be executed within; set before done is closed
	trouble  error // of the worker, not of the program; set before done is closed
}

// stop is why the engine ended a program.
type stop struct{ typ, message string }

func (c *commands) Start(ctx context.Context, t Task) (Handle, error) {
	e, err := c.prepare(ctx, t)
	if err != nil {
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	if e.fence, err = c.walls.enclose(ctx, e.cmd, e.task); err != nil {
		e.closeStreams()
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	began := make(chan error)
	go e.supervise(began)
	if err := <-began; err != nil {
		e.closeStreams()
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	c.running.add(e.task.ID, e)
	go e.watchFiles(e.cmd.Dir)
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

// prepare makes the attempt's folder, and everything that takes the program's output.
func (c *commands) prepare(ctx context.Context, t Task) (*execution, error) {
	l, err := c.layOut(ctx, t)
	if err != nil {
		return nil, err
	}
	cmd := t.Binding.Command
	t.ID = cmp.Or(t.ID, newID())
	e := &execution{
		task: t, params: l.params, secrets: secretsOf(cmd), kept: make(map[string]*kept), done: make(chan struct{}),
		cmd: &exec.Cmd{
			Path: l.program, Args: l.argv, Dir: l.dir, Env: environ(t, l.dir, c.path, t.ID),
			SysProcAttr: processAttributes(), WaitDelay: pipesClose,
		},
	}
	e.progress.follow(t.Progress)
	if e.readings, err = newReadings(cmd, e.progress.tell); err != nil {
		return nil, err
	}
	if err := e.openStreams(l, cmd, c.maxLog); err != nil {
		e.closeStreams()
		return nil, err
	}
	return e, nil
}

// supervise starts the program and sees it out. It keeps its thread: the kernel ends
// the program with the thread that started it, not with the process.
func (e *execution) supervise(began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := e.fence.start(e.cmd)
	e.closeStdin() // the program has its own
	if err != nil {
		began <- err
		return
	}
	defer e.fence.close()
	h, err := newHandle(kindCommand, e.cmd.Process.Pid)
	if err != nil {
		e.cmd.Process.Kill()
		e.cmd.Wait()
		began <- err
		return
	}
	h.ID, h.Dir, h.Isolation = e.task.ID, e.task.Dir, e.fence.level
	e.handle = h
	began <- nil

	defer close(e.done)
	// The leader isn't waited for yet: as long as it is a zombie, its process id and
	// its group's stay its own, and what it left behind can be ended without doubt.
	awaitExit(h.PID)
	switch n, err := endAll(context.Background(), h, termGrace); {
	case err != nil:
		e.trouble = err
	case n > 0 && e.stopped.Load() == nil && h.Isolation != schemas.IsolationSandbox: // which ends what is in it by itself
		e.log.note("ended %d process(es) that the program left behind", n)
	}
	if err := e.cmd.Wait(); errors.Is(err, exec.ErrWaitDelay) {
		e.log.note("a process that could not be found kept the program's output open")
	} else if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		e.trouble = fmt.Errorf("waiting for process %d: %w", h.PID, err)
	}
	ran, err := e.fence.ran()
	e.unborn, e.trouble = !ran, errors.Join(e.trouble, err)
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
func (c *commands) Adopt(_ context.Context, h Handle, t Task) (bool, error) {
	if e, ok := c.running.get(h.ID); ok {
		e.progress.follow(t.Progress)
		return true, nil
	}
	if _, err := beyondReach(h); err != nil {
		return false, fmt.Errorf("adopting execution %q: %w", h.ID, err)
	}
	return false, nil
}

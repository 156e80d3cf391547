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
	"time"

	"rlam/activities/executor/mcp"
)

// toolServers calls tools of servers that are started: one server for each attempt, in
// the attempt's folder. The call itself is made in a goroutine, as a handler's.
type toolServers struct{ *builtins }

func newToolServers(b *builtins) adopting { return toolServers{b} }

// Start begins the call. Its handle outlives this process, as the server may.
func (s toolServers) Start(ctx context.Context, t Task) (Handle, error) {
	t.ID = cmp.Or(t.ID, newID())
	level, err := s.walls.level(ctx, t)
	if err != nil {
		return Handle{}, err
	}
	h, err := s.begin(ctx, t, Builtin{Name: t.Action, own: true, run: func(ctx context.Context, params json.RawMessage) (out json.RawMessage, err error) {
		err = s.serve(ctx, t, params, calling(ctx, t, &out))
		return out, err
	}})
	h.Kind, h.Dir, h.Isolation = kindTool, t.Dir, level
	return h, err
}

// Cancel ends the call, and what an earlier worker's server left.
func (s toolServers) Cancel(ctx context.Context, h Handle) error {
	if _, ok := s.running.get(h.ID); ok {
		return s.builtins.Cancel(ctx, h)
	}
	ended, err := beyondReach(h)
	if !ended && err == nil {
		err = endMarked(ctx, h.ID)
	}
	if err != nil {
		return fmt.Errorf("cancelling execution %q: %w", h.ID, err)
	}
	return nil
}

// endMarked ends all processes that carry an execution's mark.
func endMarked(ctx context.Context, id string) error {
	h, err := Marked(id)
	if err != nil {
		return err
	}
	_, err = endAll(ctx, h, termGrace)
	return err
}

// serve starts the task's server, has one session with it, and ends it with all that it
// started.
func (b *builtins) serve(ctx context.Context, t Task, params json.RawMessage, do exchange) (err error) {
	// The kernel ends the server with the thread that started it: see processAttributes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, params, err := b.layOutServer(ctx, t, params)
	if err != nil {
		return err
	}
	secrets := secretsOf(commandOf(t.Binding))
	said := tail{to: attemptLog{ctx}}
	stderr := scrubber{to: &said, secrets: secrets}
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting the MCP server: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting the MCP server: %w", err)
	}
	fence, err := b.walls.enclose(ctx, cmd, t)
	if err != nil {
		return err
	}
	if err := fence.start(cmd); err != nil {
		return err
	}
	defer fence.close()
	h, err := newHandle(kindCommand, cmd.Process.Pid)
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return err
	}
	h.ID = t.ID
	// A server that doesn't listen can't hold up the end of the attempt.
	clean := context.WithoutCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _, _ = endAll(clean, h, termGrace) }) // what fails is tried again below
	err = converse(ctx, t, mcp.Pipes(stdout, stdin), params, func(text string) string { return withoutSecrets(text, secrets) }, do)
	stop()
	waited, endErr := ending(clean, cmd, h)
	stderr.flush()
	if f := (*Failure)(nil); errors.As(err, &f) {
		f.Stderr = said.text()
		if f.Type == mcp.TypeServerLost && waited != nil {
			f.Causes = append(f.Causes, "the server ended: "+waited.Error())
		}
	}
	return errors.Join(err, endErr)
}

// ending sees a server out whose stdin was closed, which tells it to end, and ends what it
// leaves behind. Until then its leader isn't waited for: see supervise.
func ending(ctx context.Context, cmd *exec.Cmd, h Handle) (waited, err error) {
	exited := make(chan struct{})
	go func() {
		awaitExit(h.PID)
		close(exited)
	}()
	select {
	case <-exited:
	case <-time.After(termGrace):
	}
	_, err = endAll(ctx, h, termGrace)
	return cmd.Wait(), err
}

// layOutServer makes the attempt's folder, and the server's command. Parameters that are
// marked as artifacts become paths in it.
func (b *builtins) layOutServer(ctx context.Context, t Task, params json.RawMessage) (*exec.Cmd, json.RawMessage, error) {
	command := commandOf(t.Binding)
	if err := checkVariables(command); err != nil {
		return nil, nil, err
	}
	if !filepath.IsAbs(t.Dir) {
		return nil, nil, fmt.Errorf("the attempt's folder %q is no absolute path", t.Dir)
	}
	dir := filepath.Join(t.Dir, work)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the attempt's folder: %w", err)
	}
	f, err := newFolder(dir, t.blobs(b.blobs))
	if err != nil {
		return nil, nil, err
	}
	defer f.close()
	seen, err := f.place(ctx, t.Takes, params)
	if err != nil {
		return nil, nil, err
	}
	program, err := findProgram(command.Argv[0], dir, searchPath(command, b.path))
	if err != nil {
		return nil, nil, err
	}
	return &exec.Cmd{
		Path: program, Args: command.Argv, Dir: dir, Env: environ(t, dir, b.path, t.ID),
		SysProcAttr: processAttributes(), WaitDelay: pipesClose,
	}, seen, nil
}

// attemptLog writes into the log of a context's attempt.
type attemptLog struct{ ctx context.Context }

func (l attemptLog) Write(p []byte) (int, error) {
	if a, err := attemptOf(l.ctx); err == nil {
		a.write(string(p))
	}
	return len(p), nil
}

package executor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"rlam/activities/executor/confine"
	"rlam/schemas"
)

// fence is what stands between one program and the rest of the machine.
type fence struct {
	level   schemas.Isolation
	program string          // as in the command line
	launch  *confine.Launch // nil at level none
	files   []*os.File      // that the program's process needs at its start
	status  *os.File        // what bubblewrap says of the program; nil outside of a sandbox
}

// enclose puts the walls that t needs around its program, which is about to start.
func (w walls) enclose(ctx context.Context, cmd *exec.Cmd, t Task) (*fence, error) {
	level, err := w.level(ctx, t)
	if err != nil {
		return nil, err
	}
	f := &fence{level: level, program: cmd.Args[0]}
	if level == schemas.IsolationNone {
		return f, nil
	}
	// Neither bubblewrap nor this binary, which stand outside of the walls, get the
	// action's variables: LD_PRELOAD among them would run before the walls stand.
	outside := []string{marker + "=" + t.ID}
	if level == schemas.IsolationSandbox {
		if err := f.sandbox(w, cmd, t); err != nil {
			f.close()
			return nil, err
		}
		cmd.Env = outside
	}
	f.launch, err = confine.Prepare(cmd, limits(t, runtime.NumCPU()), outside, f.files...)
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// start starts cmd, and returns when the program, or bubblewrap before it, runs under its
// limits.
func (f *fence) start(cmd *exec.Cmd) error {
	err := cmd.Start()
	if f.launch != nil && err == nil {
		if err = f.launch.Await(); err != nil {
			cmd.Wait() // it has ended
		}
	} else if f.launch != nil {
		err = fmt.Errorf("starting this worker's own program again, before %q: %v", f.program, err)
	}
	if err != nil {
		f.close()
		return notStarted(f.program, err)
	}
	for _, file := range f.files {
		if file != f.status {
			file.Close()
		}
	}
	if f.launch != nil {
		f.launch.Close()
	}
	return nil
}

// ran says whether the program itself ever ran. Outside of a sandbox start knows; in
// one, bubblewrap gives the program's exit status if and only if it did.
func (f *fence) ran() (bool, error) {
	if f.status == nil {
		return true, nil
	}
	said := make([]byte, 64<<10)
	n, err := f.status.ReadAt(said, 0)
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("reading what bubblewrap says of a program: %w", err)
	}
	return bytes.Contains(said[:n], []byte(`"exit-code"`)), nil
}

// exited says how a program ended that wasn't ended by a signal, as far as can be seen.
// Bubblewrap has no other way than an exit status to pass a signal on.
func (f *fence) exited(code int) string {
	text := fmt.Sprintf("the program exited with status %d", code)
	if f.level == schemas.IsolationSandbox && code > 128 && unix.SignalName(syscall.Signal(code-128)) != "" {
		text += fmt.Sprintf("; in a sandbox that is also how its end by %s shows", unix.SignalName(syscall.Signal(code-128)))
	}
	return text
}

func (f *fence) close() {
	if f.launch != nil {
		f.launch.Close()
	}
	for _, file := range f.files {
		file.Close()
	}
}

//go:build linux || darwin

package faults_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"rlam/test/faults/subject"
)

// worker is a worker's process.
type worker struct {
	x    *trial
	name string
	cmd  *exec.Cmd
	in   io.Closer // its stdin
	dead chan struct{}
}

// workerOptions depart from a worker that serves the trial's store and server.
type workerOptions struct {
	address string // of the server: that of a link to it
	store   string // folder
	program string // in place of this test
	mute    bool   // its heartbeats never arrive

	cpus     int           // that it has for actions
	patience time.Duration // of calls that wait for what they take
}

// worker starts a worker, and returns when it serves.
func (x *trial) worker(name string, o workerOptions) *worker {
	x.t.Helper()
	if o.address == "" {
		o.address = x.server.Address
	}
	if o.store == "" {
		o.store = x.storeDir
	}
	if o.program == "" {
		self, err := os.Executable()
		if err != nil {
			x.t.Fatal(err)
		}
		o.program = self
	}
	config := subject.Config{Address: o.address, Store: o.store, Queue: x.queue, Identity: name, Stop: 3 * time.Second, Mute: o.mute, CPUs: o.cpus, Patience: o.patience}
	env, err := config.Environ(x.outside)
	if err != nil {
		x.t.Fatal(err)
	}
	w := &worker{x: x, name: name, cmd: exec.Command(o.program), dead: make(chan struct{})}
	w.cmd.Env = env
	var stderr bytes.Buffer
	w.cmd.Stderr = &stderr
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		x.t.Fatal(err)
	}
	w.in = stdin
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		x.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	serves := lines.Scan() && lines.Text() == subject.Ready
	go func() {
		for lines.Scan() { // nothing more is expected, and a full pipe would stop it
		}
		w.cmd.Wait()
		close(w.dead)
	}()
	x.t.Cleanup(func() {
		w.in.Close()
		w.kill()
		if x.t.Failed() && stderr.Len() > 0 {
			x.t.Logf("worker %s: %s", name, &stderr)
		}
	})
	if !serves {
		x.t.Fatalf("worker %s ended before it served", name)
	}
	return w
}

func (w *worker) signal(s syscall.Signal) {
	w.x.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.x.t.Fatal(fmt.Errorf("sending %v to worker %s: %w", s, w.name, err))
	}
}

// kill ends the process at once, and returns when it is gone.
func (w *worker) kill() {
	w.cmd.Process.Kill() // an error says that it has ended
	<-w.dead
}

// leave tells the process to end in an orderly way, and returns when it has.
func (w *worker) leave() {
	w.in.Close()
	<-w.dead
}

// stop and resume keep the process from running, for as long as it takes.
func (w *worker) stop()   { w.signal(syscall.SIGSTOP) }
func (w *worker) resume() { w.signal(syscall.SIGCONT) }

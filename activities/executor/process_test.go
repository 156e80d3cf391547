//go:build linux

package executor_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
)

// leaves hears from the processes of a tree: a process is alive as long as its
// connection is.
type leaves struct {
	t        *testing.T
	path     string
	listener net.Listener
	conns    []net.Conn
}

func listen(t *testing.T) *leaves {
	t.Helper()
	dir, err := os.MkdirTemp("", "leaves") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &leaves{t: t, path: path, listener: l}
}

// wait returns when n leaves live.
func (l *leaves) wait(n int) {
	l.t.Helper()
	for range n {
		l.listener.(*net.UnixListener).SetDeadline(time.Now().Add(20 * time.Second))
		c, err := l.listener.Accept()
		if err != nil {
			l.t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			l.t.Fatal(err)
		}
		if pid, _ := strconv.Atoi(strings.TrimSpace(line)); pid > 0 {
			l.t.Cleanup(func() {
				if l.t.Failed() {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			})
		}
		l.conns = append(l.conns, c)
	}
}

// dead returns when all leaves have ended.
func (l *leaves) dead() {
	l.t.Helper()
	for i, c := range l.conns {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			l.t.Errorf("leaf %d is alive: %v", i, err)
		}
	}
}

func TestCancelEndsTheWholeTree(t *testing.T) {
	l := listen(t)
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), command(t, `{}`, "tree", l.path, "stay"))
	if err != nil {
		t.Fatal(err)
	}
	l.wait(4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, h); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait with an ended context: %v", err)
	}
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	l.dead()
	var f *executor.Failure
	if _, err := s.Collect(t.Context(), h); !errors.As(err, &f) {
		t.Fatal(err)
	}
	wantFailure(t, f, executor.TypeCancelled, "cancelled")
	if f.Signal != "SIGTERM" {
		t.Errorf("signal %q", f.Signal)
	}
}

func TestTimeoutEndsTheProgram(t *testing.T) {
	task := command(t, `{}`)
	task.Binding.Command.Argv = []string{"/bin/sh", "-c", "while :; do :; done"}
	task.Timeout = 50 * time.Millisecond
	_, f := outcome(t, newSet(t, executor.Config{}), task)
	wantFailure(t, f, executor.TypeTimeout, "50ms")
}

func TestAProgramDeafToSIGTERMIsKilled(t *testing.T) {
	l := listen(t)
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), command(t, `{}`, "leaf", l.path, "deaf"))
	if err != nil {
		t.Fatal(err)
	}
	l.wait(1)
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	var f *executor.Failure
	if _, err := s.Collect(t.Context(), h); !errors.As(err, &f) || f.Signal != "SIGKILL" {
		t.Fatalf("collected %v, %+v", err, f)
	}
}

func TestNothingOutlivesItsProgram(t *testing.T) {
	l := listen(t)
	blobs := &store.Mem{}
	s := newSet(t, executor.Config{Blobs: blobs})
	// The leaf with the wiped environment is one of the group, so it is found.
	h, err := s.Start(t.Context(), command(t, `{}`, "tree", l.path, "leave"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	l.listener.Close()
	r, err := s.Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if log := text(t, blobs, r.Log.Digest); log != "rlam: ended 4 process(es) that the program left behind\n" {
		t.Errorf("log %q", log)
	}
}

func TestLeftoversOfADeadWorkerAreEnded(t *testing.T) {
	l := listen(t)
	exe, _ := os.Executable()
	worker := exec.Command(exe, "worker", l.path, filepath.Join(t.TempDir(), "attempt"))
	worker.Env = append(os.Environ(), programVariable+"=1")
	worker.Stderr = os.Stderr
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer worker.Process.Kill()
	var h executor.Handle
	if err := json.NewDecoder(out).Decode(&h); err != nil {
		t.Fatal(err)
	}
	l.wait(4)
	worker.Process.Kill()
	worker.Wait()

	s := newSet(t, executor.Config{})
	if alive, err := s.Adopt(t.Context(), h, executor.Task{}); alive || err != nil {
		t.Fatalf("Adopt: %t, %v", alive, err)
	}
	if err := s.Wait(t.Context(), h); !errors.Is(err, executor.ErrLost) {
		t.Errorf("Wait: %v", err)
	}
	if _, err := s.Collect(t.Context(), h); !errors.Is(err, executor.ErrLost) {
		t.Errorf("Collect: %v", err)
	}
	// The kernel killed the program with its worker; three of its children carry the
	// mark. The fourth lost group leader, parent and mark: the documented limit.
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	marked := l.conns[:0]
	for _, c := range l.conns {
		if pid := peer(t, c); environmentOf(pid) != programVariable+"=1\x00" {
			marked = append(marked, c)
		} else {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	l.conns = marked
	l.dead()
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Errorf("cancelling again: %v", err)
	}
}

// peer is the process at the other end of a socket.
func peer(t *testing.T, c net.Conn) int {
	t.Helper()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var cred *syscall.Ucred
	raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil {
		t.Fatal(err)
	}
	return int(cred.Pid)
}

func environmentOf(pid int) string {
	b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return string(b)
}

func TestAProcessWithARecycledNumberIsLeftAlone(t *testing.T) {
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), command(t, `{}`, "result", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	exe, _ := os.Executable()
	other := exec.Command(exe, "tree", l.path, "stay")
	other.Env = append(os.Environ(), programVariable+"=1")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		other.Process.Kill()
		other.Wait()
	}()
	l.wait(4)
	h.PID = other.Process.Pid // as if the number had been given out again
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	for i, c := range l.conns {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("process %d of somebody else was ended: %v", i, err)
		}
		syscall.Kill(peer(t, c), syscall.SIGKILL)
	}
}

func TestHandlesOfOtherMachines(t *testing.T) {
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), command(t, `{}`, "result", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Wait(t.Context(), h), s.Cancel(t.Context(), h)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Collect(t.Context(), h); err != nil || string(r.Output) != `{}` {
		t.Errorf("a cancel that came too late changed the outcome: %s, %v", r.Output, err)
	}
	boot, namespace, _ := strings.Cut(h.Boot, " ")
	for _, c := range []struct {
		name string
		edit func(*executor.Handle)
		want error
	}{
		{"host", func(h *executor.Handle) { h.Host = "other" }, executor.ErrElsewhere},
		{"container", func(h *executor.Handle) { h.Boot = boot + " pid:[1]" }, executor.ErrElsewhere},
		{"boot", func(h *executor.Handle) { h.Boot = "earlier " + namespace }, nil},
		{"live worker", func(h *executor.Handle) { h.Kind, h.PID, h.Started = "builtin", 1, startOf(t, 1) }, executor.ErrElsewhere},
		{"dead worker", func(h *executor.Handle) { h.Kind, h.PID, h.Started = "builtin", 1, "1"+startOf(t, 1) }, nil},
		{"kind", func(h *executor.Handle) { h.Kind = "slurm" }, executor.ErrNoBinding},
	} {
		other := h
		c.edit(&other)
		if err := s.Cancel(t.Context(), other); !errors.Is(err, c.want) {
			t.Errorf("cancelling, %s: %v, want %v", c.name, err, c.want)
		}
		want := c.want
		if c.name == "live worker" {
			want = nil // seen, and not to be taken over
		}
		if alive, err := s.Adopt(t.Context(), other, executor.Task{}); alive || !errors.Is(err, want) {
			t.Errorf("adopting, %s: %t, %v, want %v", c.name, alive, err, want)
		}
	}
}

func startOf(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))[19]
}

// counting hashes what it is given, and keeps nothing.
type counting struct{ executor.Blobs }

func (counting) Put(_ context.Context, r io.Reader) (canon.Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return canon.Digest(h.Sum(nil)), n, err
}

func TestMuchOutputKeepsMemoryFlat(t *testing.T) {
	s := newSet(t, executor.Config{Blobs: counting{}, MaxLog: 8 << 20})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, f := outcome(t, s, command(t, `{}`, "print"))
	runtime.ReadMemStats(&after)
	if f != nil {
		t.Fatal(f)
	}
	const note = "\nrlam: 96468992 more bytes were not kept\n" // 100 MiB less 8 MiB
	if r.Log.Size != 8<<20+int64(len(note)) {
		t.Errorf("log of %d bytes", r.Log.Size)
	}
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 4<<20 {
		t.Errorf("%d bytes were allocated for 100 MiB of output", grew)
	}
}

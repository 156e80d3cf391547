package confine_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rlam/activities/executor/confine"
)

// run runs a shell script under limits, and says how it ended.
func run(t *testing.T, l confine.Limits, script string) (string, *os.ProcessState) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), []string{"PATH=/usr/bin:/bin", "A=b"}, &out, &out
	x, err := confine.Prepare(cmd, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := x.Await(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // how it ended is in the state
	return strings.TrimSpace(out.String()), cmd.ProcessState
}

func TestLimitsHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits confine.Limits
		script string
		within string // what it says without the limit
		signal syscall.Signal
	}{
		{"a file", confine.Limits{FileSize: 4096}, "exec 2>/dev/null; head -c 8192 /dev/zero >f; wc -c <f", "8192", 0},
		{"memory", confine.Limits{Memory: 64 << 20}, "dd if=/dev/zero of=/dev/null bs=256M count=1 2>/dev/null && echo got it", "got it", 0},
		{"open files", confine.Limits{OpenFiles: 32}, "ulimit -n 1000 2>/dev/null && echo raised", "raised", 0},
		{"processor time", confine.Limits{CPUTime: time.Second}, "i=0; while [ $i -lt 300000000 ]; do i=$((i+1)); done", "", syscall.SIGXCPU},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, state := run(t, c.limits, c.script)
			if c.signal != 0 {
				if s := state.Sys().(syscall.WaitStatus); s.Signal() != c.signal && s.Signal() != syscall.SIGKILL {
					t.Errorf("it ended as %v", state)
				}
				return
			}
			if said == c.within {
				t.Errorf("beyond the limit it says %q", said)
			}
			if said, _ := run(t, confine.Limits{}, c.script); said != c.within {
				t.Errorf("without a limit it says %q, want %q", said, c.within)
			}
		})
	}
}

func TestProgramGetsItsOwnWorld(t *testing.T) {
	t.Parallel()
	left, err := syscall.Dup(0) // as if whoever started the worker had left a file open
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(left)
	said, state := run(t, confine.Limits{}, `echo $A; ulimit -c; grep NoNewPrivs /proc/self/status; ls /proc/self/fd | wc -l; exit 7`)
	// Four descriptors: the three that everybody has, and the one that lists them.
	if want := "b\n0\nNoNewPrivs:\t1\n4"; said != want || state.ExitCode() != 7 {
		t.Errorf("%q and %v, want %q and 7", said, state, want)
	}
}

func TestProgramThatCantBeExecuted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("neither ELF nor script"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{file: syscall.ENOEXEC, file + "s": syscall.ENOENT} {
		cmd := exec.Command(path)
		x, err := confine.Prepare(cmd, confine.Limits{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		err = x.Await()
		x.Close()
		cmd.Wait()
		if refused := (*confine.NotExecuted)(nil); !errors.As(err, &refused) || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

//go:build linux || darwin

package executor_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/schemas"
	"rlam/test/need"
)

func TestPrefixStandsBeforeTheProgram(t *testing.T) {
	t.Parallel()
	task := wrap(t, `{"n":3}`, `echo "$0 $N"`, schemas.Command{
		Prefix: []string{"env", "N={params.n}"}, Stdout: "printed", Result: map[string]schemas.Extract{"n": {Pattern: `(\d)$`}},
	})
	task.Returns = object(`"n":{"type":"integer"}`)
	s := newSet(t, executor.Config{})
	r, f := outcome(t, s, task)
	if f != nil || string(r.Output) != `{"n":3}` {
		t.Fatalf("output %s, %v", r.Output, f)
	}
	env, err := s.Environment(t.Context(), task)
	if err != nil || env.Identity.Prefix == nil || env.Identity.Prefix.Name != "env" || env.Identity.Program.Name != "/bin/sh" {
		t.Errorf("identity %+v, %v", env.Identity, err)
	}
	task.Binding.Command.Argv = []string{"only-in-the-image"}
	if env, err = s.Environment(t.Context(), task); err != nil || env.Identity.Program != nil {
		t.Errorf("identity %+v, %v", env.Identity, err)
	}
}

func TestProbesJoinTheIdentity(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "count")
	task := wrap(t, `{}`, `echo '{}' > result.json`, schemas.Command{
		Env: map[string]string{"COUNT": count},
		Probe: [][]string{
			{"/bin/sh", "-c", `echo once >> "$COUNT"; cat; echo "$PWD" >&2; echo tool 1.2 $LC_ALL`},
		},
	})
	s := newSet(t, executor.Config{})
	if _, f := outcome(t, s, task); f != nil {
		t.Fatal(f)
	}
	env, err := s.Environment(t.Context(), task)
	const name = `/bin/sh -c "echo once >> \"$COUNT\"; cat; echo \"$PWD\" >&2; echo tool 1.2 $LC_ALL"`
	if err != nil || len(env.Identity.Probes) != 1 || env.Identity.Probes[name].Output != "tool 1.2 C.UTF-8\n" {
		t.Errorf("probes %+v, %v", env.Identity.Probes, err)
	}
	if b, _ := os.ReadFile(count); string(b) != "once\n" {
		t.Errorf("the probe ran %q", b)
	}
	for script, word := range map[string]string{
		`echo no such environment >&2; exit 3`: "status 3: no such environment",
		`head -c 100000 /dev/zero`:             "more than 65536 bytes",
	} {
		task.Binding.Command.Probe = [][]string{{"/bin/sh", "-c", script}}
		task.Dir += "2"
		if _, f := outcome(t, s, task); f == nil || f.Type != executor.TypeProbeFailed || !strings.Contains(f.Message, word) {
			t.Errorf("%s: %v", script, f)
		}
		if env, err := s.Environment(t.Context(), task); err != nil || !strings.Contains(env.Identity.Probes["/bin/sh -c "+strconv.Quote(script)].Failed, word) {
			t.Errorf("%s: identity %+v, %v", script, env.Identity.Probes, err)
		}
		if _, err := os.Stat(filepath.Join(task.Dir, "work")); err == nil {
			t.Errorf("%s: the program was prepared", script)
		}
	}
}

func TestFixedAddresses(t *testing.T) {
	t.Parallel()
	need.Need(t, "setarch on linux", runtime.GOOS == "linux" && executableFile("/usr/bin/setarch"))
	addresses := func(fixed bool) string {
		task := wrap(t, `{}`, `cat /proc/self/personality`, schemas.Command{FixedAddresses: fixed, Result: map[string]schemas.Extract{"p": {Pattern: `(\w+)`}}})
		task.Returns = object(`"p":{"type":"string"}`)
		r, f := outcome(t, newSet(t, executor.Config{}), task)
		if f != nil {
			t.Fatal(f)
		}
		return string(r.Output)
	}
	if on, off := addresses(false), addresses(true); off != `{"p":"00040000"}` || on == off {
		t.Errorf("personality %s, with fixed addresses %s", on, off)
	}
	task := wrap(t, `{}`, `true`, schemas.Command{FixedAddresses: true})
	_, f := outcome(t, newSet(t, executor.Config{Path: "/nowhere"}), task)
	wantFailure(t, f, executor.TypeNotStarted, "no setarch on this machine")
}

func executableFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

func TestProgressIsHeardWhileAProgramRuns(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	task := wrap(t, `{}`, `echo "step 1 of 2"; read line < go; echo "step 2 of 2" >&2; echo '{}' > result.json`, schemas.Command{
		In:       []schemas.InFile{{Path: "x", Template: "x"}},
		Progress: []schemas.ProgressRule{{Pattern: `step (\d) of (\d)`, Message: "{1}/{2}"}},
	})
	task.Binding.Command.Argv[2] = "mkfifo go; " + task.Binding.Command.Argv[2]
	task.Progress = func(m string) { heard <- m }
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if got := hear(t, heard); got != "1/2" {
		t.Errorf("heard %q", got)
	}
	if err := os.WriteFile(filepath.Join(task.Dir, "work", "go"), []byte("on\n"), 0); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, heard); got != "2/2" {
		t.Errorf("heard %q", got)
	}
	if err := s.Wait(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(t.Context(), h); err != nil {
		t.Error(err)
	}
}

// hear waits for what an attempt is told.
func hear(t *testing.T, told <-chan string) string {
	t.Helper()
	select {
	case message := <-told:
		return message
	case <-time.After(time.Minute):
		t.Fatal("nothing was told within a minute")
		return ""
	}
}

// A program may say how far it is in a file; who adopts its attempt hears what it said last.
// The value of a variable that was let through isn't told.
func TestProgressIsHeardFromAFileAndAfterAdoption(t *testing.T) {
	t.Setenv("LAB_TOKEN", "canary-7d1f")
	heard, adopted := make(chan string, 10), make(chan string, 10)
	task := wrap(t, `{}`, `mkfifo first second pipe; echo "iteration 1 with $LAB_TOKEN" >> out.log; read line < first; echo "iteration 2" >> out.log; read line < second; echo '{}' > result.json`, schemas.Command{
		Pass: []string{"LAB_TOKEN"},
		Progress: []schemas.ProgressRule{
			{From: "out.log", Pattern: `iteration (\d+)`},
			{From: "pipe", Pattern: `.`},
			{From: "none.log", Pattern: `.`},
		},
	})
	task.Progress = func(m string) { heard <- m }
	s := newSet(t, executor.Config{})
	h, err := s.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if got := hear(t, heard); got != "iteration 1 with [LAB_TOKEN]" {
		t.Errorf("heard %q", got)
	}
	other := task
	other.Progress = func(m string) { adopted <- m }
	if alive, err := s.Adopt(t.Context(), h, other); !alive || err != nil {
		t.Fatalf("adopted: %v, %v", alive, err)
	}
	if got := hear(t, adopted); got != "iteration 1 with [LAB_TOKEN]" {
		t.Errorf("the attempt that adopted heard %q", got)
	}
	on := func(pipe string) { // each is read once: a pipe that is still open for writing would end the next read too
		if err := os.WriteFile(filepath.Join(task.Dir, "work", pipe), []byte("on\n"), 0); err != nil {
			t.Fatal(err)
		}
	}
	on("first")
	if got := hear(t, adopted); got != "iteration 2" {
		t.Errorf("the attempt that adopted heard %q", got)
	}
	on("second")
	if err := s.Wait(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(t.Context(), h); err != nil {
		t.Error(err)
	}
	if len(heard) > 0 {
		t.Errorf("the attempt that lost contact heard %q", <-heard)
	}
}

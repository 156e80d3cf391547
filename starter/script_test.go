package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rlam/internal/devserver"
	"rlam/worker/host"
)

// TestMain runs the package's tests, and this binary as the commands of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"starter": func() { os.Exit(start()) },
		"worker":  func() { host.Main() },
		"code":    func() { os.Exit(code(os.Args[1:])) },
	})
}

// tests ends the server that the scripts shared.
type tests struct{ *testing.M }

func (t tests) Run() int {
	exit := t.M.Run()
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := shared.server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.RemoveAll(shared.dir)
	}
	return exit
}

var shared struct {
	once    sync.Once
	dir     string
	server  *devserver.Server
	program string
	err     error
}

// startShared starts the server of all scripts, once.
func startShared() {
	if shared.dir, shared.err = os.MkdirTemp("", "rlam-starter-"); shared.err != nil {
		return
	}
	// Long: on a machine that has never built the server, it is built first.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	o := devserver.Options{Home: shared.dir, SearchAttributes: host.SearchAttributes(), Progress: os.Stderr}
	var p devserver.Program
	if p, shared.err = devserver.FindProgram(ctx, o); shared.err != nil {
		return
	}
	shared.program = p.Path
	shared.server, shared.err = devserver.StartPrivate(ctx, o)
}

func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	shared.once.Do(startShared)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	studies, err := filepath.Abs(filepath.Join("testdata", "studies"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RLAM_HOME", filepath.Join(e.WorkDir, "rlam"))
			e.Setenv("TEMPORAL_ADDRESS", shared.server.Address)
			e.Setenv("SERVER", shared.server.Address)
			e.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(e.WorkDir, "none.toml"))
			e.Setenv("RLAM_TEMPORAL", shared.program)
			e.Setenv("EXAMPLES", filepath.Join(studies, "..", "..", "..", "examples"))
			return os.CopyFS(e.WorkDir, os.DirFS(studies))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until, "holds": holds},
	})
}

// until runs a program again and again until its output matches: until PATTERN PROGRAM ARGS…
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM ARGS...")
	}
	wait(ts, args[0], func() string {
		_ = ts.Exec(args[1], args[2:]...) // it may fail for as long as what is waited for isn't there
		return ts.ReadFile("stdout") + ts.ReadFile("stderr")
	})
}

// holds waits until a file is there and holds text that matches: holds PATTERN FILE
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: holds PATTERN FILE")
	}
	wait(ts, args[0], func() string {
		files, err := filepath.Glob(ts.MkAbs(args[1]))
		ts.Check(err)
		text := ""
		for _, f := range files {
			b, err := os.ReadFile(f)
			ts.Check(err)
			text += string(b)
		}
		return text
	})
}

func wait(ts *testscript.TestScript, pattern string, look func() string) {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	for deadline := time.Now().Add(time.Minute); ; {
		text := look()
		if re.MatchString(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q did not come up in:\n%s", pattern, text)
		}
		time.Sleep(50 * time.Millisecond) // between two looks, not instead of one
	}
}

// code runs a program and says whether it exits with a code: code N PROGRAM ARGS…
// Interrupts are passed on.
func code(args []string) int {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for s := range interrupts {
			_ = cmd.Process.Signal(s) // it may have ended
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		fmt.Fprintf(os.Stderr, "exit code %d, want %d\n", got, want)
		return 1
	}
	return 0
}

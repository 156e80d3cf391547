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
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rlam/internal/devserver"
	"rlam/test/need"
	"rlam/worker/host"
)

// TestMain runs the package's tests, and this binary as the commands of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"starter": func() { os.Exit(start()) },
		"worker":  func() { host.Main() },
		"code":    func() { os.Exit(code(os.Args[1:])) },
	})
}

// startServer starts the server that the scripts share, and finds the program it runs.
// settings are of its dynamic configuration.
func startServer(t *testing.T, settings ...string) (*devserver.Server, string) {
	// Long: on a machine that has never built the server, it is built first.
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	o := devserver.Options{Home: t.TempDir(), SearchAttributes: host.SearchAttributes(), Settings: settings, Progress: t.Output()}
	p, err := devserver.FindProgram(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := devserver.StartPrivate(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server, p.Path
}

func TestScripts(t *testing.T) { runScripts(t, "script") }

// TestContinuedScripts has a server that wants runs to continue as new every few steps.
func TestContinuedScripts(t *testing.T) {
	runScripts(t, "continued", "limit.historyCount.suggestContinueAsNew=25")
}

// runScripts runs the scripts of a folder of testdata, on a server of their own.
func runScripts(t *testing.T, dir string, settings ...string) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	server, program := startServer(t, settings...)
	studies, err := filepath.Abs(filepath.Join("testdata", "studies"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", dir), RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RLAM_HOME", filepath.Join(e.WorkDir, "rlam"))
			e.Setenv("TEMPORAL_ADDRESS", server.Address)
			e.Setenv("SERVER", server.Address)
			e.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(e.WorkDir, "none.toml"))
			e.Setenv("RLAM_TEMPORAL", program)
			e.Setenv("EXAMPLES", filepath.Join(studies, "..", "..", "..", "examples"))
			return os.CopyFS(e.WorkDir, os.DirFS(studies))
		},
		Condition: func(c string) (bool, error) {
			program, ok := strings.CutPrefix(c, "needs:")
			if !ok {
				return false, fmt.Errorf("there is no condition %q: want needs:PROGRAM", c)
			}
			return need.Has(program)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until": until, "holds": holds, "service": service, "fill": fill, "build": build, "nowhere": nowhere,
			"executed": executed, "crate": crate, "models": models,
		},
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

// executed says that a file, in which each execution writes a line, has so many: executed N FILE
func executed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: executed N FILE")
	}
	if n := strings.Count(ts.ReadFile(args[1]), "\n"); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d executions, want %s", n, args[0])
	}
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
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
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

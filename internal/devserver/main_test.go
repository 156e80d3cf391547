package devserver

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

// asCommand makes the test binary play a command that finds a server and ends.
const asCommand = "RLAM_DEVSERVER_TEST_COMMAND"

func TestMain(m *testing.M) {
	verb := os.Getenv(asCommand)
	if verb == "" {
		os.Exit(m.Run())
	}
	os.Unsetenv(asCommand)
	home, err := Home()
	if err == nil {
		var s *Server
		o := Options{Home: home, Progress: os.Stderr}
		if verb == "private" {
			s, err = StartPrivate(context.Background(), o)
		} else {
			s, err = Find(context.Background(), o)
		}
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(s)
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// command runs this test binary as a command and returns what it printed.
func command(t *testing.T, verb string, env ...string) (string, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(append(os.Environ(), asCommand+"="+verb), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	return string(out), err
}

// isolate takes the configuration of the person who runs the tests away.
func isolate(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "TEMPORAL_") {
			t.Setenv(name, "") // so that it comes back
			os.Unsetenv(name)
		}
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
}

// realProgram has the tests use a real server, found the way that users' is.
func realProgram(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	isolate(t)
	p, err := FindProgram(t.Context(), Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("RLAM_TEMPORAL", p.Path)
}

// stopAtEnd stops whatever runs below the home when the test ends.
func stopAtEnd(t *testing.T, home string) {
	t.Cleanup(func() {
		s, err := Running(home)
		if err != nil {
			return
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// kill is kill -9, and waits until the process is gone.
func kill(t *testing.T, s *Server) {
	t.Helper()
	p, err := os.FindProcess(s.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed server is gone", func() bool { return !s.local.record.alive() })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := poll(ctx, holds); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

func dial(t *testing.T, s *Server) client.Client {
	t.Helper()
	o := s.ClientOptions()
	o.Logger = silent{}
	c, err := client.DialContext(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// script writes an executable shell script.
func script(t *testing.T, path, body string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
}

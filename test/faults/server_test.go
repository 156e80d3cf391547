//go:build linux || darwin

package faults_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"rlam/internal/devserver"
	"rlam/worker/host"
)

// privateServer is a server that a test may kill.
func privateServer(t *testing.T) *devserver.Server {
	t.Helper()
	server, err := devserver.StartPrivate(t.Context(), devserver.Options{Home: t.TempDir(), SearchAttributes: host.SearchAttributes(), Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Stop(stop); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestKilledServer kills the server in the middle of an attempt that must not be made twice,
// and starts it again on the same database.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	steps := []step{{call("a", "work")}, {held("b", "once")}, {call("c", "work")}}

	t.Run("the attempt ends while it is away", func(t *testing.T) {
		t.Parallel()
		server := privateServer(t)
		x := tryOn(t, server, "", script(steps, nil, "a", "b", "c"))
		x.worker("one", workerOptions{})
		r := x.start(nil)
		x.begun("b", 1)
		if err := syscall.Kill(server.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		x.open("b")
		x.outcomes("call", 2)
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.ended()
		r.completed("a", "b", "c")
		if a := r.agree(); a.Executed != 3 || a.Intents != 3 || a.Requests != 4 {
			t.Errorf("account %+v, want nothing done twice", a)
		}
	})

	t.Run("the attempt outlasts it", func(t *testing.T) {
		t.Parallel()
		server := privateServer(t)
		x := tryOn(t, server, "", script(steps, nil, "a", "b", "c"))
		x.worker("one", workerOptions{})
		r := x.start(nil)
		x.begun("b", 1)
		if err := syscall.Kill(server.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.open("b")
		r.ended()
		r.completed("a", "b", "c")
		if a := r.agree(); a.Executed != 3 || a.Intents != 3 || a.Requests != 4 {
			t.Errorf("account %+v, want nothing done twice", a)
		}
	})
}

//go:build linux

package executor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rlam/activities/executor"
	"rlam/schemas"
	"rlam/test/need"
)

// An attempt's server is ended with all that it started, in whatever group it is and with
// whatever environment.
func TestToolServersLeaveNothing(t *testing.T) {
	t.Parallel()
	l := listen(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	set := newSet(t, executor.Config{})
	plain := schemas.MCP{Argv: []string{everything(t)}}
	tools := pins(t, set, &plain)
	ready := filepath.Join(t.TempDir(), "ready")
	server := schemas.MCP{Argv: []string{"sh", "-c", fmt.Sprintf("%s=1 %s tree %s stay >/dev/null & until [ -e %s ]; do sleep 0.01; done; exec %s", programVariable, exe, l.path, ready, plain.Argv[0])}}
	h, err := set.Start(t.Context(), toolTask(t, server, tools["greet"], `{"name":"Ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	l.wait(4)
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Collect(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	l.dead()
}

// A server that is started is kept apart as any program, and its environment says so.
func TestToolServersBehindWalls(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	server := schemas.MCP{Argv: []string{everything(t)}}
	for _, level := range []schemas.Isolation{schemas.IsolationNone, schemas.IsolationProcess, schemas.IsolationSandbox} {
		set := newSet(t, executor.Config{Isolation: level, Readable: []string{filepath.Dir(server.Argv[0])}})
		task := toolTask(t, server, pins(t, set, &server)["greet"], `{"name":"Ada"}`)
		r, f := outcome(t, set, task)
		if f != nil || string(r.Output) != `{"text":"Hi Ada"}` {
			t.Errorf("%s: output %s, failure %v", level, r.Output, f)
		}
		env, err := set.Environment(t.Context(), task)
		if err != nil || env.Isolation != level || env.Identity.Program == nil || env.Identity.Program.Digest.IsZero() {
			t.Errorf("%s: environment %+v, %v", level, env, err)
		}
	}
}

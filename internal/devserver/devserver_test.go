package devserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// A person's day: one command starts the server and ends, another shares it,
// the machine dies, and the next command finds everything where it was.
func TestServerOutlivesCommandsAndCrashes(t *testing.T) {
	realProgram(t)
	home := t.TempDir()
	t.Setenv("RLAM_HOME", home)
	stopAtEnd(t, home)

	out, err := command(t, "find")
	if err != nil {
		t.Fatalf("first command: %v\n%s", err, out)
	}
	var first Server
	if err := json.Unmarshal([]byte(out), &first); err != nil {
		t.Fatal(err)
	}

	study := temporal.NewSearchAttributeKeyKeyword("RlamTestStudy")
	steps := temporal.NewSearchAttributeKeyInt64("RlamTestSteps")
	want := map[string]enums.IndexedValueType{
		study.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
		steps.GetName(): enums.INDEXED_VALUE_TYPE_INT,
	}
	shared, err := Find(t.Context(), Options{SearchAttributes: want})
	if err != nil {
		t.Fatal(err)
	}
	if shared.PID != first.PID || shared.Address != first.Address {
		t.Fatalf("second command has %d at %s, not the first one's %d at %s", shared.PID, shared.Address, first.PID, first.Address)
	}
	if p := port(shared.Address); p < lowestPort || p > highestPort {
		t.Errorf("port %d is where outgoing connections may take it", p)
	}
	if st := shared.Status(t.Context()); !st.Running || !st.Healthy || st.DatabaseSize == 0 {
		t.Errorf("status: %+v", st)
	}
	resp, err := http.Get(shared.UI)
	if err != nil {
		t.Fatalf("Temporal UI: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("Temporal UI answers %s", resp.Status)
	}

	// The attributes were new to a running server: they must be usable at once.
	run, err := dial(t, shared).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "kept", TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(study.ValueSet("pendulum"), steps.ValueSet(4)),
	}, "Unregistered")
	if err != nil {
		t.Fatal(err)
	}

	kill(t, shared)
	again, err := Find(t.Context(), Options{SearchAttributes: want})
	if err != nil {
		t.Fatal(err)
	}
	if again.PID == shared.PID {
		t.Errorf("the killed process %d is said to run", again.PID)
	}
	if again.Address != first.Address || again.UI != first.UI {
		t.Errorf("after the crash: %s and %s, before it: %s and %s", again.Address, again.UI, first.Address, first.UI)
	}
	c := dial(t, again)
	desc, err := c.DescribeWorkflow(t.Context(), "kept", run.GetRunID())
	if err != nil {
		t.Fatalf("the run from before the crash: %v", err)
	}
	if got, ok := desc.TypedSearchAttributes.GetKeyword(study); !ok || got != "pendulum" {
		t.Errorf("search attribute %q is %q after the crash", study.GetName(), got)
	}
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if got := ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != retention {
		t.Errorf("retention is %v, want %v", got, retention)
	}

	var conflict *TypeConflictError
	_, err = Find(t.Context(), Options{SearchAttributes: map[string]enums.IndexedValueType{
		steps.GetName(): enums.INDEXED_VALUE_TYPE_DOUBLE,
	}})
	if !errors.As(err, &conflict) || conflict.Have != enums.INDEXED_VALUE_TYPE_INT {
		t.Errorf("an attribute of another type: %v", err)
	}

	if err := again.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Running(home); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Stop, Running says %v", err)
	}
	if err := again.Stop(t.Context()); err != nil {
		t.Errorf("stopping a stopped server: %v", err)
	}
}

// A record from before a reboot may name a process that is another's by now.
func TestConcurrentFindsReplaceAStaleRecordWithOneServer(t *testing.T) {
	realProgram(t)
	home := t.TempDir()
	stopAtEnd(t, home)
	d, err := stateBelow(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.make(); err != nil {
		t.Fatal(err)
	}
	// This process stands for the stranger: were it signalled, the test would end.
	address := "127.0.0.1:" + freePort(t)
	if err := d.write(record{PID: os.Getpid(), Start: "a former boot/1", Address: address}); err != nil {
		t.Fatal(err)
	}

	found := make([]*Server, 4)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() {
			s, err := Find(t.Context(), Options{Home: home, SearchAttributes: map[string]enums.IndexedValueType{
				"RlamTestStudy": enums.INDEXED_VALUE_TYPE_KEYWORD,
			}})
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range found[1:] {
		if s.PID != found[0].PID {
			t.Errorf("two servers: processes %d and %d", found[0].PID, s.PID)
		}
	}
	if found[0].Address != address {
		t.Errorf("address is %s; the recorded %s was free", found[0].Address, address)
	}

	// A server whose record is lost must not get a rival on its database.
	if err := os.Remove(d.recordFile()); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if s, err := Find(t.Context(), Options{Home: home}); err == nil || !strings.Contains(err.Error(), d.databaseLock()) {
			t.Errorf("two servers on one database: %+v, %v", s, err)
		}
	}
	if err := d.write(found[0].local.record); err != nil {
		t.Fatal(err)
	}
}

func TestPrivateServer(t *testing.T) {
	realProgram(t)
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // must not matter
	home := t.TempDir()
	stopAtEnd(t, home)
	s, err := StartPrivate(t.Context(), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	pid, address := s.PID, s.Address

	kill(t, s)
	if st := s.Status(t.Context()); st.Running || st.Healthy || st.Problem == "" {
		t.Errorf("status of a killed server: %+v", st)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID == pid || s.Address != address {
		t.Errorf("restarted as %d at %s, was %d at %s", s.PID, s.Address, pid, address)
	}

	// Any server will do to be the configured one.
	t.Setenv("TEMPORAL_ADDRESS", s.Address)
	other := t.TempDir()
	configured, err := Find(t.Context(), Options{Home: other})
	if err != nil {
		t.Fatal(err)
	}
	if configured.Local() || configured.Address != s.Address || configured.Version != s.Version {
		t.Errorf("configured server: %+v", configured)
	}
	if st := configured.Status(t.Context()); !st.Healthy {
		t.Errorf("status of the configured server: %+v", st)
	}
	if err := configured.Stop(t.Context()); err == nil {
		t.Error("a configured server was stopped")
	}
	if entries, _ := os.ReadDir(other); len(entries) != 0 {
		t.Errorf("a configured server left %v", entries)
	}
}

func TestPrivateServerDiesWithItsProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can do this")
	}
	realProgram(t)
	home := t.TempDir()
	t.Setenv("RLAM_HOME", home)
	stopAtEnd(t, home)
	if out, err := command(t, "private"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the server is gone", func() bool {
		_, err := Running(home)
		return errors.Is(err, ErrNotRunning)
	})
}

func TestUnreachableConfiguredServer(t *testing.T) {
	isolate(t)
	home := t.TempDir()
	closed := "127.0.0.1:" + freePort(t)
	for name, test := range map[string]struct {
		env, option, source string
	}{
		"environment": {env: closed, source: "TEMPORAL_ADDRESS"},
		"option":      {env: "127.0.0.1:2", option: closed, source: "the address that was given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEMPORAL_ADDRESS", test.env)
			_, err := Find(t.Context(), Options{Home: home, Address: test.option})
			if err == nil || !strings.Contains(err.Error(), closed) || !strings.Contains(err.Error(), test.source) {
				t.Errorf("error doesn't name %q from %s: %v", closed, test.source, err)
			}
		})
	}
	if entries, _ := os.ReadDir(home); len(entries) != 0 {
		t.Errorf("something was started: %v", entries)
	}
}

func TestProfileIsUsed(t *testing.T) {
	isolate(t)
	closed := "127.0.0.1:" + freePort(t)
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte("[profile.default]\naddress = \""+closed+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	_, err := Find(t.Context(), Options{Home: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), closed) {
		t.Errorf("error doesn't name the profile's %q: %v", closed, err)
	}
}

// A server that can't start says why, and is not tried for ever.
func TestServerThatEndsAtOnce(t *testing.T) {
	isolate(t)
	home := t.TempDir()
	program := filepath.Join(t.TempDir(), "temporal")
	script(t, program, `case $1 in --version) echo "temporal version 9 (Server 9.0.0, UI 1)";; *) echo "disk is on fire" >&2; exit 1;; esac`)
	t.Setenv("RLAM_TEMPORAL", program)
	_, err := Find(t.Context(), Options{Home: home})
	if err == nil || !strings.Contains(err.Error(), "disk is on fire") || !strings.Contains(err.Error(), program) {
		t.Errorf("error doesn't say why: %v", err)
	}
	if _, err := Running(home); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after a failed start, Running says %v", err)
	}
}

func TestRunURL(t *testing.T) {
	s := newServer(state{}, record{UI: "http://127.0.0.1:20001"})
	const want = "http://127.0.0.1:20001/namespaces/default/workflows/a%2Fb/r-1/history"
	if got := s.RunURL("a/b", "r-1"); got != want {
		t.Errorf("RunURL is %s, want %s", got, want)
	}
	if got := (&Server{}).RunURL("a", "b"); got != "" {
		t.Errorf("RunURL without a UI is %q", got)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	p, err := choosePort(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(p)
}

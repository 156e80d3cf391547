// Package lab is where tests run studies for real: a Temporal development server of
// its own, a store in a temporary folder, and a worker in the test's process.
package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/devserver"
	"rlam/internal/replay"
	"rlam/schemas"
	"rlam/worker/host"
	"rlam/workflows"
)

// Limit is how long a test may wait for a run.
const Limit = 2 * time.Minute

var shared struct {
	once   sync.Once
	dir    string
	server *devserver.Server
	err    error
}

// Main runs a package's tests and ends the server that they shared.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is [Main] for a TestMain that has something to do afterwards: it returns the code
// to exit with.
func Run(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := shared.server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.RemoveAll(shared.dir)
	}
	return code
}

// Server is the server that the tests of a package share.
func Server(t testing.TB) *devserver.Server {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "rlam-test-"); shared.err != nil {
			return
		}
		// Long: on a machine that has never built the server, it is built first.
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		defer cancel()
		shared.server, shared.err = devserver.StartPrivate(ctx, devserver.Options{Home: shared.dir, SearchAttributes: host.SearchAttributes(), Progress: os.Stderr})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Lab is a store and a worker.
type Lab struct {
	T      testing.TB
	Client client.Client
	Dir    string // the store's
	Log    string // what scripted models were asked, a line each
	Host   *host.Host
	config host.Config
}

// New makes a lab whose worker serves.
func New(t testing.TB, actions ...executor.Builtin) *Lab {
	t.Helper()
	return NewAt(t, Server(t).ClientOptions(), actions...)
}

// NewAt is New with a connection of the caller's own: to another server, or through
// something that spoils it.
func NewAt(t testing.TB, o client.Options, actions ...executor.Builtin) *Lab {
	t.Helper()
	return NewWith(t, o, func(*host.Config) {}, actions...)
}

// NewWith is NewAt with a worker whose configuration the caller changes.
func NewWith(t testing.TB, o client.Options, change func(*host.Config), actions ...executor.Builtin) *Lab {
	t.Helper()
	c, err := host.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	dir := t.TempDir()
	l := &Lab{T: t, Client: c, Dir: filepath.Join(dir, "store"), Log: filepath.Join(dir, "model.jsonl")}
	l.config = host.Config{
		Client: c, Store: l.Dir, Actions: actions, ModelLog: l.Log, StopTimeout: 5 * time.Second,
		TaskQueue: "test-" + canon.Sum([]byte(dir)).Short(),
	}
	change(&l.config)
	l.StartWorker()
	return l
}

// StartWorker starts the lab's worker, or another one after it was stopped: with the
// same actions, or those that are given.
func (l *Lab) StartWorker(actions ...executor.Builtin) {
	l.T.Helper()
	if len(actions) > 0 {
		l.config.Actions = actions
	}
	h, err := host.New(l.config)
	if err != nil {
		l.T.Fatal(err)
	}
	if err := h.Start(); err != nil {
		l.T.Fatal(err)
	}
	l.Host = h
	stop := sync.OnceFunc(h.Stop)
	l.T.Cleanup(stop)
}

// Begin starts a run of a study file; set changes members of the study by JSON pointer.
func (l *Lab) Begin(study string, set map[string]string) client.WorkflowRun {
	l.T.Helper()
	loaded, problems := schemas.LoadStudy(study)
	if len(problems) > 0 {
		l.T.Fatal(problems.Err())
	}
	raw := map[string]json.RawMessage{}
	for k, v := range set {
		raw[k] = json.RawMessage(v)
	}
	loaded, err := host.WithChanges(loaded, raw)
	if err != nil {
		l.T.Fatal(err)
	}
	id := strings.NewReplacer("/", "-", " ", "-").Replace(l.T.Name()) + "-" + canon.Sum([]byte(l.Dir+study+time.Now().String())).Short()
	run, err := host.Launch(l.T.Context(), l.Client, l.Host.Store, loaded, host.LaunchOptions{ID: id, TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true})
	if err != nil {
		l.T.Fatal(err)
	}
	return run
}

// Study runs a study file to its end.
func (l *Lab) Study(study string, set map[string]string) (workflows.StudyResult, *historypb.History) {
	l.T.Helper()
	run := l.Begin(study, set)
	ctx, cancel := context.WithTimeout(l.T.Context(), Limit)
	defer cancel()
	var result workflows.StudyResult
	err := run.Get(ctx, &result)
	h := l.History(run.GetID(), run.GetRunID())
	if err != nil {
		l.T.Fatalf("run %s: %v", run.GetID(), err)
	}
	return result, h
}

// Fork forks the run of a history, and runs the fork to its end.
func (l *Lab) Fork(origin *historypb.History, o host.ForkOptions) *historypb.History {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.T.Context(), Limit)
	defer cancel()
	ended, sealed, err := host.Sealed(origin.Events[len(origin.Events)-1])
	if err != nil || !sealed {
		l.T.Fatalf("the run to be forked left no seal (%v)", err)
	}
	record := RunOf(l.T, origin)
	o.Head, o.ID = ended.Head, "fork-"+canon.Sum([]byte(l.Dir+time.Now().String())).Short()
	fork, err := host.Fork(ctx, l.Host.Store, record, o)
	if err != nil {
		l.T.Fatal(err)
	}
	run, err := host.LaunchFork(ctx, l.Client, fork, host.LaunchOptions{TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true})
	if err == nil {
		err = run.Get(ctx, nil)
	}
	if err != nil {
		l.T.Fatalf("forking %s: %v", record, err)
	}
	return l.History(run.GetID(), run.GetRunID())
}

// History reads a run's events.
func (l *Lab) History(id, runID string) *historypb.History {
	l.T.Helper()
	h, err := ReadHistory(l.T.Context(), l.Client, id, runID)
	if err != nil {
		l.T.Fatal(err)
	}
	return h
}

// ReadHistory reads a run's events so far.
func ReadHistory(ctx context.Context, c client.Client, id, runID string) (*historypb.History, error) {
	h := &historypb.History{}
	for it := c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}

// RunOf is the run record that a history was started with.
func RunOf(t testing.TB, h *historypb.History) canon.Digest {
	t.Helper()
	var in workflows.StudyInput
	if err := host.DataConverter().FromPayloads(h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		t.Fatal(err)
	}
	return in.Run
}

// Replay replays a history against this build's workflow code, and compares.
func Replay(t testing.TB, h *historypb.History) replay.Result {
	t.Helper()
	result, err := host.Replayer().History(t.Context(), h)
	if err != nil {
		t.Error(err)
	}
	return result
}

// Eventually asks until a condition holds, and fails the test when it doesn't in time.
func Eventually(t testing.TB, holds func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-tick.C:
		}
	}
}

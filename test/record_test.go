package test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rlam/activities/executor"
	"rlam/internal/change"
	"rlam/internal/devserver"
	"rlam/internal/scripted"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

var update = flag.Bool("update", false, "record the histories of test/histories anew")

// TestRecordHistories runs each path on a real server and keeps its history:
//
//	go test ./test -run TestRecordHistories -update
//
// limit-attempts, limit-steps and limit-wall-time are of an R-LAM that gave no last
// turn. They can't be recorded any more, and must be replayed for ever.
func TestRecordHistories(t *testing.T) {
	if !*update {
		return // no skip: TestHistories replays what was recorded
	}
	for _, p := range []struct {
		name string
		set  map[string]string // changes of studies/study.yaml
		act  func(context.Context, measureIn) (measureOut, error)
	}{
		{name: "success", act: measure},
		{name: "recovery", set: script("recover"), act: measure},
		{name: "refusal", set: script("refused"), act: measure},
		{name: "retry", act: busy(2)},
		{name: "retries-used-up", act: busy(3)},
		{name: "model-busy", set: script("busy"), act: measure},
		{name: "parallel", set: script("parallel"), act: measure},
		{name: "deferred", set: script("deferred"), act: measure},
		{name: "plan", set: map[string]string{"/planner": `{"plan": "plan.yaml"}`}, act: measure},
		{name: "no-result", act: func(context.Context, measureIn) (measureOut, error) { return measureOut{}, outOfRange() }},
		{name: "last-partial", set: merged(script("last"), strict, limited("calls", "1")), act: measure},
		{name: "last-whole", set: merged(script("last"), limited("steps", "2")), act: measure},
		{name: "last-none", set: merged(script("stubborn"), limited("calls", "1")), act: measure},
		{name: "last-wall-time", set: merged(script("last"), strict, limited("wall_time", `"4s"`)), act: onceThenUntilEnded()},
		// Of runs whose first turn leaves nothing for another.
		{name: "none-left", set: limited("steps", "1"), act: measure},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t, executor.Typed("lab.measure", p.act))
			_, h := l.Study("studies/study.yaml", p.set)
			keep(t, p.name, h)
		})
	}
	t.Run("mgh09", func(t *testing.T) {
		t.Parallel()
		_, h := lab.New(t).Study("../examples/mgh09/study.yaml", nil)
		keep(t, "mgh09", h)
	})
	t.Run("fork", recordForks)
	t.Run("reused", func(t *testing.T) {
		t.Parallel()
		l := lab.New(t, executor.Typed("lab.measure", measure))
		store := map[string]string{"/planner": `{"plan": "plan.yaml"}`, "/reuse": `"store"`}
		l.Study("studies/study.yaml", store)
		_, h := l.Study("studies/study.yaml", store)
		keep(t, "reused", h)
	})
	t.Run("fallback", recordFallback)
	t.Run("older-gate", recordOlderGate)
	t.Run("continued", recordContinued)
	t.Run("cancelled", recordCancelled)
	t.Run("cancelled-planning", recordCancelledPlanning)
	t.Run("worker-stopped", recordWorkerStopped)
	t.Run("in-doubt", recordInDoubt)
	t.Run("handed-back", recordHandedBack)
	t.Run("resource-busy", recordResourceBusy)
	t.Run("lost", recordLost)
	t.Run("failed", recordFailed)
	t.Run("terminated", recordTerminated)
}

// recordForks forks a run: where its planner is asked anew, and where a person changed a
// call, so that others of its step are kept.
func recordForks(t *testing.T) {
	t.Parallel()
	l := lab.New(t, executor.Typed("lab.measure", measure))
	_, origin := l.Study("studies/study.yaml", script("deferred"))
	keep(t, "fork-live", l.Fork(origin, host.ForkOptions{At: 2}))
	edit := change.Edit{Call: "a", Part: change.Params, Pointer: "/x", Value: json.RawMessage("1")}
	keep(t, "fork-edit", l.Fork(origin, host.ForkOptions{Changes: change.Changes{Edits: []change.Edit{edit}}}))
	keep(t, "fork-recorded", l.Fork(origin, host.ForkOptions{At: 1, Recorded: true}))
}

// recordFallback asks a model that is down, and then its fallback; or has none.
func recordFallback(t *testing.T) {
	t.Parallel()
	scenario, err := os.ReadFile("studies/once.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := scripted.Load(scenario)
	if err != nil {
		t.Fatal(err)
	}
	model, err := scripted.Start(parsed, scripted.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	serve := model.Handler()
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var ask struct{ Model string }
		if err != nil || json.Unmarshal(body, &ask) != nil || ask.Model != parsed.Model() {
			http.Error(w, `{"error": {"message": "the model is being loaded"}}`, http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(router.Close)
	planner := `{"model": "scripted/down", "base_url": "` + router.URL + `/v1", "attempts": {"max": 2, "backoff": {"initial": "100ms", "coefficient": 2, "max": "1s"}}`
	l := lab.New(t, executor.Typed("lab.measure", measure))
	_, h := l.Study("studies/study.yaml", map[string]string{"/planner": planner + `, "fallbacks": ["scripted/once"]}`})
	keep(t, "fallback", h)
	_, h = l.Study("studies/study.yaml", map[string]string{"/planner": planner + `}`})
	keep(t, "model-unavailable", h)
}

// recordContinued has a server of its own, which suggests to continue as new early.
func recordContinued(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := devserver.StartPrivate(t.Context(), devserver.Options{
		Home: dir, SearchAttributes: host.SearchAttributes(), Settings: []string{"limit.historyCount.suggestContinueAsNew=25"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	l := lab.NewAt(t, server.ClientOptions(), executor.Typed("lab.measure", measure))
	run := l.Begin("studies/study.yaml", script("four"))
	first := run.GetRunID()
	ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
	defer cancel()
	if err := run.Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	h := l.History(run.GetID(), first)
	keep(t, "continued-1", h)
	next := h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	keep(t, "continued-2", l.History(run.GetID(), next))
}

func recordCancelled(t *testing.T) {
	t.Parallel()
	l, run := begun(t)
	if err := l.Client.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	keep(t, "cancelled", ended(l, run))
}

func recordCancelledPlanning(t *testing.T) {
	t.Parallel()
	l := lab.New(t, executor.Typed("lab.measure", measure))
	run := l.Begin("studies/study.yaml", script("stalled"))
	until(l, run, scheduledIs("1.plan#1"))
	if err := l.Client.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	keep(t, "cancelled-planning", ended(l, run))
}

// recordWorkerStopped stops the worker in the middle of an attempt, and starts another.
func recordWorkerStopped(t *testing.T) {
	t.Parallel()
	began := make(chan string, 10)
	var attempts atomic.Int32
	l := lab.New(t, executor.Typed("lab.measure", func(ctx context.Context, in measureIn) (measureOut, error) {
		if attempts.Add(1) == 1 {
			return untilEnded(began)(ctx, in)
		}
		return measure(ctx, in)
	}))
	run := l.Begin("studies/study.yaml", nil)
	receive(t, began)
	l.Host.Stop()
	l.StartWorker()
	keep(t, "worker-stopped", ended(l, run))
}

// recordInDoubt stops the worker in the middle of an attempt that must not be made twice.
func recordInDoubt(t *testing.T) {
	t.Parallel()
	began := make(chan string, 10)
	l := lab.New(t, executor.Typed("lab.measure", untilEnded(began)))
	run := l.Begin("studies/study.yaml", map[string]string{"/actions": `["external/measure.yaml"]`})
	receive(t, began)
	l.Host.Stop()
	l.StartWorker()
	keep(t, "in-doubt", ended(l, run))
}

// recordHandedBack has a worker without the action, and then one with it.
func recordHandedBack(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	run := l.Begin("studies/study.yaml", nil)
	until(l, run, func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType() == workflows.TypeNoBinding
	})
	l.Host.Stop()
	l.StartWorker(executor.Typed("lab.measure", measure))
	keep(t, "handed-back", ended(l, run))
}

// recordResourceBusy has an attempt wait for what somebody else uses, until it is handed back.
func recordResourceBusy(t *testing.T) {
	t.Parallel()
	impatient := func(c *host.Config) { c.Patience = 200 * time.Millisecond }
	l := lab.NewWith(t, lab.Server(t).ClientOptions(), impatient, executor.Typed("lab.measure", measure))
	unlock, err := l.Host.Store.Lock(t.Context(), "exclusive/detector")
	if err != nil {
		t.Fatal(err)
	}
	run := l.Begin("studies/study.yaml", map[string]string{"/actions": `["exclusive"]`})
	until(l, run, func(e *historypb.HistoryEvent) bool { return e.GetActivityTaskFailedEventAttributes() != nil })
	unlock()
	keep(t, "resource-busy", ended(l, run))
}

// recordLost cuts the heartbeats of an attempt that goes on: another attempt adopts what comes of it.
func recordLost(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	over := make(chan struct{})
	began := make(chan string, 10)
	l := lab.NewAt(t, withoutHeartbeats(lab.Server(t).ClientOptions(), &cut), executor.Typed("lab.measure", func(ctx context.Context, in measureIn) (measureOut, error) {
		began <- "an attempt"
		select {
		case <-over:
		case <-ctx.Done():
		}
		return measure(ctx, in)
	}))
	cut.Store(true)
	run := l.Begin("studies/study.yaml", nil)
	receive(t, began)
	until(l, run, func(e *historypb.HistoryEvent) bool {
		return e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
	})
	cut.Store(false)
	close(over)
	keep(t, "lost", ended(l, run))
}

// recordFailed loses planning more often than the study allows.
func recordFailed(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	cut.Store(true)
	l := lab.NewAt(t, withoutHeartbeats(lab.Server(t).ClientOptions(), &cut), executor.Typed("lab.measure", measure))
	run := l.Begin("studies/study.yaml", map[string]string{"/planner": `{"scripted": "stalled.yaml"}`, "/limits/losses": "1"})
	keep(t, "failed", ended(l, run))
}

// recordTerminated keeps a history while the run goes on, and after its termination.
func recordTerminated(t *testing.T) {
	t.Parallel()
	l, run := begun(t)
	keep(t, "open", l.History(run.GetID(), run.GetRunID()))
	if err := l.Client.TerminateWorkflow(t.Context(), run.GetID(), "", "to see what is left"); err != nil {
		t.Fatal(err)
	}
	keep(t, "terminated", ended(l, run))
}

// keep writes a history in the form that Temporal UI exports and imports, without what
// tells of the machine. (The form with payloads spelled out turns [] into null.)
func keep(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	h = proto.CloneOf(h)
	anonymous(h.ProtoReflect())
	// protojson adds spaces by chance, so that nobody relies on its bytes.
	raw, err := protojson.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(historyFile(name), append(out.Bytes(), '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// anonymous clears the names of processes, of the queues that are named after them, and
// the memo, which names a folder.
func anonymous(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Name() == "identity", f.Name() == "memo", f.Name() == "worker_version",
			f.Name() == "name" && m.Descriptor().Name() == "TaskQueue" && !strings.HasPrefix(v.String(), "test-"):
			m.Clear(f)
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				anonymous(v.List().Get(i).Message())
			}
		case f.Message() != nil && !f.IsMap():
			anonymous(v.Message())
		}
		return true
	})
}

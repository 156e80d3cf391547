//go:build linux || darwin

package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"rlam/internal/canon"
	"rlam/internal/devserver"
	"rlam/internal/record"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/test/faults"
	"rlam/test/faults/subject"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// patience is how long a test waits for what must come about.
const patience = time.Minute

// trial is a study that is about to meet a fault: a store, a model and workers of its own.
type trial struct {
	t        *testing.T
	server   *devserver.Server
	client   client.Client
	dir      string // holds all of the below
	storeDir string
	store    *store.Folder
	outside  subject.Outside
	queue    string
	log      string // the model's
	modelURL string
}

// try makes a trial on the server that the tests share; script is what the model plays.
func try(t *testing.T, script string) *trial {
	t.Helper()
	return tryOn(t, lab.Server(t), "", script)
}

// tryOn makes a trial on a server, with the store in a folder; "" is a new one.
func tryOn(t *testing.T, server *devserver.Server, storeDir, script string) *trial {
	t.Helper()
	dir := t.TempDir()
	x := &trial{
		t: t, server: server, dir: dir, storeDir: storeDir, outside: subject.Outside(filepath.Join(dir, "outside")),
		queue: "faults-" + canon.Sum([]byte(dir)).Short(), log: filepath.Join(dir, "model.jsonl"),
	}
	if x.storeDir == "" {
		x.storeDir = filepath.Join(dir, "store")
	}
	if err := os.Mkdir(string(x.outside), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if x.store, err = store.OpenFolder(x.storeDir); err != nil {
		t.Fatal(err)
	}
	scenario, err := scripted.Load([]byte(script))
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	model, err := scripted.Start(scenario, scripted.Options{Log: x.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	x.modelURL = model.URL()
	if x.client, err = host.Dial(t.Context(), server.ClientOptions()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.client.Close)
	return x
}

// run is a run of the trial's study.
type run struct {
	*trial
	handle client.WorkflowRun
}

// start starts the study; set changes its members by JSON pointer.
func (x *trial) start(set map[string]string) *run {
	x.t.Helper()
	loaded, problems := schemas.LoadStudy("testdata/study.yaml")
	if len(problems) > 0 {
		x.t.Fatal(problems.Err())
	}
	raw := map[string]json.RawMessage{"/planner/base_url": json.RawMessage(fmt.Sprintf("%q", x.modelURL))}
	for k, v := range set {
		raw[k] = json.RawMessage(v)
	}
	loaded, err := host.WithChanges(loaded, raw)
	if err != nil {
		x.t.Fatal(err)
	}
	id := strings.NewReplacer("/", "-", " ", "-").Replace(x.t.Name()) + "-" + x.queue
	handle, err := host.Launch(x.t.Context(), x.client, x.store, loaded, host.LaunchOptions{ID: id, TaskQueue: x.queue, StoreDir: x.storeDir, SearchAttributes: true})
	if err != nil {
		x.t.Fatal(err)
	}
	return &run{trial: x, handle: handle}
}

// await asks until the condition holds. It says what did not come about when it gives up.
func (x *trial) await(what string, holds func() bool) {
	x.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-limit.C:
			x.t.Fatalf("waited %s in vain: %s", patience, what)
		case <-tick.C:
		}
	}
}

// effects is what the actions wrote so far.
func (x *trial) effects() []subject.Effect {
	x.t.Helper()
	all, err := x.outside.Effects()
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

// count is how many effects of an event there are of a label.
func (x *trial) count(event, label string) int {
	x.t.Helper()
	n := 0
	for _, e := range x.effects() {
		if e.Event == event && e.Label == label {
			n++
		}
	}
	return n
}

// begun waits until executions of a label have begun.
func (x *trial) begun(label string, n int) {
	x.t.Helper()
	x.await(fmt.Sprintf("%d executions of %q begin", n, label), func() bool { return x.count("begin", label) >= n })
}

// open lets the actions of a label go on.
func (x *trial) open(label string) {
	x.t.Helper()
	if err := x.outside.Open(label); err != nil {
		x.t.Fatal(err)
	}
}

// requests is what reached the model so far.
func (x *trial) requests() []scripted.Entry {
	x.t.Helper()
	all, err := scripted.ReadLog(x.log)
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

// asked waits until requests have reached the model.
func (x *trial) asked(n int) {
	x.t.Helper()
	x.await(fmt.Sprintf("%d requests reach the model", n), func() bool { return len(x.requests()) >= n })
}

// history is the run's events so far.
func (r *run) history() *historypb.History {
	r.t.Helper()
	h, err := lab.ReadHistory(r.t.Context(), r.client, r.handle.GetID(), r.handle.GetRunID())
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// result waits for the run to end as a workflow that returned.
func (r *run) result() workflows.StudyResult {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), lab.Limit)
	defer cancel()
	var result workflows.StudyResult
	if err := r.handle.Get(ctx, &result); err != nil {
		r.t.Fatalf("run %s: %v\n%s", r.handle.GetID(), err, describe(r.history()))
	}
	return result
}

// ended waits for the run to close, however it does.
func (r *run) ended() enumspb.WorkflowExecutionStatus {
	r.t.Helper()
	status := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	r.await("the run ends", func() bool {
		d, err := r.client.DescribeWorkflowExecution(r.t.Context(), r.handle.GetID(), r.handle.GetRunID())
		if err != nil {
			return false // the server may be away for a moment
		}
		status = d.GetWorkflowExecutionInfo().GetStatus()
		return status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	return status
}

// value opens a content of the store.
func value[T any](x *trial, d canon.Digest) (v T) {
	x.t.Helper()
	if err := record.OpenContent(x.t.Context(), x.store, d, &v); err != nil {
		x.t.Fatal(err)
	}
	return v
}

// completed waits for a result and compares it: it is that of a run without a fault,
// since an action's output depends on its label alone.
func (r *run) completed(labels ...string) workflows.StudyResult {
	r.t.Helper()
	result := r.result()
	if result.Status != record.Completed {
		r.t.Fatalf("the run ended as %s: %s\n%s", result.Status, result.Reason.Preview, describe(r.history()))
	}
	got := value[map[string]string](r.trial, result.Result.Digest)
	if len(got) != len(labels) {
		r.t.Errorf("result %v, want one member for each of %q", got, labels)
	}
	for _, l := range labels {
		if got[l] != subject.Digits(l) {
			r.t.Errorf("result %q of %q, want %q as without a fault", got[l], l, subject.Digits(l))
		}
	}
	return result
}

// evidence is all that tells of the run so far.
func (r *run) evidence() faults.Evidence {
	r.t.Helper()
	return faults.Evidence{Store: r.store, History: r.history(), Effects: r.effects(), Requests: r.requests()}
}

// agree checks that everything that tells of the run says the same.
func (r *run) agree() faults.Account {
	r.t.Helper()
	a, findings, err := r.evidence().Check(r.t.Context())
	if err != nil {
		r.t.Fatalf("%v\n%s", err, describe(r.history()))
	}
	for _, f := range findings {
		r.t.Error("the evidence doesn't agree:", f)
	}
	if len(findings) > 0 {
		r.t.Log(describe(r.history()))
	}
	r.audit(a)
	return a
}

// audit holds the product's own account of the run against the counts from outside.
func (r *run) audit(a faults.Account) {
	r.t.Helper()
	trace, m := r.measure()
	for _, f := range trace.Findings {
		if !provenance.Harmless(f.Name) {
			r.t.Error("the audit found:", f)
		}
	}
	if got, want := m.Completeness.Total, a.Intents+a.Turns; got != want || !m.Completeness.Whole() {
		r.t.Errorf("trace completeness %+v, want all of %d executions", m.Completeness, want)
	}
	if got, least := m.Visibility.Total, a.Failed+a.TimedOut; got < least-r.handedBack() || !m.Visibility.Whole() {
		r.t.Errorf("failure visibility %+v, want all of at least %d failures", m.Visibility, least)
	}
}

// measure is the product's account of the run so far.
func (r *run) measure() (*provenance.Trace, provenance.Metrics) {
	r.t.Helper()
	told, err := history.Read(history.FromHistory(r.history()), history.Options{RunID: r.handle.GetRunID(), Payloads: host.DataConverter()})
	if err != nil {
		r.t.Fatal(err)
	}
	trace, err := provenance.Build(r.t.Context(), provenance.Evidence{Runs: []*history.Run{told}, Store: r.store, Strays: true})
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := trace.Measure(r.t.Context(), r.store, provenance.Replayed{})
	if err != nil {
		r.t.Fatal(err)
	}
	return trace, m
}

// handedBack is how many failed activities were no attempts.
func (r *run) handedBack() (n int) {
	r.t.Helper()
	for _, e := range r.history().GetEvents() {
		switch e.GetActivityTaskFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType() {
		case workflows.TypeNoBinding, workflows.TypeBusy, workflows.TypeCancelled:
			n++
		}
	}
	return n
}

// chain reads the run's records up to the head that its history tells.
func (r *run) chain() []record.Link {
	r.t.Helper()
	runDigest, head, err := faults.Heads(r.history())
	if err != nil {
		r.t.Fatal(err)
	}
	links, err := record.Chain(r.t.Context(), r.store, runDigest, head)
	if err != nil {
		r.t.Fatal(err)
	}
	return links
}

// call is the record of a call, by its id.
func (r *run) call(id string) record.CallRecord {
	r.t.Helper()
	for _, l := range r.chain() {
		if s, ok := l.Record.(*record.Step); ok {
			for _, c := range s.Calls {
				if c.ID == id {
					return c
				}
			}
		}
	}
	r.t.Fatalf("no record of call %s\n%s", id, describe(r.history()))
	return record.CallRecord{}
}

// describe is a history in short, for a person who looks for what went wrong.
func describe(h *historypb.History) string {
	var b strings.Builder
	for _, e := range h.GetEvents() {
		fmt.Fprintf(&b, "%4d %s %s", e.EventId, e.EventTime.AsTime().Format("05.000"), strings.TrimPrefix(e.EventType.String(), "EVENT_TYPE_"))
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			fmt.Fprintf(&b, " %s", a.ActivityId)
		}
		if a := e.GetActivityTaskFailedEventAttributes(); a != nil {
			fmt.Fprintf(&b, " %s: %s", a.GetFailure().GetApplicationFailureInfo().GetType(), a.GetFailure().GetMessage())
		}
		if a := e.GetActivityTaskTimedOutEventAttributes(); a != nil {
			fmt.Fprintf(&b, " %s", a.GetFailure().GetTimeoutFailureInfo().GetTimeoutType())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

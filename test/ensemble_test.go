package test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"rlam/activities/executor"
	"rlam/internal/design"
	"rlam/internal/devserver"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// ensembles are the recorded histories of ensembles: what each must hold, counted in its
// events. TestRecordEnsembles records them.
var ensembles = []struct {
	name, closed, scheduled, children string
}{
	{"completed", "WorkflowExecutionCompleted", "Conclude 1, Enrol 3", "ChildWorkflowExecutionCompleted 3"},
	{"failed-member", "WorkflowExecutionCompleted", "Conclude 1, Enrol 2", "ChildWorkflowExecutionCompleted 2"},
	{"stopped", "WorkflowExecutionCanceled", "Conclude 1, Enrol 2", "ChildWorkflowExecutionCanceled 2"},
	{"gone-on", "WorkflowExecutionCompleted", "Conclude 1, Enrol 3", "ChildWorkflowExecutionCompleted 3"},
	{"terminated-member", "WorkflowExecutionCompleted", "Conclude 1, Enrol 1", "ChildWorkflowExecutionTerminated 1"},
	{"continued-1", "WorkflowExecutionContinuedAsNew", "Enrol 2", "ChildWorkflowExecutionCompleted 2"},
	{"continued-2", "WorkflowExecutionCompleted", "Conclude 1, Enrol 2", "ChildWorkflowExecutionCompleted 2"},
}

func TestEnsembleHistories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("histories/ensembles/*.json")
	if err != nil || len(files) != len(ensembles) {
		t.Errorf("%d histories of ensembles, and %d rows (%v)", len(files), len(ensembles), err)
	}
	for _, want := range ensembles {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			h := readHistory(t, filepath.Join("ensembles", want.name))
			lab.Replay(t, h)
			scheduled, children, closed := ensembleTally(h)
			if scheduled != want.scheduled || children != want.children || closed != want.closed {
				t.Errorf("%s: scheduled %s; members %s; want %s: %s; %s", closed, scheduled, children, want.closed, want.scheduled, want.children)
			}
		})
	}
}

// ensembleTally counts an ensemble's activities and the ends of its members.
func ensembleTally(h *historypb.History) (scheduled, children, closed string) {
	activities, ends := map[string]int{}, map[string]int{}
	for _, e := range h.Events {
		switch typ := e.GetEventType(); typ {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			activities[strings.TrimPrefix(e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(), "rlam.")]++
		case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
			enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
			ends[typ.String()]++
		}
	}
	return counts(activities), counts(ends), h.Events[len(h.Events)-1].GetEventType().String()
}

// launchEnsemble starts an ensemble of studies/study.yaml, by its plan of one call for each
// value of x.
func launchEnsemble(l *lab.Lab, id string, parallel int, x ...float64) client.WorkflowRun {
	l.T.Helper()
	study, problems := schemas.LoadStudy("studies/measure.yaml")
	if len(problems) > 0 {
		l.T.Fatal(problems.Err())
	}
	d := &design.Design{Paths: []string{"m/params/x"}}
	for _, v := range x {
		value, err := json.Marshal(v)
		if err != nil {
			l.T.Fatal(err)
		}
		d.Points = append(d.Points, []json.RawMessage{value})
	}
	run, err := host.LaunchEnsemble(l.T.Context(), l.Client, l.Host.Store, study, host.EnsembleOptions{
		LaunchOptions: host.LaunchOptions{ID: id, TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true}, Design: d, Parallel: parallel,
	})
	if err != nil {
		l.T.Fatal(err)
	}
	return run
}

// roster reads how the members of an ensemble stand.
func roster(l *lab.Lab, id string) *host.Roster {
	l.T.Helper()
	all, err := host.Ensembles(l.T.Context(), l.Host.Store)
	if err != nil {
		l.T.Fatal(err)
	}
	i := slices.IndexFunc(all, func(e host.ListedEnsemble) bool { return e.Record.ID == id })
	if i < 0 {
		l.T.Fatalf("there is no ensemble %q", id)
	}
	r, err := host.ReadRoster(l.T.Context(), l.Client, l.Host.Store, all[i])
	if err != nil {
		l.T.Fatal(err)
	}
	return r
}

// TestManyMembers runs more members than one workflow run holds, on a server that suggests
// to continue as new early, and counts their executions outside.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	const members = 40
	executed := make(chan float64, 2*members)
	l := lab.NewAt(t, hasty(t, 120).ClientOptions(), executor.Typed("lab.measure", func(ctx context.Context, in measureIn) (measureOut, error) {
		executed <- in.X
		return measure(ctx, in)
	}))
	x := make([]float64, members)
	for i := range x {
		x[i] = float64(i) / 10
	}
	run := launchEnsemble(l, "many", 8, x...)
	ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
	defer cancel()
	first := run.GetRunID()
	var result workflows.EnsembleResult
	if err := run.Get(ctx, &result); err != nil {
		t.Fatal(err)
	}
	if result.Completed != members || result.Others+result.NotBegun > 0 || len(executed) != members {
		t.Errorf("%+v, and %d executions; want %d members completed, each executed once", result, len(executed), members)
	}
	h := l.History(run.GetID(), first)
	if last := h.Events[len(h.Events)-1]; last.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW || len(h.Events) > 300 {
		t.Errorf("the first workflow run has %d events and ends with %s", len(h.Events), last.GetEventType())
	}
	var seal record.EnsembleSeal
	if err := record.Load(ctx, l.Host.Store, result.Head, &seal); err != nil {
		t.Fatal(err)
	}
	for i, m := range seal.Members {
		var run record.Run
		if err := record.Load(ctx, l.Host.Store, m.Run, &run); err != nil {
			t.Fatal(err)
		}
		if of := run.Ensemble; of == nil || of.Member != m.ID || m.ID != fmt.Sprintf("m%04d", i+1) || run.ID != "many."+m.ID || m.Status != record.Completed {
			t.Errorf("member %d of the seal: %+v, whose run is %+v of %+v", i+1, m, run.ID, of)
		}
	}
	for _, m := range roster(l, "many").Members {
		if m.Status != record.Completed || m.Head.IsZero() {
			t.Errorf("member %s stands as %q with seal %s", m.ID, m.Status, m.Head)
		}
	}
}

// hasty is a server of its own that suggests to continue as new after so many events.
func hasty(t *testing.T, events int) *devserver.Server {
	t.Helper()
	server, err := devserver.StartPrivate(t.Context(), devserver.Options{
		Home: t.TempDir(), SearchAttributes: host.SearchAttributes(), Settings: []string{fmt.Sprintf("limit.historyCount.suggestContinueAsNew=%d", events)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestRecordEnsembles runs each path of an ensemble on a real server and keeps its history:
//
//	go test ./test -run TestRecordEnsembles -update
func TestRecordEnsembles(t *testing.T) {
	if !*update {
		return // no skip: TestEnsembleHistories replays what was recorded
	}
	for name, x := range map[string][]float64{"completed": {1, 2, 3}, "failed-member": {1, 6}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t, executor.Typed("lab.measure", measure))
			keep(t, filepath.Join("ensembles", name), ended(l, launchEnsemble(l, "ensemble-"+name, 2, x...)))
		})
	}
	t.Run("stopped", recordStopped)
	t.Run("terminated-member", func(t *testing.T) {
		t.Parallel()
		began := make(chan string, 10)
		l := lab.New(t, executor.Typed("lab.measure", untilEnded(began)))
		run := launchEnsemble(l, "ensemble-terminated-member", 1, 1)
		receive(t, began)
		if err := l.Client.TerminateWorkflow(t.Context(), run.GetID()+".m0001", "", "to see what is left"); err != nil {
			t.Fatal(err)
		}
		keep(t, "ensembles/terminated-member", ended(l, run))
	})
	t.Run("continued", func(t *testing.T) {
		t.Parallel()
		l := lab.NewAt(t, hasty(t, 30).ClientOptions(), executor.Typed("lab.measure", measure))
		run := launchEnsemble(l, "ensemble-continued", 1, 1, 2, 3, 4)
		first := run.GetRunID()
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		h := l.History(run.GetID(), first)
		keep(t, "ensembles/continued-1", h)
		next := h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		keep(t, "ensembles/continued-2", l.History(run.GetID(), next))
	})
}

// recordStopped cancels an ensemble while two of its three members are under way, and goes
// on with it.
func recordStopped(t *testing.T) {
	t.Parallel()
	began := make(chan string, 10)
	l := lab.New(t, executor.Typed("lab.measure", untilEnded(began)))
	run := launchEnsemble(l, "ensemble-stopped", 2, 1, 2, 3)
	receive(t, began)
	receive(t, began)
	if err := l.Client.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	keep(t, "ensembles/stopped", ended(l, run))
	l.Host.Stop()
	l.StartWorker(executor.Typed("lab.measure", measure))
	r := roster(l, "ensemble-stopped")
	todo, done, err := r.Missing(t.Context(), l.Host.Store)
	if err != nil {
		t.Fatal(err)
	}
	again, err := host.GoOn(t.Context(), l.Client, r, todo, done, host.EnsembleOptions{
		LaunchOptions: host.LaunchOptions{TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true}, Parallel: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	keep(t, "ensembles/gone-on", ended(l, again))
}

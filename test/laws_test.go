package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"rlam/activities/executor"
	"rlam/internal/change"
	"rlam/internal/record"
	"rlam/provenance/diff"
	"rlam/provenance/export"
	"rlam/provenance/lineage"
	"rlam/provenance/reproduce"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// plans are made by chance, from these seeds.
var planSeeds = []uint64{1, 2, 3}

// TestLaws makes plans by chance, and holds against each what is true of all: a fork with a
// change differs from its origin in that change and in what follows from it, and in nothing
// else; it executes that alone, and replays; and a reproduction confirms every call.
func TestLaws(t *testing.T) {
	t.Parallel()
	for _, seed := range planSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			chance := rand.New(rand.NewPCG(seed, 0))
			p := randomPlan(chance)
			b := &bench{}
			l := lab.New(t, executor.Typed("lab.sum", b.sum))
			_, h := l.Study(p.study(t), nil)
			origin := runOf(t, l, h)
			if n := b.executed.Swap(0); n != int64(len(p)) {
				t.Fatalf("%d executions of %d calls", n, len(p))
			}

			changed := chance.IntN(len(p))
			fork := l.Fork(h, host.ForkOptions{Recorded: true, Changes: change.Changes{Edits: []change.Edit{{
				Call: p[changed].ID, Part: change.Params, Pointer: "/x", Value: json.RawMessage(fmt.Sprint(p[changed].Params.X + 0.5)),
			}}}})
			follows := p.follow(changed)
			if n := b.executed.Swap(0); n != int64(len(follows)) {
				t.Errorf("the fork executed %d calls, want %d: %q", n, len(follows), follows)
			}
			lab.Replay(t, fork)
			onlyDiffersIn(t, origin, runOf(t, l, fork), p[changed].ID, follows)

			report := again(t, l, origin)
			if n := report.Count(reproduce.Confirmed); n != len(p) || !report.Holds() {
				t.Errorf("%d of %d calls are confirmed: %s", n, len(p), report.Sentence())
			}
			if n := b.executed.Swap(0); n != int64(len(p)) {
				t.Errorf("the reproduction executed %d calls, want %d", n, len(p))
			}
		})
	}
}

// TestWhatAResultRestsOnIsNoMatterOfTime runs a plan twice. The calls that depend on nothing
// end in one order, and then in the other; what the result came from is the same.
func TestWhatAResultRestsOnIsNoMatterOfTime(t *testing.T) {
	t.Parallel()
	p := randomPlan(rand.New(rand.NewPCG(4, 0)))
	for i := range 3 { // wait for none
		p[i].Params.Of = p[i].Params.Of[:0]
	}
	last := &p[len(p)-1].Params // rests on all
	last.Of = last.Of[:0]
	for _, c := range p[:len(p)-1] {
		last.Of = append(last.Of, reference(c.ID))
	}
	leaves := p.leaves()
	var orders, closures [2][]string
	for i := range 2 {
		b := &bench{begun: make(chan struct{})}
		l := lab.NewWith(t, lab.Server(t).ClientOptions(), func(c *host.Config) { c.Room.CPUs = len(p) }, executor.Typed("lab.sum", b.sum))
		b.lab, b.turn = l, slices.Clone(leaves)
		if i == 1 {
			slices.Reverse(b.turn)
		}
		b.run = l.Begin(p.study(t), nil)
		close(b.begun)
		ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
		defer cancel()
		if err := b.run.Get(ctx, nil); err != nil {
			t.Fatal(err)
		}
		h := l.History(b.run.GetID(), b.run.GetRunID())
		for _, id := range completed(t, h) {
			if slices.Contains(leaves, id) {
				orders[i] = append(orders[i], id)
			}
		}
		closures[i] = ancestors(t, runOf(t, l, h))
	}
	if slices.Equal(orders[0], orders[1]) {
		t.Errorf("they ended in one order both times, %q", orders[0])
	}
	if len(closures[0]) < len(p) || !slices.Equal(closures[0], closures[1]) {
		t.Errorf("the result came from\n%q\nand then from\n%q", closures[0], closures[1])
	}
}

// summed is a call of a plan: x, and what other calls gave.
type summed struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	Params struct {
		ID string           `json:"id"` // the call's
		X  float64          `json:"x"`
		Of []map[string]any `json:"of"`
	} `json:"params"`
}

func reference(id string) map[string]any { return map[string]any{"$from": id, "pointer": "/y"} }

// sums are the calls of a plan.
type sums []summed

// randomPlan has five to eight calls, of which each takes what some of those before it gave.
func randomPlan(chance *rand.Rand) sums {
	p := make(sums, 5+chance.IntN(4))
	for i := range p {
		c := &p[i]
		c.ID, c.Action = fmt.Sprintf("c%d", i), "lab.sum"
		c.Params.ID, c.Params.X, c.Params.Of = c.ID, float64(1+chance.IntN(100)), []map[string]any{}
		for before := range i {
			if chance.IntN(3) == 0 {
				c.Params.Of = append(c.Params.Of, reference(p[before].ID))
			}
		}
	}
	return p
}

// leaves are the calls that wait for none.
func (p sums) leaves() (ids []string) {
	for _, c := range p {
		if len(c.Params.Of) == 0 {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// follow are a call and all that rests on it.
func (p sums) follow(changed int) []string {
	ids := []string{p[changed].ID}
	for _, c := range p[changed+1:] {
		if slices.ContainsFunc(c.Params.Of, func(of map[string]any) bool { return slices.Contains(ids, of["$from"].(string)) }) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// study writes a study that carries out the plan, and returns its file.
func (p sums) study(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plan, err := json.Marshal(map[string]any{"calls": p, "result": map[string]any{"y": reference(p[len(p)-1].ID)}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"plan.yaml": string(plan),
		"study.yaml": `{title: Sums, goal: Add up., actions: [sum.yaml], reuse: never, planner: {plan: plan.yaml},
			result: {type: object, required: [y], properties: {y: {type: number}}}}`,
		"sum.yaml": `{name: lab.sum, version: 1.0.0, summary: Adds up., run: {builtin: lab.sum}, effects: none, reproducibility: {default: bitwise},
			params: {type: object, additionalProperties: false, required: [id, x, of], properties: {
				id: {type: string}, x: {type: number}, of: {type: array, items: {type: number}}}},
			returns: {type: object, required: [y], properties: {y: {type: number}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.ReplaceAll(text, "\t", "  ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "study.yaml")
}

// bench carries out the calls, and counts them.
type bench struct {
	executed atomic.Int64

	// turn are calls that end one after the other in this order: each once the run's history
	// has the end of all before it.
	turn  []string
	begun chan struct{} // closed when run is there
	run   client.WorkflowRun
	lab   *lab.Lab
}

type sumIn struct {
	ID string    `json:"id"`
	X  float64   `json:"x"`
	Of []float64 `json:"of"`
}

type sumOut struct {
	Y float64 `json:"y"`
}

func (b *bench) sum(ctx context.Context, in sumIn) (sumOut, error) {
	b.executed.Add(1)
	if i := slices.Index(b.turn, in.ID); i > 0 {
		<-b.begun
		lab.Eventually(b.lab.T, func(context.Context) (bool, error) {
			h, err := lab.ReadHistory(ctx, b.lab.Client, b.run.GetID(), b.run.GetRunID())
			return err == nil && len(completed(b.lab.T, h)) >= i, err
		})
	}
	out := sumOut{Y: in.X}
	for _, y := range in.Of {
		out.Y += y
	}
	return out, nil
}

// completed are the plan's names of the calls of which an attempt completed, in the order of
// the events.
func completed(t testing.TB, h *historypb.History) (ids []string) {
	t.Helper()
	for _, e := range h.Events {
		a := e.GetActivityTaskCompletedEventAttributes()
		if a == nil {
			continue
		}
		scheduled := h.Events[a.ScheduledEventId-1].GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != workflows.ActName {
			continue
		}
		var n, place int
		if _, err := fmt.Sscanf(scheduled.GetActivityId(), "%d.%d#", &n, &place); err != nil {
			t.Errorf("an attempt has the activity ID %q", scheduled.GetActivityId())
		}
		ids = append(ids, fmt.Sprintf("c%d", place-1))
	}
	return ids
}

// runOf is all that a history and the lab's store tell of a run.
func runOf(t *testing.T, l *lab.Lab, h *historypb.History) *export.Run {
	t.Helper()
	b, err := host.EncodeHistory(h)
	if err != nil {
		t.Fatal(err)
	}
	id := h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()
	return exportOf(t, l.Host.Store, export.History{RunID: id, Protobuf: b})
}

// onlyDiffersIn checks that a fork differs in one call's parameter, in the calls that follow
// it, and in the result if that does too.
func onlyDiffersIn(t *testing.T, origin, fork *export.Run, changed string, follows []string) {
	t.Helper()
	d, err := diff.Runs(t.Context(), origin, fork)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Given)+len(d.Turns)+len(d.Notes) > 0 {
		t.Errorf("given %+v, turns %+v, notes %q: want nothing", d.Given, d.Turns, d.Notes)
	}
	last := ""
	var differ []string
	for _, pair := range d.Calls {
		if pair.A == nil || pair.B == nil || pair.A.ID != pair.B.ID {
			t.Errorf("%+v stands beside %+v", pair.A, pair.B)
			continue
		}
		if last = pair.A.Name; pair.Same() {
			continue
		}
		differ = append(differ, last)
		for _, i := range pair.Items {
			ok := i.Area == diff.Output && i.At == "/y"
			if last == changed {
				ok = ok || i.Area == diff.Plan && i.At == "/params/x" && i.Why == ""
			} else {
				ok = ok || i.Area == diff.Plan && i.At == "/params/of" && strings.HasPrefix(i.Why, "it is taken from call")
			}
			if !ok {
				t.Errorf("call %s differs in %+v", last, i)
			}
		}
	}
	if !slices.Equal(differ, follows) {
		t.Errorf("the calls %q differ, want %q", differ, follows)
	}
	if got, want := len(d.Result) > 0, slices.Contains(follows, fmt.Sprintf("c%d", len(d.Calls)-1)); got != want {
		t.Errorf("the result differs: %t, want %t", got, want)
	}
}

// again reproduces a run.
func again(t *testing.T, l *lab.Lab, origin *export.Run) *reproduce.Report {
	t.Helper()
	planned, err := reproduce.PlanOf(t.Context(), origin, reproduce.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
	defer cancel()
	of := origin.Trace
	run, err := host.LaunchReproduction(ctx, l.Client, l.Host.Store, host.Reproduction{
		Of: record.Reproduced{ID: of.ID, Run: of.Record, Head: of.Head}, Origin: of.Run, Plan: &planned.Plan, Inputs: planned.Inputs,
	}, host.LaunchOptions{ID: of.ID + "-again", TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true})
	if err == nil {
		err = run.Get(ctx, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	h := l.History(run.GetID(), run.GetRunID())
	if last := h.Events[len(h.Events)-1].EventType; last != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
		t.Fatalf("the reproduction ended by %s", last)
	}
	lab.Replay(t, h)
	report, err := reproduce.Comparison{}.Compare(ctx, planned, origin, runOf(t, l, h))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// ancestors are all that a run's result came from, and where it was taken, in no order.
func ancestors(t *testing.T, run *export.Run) (all []string) {
	t.Helper()
	r := &lineage.Run{ID: run.Trace.ID, Record: run.Trace.Record, Graph: run.Trace.Graph}
	target, err := r.Find("result")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(i *lineage.Item)
	walk = func(i *lineage.Item) {
		all = append(all, i.ID+" "+i.Pointer+" at "+i.At)
		for _, of := range i.Of {
			walk(of)
		}
	}
	walk(lineage.World{r.Record: r}.Follow(target, lineage.Up))
	slices.Sort(all)
	return slices.Compact(all)
}

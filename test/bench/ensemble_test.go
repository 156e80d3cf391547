package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rlam/internal/design"
	"rlam/schemas"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

const memberStudy = `
title: Benchmark of an ensemble
goal: Call bench.noop once.
actions: [noop.yaml]
planner: {plan: plan.yaml}
result: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
`

const memberPlan = `
calls: [{id: one, action: bench.noop, params: {n: 0}}]
result: {n: {$from: one, pointer: /n}}
`

// BenchmarkEnsemble runs an ensemble of 1,000 members of one call, eight at once. It
// reports the members a second, and the events that the history of its workflow has at
// most before it continues as new.
func BenchmarkEnsemble(b *testing.B) {
	const members = 1000
	l := lab.New(b, noop)
	dir := b.TempDir()
	for name, text := range map[string]string{"noop.yaml": noopAction, "study.yaml": memberStudy, "plan.yaml": memberPlan} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	study, problems := schemas.LoadStudy(filepath.Join(dir, "study.yaml"))
	if len(problems) > 0 {
		b.Fatal(problems.Err())
	}
	d := &design.Design{Paths: []string{"one/params/n"}}
	for n := range members {
		d.Points = append(d.Points, []json.RawMessage{json.RawMessage(fmt.Sprint(n))})
	}
	for i := range b.N {
		began := time.Now()
		run, err := host.LaunchEnsemble(b.Context(), l.Client, l.Host.Store, study, host.EnsembleOptions{
			LaunchOptions: host.LaunchOptions{ID: fmt.Sprintf("bench-%s-%d", filepath.Base(dir), i), TaskQueue: l.Host.TaskQueue, StoreDir: l.Dir, SearchAttributes: true},
			Design:        d, Parallel: 8,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
		first := run.GetRunID()
		var result workflows.EnsembleResult
		if err := run.Get(b.Context(), &result); err != nil {
			b.Fatal(err)
		}
		if result.Completed != members {
			b.Fatalf("%d of %d members completed", result.Completed, members)
		}
		b.ReportMetric(members/time.Since(began).Seconds(), "members/s")
		most := 0
		for id := first; id != ""; {
			events := l.History(run.GetID(), id).Events
			most = max(most, len(events))
			id = events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		}
		b.ReportMetric(float64(most), "events")
		b.ReportMetric(0, "ns/op")
	}
}

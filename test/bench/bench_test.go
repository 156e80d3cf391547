// Package bench measures what R-LAM costs, as ratios in one run: a study of no-op
// actions and an instant model against a bare Temporal workflow of two no-op
// activities a step, on the same server and the same machine, alternating.
//
//	go test ./test/bench -run '^$' -bench . -benchtime 1x -timeout 60m
//
// The numbers that were measured, and on what, are in docs/benchmarks.md.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rlam/activities/executor"
	"rlam/internal/record"
	"rlam/test/lab"
	"rlam/workflows"
)

func TestMain(m *testing.M) { lab.Main(m) }

// pairs is how often study and bare workflow are measured in turn.
const pairs = 7

const noopAction = `
name: bench.noop
version: 1.0.0
summary: Does nothing.
params: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
returns: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
reproducibility: {default: bitwise}
effects: none
run: {builtin: bench.noop}
`

const noopStudy = `
title: Benchmark
goal: Call bench.noop %d times.
actions: [noop.yaml]
planner: {model: instant, base_url: %q, context: %d}
limits: {steps: 100000, calls: 100000, attempts: 100000, tokens: 100000000000}
result: {type: object, additionalProperties: false, properties: {n: {type: integer}}, required: [n]}
`

type number struct {
	N int `json:"n"`
}

var noop = executor.Typed("bench.noop", func(_ context.Context, in number) (number, error) { return in, nil })

// instant answers at once: with call n+1 after call n, and with the result after the last.
// pad makes each call's reason that long.
func instant(last, pad int) *httptest.Server {
	why := strings.Repeat("x", pad)
	newest := regexp.MustCompile(`\\"id\\":\\"c(\d+)\\",\\"action\\":\\"bench.noop\\",\\"status\\":\\"completed`)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		for read := 0; read < len(body); {
			n, err := r.Body.Read(body[read:])
			if read += n; err != nil {
				break
			}
		}
		n := 0
		tail := body[max(0, len(body)-8_000-2*pad):]
		if all := newest.FindAllSubmatch(tail, -1); len(all) > 0 {
			n, _ = strconv.Atoi(string(all[len(all)-1][1]))
		}
		name, args := "bench_noop", map[string]any{"id": fmt.Sprintf("c%d", n+1), "why": why, "params": number{N: n + 1}}
		if n >= last {
			name, args = "finish", map[string]any{"result": number{N: n}}
		}
		arguments, _ := json.Marshal(args)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"id": "x", "object": "chat.completion", "created": 0, "model": "instant",
			"choices": []any{map[string]any{"index": 0, "finish_reason": "tool_calls", "message": map[string]any{
				"role": "assistant", "content": nil,
				"tool_calls": []any{map[string]any{"id": fmt.Sprintf("call_%d", n), "type": "function", "function": map[string]any{"name": name, "arguments": string(arguments)}}},
			}}},
			"usage": map[string]any{"prompt_tokens": len(body) / 4, "completion_tokens": 20},
		})
	}))
}

// write puts a study of steps calls into a folder and returns its path.
func write(b testing.TB, url string, steps, budget int) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{"noop.yaml": noopAction, "study.yaml": fmt.Sprintf(noopStudy, steps, url+"/v1", budget)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return filepath.Join(dir, "study.yaml")
}

// bareSteps is what a step costs in Temporal alone.
func bareSteps(ctx workflow.Context, steps int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range steps {
		for range 2 {
			if err := workflow.ExecuteActivity(ctx, idle).Get(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func idle(context.Context) error { return nil }

// bareQueue serves the bare workflow as a user of Temporal's library would at first.
type bareQueue struct {
	client client.Client
	queue  string
}

func startBare(b *testing.B, l *lab.Lab) bareQueue {
	b.Helper()
	o := lab.Server(b).ClientOptions()
	c, err := client.DialContext(b.Context(), client.Options{HostPort: o.HostPort, Namespace: o.Namespace, Logger: o.Logger})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	bare := bareQueue{client: c, queue: "bare-" + l.Host.TaskQueue}
	w := worker.New(c, bare.queue, worker.Options{})
	w.RegisterWorkflow(bareSteps)
	w.RegisterActivity(idle)
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Stop)
	return bare
}

func (q bareQueue) run(b *testing.B, steps, parallel int) time.Duration {
	b.Helper()
	began := time.Now()
	runs := make([]client.WorkflowRun, parallel)
	for i := range runs {
		run, err := q.client.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: q.queue}, bareSteps, steps)
		if err != nil {
			b.Fatal(err)
		}
		runs[i] = run
	}
	for _, run := range runs {
		if err := run.Get(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func runStudy(b *testing.B, l *lab.Lab, study string, parallel int) (time.Duration, workflows.StudyResult, string) {
	b.Helper()
	began := time.Now()
	runs := make([]client.WorkflowRun, parallel)
	for i := range runs {
		runs[i] = l.Begin(study, nil)
	}
	var result workflows.StudyResult
	for _, run := range runs {
		if err := run.Get(b.Context(), &result); err != nil {
			b.Fatal(err)
		}
		if result.Status != record.Completed {
			b.Fatalf("run %s ended as %s: %s", run.GetID(), result.Status, result.Reason.Preview)
		}
	}
	return time.Since(began), result, runs[0].GetID()
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// BenchmarkOneRun is a study of 100 steps against the bare workflow: at most 1.5.
func BenchmarkOneRun(b *testing.B) { compare(b, 100, 1) }

// BenchmarkTwentyRuns is 20 such studies at once against 20 bare workflows: the
// throughput is at least 0.8 of theirs, which is a ratio of times of at most 1.25.
func BenchmarkTwentyRuns(b *testing.B) { compare(b, 100, 20) }

func compare(b *testing.B, steps, parallel int) {
	l := lab.New(b, noop)
	bare := startBare(b, l)
	model := instant(steps, 0)
	defer model.Close()
	study := write(b, model.URL, steps, 32_000)
	bare.run(b, 5, 1) // connections, caches
	runStudy(b, l, study, 1)
	for range b.N {
		var ratios, bareMS, studyMS []float64
		for range pairs {
			base := bare.run(b, steps, parallel)
			took, _, _ := runStudy(b, l, study, parallel)
			ratios = append(ratios, took.Seconds()/base.Seconds())
			bareMS = append(bareMS, 1000*base.Seconds()/float64(steps*parallel))
			studyMS = append(studyMS, 1000*took.Seconds()/float64(steps*parallel))
			b.Logf("bare %.1f ms/step, study %.1f ms/step, ratio %.2f", bareMS[len(bareMS)-1], studyMS[len(studyMS)-1], ratios[len(ratios)-1])
		}
		b.ReportMetric(median(ratios), "ratio")
		b.ReportMetric(1/median(ratios), "throughput")
		b.ReportMetric(median(bareMS), "bare-ms/step")
		b.ReportMetric(median(studyMS), "study-ms/step")
		b.ReportMetric(0, "ns/op")
	}
}

package bench

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"rlam/test/lab"
	"rlam/workflows"
)

// cost is what a run took.
type cost struct {
	history, events, store float64
	reached                map[int]float64 // seconds after which a step was planned, by the step
}

// BenchmarkSlope shows that a step costs the same wherever in a run it is: the slope
// between n and 2n steps, so that start and end drop out, for n from 125 to 1,000. In
// the middle of each run the worker is replaced by one that knows nothing of it. What
// that one has to read again counts; the time in which no worker was there doesn't.
//
// Bytes and events, which hardly vary, are those of one run of each length. Times are
// those at which the longest run comes to step n and to step 2n, in the middle of several.
func BenchmarkSlope(b *testing.B) {
	const first, doublings, repetitions = 125, 4, 5
	measure(b, first) // connections, caches
	for range b.N {
		var at [doublings + 1]cost
		for i := range at {
			at[i] = measure(b, first<<i)
		}
		longest := []cost{at[doublings]}
		for range repetitions - 1 {
			longest = append(longest, measure(b, first<<doublings))
		}
		var history, events, store, ms []float64
		for i := range doublings {
			n := int(first) << i
			per := func(more, less float64) float64 { return (more - less) / float64(n) }
			history = append(history, per(at[i+1].history, at[i].history))
			events = append(events, per(at[i+1].events, at[i].events))
			store = append(store, per(at[i+1].store, at[i].store))
			var all []float64
			for _, c := range longest {
				all = append(all, 1000*per(c.reached[2*n], c.reached[n]))
			}
			b.Logf("ms/step from %d to %d steps, %d runs: %.1f", n, 2*n, repetitions, all)
			ms = append(ms, median(all))
		}
		for _, s := range []struct {
			unit   string
			slopes []float64
		}{{"history-B/step", history}, {"events/step", events}, {"store-B/step", store}, {"ms/step", ms}} {
			b.Logf("%-15s slope from n to 2n steps, n = 125, 250, 500, 1000: %.1f", s.unit, s.slopes)
			b.ReportMetric(s.slopes[doublings-1], s.unit)
			// The spread of the slopes around their middle, in percent.
			b.ReportMetric(100*spread(s.slopes), "%spread-"+strings.ReplaceAll(s.unit, "/", "-per-"))
		}
		b.ReportMetric(0, "ns/op")
	}
}

func spread(x []float64) float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return (hi - lo) / (hi + lo)
}

func measure(b *testing.B, steps int) cost {
	b.Helper()
	l := lab.New(b, noop)
	model := instant(steps, 0)
	defer model.Close()
	began := time.Now()
	run := l.Begin(write(b, model.URL, steps, 8_000), nil)
	first := run.GetRunID() // Get moves on to the last one
	waitForStep(b, l, run, steps/2)
	stopped := time.Now()
	l.Host.Stop()
	served := time.Now()
	l.StartWorker()
	var result workflows.StudyResult
	if err := run.Get(b.Context(), &result); err != nil {
		b.Fatal(err)
	}
	histories := chainOfRuns(b, l, run.GetID(), first)
	c := cost{reached: map[int]float64{}}
	unserved := takenUp(b, histories, served).Sub(stopped)
	for _, h := range histories {
		c.history += float64(proto.Size(h))
		c.events += float64(len(h.Events))
		for _, e := range h.Events {
			var step int
			if n, _ := fmt.Sscanf(e.GetActivityTaskScheduledEventAttributes().GetActivityId(), "%d.plan#1", &step); n == 0 {
				continue
			}
			at := e.GetEventTime().AsTime()
			if at.After(stopped) {
				at = at.Add(-unserved)
			}
			c.reached[step] = at.Sub(began).Seconds()
		}
	}
	// The last turn hands the result in.
	if len(c.reached) != steps+1 {
		b.Fatalf("%d steps were planned, want %d", len(c.reached), steps+1)
	}
	l.Host.Stop()
	c.store = float64(folderSize(b, l.Dir))
	return c
}

// waitForStep waits until a run has planned a step.
func waitForStep(b *testing.B, l *lab.Lab, run client.WorkflowRun, step int) {
	b.Helper()
	lab.Eventually(b, func(ctx context.Context) (bool, error) {
		v, err := l.Client.QueryWorkflow(ctx, run.GetID(), "", workflows.StatusQuery)
		if err != nil {
			return false, nil // not begun yet
		}
		var p workflows.Progress
		return v.Get(&p) == nil && p.Step > step, nil
	})
}

// takenUp is when the first task was taken up that a worker completed after since. One
// that was handed to the worker that had just stopped is not: it times out.
func takenUp(b *testing.B, histories []*historypb.History, since time.Time) time.Time {
	b.Helper()
	for _, h := range histories {
		for _, e := range h.Events {
			started := e.GetWorkflowTaskCompletedEventAttributes().GetStartedEventId() + e.GetActivityTaskCompletedEventAttributes().GetStartedEventId()
			if started > 0 && e.GetEventTime().AsTime().After(since) {
				return h.Events[started-1].GetEventTime().AsTime()
			}
		}
	}
	b.Fatal("no task was completed after the worker had been replaced")
	return time.Time{}
}

// chainOfRuns reads the histories of a workflow ID, along continue-as-new.
func chainOfRuns(b testing.TB, l *lab.Lab, workflow, first string) []*historypb.History {
	b.Helper()
	var all []*historypb.History
	for id := first; id != ""; {
		h := l.History(workflow, id)
		all = append(all, h)
		last := h.Events[len(h.Events)-1]
		id = last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return all
}

// folderSize is the bytes of a folder's files, each counted once however many names it has.
func folderSize(b *testing.B, dir string) int64 {
	b.Helper()
	seen := map[uint64]bool{}
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		size += info.Size()
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	return size
}

// BenchmarkConversation is 100 tool calls with 200,000 tokens of conversation: the
// history stays below 1 MB.
func BenchmarkConversation(b *testing.B) {
	const calls, tokens = 100, 200_000
	l := lab.New(b, noop)
	model := instant(calls, tokens*4/calls)
	defer model.Close()
	study := write(b, model.URL, calls, 2*tokens)
	for range b.N {
		took, result, id := runStudy(b, l, study, 1)
		h := l.History(id, "")
		if size := proto.Size(h); size >= 1_000_000 {
			b.Errorf("a history of %d bytes", size)
		} else {
			b.ReportMetric(float64(size), "history-B")
		}
		b.ReportMetric(float64(result.Counters.Usage.Prompt), "prompt-tokens")
		b.ReportMetric(1000*took.Seconds()/calls, "ms/step")
		b.ReportMetric(0, "ns/op")
		if result.Counters.Calls != calls {
			b.Error(fmt.Errorf("%d calls", result.Counters.Calls))
		}
	}
}

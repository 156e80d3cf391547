package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"rlam/provenance"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/provenance/verify"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// BenchmarkVerify verifies the bundle of a run, from the archive to the verdict, as starter
// verify does. Of each length it reports the steps a second, by the clock and by the
// processor; and, of once more, the most memory that was in use on the heap, with a
// collection as soon as a tenth is new.
func BenchmarkVerify(b *testing.B) {
	for _, steps := range []int{500, 1_000, 2_000, 10_000} {
		b.Run(fmt.Sprintf("%d_steps", steps), func(b *testing.B) {
			file := bundleOf(b, steps)
			if info, err := os.Stat(file); err == nil {
				b.ReportMetric(float64(info.Size())/float64(steps), "archive-B/step")
			}
			before := processorTime()
			b.ResetTimer()
			for range b.N {
				verifyBundle(b, file)
			}
			b.StopTimer()
			done := float64(b.N * steps)
			b.ReportMetric(done/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(done/(processorTime()-before), "steps/processor-s")
			b.ReportMetric(float64(peakHeap(b, func() { verifyBundle(b, file) }))/1e6, "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// bundleOf runs a study of so many steps, and writes its bundle.
func bundleOf(b testing.TB, steps int) string {
	b.Helper()
	run := runOf(b, lab.New(b, noop), steps)
	name := filepath.Join(b.TempDir(), "run.zip")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := bundle.Write(b.Context(), io.Writer(f), run, bundle.Options{Engine: "rlam " + host.Version}); err != nil {
		b.Fatal(err)
	}
	return name
}

// runOf runs a study of so many steps.
func runOf(b testing.TB, l *lab.Lab, steps int) *export.Run {
	b.Helper()
	model := instant(steps, 0)
	defer model.Close()
	begun := l.Begin(write(b, model.URL, steps, 8_000), nil)
	first := begun.GetRunID() // Get moves on to the last one
	var result workflows.StudyResult
	if err := begun.Get(b.Context(), &result); err != nil {
		b.Fatal(err)
	}
	run := &export.Run{Store: l.Host.Store, Namespace: "default"}
	var read []*history.Run
	id := first
	for _, h := range chainOfRuns(b, l, begun.GetID(), first) {
		raw, err := host.EncodeHistory(h)
		if err != nil {
			b.Fatal(err)
		}
		r, err := history.Read(history.FromProtobuf(raw), history.Options{RunID: id, Payloads: host.DataConverter()})
		if err != nil {
			b.Fatal(err)
		}
		read = append(read, r)
		run.Histories = append(run.Histories, export.History{RunID: id, Protobuf: raw})
		id = h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	var err error
	if run.Trace, err = provenance.Build(b.Context(), provenance.Evidence{Runs: read, Store: run.Store, Strays: true}); err != nil {
		b.Fatal(err)
	}
	return run
}

func verifyBundle(b testing.TB, file string) {
	b.Helper()
	opened, archive, err := verify.Open(b.Context(), file, bundle.Limits{})
	if err != nil || opened == nil {
		b.Fatal(err, archive)
	}
	defer opened.Close()
	in, err := verify.Of(b.Context(), opened)
	if err != nil {
		b.Fatal(err)
	}
	in.Unsigned, in.Code, in.Judge, in.Step = true, host.Replayer(), host.Rejudge, host.StepDigest
	began := time.Now()
	verdict, err := verify.Verify(b.Context(), in, func(c verify.Check) {
		b.Logf("%-12s %-8s %6.2f s  %s", c.Name, c.State, time.Since(began).Seconds(), c.Says)
		began = time.Now()
	})
	if err != nil || !verdict.Good() {
		b.Fatal(err, verdict)
	}
}

// peakHeap is the most bytes that are in use on the heap while do is under way.
func peakHeap(b testing.TB, do func()) uint64 {
	var m runtime.MemStats
	return peakOf(b, do, func() uint64 {
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	})
}

// peakOf is the most that is read while do is under way and the heap is often cleared.
func peakOf(b testing.TB, do func(), read func() uint64) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	ctx, stop := context.WithCancel(b.Context())
	most := make(chan uint64)
	go func() {
		var top uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			top = max(top, read())
			select {
			case <-tick.C:
			case <-ctx.Done():
				most <- top
				return
			}
		}
	}()
	do()
	stop()
	return <-most
}

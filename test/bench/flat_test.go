package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/metrics"
	"slices"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/devserver"
	"rlam/provenance"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/test/lab"
	"rlam/worker/host"
	"rlam/workflows"
)

// eager is a lab whose server suggests to continue as new after some twenty steps.
func eager(t *testing.T) *lab.Lab {
	t.Helper()
	server, err := devserver.StartPrivate(t.Context(), devserver.Options{
		Home: t.TempDir(), SearchAttributes: host.SearchAttributes(), Settings: []string{"limit.historyCount.suggestContinueAsNew=250"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return lab.NewAt(t, server.ClientOptions(), noop)
}

// TestVerifyFlat: a run that is longer by steps takes hardly more memory to verify, because
// one Temporal run at a time is looked at.
func TestVerifyFlat(t *testing.T) {
	const short, long = 40, 200
	const most = 3_000 // bytes a step; the graph alone has more than four times as many
	l := eager(t)
	file := func(run *export.Run, name string) string {
		name = filepath.Join(t.TempDir(), name)
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := bundle.Write(t.Context(), f, run, bundle.Options{Engine: "rlam " + host.Version}); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := runOf(t, l, long)
	files := []string{file(runOf(t, l, short), "short.zip"), file(run, "long.zip")}
	l.Host.Stop()
	audited(t, run)
	run = nil
	if grown := (peakLive(t, files[1]) - peakLive(t, files[0])) / (long - short); grown > most {
		t.Errorf("from %d to %d steps what is in use at most grows by %.0f bytes a step, want at most %d", short, long, grown, most)
	}
}

// bundleVariable names the bundle that TestPeakLive verifies.
const bundleVariable = "RLAM_BENCH_BUNDLE"

// peakLive is how many bytes are in use at most while a bundle is verified. A process of its
// own looks at that, in which all stands still while the heap is cleared: what is allocated
// meanwhile would count as in use, and on a busy machine that is megabytes.
func peakLive(t *testing.T, file string) float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPeakLive$")
	cmd.Env = append(os.Environ(), bundleVariable+"="+file, "GODEBUG=gcstoptheworld=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("verifying %s: %v\n%s", file, err, out)
	}
	var peak float64
	if _, err := fmt.Sscanf(string(out), "peak %g", &peak); err != nil {
		t.Fatalf("verifying %s: %v\n%s", file, err, out)
	}
	return peak
}

// TestPeakLive is the process of peakLive.
func TestPeakLive(t *testing.T) {
	file := os.Getenv(bundleVariable)
	if file == "" {
		return // no skip: TestVerifyFlat runs it
	}
	verifyBundle(t, file) // what is read once for all
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	peak := peakOf(t, func() { verifyBundle(t, file) }, func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	})
	fmt.Printf("peak %d\n", peak)
}

// audited: link by link a run is told as it is told all at once, and what is wrong with a
// link is never passed over: it is left to who sees all.
func audited(t *testing.T, run *export.Run) {
	t.Helper()
	if links := len(run.Trace.Line); links < 5 {
		t.Fatalf("the run has %d links, too few to tell", links)
	}
	audit := func(change func(i int, r *history.Run)) (*provenance.Trace, *provenance.Trace) {
		var whole, bare []*history.Run
		of := map[*history.Run]*history.Run{}
		for i, h := range run.Histories {
			r, err := history.Read(history.FromProtobuf(h.Protobuf), history.Options{RunID: h.RunID, Payloads: host.DataConverter()})
			if err != nil {
				t.Fatal(err)
			}
			change(i, r)
			b := r.Bare()
			whole, bare, of[b] = append(whole, r), append(bare, b), r
		}
		linked, err := provenance.Audit(t.Context(), provenance.Evidence{Runs: bare, Store: run.Store, Strays: true}, func(b *history.Run) (*history.Run, error) { return of[b], nil })
		if err != nil {
			t.Fatal(err)
		}
		all, err := provenance.Build(t.Context(), provenance.Evidence{Runs: whole, Store: run.Store, Strays: true})
		if err != nil {
			t.Fatal(err)
		}
		return linked, all
	}
	linked, all := audit(func(int, *history.Run) {})
	if linked == nil {
		t.Fatal("nothing is wrong with the run, and it isn't told link by link")
	}
	metrics := func(trace *provenance.Trace) provenance.Metrics {
		m, err := trace.Measure(t.Context(), run.Store, provenance.Replayed{Decisions: 1, Total: 1})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if a, b := metrics(linked), metrics(all); !reflect.DeepEqual(a, b) {
		t.Errorf("link by link the metrics are %+v, and all at once %+v", a, b)
	}
	if linked.Executed() != all.Executed() || linked.Status != all.Status || linked.Head != all.Head || linked.Record != all.Record || len(linked.Findings)+len(all.Findings) > 0 {
		t.Errorf("link by link it is %+v, and all at once %+v", linked, all)
	}
	last := func(r *history.Run, typ string) int {
		for i, k := range slices.Backward(r.Activities) {
			if k.Type == typ && k.State == history.Completed {
				return i
			}
		}
		t.Fatalf("no %s in Temporal run %s", typ, r.RunID)
		return 0
	}
	other := canon.Sum([]byte("other"))
	for name, change := range map[string]func(r *history.Run){
		"an attempt is gone": func(r *history.Run) {
			i := last(r, workflows.ActName)
			r.Activities = slices.Delete(r.Activities, i, i+1)
		},
		"a turn is gone": func(r *history.Run) {
			i := last(r, workflows.PlanName)
			r.Activities = slices.Delete(r.Activities, i, i+1)
		},
		"another output":        func(r *history.Run) { r.Activities[last(r, workflows.ActName)].Study.Output = other },
		"another proposal":      func(r *history.Run) { r.Activities[last(r, workflows.PlanName)].Study.Head = other },
		"another execution":     func(r *history.Run) { r.Activities[last(r, workflows.ActName)].Study.Execution = 7 },
		"another beginning":     func(r *history.Run) { r.Base = other },
		"a step of before":      func(r *history.Run) { r.Activities[last(r, workflows.PlanName)].Study.Step = 1 },
		"an attempt of another": func(r *history.Run) { r.Activities[last(r, workflows.ActName)].Study.Proposal = other },
	} {
		linked, all := audit(func(i int, r *history.Run) {
			if i == 2 {
				change(r)
			}
		})
		if linked != nil {
			t.Errorf("%s: link by link nothing is found, and all at once %v", name, all.Findings)
		}
	}
}

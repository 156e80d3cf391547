package bench

import (
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"

	"go.temporal.io/api/temporalproto"

	"rlam/internal/replay"
	"rlam/provenance/history"
	"rlam/test/lab"
	"rlam/worker/host"
)

// BenchmarkReplay replays a history of 300 steps again and again, from its bytes to the
// verdict, as many at a time as there are processors: at least 5,000 steps a second from
// protobuf, 2,000 from JSON. Of a machine that others use too, the steps a second of
// processor time tell more. Garbage is collected as seldom as the command replay has it.
func BenchmarkReplay(b *testing.B) {
	const steps = 300
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	raw := recordedRun(b, steps)
	h, err := history.Decode(raw)
	if err != nil {
		b.Fatal(err)
	}
	text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(h)
	if err != nil {
		b.Fatal(err)
	}
	for _, form := range []struct {
		name  string
		bytes []byte
	}{{"protobuf", raw}, {"JSON", text}} {
		b.Run(form.name, func(b *testing.B) {
			var replayed atomic.Int64
			before := processorTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := replayBytes(b, form.bytes)
					if err != nil {
						b.Error(err)
						return
					}
					replayed.Add(int64(r.Steps))
				}
			})
			b.ReportMetric(float64(replayed.Load())/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(replayed.Load())/(processorTime()-before), "steps/processor-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// recordedRun is the history of a run of so many calls, in protobuf.
func recordedRun(b *testing.B, steps int) []byte {
	b.Helper()
	l := lab.New(b, noop)
	model := instant(steps, 0)
	defer model.Close()
	_, _, id := runStudy(b, l, write(b, model.URL, steps, 8_000), 1)
	raw, err := host.EncodeHistory(l.History(id, ""))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func replayBytes(b *testing.B, raw []byte) (replay.Result, error) {
	h, err := history.Decode(raw)
	if err != nil {
		return replay.Result{}, err
	}
	return host.Replayer().History(b.Context(), h)
}

// processorTime is what this process has had, in seconds.
func processorTime() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

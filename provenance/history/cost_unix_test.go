//go:build unix

package history_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"rlam/provenance/history"
)

// leastRate is how many events a second have to become a graph.
const leastRate = 50_000

// BenchmarkGraph reads a history from protobuf and builds its graph. By the processor's
// time, which a busy machine disturbs less than the clock, it fails below leastRate.
func BenchmarkGraph(b *testing.B) {
	for _, k := range kinds {
		for _, events := range []int{500, 5_000, 50_000} {
			b.Run(fmt.Sprintf("%s/%d", k.name, events), func(b *testing.B) {
				h := k.write(b, events)
				encoded := wire(b, h)
				b.ReportAllocs()
				start := processorTime()
				for b.Loop() {
					build(b, history.FromProtobuf(encoded))
				}
				all := float64(len(h.Events)) * float64(b.N)
				rate := all / (processorTime() - start).Seconds()
				b.ReportMetric(all/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(rate, "events/cpu-s")
				if b.N > 1 && rate < leastRate {
					b.Errorf("%.0f events a second of the processor, want %d", rate, leastRate)
				}
			})
		}
	}
}

// processorTime is what this process has used of processors so far, the collector of
// garbage included.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("asking for the time of the process: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

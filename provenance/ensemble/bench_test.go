package ensemble_test

import (
	"fmt"
	"testing"

	"rlam/provenance/ensemble"
)

// BenchmarkSummarise has members of a grid of eight points, with six fields each.
func BenchmarkSummarise(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			members := decays(n)
			b.ReportAllocs()
			for b.Loop() {
				summarise(b, members, ensemble.Options{Ensemble: "decays", Schema: []byte(schema)})
			}
		})
	}
}

package figure_test

import (
	"slices"
	"testing"

	"gonum.org/v1/plot"

	"rlam/internal/figure"
)

// TestTicks has axes whose marks are no round doubles when they are added up or multiplied.
func TestTicks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ticks     plot.TickerFunc
		low, high float64
		want      []string
	}{
		{figure.RoundTicks, 0, 10, []string{"0", "2", "4", "6", "8", "10"}},
		{figure.RoundTicks, 0.1, 0.75, []string{"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"}},
		{figure.RoundTicks, 0, 9.5e-4, []string{"0", "0.0001", "0.0002", "0.0003", "0.0004", "0.0005", "0.0006", "0.0007", "0.0008", "0.0009"}},
		{figure.RoundTicks, 1e9, 1e9 + 1.1, []string{"1e+09", "1.0000000002e+09", "1.0000000004e+09", "1.0000000006e+09", "1.0000000008e+09", "1.000000001e+09"}},
		{figure.LogTicks, 1e-6, 1, []string{"1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}},
		{figure.LogTicks, 1, 100, []string{"1", "2", "5", "10", "20", "50", "100"}},
	} {
		var got []string
		for _, tick := range c.ticks(c.low, c.high) {
			if tick.Label != "" && tick.Value <= c.high*(1+1e-9) {
				got = append(got, tick.Label)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("from %g to %g: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

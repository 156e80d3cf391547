package ensemble

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/draw"
	"rlam/internal/resample"
	"rlam/internal/statistics"
)

// How many numbers an interval needs at least. Two have a Student interval on paper, which
// reaches six times as far as they lie apart: it says nothing that they don't. The
// bootstrap of fewer than eight covers the mean much less often than it says.
const (
	LeastStudent   = 3
	LeastResampled = 8
)

// numbersOf are the statistics of at least one finite number. of says which they are: it
// chooses the resamples.
func numbersOf(values []float64, resamples int, of string) *Numbers {
	slices.Sort(values) // sums depend on the order
	mean, sd := statistics.Moments(values)
	at := func(p float64) float64 { return statistics.Quantile(values, p) }
	n := &Numbers{
		N: len(values), Distinct: len(slices.Compact(slices.Clone(values))), Mean: mean,
		Quantiles: Quantiles{at(0), at(0.025), at(0.25), at(0.5), at(0.75), at(0.975), at(1)},
	}
	se := sd / math.Sqrt(float64(len(values)))
	n.SD, n.SE = bounded(sd), bounded(se)
	switch {
	case len(values) == 1:
		n.Without = "one value shows no spread"
	case sd == 0:
		n.Without = fmt.Sprintf("all %d values are equal", len(values))
	case len(values) < LeastStudent:
		n.Without = fmt.Sprintf("an interval needs %d values or more", LeastStudent)
	case n.SD == nil:
		n.Without = "the values lie further apart than a number holds"
	default:
		reach := statistics.Reach(len(values)) * se
		n.Student = interval(mean-reach, mean+reach, "student")
		if len(values) < LeastResampled {
			n.Without = fmt.Sprintf("a bootstrap needs %d values or more", LeastResampled)
			break
		}
		n.Bootstrap = bootstrap(values, mean, sd, resamples, of)
	}
	return n
}

// bootstrap is the bootstrap interval of the mean of sorted values that aren't all equal:
// bias-corrected and accelerated, or between percentiles where that has no value. Values are
// counted from their mean, in standard deviations, which changes nothing but the rounding.
func bootstrap(values []float64, mean, sd float64, resamples int, of string) *Interval {
	standard := make([]float64, len(values))
	for i, v := range values {
		standard[i] = (v/2 - mean/2) / (sd / 2) // v − mean may overflow
	}
	sum := canon.Sum([]byte(of))
	d := resample.OfMean(standard, resamples, draw.New(binary.BigEndian.Uint64(sum[:8]), "ensemble.bootstrap"))
	method := "bca"
	c, ok := d.Corrected(0.95)
	if !ok {
		method = "percentile"
		c.Low, c.High = d.Percentile(0.95)
	}
	return interval(mean+c.Low*sd, mean+c.High*sd, method)
}

// interval is nil if one of its bounds is beyond what a double holds.
func interval(low, high float64, method string) *Interval {
	if bounded(low) == nil || bounded(high) == nil {
		return nil
	}
	return &Interval{low, high, method}
}

// bounded is a number, nil if it is NaN or infinite: JSON has neither.
func bounded(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

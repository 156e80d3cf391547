package resample

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"rlam/internal/draw"
)

// Mean of values.
func Mean(values []float64) Statistic {
	return one(values, func(v []float64) float64 { return stat.Mean(v, nil) })
}

// SD is the sample standard deviation of values.
func SD(values []float64) Statistic {
	return one(values, func(v []float64) float64 { return stat.StdDev(v, nil) })
}

// Median of values.
func Median(values []float64) Statistic {
	return one(values, func(v []float64) float64 {
		slices.Sort(v)
		return MedianSorted(v)
	})
}

// MedianSorted is the median of sorted values, NaN of none. Halves are added, not
// values, which could overflow.
func MedianSorted(sorted []float64) float64 {
	middle := len(sorted) / 2
	switch {
	case len(sorted) == 0:
		return math.NaN()
	case len(sorted)%2 == 1:
		return sorted[middle]
	}
	return sorted[middle-1]/2 + sorted[middle]/2
}

// Correlation is Pearson's of x and y.
func Correlation(x, y []float64) Statistic {
	return func(observations []int) float64 {
		xx, xy, yy := moments(x, y, observations)
		return max(-1, min(1, xy/math.Sqrt(xx)/math.Sqrt(yy)))
	}
}

// Slope is that of the least squares line of y on x.
func Slope(x, y []float64) Statistic {
	return func(observations []int) float64 {
		xx, xy, _ := moments(x, y, observations)
		return xy / xx
	}
}

// one is a statistic of a single variable. The memory for its values is used again.
func one(values []float64, f func([]float64) float64) Statistic {
	chosen := make([]float64, 0, len(values))
	return func(observations []int) float64 {
		chosen = chosen[:0]
		for _, i := range observations {
			chosen = append(chosen, values[i])
		}
		return f(chosen)
	}
}

// moments are the sums of squares and products about the means. All is counted from
// the first observation, so that equal values have sums of exactly zero.
func moments(x, y []float64, observations []int) (xx, xy, yy float64) {
	x0, y0, n := x[observations[0]], y[observations[0]], float64(len(observations))
	meanX, meanY := 0.0, 0.0
	for _, i := range observations {
		meanX += (x[i] - x0) / n
		meanY += (y[i] - y0) / n
	}
	for _, i := range observations {
		dx, dy := x[i]-x0-meanX, y[i]-y0-meanY
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	return xx, xy, yy
}

// OfMean is the distribution of the mean of values, as [Bootstrap] makes it, in a time that
// grows with their number and not with its square.
func OfMean(values []float64, resamples int, s *draw.Stream) *Distribution {
	n := float64(len(values))
	total := 0.0
	for _, v := range values {
		total += v
	}
	d := &Distribution{Estimate: total / n, Resamples: make([]float64, resamples), LeftOut: make([]float64, len(values))}
	for i, v := range values {
		d.LeftOut[i] = (total - v) / (n - 1)
	}
	for i := range d.Resamples {
		sum := 0.0
		for range values {
			sum += values[s.Below(len(values))]
		}
		d.Resamples[i] = sum / n
	}
	slices.Sort(d.Resamples)
	return d
}

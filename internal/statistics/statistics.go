// Package statistics computes what a sample of numbers shows: moments, quantiles, and how far
// Student's t reaches. Values of any size that a double holds are taken, and a result is
// the same on every processor as long as the values come in the same order.
package statistics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Moments are the mean and the standard deviation of finite values, with n − 1 in the
// denominator. The deviation of fewer than two values is NaN; one that a double can't hold
// is infinite. Equal values have a deviation of exactly 0.
//
// The values are scaled by a power of two, so that no sum overflows, and counted from the
// first; the mean of that is corrected by what remains of the deviations from it, and so
// is their sum of squares (Chan, Golub and LeVeque, The American Statistician 37, 1983).
func Moments(values []float64) (mean, sd float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	_, exponent := math.Frexp(max(slices.Max(values), -slices.Min(values)))
	scaled := func(v float64) float64 { return math.Ldexp(v, -exponent) }
	n, first := float64(len(values)), scaled(values[0])
	total := 0.0
	for _, v := range values {
		total += scaled(v) - first
	}
	middle := first + total/n
	rest, squares := 0.0, 0.0
	for _, v := range values {
		d := scaled(v) - middle
		rest += d
		squares += float64(d * d) // rounded here: a fused operation would not be
	}
	squares -= float64(rest*rest) / n
	mean = math.Ldexp(middle+rest/n, exponent)
	return mean, math.Ldexp(math.Sqrt(max(squares, 0)/(n-1)), exponent)
}

// Quantile is that of sorted values below which a share p of them lies, by linear
// interpolation between the two whose places are next to (n − 1)·p, counted from 0: type 7
// of Hyndman and Fan (The American Statistician 50, 1996), which R and NumPy compute. It
// is NaN of no values.
func Quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	place := float64(len(sorted)-1) * p
	below := min(max(int(place), 0), len(sorted)-1)
	share := place - float64(below)
	low := sorted[below]
	if share <= 0 || below+1 == len(sorted) {
		return low
	}
	high := sorted[below+1]
	if low < 0 && high > 0 { // their difference may overflow
		return float64(low*(1-share)) + float64(high*share)
	}
	return low + float64((high-low)*share)
}

// Reach is how many standard errors the 95 % confidence interval of the mean of n values
// reaches to either side: the quantile 0.975 of Student's t with n − 1 degrees of freedom.
// It is NaN for fewer than two values.
func Reach(n int) float64 {
	if n < 2 {
		return math.NaN()
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
}

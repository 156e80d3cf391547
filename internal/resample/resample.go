// Package resample estimates how uncertain a statistic is from the data alone, by
// the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
package resample

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"

	"rlam/internal/draw"
)

// Statistic is a number computed from the observations with the given indices,
// some perhaps repeated. It is NaN where it has no value.
type Statistic func(observations []int) float64

// Distribution is a statistic with its values over resamples and with each
// observation left out.
type Distribution struct {
	Estimate  float64
	Resamples []float64 // sorted; those without a value are left out
	Undefined int       // how many these are
	LeftOut   []float64 // by observation
}

// Bootstrap computes the statistic of n observations over resamples that are drawn
// with replacement, and over all observations but one. Its error is that of ctx.
func Bootstrap(ctx context.Context, n, resamples int, s *draw.Stream, f Statistic) (*Distribution, error) {
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = i
	}
	d := &Distribution{Estimate: f(chosen)}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rest := slices.Clone(chosen)
		d.LeftOut = append(d.LeftOut, f(slices.Delete(rest, i, i+1)))
	}
	for range resamples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range chosen {
			chosen[i] = s.Below(n)
		}
		v := f(chosen)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			d.Undefined++
			continue
		}
		d.Resamples = append(d.Resamples, v)
	}
	slices.Sort(d.Resamples)
	return d, nil
}

// Error is the standard deviation of the resamples.
func (d *Distribution) Error() float64 { return stat.StdDev(d.Resamples, nil) }

// Bias is how far the resamples' mean is from the estimate.
func (d *Distribution) Bias() float64 { return stat.Mean(d.Resamples, nil) - d.Estimate }

// Percentile is the interval between the resamples' quantiles (section 13.3).
func (d *Distribution) Percentile(confidence float64) (low, high float64) {
	return d.quantile((1 - confidence) / 2), d.quantile((1 + confidence) / 2)
}

// Corrected is an interval by the BCa method, bias-corrected and accelerated
// (section 14.3), with its two constants.
type Corrected struct {
	Low, High    float64
	Bias         float64 // z₀, from the share of resamples below the estimate, half of the equal ones counted
	Acceleration float64 // from the third moment of the left-out values
}

// Corrected is false where the method has no value: no resample on one side of the
// estimate, or a statistic that no observation changes.
func (d *Distribution) Corrected(confidence float64) (Corrected, bool) {
	below := 0.0
	for _, v := range d.Resamples {
		switch {
		case v < d.Estimate:
			below++
		case v == d.Estimate:
			below += 0.5
		}
	}
	c := Corrected{Bias: mathext.NormalQuantile(below / float64(len(d.Resamples)))}
	mean := stat.Mean(d.LeftOut, nil)
	square, cube := 0.0, 0.0
	for _, v := range d.LeftOut {
		square += (mean - v) * (mean - v)
		cube += (mean - v) * (mean - v) * (mean - v)
	}
	c.Acceleration = cube / (6 * math.Pow(square, 1.5))
	share := func(p float64) float64 {
		z := c.Bias + mathext.NormalQuantile(p)
		return 0.5 * math.Erfc(-(c.Bias+z/(1-c.Acceleration*z))/math.Sqrt2)
	}
	low, high := share((1-confidence)/2), share((1+confidence)/2)
	if math.IsNaN(low) || math.IsNaN(high) || math.IsInf(c.Bias, 0) || low >= high {
		return Corrected{}, false
	}
	c.Low, c.High = d.quantile(low), d.quantile(high)
	return c, true
}

// quantile interpolates between the order statistics whose expected probabilities
// are i/(B+1) (Weibull's plotting position); beyond these it is the extreme one.
func (d *Distribution) quantile(p float64) float64 {
	last := len(d.Resamples) - 1
	place := p*float64(last+2) - 1
	if place <= 0 {
		return d.Resamples[0]
	}
	if place >= float64(last) {
		return d.Resamples[last]
	}
	below := int(place)
	share := place - float64(below)
	return d.Resamples[below]*(1-share) + d.Resamples[below+1]*share
}

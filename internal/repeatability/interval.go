package repeatability

import (
	"math"

	"rlam/internal/statistics"
)

// Interval is the distribution of a number as repeated executions show it. Its bounds
// take the executions as independent draws from one normal distribution.
type Interval struct {
	N        int     `json:"n"` // executions
	Mean     float64 `json:"mean"`
	SD       float64 `json:"sd"`   // standard deviation of the sample, n−1 in its denominator
	Low      float64 `json:"low"`  // of the mean's 95 % confidence interval
	High     float64 `json:"high"` //
	Recorded float64 `json:"recorded"`
	// Lower and Upper bound the 95 % prediction interval: 19 of 20 further executions
	// fall into it.
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// Holds says whether the recorded number lies in the prediction interval.
func (i *Interval) Holds() bool { return i.Lower <= i.Recorded && i.Recorded <= i.Upper }

// NewInterval is the interval of at least two numbers: mean ± t·s/√n for the mean and
// mean ± t·s·√(1+1/n) for the next one, with Student's t of n−1 degrees of freedom.
func NewInterval(recorded float64, values []float64) *Interval {
	n := float64(len(values))
	mean, sd := statistics.Moments(values)
	t := statistics.Reach(len(values))
	half, next := t*sd/math.Sqrt(n), t*sd*math.Sqrt(1+1/n)
	return &Interval{
		N: len(values), Mean: mean, SD: sd, Low: mean - half, High: mean + half,
		Recorded: recorded, Lower: mean - next, Upper: mean + next,
	}
}

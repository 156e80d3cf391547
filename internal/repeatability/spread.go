package repeatability

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Spread is how far values that ought to be one number lie apart.
type Spread struct {
	Relative float64 `json:"relative"` // largest |a − b| / max(|a|, |b|) of two of them
	Absolute float64 `json:"absolute"` // largest |a − b|
}

// union is the larger of each.
func (s Spread) union(o Spread) Spread {
	return Spread{math.Max(s.Relative, o.Relative), math.Max(s.Absolute, o.Absolute)}
}

// Bounds are the largest differences that count as noise of floating-point arithmetic.
// A difference within either of them does.
type Bounds struct{ Relative, Absolute float64 }

// spreadOf is the spread of at least one finite value.
func spreadOf(values []float64) Spread {
	low, high := slices.Min(values), slices.Max(values)
	if low == high {
		return Spread{}
	}
	s := Spread{Absolute: high - low}
	if low >= 0 || high <= 0 { // of one sign, the outermost lie the farthest apart
		s.Relative = s.Absolute / math.Max(math.Abs(low), math.Abs(high))
		return s
	}
	for i, a := range values {
		for _, b := range values[:i] {
			if a != b {
				s.Relative = math.Max(s.Relative, math.Abs(a-b)/math.Max(math.Abs(a), math.Abs(b)))
			}
		}
	}
	return s
}

// roomFor is a tolerance to declare for a spread that was seen: twice as much, since a
// few executions don't show the largest, rounded up to 1, 2 or 5 times a power of ten.
func roomFor(seen float64) float64 {
	if seen == 0 {
		return 0
	}
	exponent := int(math.Floor(math.Log10(2 * seen)))
	for {
		for _, digit := range []int{1, 2, 5} {
			// By its decimal spelling: a product of powers would not be the nearest double.
			v, err := strconv.ParseFloat(fmt.Sprintf("%de%d", digit, exponent), 64)
			if err != nil || v >= 2*seen {
				return v
			}
		}
		exponent++
	}
}

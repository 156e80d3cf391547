package ols_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"rlam/activities/builtin/ols"
)

// line is a constant and x.
func line(x, y, weights []float64) ols.Problem {
	p := ols.Problem{Names: []string{"constant", "x"}, Observed: y, Weights: weights, Constant: true}
	for _, v := range x {
		p.Terms = append(p.Terms, []float64{1, v})
	}
	return p
}

func TestAWeightCountsAsRepetition(t *testing.T) {
	t.Parallel()
	weighted, err := ols.Solve(line([]float64{1, 2, 3, 5}, []float64{1.1, 1.9, 3.2, 4.7}, []float64{1, 3, 1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	repeated, err := ols.Solve(line([]float64{1, 2, 2, 2, 3, 5, 5}, []float64{1.1, 1.9, 1.9, 1.9, 3.2, 4.7, 4.7}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for j := range weighted.Estimates {
		if digits(weighted.Estimates[j], repeated.Estimates[j]) < 14 {
			t.Errorf("weighted %v, repeated %v", weighted.Estimates, repeated.Estimates)
		}
		// Repetitions count as observations, weights don't.
		want := repeated.Deviations[j] * math.Sqrt(float64(repeated.Freedom)/float64(weighted.Freedom))
		if digits(weighted.Deviations[j], want) < 13 {
			t.Errorf("deviation %d is %v, want %v", j, weighted.Deviations[j], want)
		}
	}
	if digits(weighted.RSS, repeated.RSS) < 12 || digits(weighted.RSquared, repeated.RSquared) < 12 {
		t.Errorf("weighted %+v\nrepeated %+v", weighted, repeated)
	}
}

func TestTermsThatAreNotIndependentAreNamed(t *testing.T) {
	t.Parallel()
	p := ols.Problem{Names: []string{"1", "x", "z", "x+z"}, Observed: []float64{1, 2, 4, 3, 5, 9}}
	for i := range p.Observed {
		x, z := float64(i), math.Sin(float64(i))
		p.Terms = append(p.Terms, []float64{1, x, z, x + z})
	}
	var singular *ols.SingularError
	if _, err := ols.Solve(p); !errors.As(err, &singular) || !slices.Equal(singular.Names, []string{"x", "z", "x+z"}) {
		t.Errorf("solved as %v", err)
	}
	for i := range p.Terms {
		p.Terms[i][2] = 0
	}
	if _, err := ols.Solve(p); !errors.As(err, &singular) || !slices.Equal(singular.Names, []string{"z"}) {
		t.Errorf("with a term of zeros: %v", err)
	}
}

func TestAResponseThatDoesNotVaryHasNoRSquared(t *testing.T) {
	t.Parallel()
	fit, err := ols.Solve(line([]float64{1, 2, 3}, []float64{7, 7, 7}, nil))
	if err != nil || !math.IsNaN(fit.RSquared) || fit.Estimates[0] != 7 || fit.Estimates[1] != 0 {
		t.Errorf("%+v, %v", fit, err)
	}
	if _, err := ols.Solve(line([]float64{1, 2}, []float64{1, 2}, nil)); err == nil || !strings.Contains(err.Error(), "2 observations are too few for 2 parameters") {
		t.Errorf("two points: %v", err)
	}
}

// Package ols fits a model that is linear in its parameters by least squares.
//
// Given observations y_i with weights w_i and terms a_ij, it finds the b_j that
// make the residual sum of squares RSS = Σ w_i (y_i − Σ a_ij b_j)² smallest.
// The normal equations, which square the condition number, are never formed:
// the terms are factorised by Householder reflections, and the solution is
// refined with residuals in twice the precision (Björck, BIT 7, 1967, 257–278).
// So the estimates are those of the terms as doubles to almost all digits, as
// long as the condition number is below [MaxCondition]. Beyond it the terms are
// not told apart, and no numbers are given at all.
package ols

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"rlam/activities/builtin/qr"
)

// MaxCondition is the largest condition number, columns scaled to about length
// one, of terms that count as different. What is left is three digits of the
// standard deviations; the refined estimates have more.
const MaxCondition = 1e13

// Problem is what is to be fitted: more observations than terms, all values finite.
type Problem struct {
	Names    []string    // of the terms, for messages
	Terms    [][]float64 // Terms[i][j] is term j of observation i
	Observed []float64
	Weights  []float64 // positive; nil stands for ones
	Constant bool      // a term is constant, so that R² goes by the spread about the mean
}

// Fit is a solution with its statistics. The standard deviations assume
// independent errors with variances in inverse proportion to the weights.
type Fit struct {
	Estimates  []float64
	Deviations []float64 // standard deviations of the estimates
	Fitted     []float64
	Residuals  []float64 // observed − fitted, not weighted
	RSS        float64   // weighted
	Deviation  float64   // √(RSS / Freedom)
	Freedom    int       // observations − terms
	RSquared   float64   // 1 − RSS/TSS; NaN if the observed do not vary
	Adjusted   float64   // RSquared, corrected for the number of terms
	F          float64   // of the hypothesis that all terms but the constant are 0; NaN if there is none
	Condition  float64   // estimate, in the 1-norm, of the scaled terms
}

// SingularError says that the data do not determine the parameters.
type SingularError struct {
	Condition float64
	Names     []string // of the terms that are not told apart
}

func (e *SingularError) Error() string {
	message := fmt.Sprintf("the terms are not independent: condition number %.1e (limit %.0e)", e.Condition, MaxCondition)
	if len(e.Names) == 0 {
		return message
	}
	return message + "; the data can't tell " + strings.Join(e.Names, ", ") + " apart: leave one out, or centre the data"
}

// Solve fits p. It fails with a [*SingularError] where the terms have no full rank.
func Solve(p Problem) (*Fit, error) {
	n, k := len(p.Observed), len(p.Names)
	if n <= k {
		return nil, fmt.Errorf("%d observations are too few for %d parameters", n, k)
	}
	s := p.scaled()
	s.factors = qr.Factorise(s.terms)
	for j := range k {
		if mat.Norm(s.terms.ColView(j), 2) == 0 {
			return nil, &SingularError{math.Inf(1), p.Names[j : j+1]}
		}
	}
	fit := &Fit{Freedom: n - k, Condition: s.factors.Condition()}
	if !(fit.Condition <= MaxCondition) {
		e := &SingularError{Condition: fit.Condition}
		for _, j := range s.factors.Entangled() {
			e.Names = append(e.Names, p.Names[j])
		}
		return nil, e
	}
	x, r := s.refined()
	fit.RSS = floats.Dot(r, r)
	fit.Deviation = math.Sqrt(fit.RSS / float64(fit.Freedom))
	fit.Estimates, fit.Deviations = make([]float64, k), make([]float64, k)
	for j, scale := range s.scales {
		unit := make([]float64, k)
		unit[j] = 1
		s.factors.SolveTransposed(unit) // row j of R⁻¹
		fit.Estimates[j], fit.Deviations[j] = x[j]/scale, fit.Deviation*floats.Norm(unit, 2)/scale
	}
	fit.Residuals, fit.Fitted = r, make([]float64, n)
	for i, y := range p.Observed {
		fit.Residuals[i] /= s.roots[i]
		fit.Fitted[i] = y - fit.Residuals[i]
	}
	p.explain(fit)
	return fit, nil
}

// explain fills in how much of the spread the fit accounts for.
func (p Problem) explain(f *Fit) {
	centre, constants := 0.0, 0
	if p.Constant {
		constants = 1
		total := 0.0
		for i, y := range p.Observed {
			centre += p.weight(i) * y
			total += p.weight(i)
		}
		centre /= total
	}
	spread := 0.0
	for i, y := range p.Observed {
		spread += p.weight(i) * (y - centre) * (y - centre)
	}
	n, terms := len(p.Observed)-constants, len(p.Names)-constants
	f.RSquared, f.Adjusted, f.F = math.NaN(), math.NaN(), math.NaN()
	if spread == 0 {
		return
	}
	f.RSquared = 1 - f.RSS/spread
	f.Adjusted = 1 - f.RSS/float64(f.Freedom)/(spread/float64(n))
	if terms > 0 {
		f.F = max(0, spread-f.RSS) / float64(terms) / (f.RSS / float64(f.Freedom))
	}
}

func (p Problem) weight(i int) float64 {
	if p.Weights == nil {
		return 1
	}
	return p.Weights[i]
}

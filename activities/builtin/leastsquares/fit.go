package leastsquares

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/num/dual"
)

// Fit is a local minimum that passed the checks of the package comment.
type Fit struct {
	Algorithm   Algorithm
	Estimates   []float64
	Deviations  []float64 // standard deviations: √diag((JᵀJ)⁻¹)·s; NaN for a parameter that a bound holds
	Held        []bool    // by a bound
	RSS         float64
	Deviation   float64 // residual standard deviation s = √(RSS/(n−k))
	Freedom     int     // degrees of freedom n−k
	Offset      float64 // relative offset
	Condition   float64 // of the Jacobian, its columns scaled to length one
	Iterations  int
	Evaluations int
	Reason      string // why this is a minimum, in words
	Fitted      []float64
	Residuals   []float64
}

// Solve fits p from start. Its error is a [*Failure], or the context's.
func Solve(ctx context.Context, p Problem, start []float64, o Options) (*Fit, error) {
	s := &search{Problem: p, Options: o.withDefaults(), ctx: ctx, values: make([]dual.Number, len(start))}
	if err := s.suitable(start); err != nil {
		return nil, err
	}
	begin := s.at(start)
	if !begin.finite() {
		return nil, s.undefined(begin)
	}
	var last *point
	var err error
	switch s.Algorithm {
	case GaussNewton:
		last, err = s.gaussNewton(begin)
	case LevenbergMarquardt:
		last, err = s.levenbergMarquardt(begin)
	case NelderMead, BFGS:
		last, err = s.minimise(begin)
	default:
		err = s.fail(begin, Unsuitable, "unknown algorithm")
	}
	if err != nil {
		return nil, err
	}
	return s.accept(last)
}

func (s *search) suitable(start []float64) error {
	p := &point{b: start, rss: math.NaN()}
	n, k := len(s.Observed), len(start)
	if n <= k {
		return s.fail(p, Unsuitable, "%d observations are too few for %d parameters: at least %d are needed", n, k, k+1)
	}
	if (s.Lower != nil || s.Upper != nil) && s.Algorithm != LevenbergMarquardt {
		return s.fail(p, Unsuitable, "bounds need %s", LevenbergMarquardt)
	}
	for j, v := range start {
		if s.Lower != nil && v < s.Lower[j] || s.Upper != nil && v > s.Upper[j] {
			return s.fail(p, Unsuitable, "the start %v of %s is outside of its bounds", v, s.Names[j])
		}
	}
	return nil
}

// polish is the share of the tolerance at which a search is content. Between the
// two it goes on as long as that helps, since where residuals are large each
// iteration only gains a constant factor.
const polish = 1e-3

// content says that there is nothing left to gain.
func (s *search) content(l *linear) bool {
	return l.rounding || len(l.free) == 0 || l.offset <= polish*s.Tolerance
}

// end is what a search that can't go on from p gives: p if that is good enough, else the failure.
func (s *search) end(p *point, l *linear, kind Kind, format string, args ...any) (*point, error) {
	if s.stationary(l) != "" {
		return p, nil
	}
	if l.singular() {
		return nil, s.undetermined(p, l)
	}
	return nil, s.fail(p, kind, format, args...)
}

// stationary is why a point counts as one, or "".
func (s *search) stationary(l *linear) string {
	switch {
	case l.rounding:
		return "no residual is left to explain: what lies in the tangent plane is rounding"
	case len(l.free) == 0:
		return "every parameter is held by a bound"
	case l.offset <= s.Tolerance:
		return fmt.Sprintf("relative offset %.1e is within %.0e", l.offset, s.Tolerance)
	}
	return ""
}

// accept makes a Fit of p if p is a minimum that determines the parameters.
func (s *search) accept(p *point) (*Fit, error) {
	l, err := s.linearise(p, s.free(p))
	if err != nil {
		return nil, err
	}
	if l.singular() {
		return nil, s.undetermined(p, l)
	}
	reason := s.stationary(l)
	if reason == "" {
		return nil, s.fail(p, NotConverged, "relative offset %.1e is above %.0e", l.offset, s.Tolerance)
	}
	if curvature := s.curvature(p, l); curvature < 0 {
		return nil, s.fail(p, NotConverged, "this stationary point is a saddle, not a minimum (curvature %.1e)", curvature)
	}
	n, k := len(s.Observed), len(p.b)
	f := &Fit{
		Algorithm: s.Algorithm, Estimates: p.b, RSS: p.rss, Freedom: n - k, Deviation: math.Sqrt(p.rss / float64(n-k)),
		Offset: l.offset, Condition: l.condition, Iterations: s.iteration, Evaluations: s.evaluations, Reason: reason,
		Fitted: p.fitted, Residuals: p.residuals, Held: make([]bool, k), Deviations: make([]float64, k),
	}
	for j := range k {
		f.Held[j], f.Deviations[j] = true, math.NaN()
	}
	if len(l.free) == 0 {
		return f, nil
	}
	var inverse mat.Dense
	if err := inverse.Inverse(l.factors.R); err != nil && math.IsInf(l.condition, 1) {
		return nil, s.undetermined(p, l)
	}
	for c, j := range l.free {
		f.Held[j] = false
		f.Deviations[j] = f.Deviation * floats.Norm(inverse.RawRowView(c), 2) / l.lengths[c]
	}
	return f, nil
}

// curvature is the smallest eigenvalue of RSS/2's Hessian at p, in units in which
// JᵀJ has a diagonal of ones, and 0 if what is negative may be error: the
// Hessian is a central difference of exact gradients, good to about 1e-9.
func (s *search) curvature(p *point, l *linear) float64 {
	k := len(l.free)
	if k == 0 || math.Sqrt(p.rss) <= s.noise(p) {
		return 0 // without residuals the Hessian is JᵀJ
	}
	hessian := mat.NewDense(k, k, nil)
	for c, j := range l.free {
		h := math.Cbrt(epsilon) * max(math.Abs(p.b[j]), math.Sqrt(p.rss)/l.lengths[c])
		b := append([]float64(nil), p.b...)
		b[j] = p.b[j] + h
		above := s.at(b)
		b[j] = p.b[j] - h
		below := s.at(b)
		if !above.finite() || !below.finite() {
			return 0 // at the edge of the model's domain there is no telling
		}
		up, down := s.gradient(above), s.gradient(below)
		for d, i := range l.free {
			second := (up[i] - down[i]) / (2 * h) / l.lengths[c] / l.lengths[d]
			if math.IsNaN(second) || math.IsInf(second, 0) {
				return 0
			}
			hessian.Set(d, c, second)
		}
	}
	symmetric := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			symmetric.SetSym(i, j, (hessian.At(i, j)+hessian.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(symmetric, false) {
		return 0
	}
	if smallest := floats.Min(eigen.Values(nil)); smallest < -1e-6 {
		return smallest
	}
	return 0
}

// Package leastsquares fits a nonlinear model to data and says honestly
// whether it did.
//
// Given observations y_i and a model f_i(b), it looks for the parameters b that
// make the residual sum of squares RSS(b) = Σ (y_i − f_i(b))² smallest. The
// Jacobian of f is exact, by automatic differentiation on dual numbers.
//
// Whatever the algorithm, its last point becomes a [Fit] only if it passes the
// same three checks; else the answer is a [*Failure] that says which one it
// did not pass:
//
//   - it is a stationary point by the relative offset criterion of Bates and
//     Watts (Technometrics 23, 1981, 179–183): the residuals' projection on the
//     tangent plane is small against the part orthogonal to it. That measure
//     has no unit, and a flat region where every gradient is small does not
//     pass for a minimum;
//   - the Jacobian there has full rank, so that the parameters are determined
//     and have standard deviations;
//   - the Hessian there has no negative curvature, so that it is not a saddle.
//
// A Fit is a local minimum. Nothing here says that it is the global one.
package leastsquares

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/num/dual"
)

// Model is the model's value for one observation. With Emag set on one parameter
// its result's Emag is the partial derivative by that parameter.
type Model func(observation int, parameters []dual.Number) dual.Number

// Problem is what is to be fitted. Bounds are optional; either may be nil, or
// hold infinities where a parameter has none.
type Problem struct {
	Names        []string // of the parameters, for messages
	Observed     []float64
	Model        Model
	Lower, Upper []float64
}

// Algorithm names a way to the minimum.
type Algorithm string

// The algorithms. Only LevenbergMarquardt respects bounds.
const (
	// GaussNewton solves the linearised problem by QR and halves a step that
	// does not reduce RSS, at most ten times. Few iterations from a good start;
	// fails where the Jacobian has no full rank.
	GaussNewton Algorithm = "gauss-newton"
	// LevenbergMarquardt damps that step, scaled as Moré does (Lecture Notes in
	// Mathematics 630, 1978) with the damping rule of Nielsen (IMM-REP-1999-05).
	LevenbergMarquardt Algorithm = "levenberg-marquardt"
	// NelderMead is gonum's simplex search, begun anew from where it stopped. It needs no derivatives to move.
	NelderMead Algorithm = "nelder-mead"
	// BFGS is gonum's quasi-Newton minimiser on RSS.
	BFGS Algorithm = "bfgs"
)

// Options tune a fit. Zero members take the default.
type Options struct {
	Algorithm     Algorithm
	MaxIterations int                              // 500; of nelder-mead 20,000
	Tolerance     float64                          // largest relative offset of a stationary point: 1e-8; of nelder-mead and bfgs 1e-6
	Progress      func(iteration int, rss float64) // told after each iteration; may be nil
}

// withDefaults fills o in. The simplex and quasi-Newton searches see RSS only,
// whose rounding hides offsets below about 1e-7.
func (o Options) withDefaults() Options {
	direct := o.Algorithm == NelderMead || o.Algorithm == BFGS
	if o.MaxIterations == 0 {
		o.MaxIterations = 500
		if o.Algorithm == NelderMead {
			o.MaxIterations = 20_000
		}
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
		if direct {
			o.Tolerance = 1e-6
		}
	}
	if o.Progress == nil {
		o.Progress = func(int, float64) {}
	}
	return o
}

// Kind says in which way a fit failed.
type Kind string

// The kinds of failure.
const (
	NotConverged     Kind = "NotConverged"     // no stationary minimum within the iterations, or no way down was found
	SingularGradient Kind = "SingularGradient" // the Jacobian has no full rank: the parameters are not determined there
	NumericalError   Kind = "NumericalError"   // the model is NaN or infinite
	Unsuitable       Kind = "Unsuitable"       // the problem itself can't be fitted that way
)

// Failure is a fit that did not succeed, with the state it ended in.
type Failure struct {
	Kind        Kind
	Message     string
	Algorithm   Algorithm
	Iteration   int
	Evaluations int
	Parameters  []float64
	RSS         float64 // may be NaN
	Offset      float64 // relative offset; NaN where it is not defined
	Observation int     // the one that has no value, counted from 1; else 0
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s, iteration %d: %s", f.Algorithm, f.Iteration, f.Message)
}

// search is one fit in progress.
type search struct {
	Problem
	Options
	ctx         context.Context
	iteration   int
	evaluations int // of the model over all observations; a Jacobian counts as one
	values      []dual.Number
}

// point is a place in parameter space, with what is known there.
type point struct {
	b         []float64
	fitted    []float64
	residuals []float64
	rss       float64 // NaN or infinite where the model is
}

// at evaluates the model at b.
func (s *search) at(b []float64) *point {
	s.evaluations++
	n := len(s.Observed)
	p := &point{b: append([]float64(nil), b...), fitted: make([]float64, n), residuals: make([]float64, n)}
	s.load(b)
	for i := range n {
		p.fitted[i] = s.Model(i, s.values).Real
	}
	floats.SubTo(p.residuals, s.Observed, p.fitted)
	p.rss = floats.Dot(p.residuals, p.residuals)
	return p
}

func (s *search) load(b []float64) {
	for j, v := range b {
		s.values[j] = dual.Number{Real: v}
	}
}

func (p *point) finite() bool { return !math.IsNaN(p.rss) && !math.IsInf(p.rss, 0) }

// fail describes a failure at p.
func (s *search) fail(p *point, kind Kind, format string, args ...any) *Failure {
	f := &Failure{
		Kind: kind, Message: fmt.Sprintf(format, args...), Algorithm: s.Algorithm,
		Iteration: s.iteration, Evaluations: s.evaluations, Parameters: p.b, RSS: p.rss, Offset: math.NaN(),
	}
	if p.finite() {
		if l, err := s.linearise(p, s.free(p)); err == nil {
			f.Offset = l.offset
		}
	}
	return f
}

// undefined describes a model that has no value at p.
func (s *search) undefined(p *point) *Failure {
	for i, v := range p.fitted {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			f := s.fail(p, NumericalError, "the model is %v at observation %d", v, i+1)
			f.Observation = i + 1
			return f
		}
	}
	return s.fail(p, NumericalError, "the residual sum of squares overflows")
}

package leastsquares

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// minimise gives RSS to one of gonum's minimisers, in units in which the
// parameters have comparable effect, and begins anew from where it stopped as
// long as that helps: a simplex may collapse short of a minimum, and a
// quasi-Newton matrix may have learnt a far away curvature.
func (s *search) minimise(p *point) (*point, error) {
	for {
		l, err := s.linearise(p, s.free(p))
		if err != nil {
			return nil, err
		}
		if s.stationary(l) != "" {
			return p, nil
		}
		if s.iteration >= s.MaxIterations {
			return s.exhausted(p, l)
		}
		better, err := s.descend(p, l)
		if err != nil {
			return nil, err
		}
		if !better.finite() || better.rss >= p.rss {
			if s.iteration >= s.MaxIterations {
				return s.exhausted(p, l)
			}
			return s.end(p, l, NotConverged, "no smaller residual sum of squares than %.10g is found, yet the relative offset %.1e is above %.0e", p.rss, l.offset, s.Tolerance)
		}
		p = better
	}
}

// descend runs a minimiser once, from p.
func (s *search) descend(p *point, l *linear) (*point, error) {
	units := make([]float64, len(p.b))
	for j, v := range p.b {
		units[j] = s.unit(v, l.lengths[j], p)
	}
	place := func(z []float64) []float64 {
		b := append([]float64(nil), p.b...)
		for j := range b {
			b[j] += z[j] * units[j]
		}
		return b
	}
	problem := optimize.Problem{
		Func: func(z []float64) float64 {
			if q := s.at(place(z)); q.finite() {
				return q.rss / p.rss
			}
			return math.Inf(1)
		},
		Grad: func(gradient, z []float64) {
			floats.MulTo(gradient, s.gradient(s.at(place(z))), units)
			floats.Scale(2/p.rss, gradient)
		},
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, s.ctx.Err() },
	}
	settings := &optimize.Settings{Recorder: recorder{s, p.rss}, GradientThreshold: math.NaN()}
	var method optimize.Method = &optimize.NelderMead{}
	settings.Converger = &optimize.FunctionConverge{Relative: 4 * epsilon, Iterations: 40 * len(p.b)}
	if s.Algorithm == BFGS {
		method = &optimize.BFGS{}
		settings.Converger = &optimize.FunctionConverge{Relative: 4 * epsilon, Iterations: 5}
	}
	settings.MajorIterations = s.MaxIterations - s.iteration + 1 // gonum counts the start as one
	result, err := optimize.Minimize(problem, make([]float64, len(p.b)), settings, method)
	if s.ctx.Err() != nil {
		return nil, s.ctx.Err()
	}
	if result == nil {
		return nil, s.fail(p, NotConverged, "minimising: %v", err)
	}
	// An error with a result is a line search that found no way down: how far
	// it came is judged by the caller, as every other end is.
	return s.at(place(result.X)), nil
}

// unit is the length of a parameter's axis: the change that matters by the
// linearised model for BFGS, a share of the value for the simplex, whose size is 0.05 units.
func (s *search) unit(value, length float64, p *point) float64 {
	switch {
	case s.Algorithm == BFGS && length > 0:
		return math.Sqrt(p.rss) / length
	case value != 0:
		return value
	}
	return 1
}

// recorder counts the minimiser's iterations.
type recorder struct {
	s   *search
	rss float64
}

func (recorder) Init() error { return nil }

func (r recorder) Record(at *optimize.Location, op optimize.Operation, _ *optimize.Stats) error {
	if op == optimize.MajorIteration {
		r.s.iteration++
		r.s.Progress(r.s.iteration, at.F*r.rss)
	}
	return nil
}

package leastsquares

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const halvings = 10

// gaussNewton goes the whole step to the linearised problem's solution, or the
// largest half, quarter, … of it that comes nearer to the minimum.
func (s *search) gaussNewton(p *point) (*point, error) {
	for {
		l, err := s.linearise(p, s.free(p))
		if err != nil {
			return nil, err
		}
		if s.content(l) {
			return p, nil
		}
		if l.singular() {
			return nil, s.undetermined(p, l)
		}
		if s.iteration == s.MaxIterations {
			return s.exhausted(p, l)
		}
		if err := s.next(p); err != nil {
			return nil, err
		}
		better := s.halve(p, l)
		if better == nil {
			return s.end(p, l, NotConverged, "no part of the Gauss-Newton step, down to 1/%d of it, reduces the residual sum of squares %.6g (relative offset %.1e)", 1<<halvings, p.rss, l.offset)
		}
		p = better
	}
}

// halve is the point after the largest useful part of the Gauss-Newton step, or nil.
func (s *search) halve(p *point, l *linear) *point {
	step, factor := l.solve(0, nil), 1.0
	for range halvings + 1 {
		trial := s.at(s.move(p, l, step, factor))
		if s.improves(p, trial, l) {
			return trial
		}
		factor /= 2
	}
	return nil
}

// hidden says that the reduction of RSS that can be expected drowns in its rounding.
// The relative offset is then still far above its own.
func (l *linear) hidden() bool {
	k, n := len(l.free), len(l.rotated)
	return l.offset*l.offset*float64(k)/float64(n-k) < 1e-12
}

// improves says whether trial is nearer to the minimum than p.
func (s *search) improves(p, trial *point, l *linear) bool {
	if !trial.finite() {
		return false
	}
	if !l.hidden() {
		return trial.rss < p.rss
	}
	next, err := s.linearise(trial, s.free(trial))
	return err == nil && (next.rounding || next.offset < l.offset)
}

// move is p's parameters after factor × step of the free ones, held within the bounds.
func (s *search) move(p *point, l *linear, step []float64, factor float64) []float64 {
	b := append([]float64(nil), p.b...)
	for c, j := range l.free {
		b[j] += factor * step[c]
		if s.Lower != nil {
			b[j] = max(b[j], s.Lower[j])
		}
		if s.Upper != nil {
			b[j] = min(b[j], s.Upper[j])
		}
	}
	return b
}

// next begins an iteration, unless the caller gave up.
func (s *search) next(p *point) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.iteration++
	s.Progress(s.iteration, p.rss)
	return nil
}

func (s *search) exhausted(p *point, l *linear) (*point, error) {
	return s.end(p, l, NotConverged, "not converged within %d iterations (residual sum of squares %.6g, relative offset %.1e)", s.MaxIterations, p.rss, l.offset)
}

// levenbergMarquardt solves (JᵀJ + λD²)·step = Jᵀr by QR, D being the largest
// lengths that the Jacobian's columns had so far.
func (s *search) levenbergMarquardt(p *point) (*point, error) {
	damping, growth := 1e-3, 2.0
	scale := make([]float64, len(p.b))
	l, err := s.linearise(p, s.free(p))
	if err != nil {
		return nil, err
	}
	for {
		if s.content(l) {
			return p, nil
		}
		if s.iteration == s.MaxIterations {
			return s.exhausted(p, l)
		}
		if err := s.next(p); err != nil {
			return nil, err
		}
		trial := s.at(s.move(p, l, l.solve(damping, l.diagonal(scale)), 1))
		expected := l.reduction(p, trial)
		if expected > 0 && s.improves(p, trial, l) {
			gain := 1.0
			if !l.hidden() {
				gain = (p.rss - trial.rss) / expected
			}
			damping *= max(1.0/3, 1-math.Pow(2*gain-1, 3))
			growth = 2
			p = trial
			if l, err = s.linearise(p, s.free(p)); err != nil {
				return nil, err
			}
			continue
		}
		if damping > 1/epsilon {
			return s.end(p, l, NotConverged, "no damped step reduces the residual sum of squares %.6g (relative offset %.1e)", p.rss, l.offset)
		}
		damping *= growth
		growth *= 2
	}
}

// diagonal is D in units of the scaled columns. It raises scale to the lengths that the columns have now.
func (l *linear) diagonal(scale []float64) []float64 {
	d := make([]float64, len(l.free))
	for c, j := range l.free {
		scale[j] = max(scale[j], l.lengths[c])
		d[c] = 1
		if l.lengths[c] > 0 {
			d[c] = scale[j] / l.lengths[c]
		}
	}
	return d
}

// reduction is how much smaller RSS were at trial if the model were as linear as at p.
// Written as 2u·r − u·u, u being the change of the model, it has no cancellation.
func (l *linear) reduction(p, trial *point) float64 {
	change := make([]float64, len(p.residuals))
	for c, j := range l.free {
		floats.AddScaled(change, (trial.b[j]-p.b[j])*l.lengths[c], mat.Col(nil, c, l.scaled))
	}
	return 2*floats.Dot(change, p.residuals) - floats.Dot(change, change)
}

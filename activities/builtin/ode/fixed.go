package ode

import "math"

// fixed integrates by the classical Runge–Kutta method.
func (r *integration) fixed() error {
	count := math.Ceil(math.Abs(r.To-r.From) / r.Step * (1 - 1e-12)) // 1/0.1 is ten steps, not eleven
	if !(r.Step > 0) || math.IsInf(count, 0) {
		return r.fail(Unsuitable, "a fixed step must be positive, and is %v", r.Step)
	}
	if count > float64(r.MaxSteps) {
		return r.fail(Unsuitable, "steps of %v are %.0f steps, and max_steps is %d", r.Step, count, r.MaxSteps)
	}
	h := (r.To - r.From) / count
	k := r.stages(4)
	next, slope := make([]float64, len(r.y)), make([]float64, len(r.y))
	for step := 1.0; step <= count; step++ {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		t := r.From + step*h // no sum whose rounding grows
		if step == count {
			t = r.To
		}
		copy(k[0], r.slope)
		r.stage(r.t+h/2, h, next, k[1], k[:1], 0.5)
		r.stage(r.t+h/2, h, next, k[2], k[1:2], 0.5)
		r.stage(t, h, next, k[3], k[2:3], 1)
		for i, y := range r.y {
			next[i] = y + h*(k[0][i]+2*k[1][i]+2*k[2][i]+k[3][i])/6
		}
		r.evaluate(t, next, slope)
		if at := notFinite(next); at >= 0 {
			return r.fail(NumericalError, "the next step makes %s %v: the solution grows beyond all bounds, or the step is too long for it", r.Names[at], next[at])
		}
		if at := notFinite(slope); at >= 0 {
			return r.fail(NumericalError, "after the next step the derivative of %s is %v: the solution grows beyond all bounds, or the step is too long for it", r.Names[at], slope[at])
		}
		r.advance(t, next, slope, func(at float64) []float64 { return r.hermite(at, t, next, slope) })
	}
	return nil
}

// stages are n slopes.
func (r *integration) stages(n int) [][]float64 {
	k := make([][]float64, n)
	for i := range k {
		k[i] = make([]float64, len(r.y))
	}
	return k
}

// stage computes the slope at t and y + h Σ weights·slopes. Memory for that point is given.
func (r *integration) stage(t, h float64, point, slope []float64, slopes [][]float64, weights ...float64) {
	for i, y := range r.y {
		sum := 0.0
		for j, w := range weights {
			sum += w * slopes[j][i]
		}
		point[i] = y + h*sum
	}
	r.evaluate(t, point, slope)
}

// hermite is the cubic through both ends of a step with both slopes.
func (r *integration) hermite(at, t float64, next, slope []float64) []float64 {
	h := t - r.t
	s := (at - r.t) / h
	state := make([]float64, len(next))
	for i := range state {
		state[i] = (1-s)*r.y[i] + s*next[i] +
			s*(s-1)*((1-2*s)*(next[i]-r.y[i])+h*((s-1)*r.slope[i]+s*slope[i]))
	}
	return state
}

// Package ode integrates systems of ordinary differential equations, y' = f(t, y),
// from an initial value, and says honestly where it could not go on.
//
// Two methods, neither of them for stiff systems:
//
//   - DormandPrince: the embedded pair of orders 5 and 4 of Dormand and Prince
//     (Journal of Computational and Applied Mathematics 6, 1980, 19–26), with the
//     step control, the continuous extension of order 4 and the stiffness test
//     of Hairer, Nørsett and Wanner (Solving Ordinary Differential Equations I,
//     2nd edition, sections II.4 to II.6, and IV.2 of volume II);
//   - RungeKutta: the classical method of order 4 with a fixed step, and cubic
//     Hermite interpolation between steps.
//
// A tolerance bounds the error of each step, not that of the solution: how
// errors grow is up to the system. Of a chaotic one, two tolerances give two
// solutions after a while.
package ode

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// System computes f(t, y) into derivative. It must not keep its arguments.
type System func(t float64, y, derivative []float64)

// Method names a way to integrate.
type Method string

// The methods.
const (
	DormandPrince Method = "dormand-prince"
	RungeKutta    Method = "rk4"
)

// Problem is what is to be integrated, from From to To, which may lie before From.
type Problem struct {
	System   System
	Names    []string // of the components, for messages
	From, To float64
	Initial  []float64
	Times    []float64 // where the solution is wanted, in the order of integration, between From and To
}

// Options tune the integration. Zero members take the default.
type Options struct {
	Method   Method  // DormandPrince
	Step     float64 // RungeKutta: length of a step, made smaller so that a whole number of steps fits. DormandPrince: the first step, chosen if 0
	Relative float64 // tolerance of a step's error, 1e-6
	Absolute float64 // likewise, 1e-9
	MaxSteps int     // 100,000, rejected ones included

	Progress func(t float64) // told after each step; may be nil
}

func (o Options) withDefaults() Options {
	if o.Method == "" {
		o.Method = DormandPrince
	}
	if o.Relative == 0 {
		o.Relative = 1e-6
	}
	if o.Absolute == 0 {
		o.Absolute = 1e-9
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = 100_000
	}
	if o.Progress == nil {
		o.Progress = func(float64) {}
	}
	return o
}

// Solution is the trajectory as far as it was computed.
type Solution struct {
	Times             []float64
	States            [][]float64 // at Times
	Time              float64     // reached
	Final             []float64   // state at Time
	Steps             int         // accepted
	Rejected          int
	Evaluations       int     // of the system
	Smallest, Largest float64 // length of an accepted step; 0 before the first
}

// Kind says in which way an integration failed.
type Kind string

// The kinds of failure.
const (
	NotConverged   Kind = "NotConverged"   // MaxSteps were not enough
	StepTooSmall   Kind = "StepTooSmall"   // the step that the tolerance needs is lost in the rounding of t
	NumericalError Kind = "NumericalError" // the system or its solution is NaN or infinite
	Unsuitable     Kind = "Unsuitable"     // the problem itself can't be integrated that way
)

// Failure is an integration that did not reach To, with the solution up to there.
type Failure struct {
	Kind     Kind
	Message  string
	Solution *Solution
}

func (f *Failure) Error() string {
	return fmt.Sprintf("at %.10g: %s", f.Solution.Time, f.Message)
}

// Solve integrates p. Its errors are [*Failure]s and that of ctx.
func Solve(ctx context.Context, p Problem, o Options) (*Solution, error) {
	r := &integration{Problem: p, Options: o.withDefaults(), ctx: ctx, direction: 1}
	r.t, r.y, r.slope = p.From, slices.Clone(p.Initial), make([]float64, len(p.Initial))
	if p.To < p.From {
		r.direction = -1
	}
	r.Solution = Solution{Time: p.From, Final: r.y}
	r.evaluate(r.t, r.y, r.slope)
	if at := notFinite(r.slope); at >= 0 {
		return nil, r.fail(NumericalError, "the derivative of %s is %v at the start", p.Names[at], r.slope[at])
	}
	r.emit(func(float64) []float64 { return r.y })
	run := r.adaptive
	if r.Method == RungeKutta {
		run = r.fixed
	}
	if err := run(); err != nil {
		return nil, err
	}
	return &r.Solution, nil
}

// integration is one in progress.
type integration struct {
	Problem
	Options
	Solution
	ctx       context.Context
	direction float64 // 1 or −1
	t         float64
	y, slope  []float64 // at t
}

func (r *integration) evaluate(t float64, y, slope []float64) {
	r.Evaluations++
	r.System(t, y, slope)
}

// fail ends the integration at the state that was reached.
func (r *integration) fail(kind Kind, format string, args ...any) *Failure {
	solution := r.Solution
	return &Failure{Kind: kind, Message: fmt.Sprintf(format, args...), Solution: &solution}
}

// advance accepts a step to t, and gives the solution at the wanted times on the
// way, which between computes.
func (r *integration) advance(t float64, y, slope []float64, between func(t float64) []float64) {
	length := math.Abs(t - r.t)
	if r.Steps == 0 || length < r.Smallest {
		r.Smallest = length
	}
	r.Largest = max(r.Largest, length)
	r.Steps++
	r.Time = t
	r.emit(between)
	r.t = t
	copy(r.y, y)
	copy(r.slope, slope)
	r.Progress(t)
}

// emit notes the state at the wanted times that have been reached.
func (r *integration) emit(state func(t float64) []float64) {
	for len(r.Solution.Times) < len(r.Problem.Times) {
		wanted := r.Problem.Times[len(r.Solution.Times)]
		if r.direction*(wanted-r.Time) > 0 {
			return
		}
		r.Solution.Times = append(r.Solution.Times, wanted)
		r.States = append(r.States, slices.Clone(state(wanted)))
	}
}

// notFinite is the index of the first value that is NaN or infinite, else −1.
func notFinite(values []float64) int {
	return slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

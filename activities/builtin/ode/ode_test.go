package ode_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"rlam/activities/builtin/ode"
)

func oscillator(_ float64, y, d []float64) { d[0], d[1] = y[1], -y[0] }

func solve(t *testing.T, p ode.Problem, o ode.Options) *ode.Solution {
	t.Helper()
	s, err := ode.Solve(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// oscillation is y” = −y, whose solution is (cos t, −sin t), wanted at 33 times.
func oscillation(to float64) ode.Problem {
	p := ode.Problem{System: oscillator, Names: []string{"x", "v"}, To: to, Initial: []float64{1, 0}}
	for i := range 33 {
		p.Times = append(p.Times, to*float64(i)/32)
	}
	return p
}

// worst is the largest distance from the solution of oscillation.
func worst(s *ode.Solution) float64 {
	far := 0.0
	for i, at := range s.Times {
		far = max(far, math.Hypot(s.States[i][0]-math.Cos(at), s.States[i][1]+math.Sin(at)))
	}
	return far
}

// slope is that of the straight line through log y over log x.
func slope(x, y []float64) float64 {
	n, sx, sy, sxx, sxy := float64(len(x)), 0.0, 0.0, 0.0, 0.0
	for i := range x {
		lx, ly := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func TestRungeKuttaIsOfOrderFour(t *testing.T) {
	t.Parallel()
	var steps, errs []float64
	for _, h := range []float64{0.2, 0.1, 0.05, 0.025} {
		s := solve(t, oscillation(10), ode.Options{Method: ode.RungeKutta, Step: h})
		if want := int(math.Round(10 / h)); s.Steps != want || s.Time != 10 || len(s.States) != 33 {
			t.Errorf("step %v: %d steps to %v; want %d", h, s.Steps, s.Time, want)
		}
		steps, errs = append(steps, h), append(errs, worst(s))
	}
	if order := slope(steps, errs); math.Abs(order-4) > 0.1 {
		t.Errorf("the order is %.3f (errors %v)", order, errs)
	}
}

// A method of order 5 with local extrapolation has an error in proportion to the
// tolerance and needs tolerance^(−1/5) steps, between steps as well as at them.
func TestDormandPrinceFollowsItsTolerance(t *testing.T) {
	t.Parallel()
	var tolerances, errs, steps []float64
	for _, tolerance := range []float64{1e-4, 1e-6, 1e-8, 1e-10, 1e-12} {
		s := solve(t, oscillation(20), ode.Options{Relative: tolerance, Absolute: tolerance})
		tolerances, errs, steps = append(tolerances, tolerance), append(errs, worst(s)), append(steps, float64(s.Steps))
		if worst(s) > 40*tolerance {
			t.Errorf("tolerance %v: off by %v", tolerance, worst(s))
		}
	}
	if got := slope(tolerances, errs); math.Abs(got-1) > 0.1 {
		t.Errorf("the error goes as tolerance^%.3f: %v", got, errs)
	}
	if got := slope(tolerances, steps); math.Abs(got+0.2) > 0.03 {
		t.Errorf("the steps go as tolerance^%.3f: %v", got, steps)
	}
}

func TestThereAndBackAgain(t *testing.T) {
	t.Parallel()
	for _, o := range []ode.Options{{Relative: 1e-10, Absolute: 1e-12}, {Method: ode.RungeKutta, Step: 0.001}} {
		growth := func(_ float64, y, d []float64) { d[0] = y[0] }
		there := solve(t, ode.Problem{System: growth, Names: []string{"y"}, To: 3, Initial: []float64{1}}, o)
		if math.Abs(there.Final[0]/math.Exp(3)-1) > 1e-9 {
			t.Errorf("exp(3) is %v", there.Final[0])
		}
		back := solve(t, ode.Problem{System: growth, Names: []string{"y"}, From: 3, To: 0, Initial: there.Final, Times: []float64{3, 1, 0}}, o)
		if math.Abs(back.Final[0]-1) > 1e-9 || math.Abs(back.States[1][0]/math.E-1) > 1e-9 || !slices.Equal(back.Times, []float64{3, 1, 0}) {
			t.Errorf("back at %v: %v", back.Times, back.States)
		}
	}
}

// Arenstorf's orbit closes after a period: the test problem of Hairer, Nørsett and
// Wanner, section II.0, of a satellite between earth and moon.
func TestArenstorfOrbitCloses(t *testing.T) {
	t.Parallel()
	const moon, earth = 0.012277471, 1 - 0.012277471
	orbit := func(_ float64, y, d []float64) {
		a := math.Pow((y[0]+moon)*(y[0]+moon)+y[1]*y[1], 1.5)
		b := math.Pow((y[0]-earth)*(y[0]-earth)+y[1]*y[1], 1.5)
		d[0], d[1] = y[2], y[3]
		d[2] = y[0] + 2*y[3] - earth*(y[0]+moon)/a - moon*(y[0]-earth)/b
		d[3] = y[1] - 2*y[2] - earth*y[1]/a - moon*y[1]/b
	}
	start := []float64{0.994, 0, 0, -2.00158510637908252240537862224}
	s := solve(t, ode.Problem{System: orbit, Names: []string{"x", "y", "u", "v"}, To: 17.0652165601579625588917206249, Initial: start}, ode.Options{Relative: 1e-12, Absolute: 1e-12})
	if off := math.Hypot(s.Final[0]-start[0], s.Final[1]-start[1]); off > 1e-5 {
		t.Errorf("after a period it is off by %v", off)
	}
	if s.Largest/s.Smallest < 100 {
		t.Errorf("the steps, from %v to %v, don't adapt", s.Smallest, s.Largest)
	}
}

// Of Lorenz's system tolerances agree for a while and then don't; the same
// tolerance gives the same bits.
func TestLorenzDivergesAcrossTolerances(t *testing.T) {
	t.Parallel()
	lorenz := func(_ float64, y, d []float64) {
		d[0], d[1], d[2] = 10*(y[1]-y[0]), y[0]*(28-y[2])-y[1], y[0]*y[1]-8./3*y[2]
	}
	run := func(tolerance float64) *ode.Solution {
		return solve(t, ode.Problem{System: lorenz, Names: []string{"x", "y", "z"}, To: 40, Initial: []float64{1, 1, 1}, Times: []float64{5, 40}}, ode.Options{Relative: tolerance, Absolute: tolerance})
	}
	a, b, again := run(1e-9), run(1e-10), run(1e-9)
	if early := math.Abs(a.States[0][0] - b.States[0][0]); early > 1e-6 {
		t.Errorf("at 5 they are %v apart already", early)
	}
	if late := math.Abs(a.States[1][0] - b.States[1][0]); late < 0.1 {
		t.Errorf("at 40 they are only %v apart: that is no chaos", late)
	}
	if !slices.Equal(a.Final, again.Final) || a.Evaluations != again.Evaluations {
		t.Errorf("the same tolerance gave %v and %v", a.Final, again.Final)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	square := func(_ float64, y, d []float64) { d[0] = y[0] * y[0] } // 1/(1−t): a pole at 1
	stiff := func(x float64, y, d []float64) { d[0] = -1e6 * (y[0] - math.Cos(x)) }
	root := func(_ float64, y, d []float64) { d[0] = -1 / y[0] } // √(1−2t), to 0.5
	for _, c := range []struct {
		name    string
		system  ode.System
		to      float64
		options ode.Options
		kind    ode.Kind
		message string
		reached float64
	}{
		{"a pole", square, 2, ode.Options{}, ode.StepTooSmall, "the solution ends here", 1},
		{"a pole, fixed steps", square, 2, ode.Options{Method: ode.RungeKutta, Step: 0.01}, ode.NumericalError, "the derivative of y is +Inf", 1.01},
		{"stiff", stiff, 10, ode.Options{MaxSteps: 2000}, ode.NotConverged, "the system is stiff", 0},
		{"few steps", square, 0.9, ode.Options{MaxSteps: 3}, ode.NotConverged, "3 steps were not enough: allow more", 0},
		{"ends in a root", root, 1, ode.Options{}, ode.StepTooSmall, "the solution ends here", 0.5},
		{"too many fixed steps", square, 0.5, ode.Options{Method: ode.RungeKutta, Step: 1e-9}, ode.Unsuitable, "max_steps is 100000", 0},
		{"no fixed step", square, 0.5, ode.Options{Method: ode.RungeKutta}, ode.Unsuitable, "must be positive", 0},
	} {
		_, err := ode.Solve(t.Context(), ode.Problem{System: c.system, Names: []string{"y"}, To: c.to, Initial: []float64{1}, Times: []float64{0, 0.25, c.to}}, c.options)
		var f *ode.Failure
		if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, err, c.kind, c.message)
			continue
		}
		if c.reached > 0 && (math.Abs(f.Solution.Time-c.reached) > 0.06 || len(f.Solution.States) != 2) {
			t.Errorf("%s: ended at %v with %d states; want %v", c.name, f.Solution.Time, len(f.Solution.States), c.reached)
		}
	}
	var f *ode.Failure
	log := func(x float64, _, d []float64) { d[0] = math.Log(x) }
	if _, err := ode.Solve(t.Context(), ode.Problem{System: log, Names: []string{"y"}, To: 1, Initial: []float64{1}}, ode.Options{}); !errors.As(err, &f) || f.Kind != ode.NumericalError || !strings.Contains(f.Error(), "the derivative of y is -Inf at the start") {
		t.Errorf("no value at the start: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ode.Solve(cancelled, oscillation(1), ode.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

package leastsquares_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/leastsquares"
)

var update = flag.Bool("update", false, "write the golden files")

var algorithms = []leastsquares.Algorithm{
	leastsquares.GaussNewton, leastsquares.LevenbergMarquardt, leastsquares.NelderMead, leastsquares.BFGS,
}

// worst is the largest relative difference.
func worst(got, want []float64) float64 {
	largest := 0.0
	for i := range want {
		largest = math.Max(largest, math.Abs(got[i]/want[i]-1))
	}
	return largest
}

func TestCertifiedValuesFromNISTsSecondStart(t *testing.T) {
	for _, d := range nist {
		for _, a := range algorithms {
			t.Run(d.name+"/"+string(a), func(t *testing.T) {
				fit, err := leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), d.starts[1], leastsquares.Options{Algorithm: a})
				if err != nil {
					t.Fatal(err)
				}
				limit := 2e-10 // certified to 11 digits
				if a == leastsquares.NelderMead || a == leastsquares.BFGS {
					limit = 1e-6
				}
				for what, off := range map[string]float64{
					"parameters":                  worst(fit.Estimates, d.estimates),
					"standard deviations":         worst(fit.Deviations, d.deviations),
					"residual sum of squares":     worst([]float64{fit.RSS}, []float64{d.rss}),
					"residual standard deviation": worst([]float64{fit.Deviation}, []float64{d.deviation}),
				} {
					if off > limit {
						t.Errorf("%s differ from the certified values by %.1e, more than %.0e", what, off, limit)
					}
				}
				if want := len(d.y) - len(d.parameters); fit.Freedom != want {
					t.Errorf("%d degrees of freedom; want %d", fit.Freedom, want)
				}
			})
		}
	}
}

// TestWhereEachAlgorithmConverges is a map of starts: what the numerics make of
// each, with no rule of ours. "certified" is within 1e-6 of NIST's values;
// anything else that is called a fit must at least be a stationary point by a
// criterion that shares no code with the package.
func TestWhereEachAlgorithmConverges(t *testing.T) {
	var table strings.Builder
	for _, d := range nist {
		starts := append([][]float64(nil), d.starts...)
		for _, factor := range []float64{0.1, 0.5, 3, 30} {
			start := make([]float64, len(d.estimates))
			for j, v := range d.estimates {
				start[j] = v * factor
			}
			starts = append(starts, start)
		}
		if d.name == "MGH09" {
			starts = append(starts, []float64{1, 1, 1, 1}, []float64{2.5, 3.9, 4.15, 3.9}, []float64{0.1, -1, 1, 1}, []float64{0, 0, 0, 0})
		}
		if runtime.GOARCH != "amd64" { // elsewhere fused multiplications change how the chancier starts end
			starts = starts[:2]
		}
		for i, start := range starts {
			label := fmt.Sprintf("start %d", i+1)
			if i > 1 {
				label = fmt.Sprintf("%.4g", start)
			}
			fmt.Fprintf(&table, "%-8s %-46s", d.name, label)
			for _, a := range algorithms {
				fmt.Fprintf(&table, " %-20s", outcome(t, d, a, start))
			}
			table.WriteString("\n")
		}
	}
	got := fmt.Sprintf("%-55s %-20s %-20s %-20s %s\n", "", algorithms[0], algorithms[1], algorithms[2], algorithms[3]) + trimLines(table.String())
	const file = "testdata/starts.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH != "amd64" {
		for line := range strings.Lines(got) {
			if !strings.Contains(string(want), line) {
				t.Errorf("an algorithm ends otherwise from one of NIST's starts: %s", line)
			}
		}
		return
	}
	if got != string(want) {
		t.Errorf("where the algorithms converge has changed (write it with -update, and say why):\n%s\nwant:\n%s", got, want)
	}
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func outcome(t *testing.T, d dataset, a leastsquares.Algorithm, start []float64) string {
	fit, err := leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), start, leastsquares.Options{Algorithm: a})
	var failed *leastsquares.Failure
	switch {
	case errors.As(err, &failed):
		if failed.Message == "" || len(failed.Parameters) != len(start) {
			t.Errorf("%s, %s from %v: a failure without message or state: %+v", d.name, a, start, failed)
		}
		return string(failed.Kind)
	case err != nil:
		t.Fatal(err)
	}
	if angle := alignment(t, d, fit.Estimates); angle > 1e-4 {
		t.Errorf("%s, %s from %v: %v is no stationary point: a column of the Jacobian and the residuals have the cosine %.1e", d.name, a, start, fit.Estimates, angle)
	}
	if worst(fit.Estimates, d.estimates) < 1e-6 {
		return "certified"
	}
	return "another minimum"
}

// alignment is the largest |cosine| between the residuals and a column of the
// Jacobian, which is taken by central differences of the model's values.
func alignment(t *testing.T, d dataset, b []float64) float64 {
	p := problem(t, d.model, d.parameters, d.x, d.y)
	values := func(b []float64) []float64 {
		duals, out := make([]dual.Number, len(b)), make([]float64, len(d.y))
		for j, v := range b {
			duals[j].Real = v
		}
		for i := range out {
			out[i] = p.Model(i, duals).Real
		}
		return out
	}
	largest := 0.0
	center := values(b)
	for j := range b {
		h := 1e-6 * math.Abs(b[j])
		moved := append([]float64(nil), b...)
		moved[j] = b[j] + h
		above := values(moved)
		moved[j] = b[j] - h
		below := values(moved)
		var dot, rr, cc float64
		for i, y := range d.y {
			r, c := y-center[i], (above[i]-below[i])/(2*h)
			dot, rr, cc = dot+r*c, rr+r*r, cc+c*c
		}
		largest = math.Max(largest, math.Abs(dot)/math.Sqrt(rr*cc))
	}
	return largest
}

func TestGaussNewtonFailsFromMGH09sFirstStartByItsNumerics(t *testing.T) {
	d := nist[0]
	_, err := leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), d.starts[0], leastsquares.Options{Algorithm: leastsquares.GaussNewton})
	var failed *leastsquares.Failure
	if !errors.As(err, &failed) || failed.Kind != leastsquares.NotConverged || failed.Iteration == 0 || failed.Iteration > 20 {
		t.Fatalf("%v; want NotConverged after a few iterations", err)
	}
	if !strings.Contains(failed.Message, "Gauss-Newton step") || math.IsNaN(failed.RSS) || failed.Offset < 1 {
		t.Errorf("the failure does not say what happened: %+v", failed)
	}
	// The same point is the start of a fit that succeeds, so nothing but the algorithm failed.
	fit, err := leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), failed.Parameters, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt})
	if err != nil || worst(fit.Estimates, d.estimates) > 1e-9 {
		t.Errorf("levenberg-marquardt from where gauss-newton ended: %+v, %v", fit, err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	x, y := []float64{1, 2, 3, 4, 5}, []float64{1.1, 1.9, 3.2, 3.9, 5.1}
	for _, c := range []struct {
		name, model string
		parameters  []string
		start       []float64
		kind        leastsquares.Kind
		message     string
	}{
		{"a redundant parameter", "a*b*x", []string{"a", "b"}, []float64{1, 1}, leastsquares.SingularGradient, "can't tell a, b apart"},
		{"a parameter without effect", "a*x + 0*c", []string{"a", "c"}, []float64{1, 1}, leastsquares.SingularGradient, "does not depend on c"},
		{"no value at the start", "a*log(x-b)", []string{"a", "b"}, []float64{1, 2}, leastsquares.NumericalError, "NaN at observation 1"},
		{"an overflow at the start", "a*exp(b*x)", []string{"a", "b"}, []float64{1, 1000}, leastsquares.NumericalError, "+Inf at observation 1"},
		{"an infinite derivative at the start", "a + (x - b)^0.5", []string{"a", "b"}, []float64{1, 1}, leastsquares.NumericalError, "derivative by b is -Inf at observation 1"},
		{"too few observations", "a+b*x+c*x^2+d*x^3+e*x^4", []string{"a", "b", "c", "d", "e"}, []float64{1, 1, 1, 1, 1}, leastsquares.Unsuitable, "at least 6"},
	} {
		for _, a := range algorithms {
			_, err := leastsquares.Solve(t.Context(), problem(t, c.model, c.parameters, x, y), c.start, leastsquares.Options{Algorithm: a})
			var failed *leastsquares.Failure
			if !errors.As(err, &failed) || failed.Kind != c.kind || !strings.Contains(failed.Message, c.message) {
				t.Errorf("%s, %s: %v; want %s with %q", c.name, a, err, c.kind, c.message)
			}
		}
	}
}

func TestIterationsAreBounded(t *testing.T) {
	d := nist[0]
	for _, a := range algorithms[1:] {
		_, err := leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), d.starts[0], leastsquares.Options{Algorithm: a, MaxIterations: 5})
		var failed *leastsquares.Failure
		if !errors.As(err, &failed) || failed.Kind != leastsquares.NotConverged || failed.Iteration != 5 || !strings.Contains(failed.Message, "within 5 iterations") {
			t.Errorf("%s: %v; want NotConverged at iteration 5", a, err)
		}
	}
}

func TestASaddleIsNoMinimum(t *testing.T) {
	// The model is largest at b = 0, where its derivative by b vanishes.
	x, y := []float64{1, 2, 3}, []float64{0.1, -0.1, 0.05}
	for _, a := range algorithms {
		_, err := leastsquares.Solve(t.Context(), problem(t, "(b^2-1)^2*x + c", []string{"b", "c"}, x, y), []float64{0, 0}, leastsquares.Options{Algorithm: a})
		var failed *leastsquares.Failure
		if !errors.As(err, &failed) {
			t.Errorf("%s: a maximum passed for a fit", a)
		}
	}
	// The point of a circle that is farthest from the data: full rank, offset zero, negative curvature.
	p := problem(t, "abs(x)*cos(b) + (1-abs(x))*sin(b)", []string{"b"}, []float64{1, 0}, []float64{-2, 0})
	_, err := leastsquares.Solve(t.Context(), p, []float64{0}, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt})
	if err == nil || !strings.Contains(err.Error(), "not a minimum") {
		t.Errorf("the farthest point of a circle: %v; want a failure that says so", err)
	}
}

func TestExactDataHaveAFit(t *testing.T) {
	x, y := []float64{0, 1, 2, 3, 4}, make([]float64, 5)
	for i := range y {
		y[i] = 2 * math.Exp(-0.5*x[i])
	}
	for _, a := range algorithms {
		fit, err := leastsquares.Solve(t.Context(), problem(t, "a*exp(b*x)", []string{"a", "b"}, x, y), []float64{1, -1}, leastsquares.Options{Algorithm: a})
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		if off := worst(fit.Estimates, []float64{2, -0.5}); off > 1e-12 {
			t.Errorf("%s: %v is off by %.1e", a, fit.Estimates, off)
		}
	}
}

func TestBoundsHold(t *testing.T) {
	d := nist[1]
	p := problem(t, d.model, d.parameters, d.x, d.y)
	p.Lower, p.Upper = []float64{math.Inf(-1), 0}, []float64{200, math.Inf(1)}
	fit, err := leastsquares.Solve(t.Context(), p, []float64{100, 0.001}, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt})
	if err != nil {
		t.Fatal(err)
	}
	if fit.Estimates[0] != 200 || !fit.Held[0] || fit.Held[1] || !math.IsNaN(fit.Deviations[0]) || !(fit.Deviations[1] > 0) {
		t.Errorf("the bound 200 should hold b1: %+v", fit)
	}
	// With b1 fixed at 200 the fit of b2 alone is the same.
	alone, err := leastsquares.Solve(t.Context(), problem(t, "200*(1-exp(-b2*x))", []string{"b2"}, d.x, d.y), []float64{0.001}, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt})
	if err != nil || math.Abs(alone.Estimates[0]/fit.Estimates[1]-1) > 1e-9 {
		t.Errorf("b2 alone: %+v, %v", alone, err)
	}
	p.Upper[0] = 300 // a bound that does not bind changes nothing
	fit, err = leastsquares.Solve(t.Context(), p, []float64{100, 0.001}, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt})
	if err != nil || worst(fit.Estimates, d.estimates) > 1e-9 || fit.Held[0] {
		t.Errorf("bounds that don't bind: %+v, %v", fit, err)
	}
	for _, a := range []leastsquares.Algorithm{leastsquares.GaussNewton, leastsquares.NelderMead, leastsquares.BFGS} {
		if _, err := leastsquares.Solve(t.Context(), p, []float64{100, 0.001}, leastsquares.Options{Algorithm: a}); err == nil || !strings.Contains(err.Error(), "bounds need levenberg-marquardt") {
			t.Errorf("%s with bounds: %v", a, err)
		}
	}
	if _, err := leastsquares.Solve(t.Context(), p, []float64{400, 0.001}, leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt}); err == nil || !strings.Contains(err.Error(), "outside of its bounds") {
		t.Errorf("a start outside: %v", err)
	}
}

func TestTheSameFitTwiceIsTheSameToTheBit(t *testing.T) {
	for _, d := range nist[:2] {
		for _, a := range algorithms {
			var fits [2]*leastsquares.Fit
			for i := range fits {
				var err error
				fits[i], err = leastsquares.Solve(t.Context(), problem(t, d.model, d.parameters, d.x, d.y), d.starts[1], leastsquares.Options{Algorithm: a})
				if err != nil {
					t.Fatal(err)
				}
			}
			if !reflect.DeepEqual(fits[0], fits[1]) {
				t.Errorf("%s, %s: %+v, then %+v", d.name, a, fits[0], fits[1])
			}
		}
	}
}

func TestCancelEndsAFit(t *testing.T) {
	d := nist[0]
	for _, a := range algorithms {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := leastsquares.Solve(ctx, problem(t, d.model, d.parameters, d.x, d.y), d.starts[1], leastsquares.Options{
			Algorithm: a, Progress: func(iteration int, _ float64) {
				if iteration == 2 {
					cancel()
				}
			},
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v; want the context's error", a, err)
		}
	}
}

func BenchmarkLevenbergMarquardt(b *testing.B) {
	d := nist[0]
	p := problem(b, d.model, d.parameters, d.x, d.y)
	for b.Loop() {
		if _, err := leastsquares.Solve(b.Context(), p, d.starts[0], leastsquares.Options{Algorithm: leastsquares.LevenbergMarquardt}); err != nil {
			b.Fatal(err)
		}
	}
}

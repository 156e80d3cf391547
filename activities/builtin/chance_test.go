package builtin_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

func quarterCircle(changes object) object {
	params := object{"expression": "4*sqrt(1 - x^2)", "variables": object{"x": object{"distribution": "uniform", "low": 0, "high": 1}}, "samples": 100_000}
	maps.Copy(params, changes)
	return params
}

func TestMonteCarlo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain := b.run("montecarlo.integrate", quarterCircle(nil))
	mean, deviation := at[float64](t, plain, "mean"), at[float64](t, plain, "standard_error")
	// The variance of 4√(1−x²) is 32/3 − π².
	within(t, "the standard error", deviation, math.Sqrt((32./3-math.Pi*math.Pi)/100_000), 0.02)
	if math.Abs(mean-math.Pi) > 4*deviation || at[string](t, plain, "seed") != "42" {
		t.Errorf("π is %v ± %v", mean, deviation)
	}
	pairs := b.run("montecarlo.integrate", quarterCircle(object{"antithetic": true}))
	if got := at[float64](t, pairs, "standard_error"); got > 0.6*deviation || math.Abs(at[float64](t, pairs, "mean")-math.Pi) > 4*got {
		t.Errorf("antithetic samples give %v", pairs)
	}
	other := b.run("montecarlo.integrate", quarterCircle(object{"seed": 7}))
	if at[float64](t, other, "mean") == mean || at[string](t, other, "seed") != "7" {
		t.Errorf("another seed gave %v", other)
	}
	normal := b.run("montecarlo.integrate", object{
		"expression": "x^2 + y", "samples": 100_000,
		"variables": object{"x": object{"distribution": "normal", "mean": 1, "sd": 2}, "y": object{"distribution": "uniform", "low": -1, "high": 3}},
	})
	if got := at[float64](t, normal, "mean"); math.Abs(got-6) > 4*at[float64](t, normal, "standard_error") || normal["integral"] != nil {
		t.Errorf("E[x²+y] is %v", normal)
	}
	box := b.run("montecarlo.integrate", object{"expression": "x*y", "samples": 1000, "variables": object{
		"x": object{"distribution": "uniform", "low": 0, "high": 2}, "y": object{"distribution": "uniform", "low": 1, "high": 4},
	}})
	if v := at[float64](t, box, "integral", "volume"); v != 6 || math.Abs(at[float64](t, box, "integral", "value")-15) > 4*at[float64](t, box, "integral", "standard_error") {
		t.Errorf("the integral is %v", box)
	}
}

// Of a hundred seeds the 95 % intervals hold the true value in about 95.
func TestMonteCarloCoverage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	covered := 0
	for seed := range 100 {
		out := b.run("montecarlo.integrate", quarterCircle(object{"samples": 1000, "seed": seed}))
		if at[float64](t, out, "interval", 0) <= math.Pi && math.Pi <= at[float64](t, out, "interval", 1) {
			covered++
		}
	}
	if covered < 88 {
		t.Errorf("%d of 100 intervals hold π", covered)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// The law school data of Efron and Tibshirani, table 3.1: correlation 0.776; in
	// section 14.3 BCa's acceleration of it is −0.0757.
	law := b.put("lsat,gpa\n576,3.39\n635,3.30\n558,2.81\n578,3.03\n666,3.44\n580,3.07\n555,3.00\n661,3.43\n651,3.36\n605,3.13\n653,3.12\n575,2.74\n545,2.76\n572,2.88\n594,2.96\n")
	out := b.run("table.bootstrap", object{"data": law, "statistic": "correlation", "of": []any{"lsat", "gpa"}, "resamples": 5000})
	within(t, "the correlation", at[float64](t, out, "estimate"), 0.7764, 1e-4)
	within(t, "its standard error", at[float64](t, out, "standard_error"), 0.135, 0.05)
	within(t, "the acceleration", at[float64](t, out, "bca", "acceleration"), -0.0757, 0.01)
	if low, high := at[float64](t, out, "bca", "interval", 0), at[float64](t, out, "bca", "interval", 1); math.Abs(low-0.31) > 0.05 || math.Abs(high-0.93) > 0.02 {
		t.Errorf("the BCa interval is %v to %v", low, high)
	}
	if lines := strings.Count(string(b.get(at[string](t, out, "values"))), "\n"); lines != 5001 {
		t.Errorf("%d lines of resamples", lines)
	}

	rows := []string{"v"}
	for i := range 41 {
		rows = append(rows, fmt.Sprint(i*i))
	}
	data := b.put(strings.Join(rows, "\n") + "\n")
	mean := b.run("table.bootstrap", object{"data": data, "statistic": "mean", "of": []any{"v"}})
	// The bootstrap's standard error of a mean tends to the plug-in √(Σ(v−v̄)²)/n.
	squares := 0.0
	for i := range 41 {
		squares += (float64(i*i) - 540) * (float64(i*i) - 540)
	}
	within(t, "the mean", at[float64](t, mean, "estimate"), 540, 1e-14)
	within(t, "the standard error of the mean", at[float64](t, mean, "standard_error"), math.Sqrt(squares)/41, 0.05)
	if got := at[float64](t, b.run("table.bootstrap", object{"data": data, "statistic": "median", "of": []any{"v"}}), "estimate"); got != 400 {
		t.Errorf("the median is %v", got)
	}
	within(t, "the sd", at[float64](t, b.run("table.bootstrap", object{"data": data, "statistic": "sd", "of": []any{"v"}}), "estimate"), math.Sqrt(squares/40), 1e-14)
	within(t, "the slope", at[float64](t, b.run("table.bootstrap", object{"data": data, "statistic": "slope", "of": []any{"v", "2*v"}}), "estimate"), 2, 1e-14)
}

func TestSplit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rows := []string{"id,kind"}
	for i := range 100 {
		rows = append(rows, fmt.Sprintf("%d,%c", i, "aaab"[i%4]))
	}
	data := b.put(strings.Join(rows, "\n") + "\n")
	out := b.run("table.split", object{"data": data, "test_share": 0.3, "stratify": "kind"})
	var back []string
	for _, part := range []string{"train", "test"} {
		lines := strings.Split(strings.TrimSpace(string(b.get(at[string](t, out, part)))), "\n")
		if lines[0] != "id,kind" || float64(len(lines)-1) != at[float64](t, out, part+"_rows") {
			t.Errorf("%s has %d lines: %v", part, len(lines), out)
		}
		inOrder := slices.IsSortedFunc(lines[1:], func(x, y string) int { return slices.Index(rows, x) - slices.Index(rows, y) })
		if !inOrder {
			t.Errorf("%s is not in the table's order", part)
		}
		back = append(back, lines[1:]...)
	}
	slices.Sort(back)
	slices.Sort(rows[1:])
	if !slices.Equal(back, rows[1:]) {
		t.Error("the parts are not the table")
	}
	// 75 and 25 rows: 22.5 and 7.5 of 30 to test with, the half more to the first.
	if at[float64](t, out, "strata", 0, "test_rows") != 23 || at[float64](t, out, "strata", 1, "test_rows") != 7 || at[float64](t, out, "test_rows") != 30 {
		t.Errorf("split as %v", out)
	}
	if again := b.run("table.split", object{"data": data, "test_share": 0.3, "stratify": "kind"}); again["test"] != out["test"] {
		t.Error("one seed split in two ways")
	}
	if other := b.run("table.split", object{"data": data, "test_share": 0.3, "seed": 1}); other["test"] == out["test"] || at[string](t, other, "seed") != "1" {
		t.Error("two seeds split in one way")
	}
}

func TestRefusalsOfChance(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.put("x,y,z\n1,2,0.1\n2,3,0.1\n3,5,0.1\n4,4,0.1\n")
	for _, c := range []struct {
		action  string
		params  object
		typ     string
		message string
	}{
		{"montecarlo.integrate", quarterCircle(object{"expression": "log(x - 0.5)"}), "rlam.NumericalError", "the expression is NaN at x = 0."},
		{"montecarlo.integrate", quarterCircle(object{"expression": "z"}), "rlam.InvalidParams", `unknown name "z" (did you mean "x"?)`},
		{"montecarlo.integrate", quarterCircle(object{"samples": 9, "antithetic": true}), "rlam.InvalidParams", "come in pairs"},
		{"montecarlo.integrate", quarterCircle(object{"variables": object{"x": object{"distribution": "uniform", "low": 1, "high": 0}}}), "rlam.InvalidParams", "low 1 is not below high 0"},
		{"montecarlo.integrate", quarterCircle(object{"variables": object{"x": object{"distribution": "normal"}}}), "rlam.InvalidParams", "sd 0 is not positive"},
		{"table.bootstrap", object{"data": data, "statistic": "slope", "of": []any{"x"}}, "rlam.InvalidParams", `"of" has 1`},
		{"table.bootstrap", object{"data": data, "statistic": "mode", "of": []any{"x"}}, "rlam.InvalidParams", `unknown statistic "mode"`},
		{"table.bootstrap", object{"data": data, "statistic": "correlation", "of": []any{"x", "z"}}, "rlam.NumericalError", "may all be equal"},
		{"table.bootstrap", object{"data": b.put("x\n1\n2\n"), "statistic": "mean", "of": []any{"x"}}, "rlam.BadData", "2 rows"},
		{"table.split", object{"data": data, "test_share": 0.01}, "rlam.BadData", "4 to train with and 0 to test with"},
		{"table.split", object{"data": data, "test_share": 0.5, "stratify": "w"}, "rlam.InvalidParams", `no column "w"`},
	} {
		f := b.fail(c.action, c.params)
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s %v: %v; want %s with %q", c.action, c.params, f, c.typ, c.message)
		}
	}
}

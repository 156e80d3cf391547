package builtin_test

import (
	"math"
	"strings"
	"testing"
)

// within says whether got is within the relative distance of want.
func within(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

func TestLinearFitOfLongley(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.putFile("ols/testdata/longley.csv")
	out := b.run("fit.linear", object{"data": data, "response": "y", "terms": []any{"x1", "x2", "x3", "x4", "x5", "x6"}})
	// NIST StRD, Longley; its F is 330.285339234588.
	for name, want := range map[string][2]float64{
		"b0": {-3482258.63459582, 890420.383607373}, "b1": {15.0618722713733, 84.9149257747669},
		"b2": {-0.0358191792925910, 0.0334910077722432}, "b6": {1829.15146461355, 455.478499142212},
	} {
		within(t, name, at[float64](t, out, "parameters", name, "estimate"), want[0], 1e-12)
		within(t, "deviation of "+name, at[float64](t, out, "parameters", name, "standard_deviation"), want[1], 1e-10)
	}
	within(t, "R²", at[float64](t, out, "r_squared"), 0.995479004577296, 1e-12)
	within(t, "adjusted R²", at[float64](t, out, "adjusted_r_squared"), 0.992465007628826, 1e-12)
	within(t, "F", at[float64](t, out, "f"), 330.285339234588, 1e-10)
	// Of R's lm: t 4.016 and p 0.00304 of the year; p of F 4.984e-10.
	within(t, "t", at[float64](t, out, "parameters", "b6", "t"), 4.015890, 1e-6)
	within(t, "p", at[float64](t, out, "parameters", "b6", "p"), 0.003036803, 1e-6)
	within(t, "p of F", at[float64](t, out, "f_p"), 4.98403e-10, 1e-5)
	if at[float64](t, out, "degrees_of_freedom") != 9 || at[string](t, out, "parameters", "b0", "term") != "1" {
		t.Errorf("the output is %v", out)
	}
}

func TestALinearFitIsPlottedAndComparedWithANonlinearOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.put("b1,odd name\n1.1,1\n3.9,2\n9.2,3\n15.8,4\n25.1,5\n")
	linear := b.run("fit.linear", object{"data": data, "response": "b1", "terms": []any{"`odd name`^2"}})
	if got := at[string](t, linear, "model"); got != "b_0 + b_1*(`odd name`^2)" {
		t.Errorf("the model is %q", got)
	}
	b.run("fit.plot", object{"data": data, "fit": linear})
	nonlinear := b.run("fit.nonlinear", object{"data": data, "response": "b1", "model": "a + k*`odd name`^2", "start": object{"a": 0, "k": 1}})
	within(t, "the slope", at[float64](t, linear, "parameters", "b_1", "estimate"), at[float64](t, nonlinear, "parameters", "k", "estimate"), 1e-10)
	weighted := b.run("fit.linear", object{"data": data, "response": "b1", "terms": []any{"odd name"}, "weights": "1/b1^2"})
	plain := b.run("fit.linear", object{"data": data, "response": "b1", "terms": []any{"odd name"}})
	compared := b.run("fit.compare", object{"fits": []any{object{"label": "square", "fit": linear}, object{"label": "plain", "fit": plain}, object{"label": "same", "fit": nonlinear}}})
	if at[string](t, compared, "best") == "plain" {
		t.Errorf("compared as %v", compared)
	}
	f := b.fail("fit.compare", object{"fits": []any{object{"label": "plain", "fit": plain}, object{"label": "weighted", "fit": weighted}}})
	if f.Type != "rlam.NotComparable" || !strings.Contains(f.Message, "weights") {
		t.Errorf("fits with other weights: %v", f)
	}
}

func TestLinearFitRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.put("x,y,z,w\n1,2,2,1\n2,3,4,0\n3,5,6,1\n4,4,8,1\n")
	for _, c := range []struct {
		name    string
		changes object
		typ     string
		message string
	}{
		{"collinear terms", object{"terms": []any{"x", "z"}}, "rlam.SingularMatrix", "can't tell `x`, `z` apart"},
		{"a constant twice", object{"terms": []any{"x/x"}}, "rlam.SingularMatrix", "can't tell 1, x/x apart"},
		{"a weight of zero", object{"weights": "w"}, "rlam.BadData", "line 3: the weights w is 0; a weight is positive"},
		{"a term without a value", object{"terms": []any{"log(w)"}}, "rlam.BadData", "line 3: term 1 log(w) is -Inf"},
		{"an unknown column", object{"terms": []any{"x", "xx"}}, "rlam.InvalidParams", `reading term 2: expression "xx", column 1: unknown name "xx" (did you mean "x"?)`},
		{"the response as term", object{"terms": []any{"y^2"}}, "rlam.InvalidParams", `has the response "y" in it`},
		{"too few rows", object{"terms": []any{"x", "x^2", "x^3"}}, "rlam.InvalidParams", "4 observations are too few for 4 parameters"},
		{"nothing", object{"terms": []any{}, "intercept": false}, "rlam.InvalidParams", "explains nothing"},
	} {
		params := object{"data": data, "response": "y", "terms": []any{"x"}}
		for k, v := range c.changes {
			params[k] = v
		}
		f := b.fail("fit.linear", params)
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
}

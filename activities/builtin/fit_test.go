package builtin_test

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"
	"testing"
)

const mgh09 = "b1*(x^2+x*b2)/(x^2+x*b3+b4)"

var (
	start1 = object{"b1": 25, "b2": 39, "b3": 41.5, "b4": 39}
	start2 = object{"b1": 0.25, "b2": 0.39, "b3": 0.415, "b4": 0.39}
)

// mgh09Fit is a call of fit.nonlinear on the example's data, with changes.
func (b *bench) mgh09Fit(changes object) object {
	params := object{"data": b.putFile("../../examples/mgh09/mgh09.csv"), "response": "y", "model": mgh09, "start": start2}
	maps.Copy(params, changes)
	return params
}

func TestFitMeetsTheCertifiedValues(t *testing.T) {
	b := newBench(t)
	out := b.run("fit.nonlinear", b.mgh09Fit(nil))
	for _, c := range []struct {
		got, want float64
		what      string
	}{
		{at[float64](t, out, "parameters", "b1", "estimate"), 1.9280693458e-01, "b1"},
		{at[float64](t, out, "parameters", "b2", "estimate"), 1.9128232873e-01, "b2"},
		{at[float64](t, out, "parameters", "b3", "estimate"), 1.2305650693e-01, "b3"},
		{at[float64](t, out, "parameters", "b4", "estimate"), 1.3606233068e-01, "b4"},
		{at[float64](t, out, "parameters", "b1", "standard_deviation"), 1.1435312227e-02, "sd of b1"},
		{at[float64](t, out, "parameters", "b2", "standard_deviation"), 1.9633220911e-01, "sd of b2"},
		{at[float64](t, out, "parameters", "b3", "standard_deviation"), 8.0842031232e-02, "sd of b3"},
		{at[float64](t, out, "parameters", "b4", "standard_deviation"), 9.0025542308e-02, "sd of b4"},
		{at[float64](t, out, "residual_sum_of_squares"), 3.0750560385e-04, "residual sum of squares"},
		{at[float64](t, out, "residual_standard_deviation"), 6.6279236551e-03, "residual standard deviation"},
	} {
		if math.Abs(c.got/c.want-1) > 2e-10 {
			t.Errorf("%s is %v; certified is %v", c.what, c.got, c.want)
		}
	}
	if at[float64](t, out, "degrees_of_freedom") != 7 || !at[bool](t, out, "converged") || at[string](t, out, "algorithm") != "levenberg-marquardt" {
		t.Errorf("the output is %v", out)
	}

	rows, err := csv.NewReader(strings.NewReader(string(b.get(at[string](t, out, "residuals"))))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "x,y,fitted,residual" || len(rows) != 12 {
		t.Fatalf("residuals: %d rows of %s", len(rows), got)
	}
	rss := 0.0
	for _, row := range rows[1:] {
		r, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		rss += r * r
	}
	if got := at[float64](t, out, "residual_sum_of_squares"); math.Abs(rss/got-1) > 1e-14 {
		t.Errorf("the residuals' squares sum to %v; the output says %v", rss, got)
	}
}

func TestFitFromStart1FailsWithItsState(t *testing.T) {
	b := newBench(t)
	f := b.fail("fit.nonlinear", b.mgh09Fit(object{"start": start1, "algorithm": "gauss-newton"}))
	if f.Type != "rlam.NotConverged" || !strings.Contains(f.Message, "gauss-newton, iteration 4: no part of the Gauss-Newton step") {
		t.Errorf("%v", f)
	}
	var state object
	if err := json.Unmarshal(f.Partial, &state); err != nil {
		t.Fatal(err)
	}
	if at[float64](t, state, "iteration") == 0 || at[float64](t, state, "residual_sum_of_squares") < 1 || len(at[object](t, state, "parameters")) != 4 {
		t.Errorf("partial output %s", f.Partial)
	}
}

func TestFitFailures(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name    string
		changes object
		typ     string
		message string
	}{
		{"few iterations", object{"start": start1, "max_iterations": 5}, "rlam.NotConverged", "within 5 iterations"},
		{"a redundant parameter", object{"model": "b1*b2*x", "start": object{"b1": 1, "b2": 1}}, "rlam.SingularGradient", "can't tell b1, b2 apart"},
		{"no value", object{"model": "b1*log(x-1)", "start": object{"b1": 1}}, "rlam.NumericalError", "at observation 3 (line 4 of the data)"},
		{"a syntax error", object{"model": "b1*(x"}, "rlam.InvalidParams", `column 6: want ")"`},
		{"a misspelt column", object{"model": "b1*xx+b2+b3+b4"}, "rlam.InvalidParams", `unknown name "xx" (did you mean "x"?)`},
		{"a start too many", object{"model": "b1+b2*x+b3*x^2"}, "rlam.InvalidParams", `"b4" has a start but isn't in the model`},
		{"a parameter named as a column", object{"model": "b1*x", "start": object{"b1": 1, "x": 1}}, "rlam.InvalidParams", "give the parameter another name"},
		{"the response as predictor", object{"model": "b1*y", "start": object{"b1": 1}}, "rlam.InvalidParams", `has "y" in it`},
		{"a misspelt response", object{"response": "z"}, "rlam.InvalidParams", `unknown name "z"`},
		{"a response without a column", object{"response": "1"}, "rlam.InvalidParams", "names no column"},
		{"a response without a value", object{"response": "log(-y)"}, "rlam.BadData", "line 2: the response log(-y) is NaN"},
		{"bounds without room", object{"lower": object{"b1": 1}, "upper": object{"b1": 1}}, "rlam.InvalidParams", "leave no room"},
		{"a bound of nothing", object{"lower": object{"b5": 1}}, "rlam.InvalidParams", `no such parameter (did you mean "b1"?)`},
		{"bounds for bfgs", object{"lower": object{"b1": 0}, "algorithm": "bfgs"}, "rlam.InvalidParams", "bounds need levenberg-marquardt"},
		{"text in a column", object{"data": b.put("x,y\n1,2\n2,3\n3,4\n4,n.d.\n5,6\n")}, "rlam.BadData", `line 5, column "y": "n.d." is not a number`},
		{"a missing value", object{"data": b.put("x,y\n1,2\n,3\n")}, "rlam.BadData", `line 3, column "x": the value is missing`},
		{"too few rows", object{"data": b.put("x,y\n1,2\n2,3\n")}, "rlam.InvalidParams", "2 observations are too few for 4 parameters"},
		{"no rows", object{"data": b.put("x,y\n")}, "rlam.BadData", "no row"},
		{"no start", object{"start": object{}}, "rlam.InvalidParams", "names no parameter"},
	} {
		f := b.fail("fit.nonlinear", b.mgh09Fit(c.changes))
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
}

func TestFitOfATransformedResponseAndColumnsThatAreNoIdentifiers(t *testing.T) {
	b := newBench(t)
	var file strings.Builder
	file.WriteString("dose (mg),effect %\n")
	for i := range 6 {
		wobble := []float64{1.01, 0.99, 1, 1.02, 0.98, 1}[i]
		file.WriteString(strconv.Itoa(i) + "," + strconv.FormatFloat(3*math.Exp(-0.5*float64(i))*wobble, 'g', -1, 64) + "\n")
	}
	file.WriteString("9,NA\n")
	out := b.run("fit.nonlinear", object{
		"data": b.put(file.String()), "response": "log(`effect %`)", "model": "a - k*`dose (mg)`",
		"start": object{"a": 0, "k": 0}, "algorithm": "gauss-newton", "missing": "drop",
	})
	if k := at[float64](t, out, "parameters", "k", "estimate"); math.Abs(k-0.5) > 0.01 {
		t.Errorf("k is %v", k)
	}
	if at[float64](t, out, "dropped") != 1 || at[float64](t, out, "observations") != 6 || at[float64](t, out, "iterations") > 3 {
		t.Errorf("the output is %v", out)
	}
	b.run("fit.plot", object{"data": out["data"], "fit": out})
}

func TestFitWithABoundThatHolds(t *testing.T) {
	b := newBench(t)
	out := b.run("fit.nonlinear", b.mgh09Fit(object{"upper": object{"b1": 0.18}, "lower": object{"b2": 0}, "start": object{"b1": 0.1, "b2": 0.39, "b3": 0.415, "b4": 0.39}}))
	held := at[object](t, out, "parameters", "b1")
	if held["estimate"] != 0.18 || held["at_bound"] != true || held["standard_deviation"] != nil {
		t.Errorf("b1 is %v", held)
	}
	if at[float64](t, out, "residual_sum_of_squares") < 3.0750560385e-04 {
		t.Errorf("the bound made the fit better: %v", out)
	}
}

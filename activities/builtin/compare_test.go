package builtin_test

import (
	"maps"
	"math"
	"strings"
	"testing"
)

func TestCompareSaysWhetherFitsAgree(t *testing.T) {
	b := newBench(t)
	fit2 := b.run("fit.nonlinear", b.mgh09Fit(nil))
	check := b.run("fit.nonlinear", b.mgh09Fit(object{"start": start1, "algorithm": "nelder-mead"}))
	line := b.run("fit.nonlinear", b.mgh09Fit(object{"model": "a+b*x", "start": object{"a": 0, "b": 0}}))
	out := b.run("fit.compare", object{"fits": []any{
		object{"label": "fit2", "fit": fit2}, object{"label": "check", "fit": check}, object{"label": "line", "fit": line},
	}})
	if !at[bool](t, out, "agree") || at[float64](t, out, "models", 0, "largest_relative_difference") > 1e-6 || len(at[[]any](t, out, "models")) != 1 {
		t.Errorf("the same minimum: %v", out)
	}
	if best := at[string](t, out, "best"); best != "fit2" {
		t.Errorf("of equal fits the first is the best, not %q", best)
	}
	// n ln(2π RSS/n) + n + 2K with n = 11 and K = 5, as R's AIC(nls) counts.
	if got, want := at[float64](t, out, "fits", 0, "aic"), -74.1174; math.Abs(got-want) > 1e-4 {
		t.Errorf("AIC is %v; want %v", got, want)
	}
	aic, aicc, bic := at[float64](t, out, "fits", 0, "aic"), at[float64](t, out, "fits", 0, "aicc"), at[float64](t, out, "fits", 0, "bic")
	if math.Abs(aicc-aic-12) > 1e-9 || math.Abs(bic-aic-5*(math.Log(11)-2)) > 1e-9 {
		t.Errorf("AICc %v and BIC %v do not belong to the AIC %v", aicc, bic, aic)
	}

	elsewhere := maps.Clone(check)
	elsewhere["parameters"] = object{"b1": object{"estimate": 0.2}, "b2": check["parameters"].(object)["b2"], "b3": check["parameters"].(object)["b3"], "b4": check["parameters"].(object)["b4"]}
	out = b.run("fit.compare", object{"fits": []any{object{"label": "fit2", "fit": fit2}, object{"label": "elsewhere", "fit": elsewhere}}})
	if at[bool](t, out, "agree") || at[string](t, out, "models", 0, "parameter") != "b1" || at[string](t, out, "models", 0, "between", 1) != "elsewhere" {
		t.Errorf("another minimum: %v", out)
	}
	out = b.run("fit.compare", object{"tolerance": 0.1, "fits": []any{object{"label": "fit2", "fit": fit2}, object{"label": "elsewhere", "fit": elsewhere}}})
	if !at[bool](t, out, "agree") {
		t.Errorf("a wide tolerance: %v", out)
	}
	out = b.run("fit.compare", object{"fits": []any{object{"label": "fit2", "fit": fit2}, object{"label": "line", "fit": line}}})
	if _, has := out["agree"]; has {
		t.Errorf("two models neither agree nor disagree: %v", out)
	}
}

func TestCompareRefusesWhatHasNothingInCommon(t *testing.T) {
	b := newBench(t)
	fit := func(changes object) object {
		f := object{"parameters": object{"a": object{"estimate": 1}}, "residual_sum_of_squares": 2, "observations": 9, "model": "a", "response": "y", "data": "sha256:1"}
		maps.Copy(f, changes)
		return f
	}
	for _, c := range []struct {
		name    string
		changes object
		typ     string
		message string
	}{
		{"other data", object{"data": "sha256:2"}, "rlam.NotComparable", `fits "one" and "two" have different data`},
		{"other rows", object{"observations": 8}, "rlam.NotComparable", "9 and 8 observations"},
		{"another response", object{"response": "log(y)"}, "rlam.NotComparable", `"y" and "log(y)"`},
		{"no parameters", object{"parameters": object{}}, "rlam.InvalidParams", `fit "two": no "parameters"`},
		{"a negative sum of squares", object{"residual_sum_of_squares": -1}, "rlam.InvalidParams", "negative"},
		{"too few rows", object{"observations": 1}, "rlam.InvalidParams", "1 observations for 1 parameters"},
	} {
		f := b.fail("fit.compare", object{"fits": []any{object{"label": "one", "fit": fit(nil)}, object{"label": "two", "fit": fit(c.changes)}}})
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
	f := b.fail("fit.compare", object{"fits": []any{object{"label": "one", "fit": fit(nil)}, object{"label": "one", "fit": fit(nil)}}})
	if !strings.Contains(f.Message, `two fits have the label "one"`) {
		t.Errorf("%v", f)
	}
	// An exact fit has no finite likelihood; it still compares.
	out := b.run("fit.compare", object{"fits": []any{object{"label": "one", "fit": fit(nil)}, object{"label": "exact", "fit": fit(object{"residual_sum_of_squares": 0})}}})
	if at[string](t, out, "best") != "exact" || out["fits"].([]any)[1].(object)["aic"] != nil {
		t.Errorf("an exact fit: %v", out)
	}
}

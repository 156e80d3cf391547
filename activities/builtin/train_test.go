package builtin_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"rlam/activities/builtin/learn"
)

// cars are 32 cars of 1973 and 1974 (Motor Trend; mtcars of R).
const cars = "../../examples/numerics/cars.csv"

func TestLinearModelAgreesWithFitLinear(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.putFile(cars)
	fit := b.run("fit.linear", object{"data": data, "response": "mpg", "terms": []any{"wt"}})
	within(t, "R's intercept", at[float64](t, fit, "parameters", "b0", "estimate"), 37.2851, 1e-6)
	within(t, "R's slope", at[float64](t, fit, "parameters", "b1", "estimate"), -5.3445, 1e-5)
	trained := b.run("model.train", object{"data": data, "response": "mpg", "features": []any{"wt"}, "kind": "linear"})
	within(t, "R's R²", at[float64](t, trained, "training", "r_squared"), 0.7528, 1e-4)
	within(t, "R²", at[float64](t, trained, "training", "r_squared"), at[float64](t, fit, "r_squared"), 1e-12)
	predicted := b.run("model.predict", object{"model": trained["model"], "data": b.put("wt,note\n3,new\n")})
	want := at[float64](t, fit, "parameters", "b0", "estimate") + 3*at[float64](t, fit, "parameters", "b1", "estimate")
	lines := strings.Split(string(b.get(at[string](t, predicted, "predictions"))), "\n")
	if lines[0] != "line,predicted" || !strings.HasPrefix(lines[1], "2,") || predicted["metrics"] != nil {
		t.Fatalf("predicted %q", lines)
	}
	var got float64
	if err := json.Unmarshal([]byte(lines[1][2:]), &got); err != nil {
		t.Fatal(err)
	}
	within(t, "the prediction", got, want, 1e-13)
}

func TestLogisticModelAgreesWithR(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.run("model.train", object{"data": b.putFile(cars), "response": "gears", "features": []any{"wt"}, "kind": "logistic", "penalty": 0})
	var m learn.Model
	if err := json.Unmarshal(b.get(at[string](t, out, "model")), &m); err != nil {
		t.Fatal(err)
	}
	// R: glm(am ~ wt, binomial) gives 12.040, −4.024, residual deviance 19.176.
	within(t, "the weight", m.Weights[0][1]/m.Scales[0], -4.024, 1e-4)
	within(t, "the constant", m.Weights[0][0]-m.Weights[0][1]*m.Centres[0]/m.Scales[0], 12.040, 1e-4)
	within(t, "the log-loss", at[float64](t, out, "training", "log_loss"), 19.176/2/32, 1e-4)
}

func TestModelsAreTestedOnOtherRows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parts := b.run("table.split", object{"data": b.putFile(cars), "test_share": 0.25, "stratify": "gears"})
	for _, kind := range []string{"logistic", "neighbours", "tree"} {
		trained := b.run("model.train", object{"data": parts["train"], "response": "gears", "features": []any{"wt", "log(hp)"}, "kind": kind, "task": "classification", "min_leaf": 3})
		out := b.run("model.predict", object{"model": trained["model"], "data": parts["test"]})
		if at[float64](t, out, "metrics", "accuracy") < 0.7 || at[float64](t, out, "observations") != 8 {
			t.Errorf("%s: %v", kind, out["metrics"])
		}
		rows := strings.Split(strings.TrimSpace(string(b.get(at[string](t, out, "predictions")))), "\n")
		if rows[0] != "line,observed,predicted,p(automatic),p(manual)" || len(rows) != 9 {
			t.Errorf("%s: predictions %q", kind, rows)
		}
		counted := 0.0
		for i := range 2 {
			for j := range 2 {
				counted += at[float64](t, out, "metrics", "confusion", i, j)
			}
		}
		if counted != 8 {
			t.Errorf("%s: the confusion matrix counts %v rows", kind, counted)
		}
	}
}

func TestModelRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := b.put("x,z,y,c\n1,2,1,a\n2,4,3,a\n3,6,2,b\n4,8,5,b\n5,10,,\n")
	trained := b.run("model.train", object{"data": data, "response": "c", "features": []any{"x"}, "kind": "logistic", "missing": "drop"})
	if at[float64](t, trained, "dropped") != 1 || at[float64](t, trained, "observations") != 4 {
		t.Errorf("trained %v", trained)
	}
	for _, c := range []struct {
		name    string
		action  string
		changes object
		typ     string
		message string
	}{
		{"collinear features", "model.train", object{"features": []any{"x", "z"}}, "rlam.SingularMatrix", "not independent"},
		{"separated classes", "model.train", object{"response": "c", "kind": "logistic", "penalty": 0}, "rlam.NotConverged", "give a penalty"},
		{"no task", "model.train", object{"kind": "tree"}, "rlam.InvalidParams", `needs a "task"`},
		{"another task", "model.train", object{"task": "classification"}, "rlam.InvalidParams", `of kind "linear" is for regression`},
		{"many neighbours", "model.train", object{"kind": "neighbours", "task": "regression", "k": 9}, "rlam.InvalidParams", "9 neighbours of 4 rows"},
		{"the response as feature", "model.train", object{"features": []any{"x*y"}}, "rlam.InvalidParams", `has the response "y" in it`},
		{"a missing response", "model.train", object{"missing": "fail"}, "rlam.BadData", `line 6, column "y"`},
		{"a missing class", "model.train", object{"response": "c", "kind": "logistic", "missing": "fail"}, "rlam.BadData", `line 6, column "c"`},
		{"one class", "model.train", object{"data": b.put("x,y\n1,1\n2,1\n"), "kind": "tree", "task": "classification"}, "rlam.BadData", "has 1 classes"},
		{"no model", "model.predict", object{"model": data, "data": data}, "rlam.BadData", `want the "model" of model.train`},
		{"another class", "model.predict", object{"model": trained["model"], "data": b.put("x,c\n1,d\n")}, "rlam.BadData", `line 2: the class "d" is none of those`},
		{"no feature", "model.predict", object{"model": trained["model"], "data": b.put("u\n1\n")}, "rlam.InvalidParams", `unknown name "x"`},
	} {
		params := c.changes
		if c.action == "model.train" {
			params = object{"data": data, "response": "y", "features": []any{"x"}, "kind": "linear", "missing": "drop"}
			maps.Copy(params, c.changes)
		}
		f := b.fail(c.action, params)
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
}

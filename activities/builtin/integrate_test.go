package builtin_test

import (
	"bytes"
	"maps"
	"math"
	"strings"
	"testing"
)

func decay(changes object) object {
	params := object{"equations": object{"n": "-k*n"}, "initial": object{"n": 100}, "constants": object{"k": 0.5}, "to": 4}
	maps.Copy(params, changes)
	return params
}

func TestIntegrateDecay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.run("ode.integrate", decay(object{"relative_tolerance": 1e-10, "points": 5}))
	within(t, "the end", at[float64](t, out, "final", "n"), 100*math.Exp(-2), 1e-8)
	table := b.get(at[string](t, out, "trajectory"))
	if lines := strings.Split(string(bytes.TrimSpace(table)), "\n"); len(lines) != 6 || lines[0] != "t,n" || lines[1] != "0,100" || !strings.HasPrefix(lines[3], "2,36.78794") {
		t.Errorf("the trajectory is %q", lines)
	}
	fixed := b.run("ode.integrate", decay(object{"method": "rk4", "step": 0.3, "times": []any{1, 4}}))
	if at[float64](t, fixed, "steps") != 14 || at[float64](t, fixed, "evaluations") != 14*4+1 || at[float64](t, fixed, "points") != 2 {
		t.Errorf("rk4 took %v", fixed)
	}
	if _, has := fixed["relative_tolerance"]; has {
		t.Errorf("rk4 has no tolerance: %v", fixed)
	}
}

func TestAnIntegrationThatCannotGoOnKeepsItsTrajectory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.fail("ode.integrate", object{"equations": object{"y": "y^2"}, "initial": object{"y": 1}, "to": 2, "points": 21})
	if f.Type != "rlam.StepTooSmall" || !strings.Contains(f.Message, "t = 1.000000") {
		t.Errorf("a pole: %v", f)
	}
	if len(f.Artifacts) != 1 || f.Artifacts[0].Name != "trajectory.csv" || !strings.Contains(string(f.Partial), `"points":11`) {
		t.Errorf("kept are %v and %s", f.Artifacts, f.Partial)
	}
}

func TestIntegrationRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		name    string
		changes object
		typ     string
		message string
	}{
		{"an unknown name", object{"constants": object{"kk": 1}}, "rlam.InvalidParams", `reading the equation of "n": expression "-k*n", column 2: unknown name "k" (did you mean "kk"?)`},
		{"no start", object{"initial": object{}}, "rlam.InvalidParams", `"n" has an equation but no value in "initial"`},
		{"a start too many", object{"initial": object{"n": 1, "m": 1}}, "rlam.InvalidParams", `"m" has an initial value but no equation (did you mean "n"?)`},
		{"a constant that moves", object{"constants": object{"k": 1, "n": 2}}, "rlam.InvalidParams", "is a constant as well"},
		{"an independent constant", object{"independent": "k"}, "rlam.InvalidParams", "is the independent variable"},
		{"a time outside", object{"times": []any{1, 5}}, "rlam.InvalidParams", "time 2 is 5, which is not between 0 and 4"},
		{"times backwards", object{"times": []any{2, 1}}, "rlam.InvalidParams", "time 2 is 1, after 2"},
		{"steps without length", object{"method": "rk4"}, "rlam.InvalidParams", "a fixed step must be positive"},
		{"few steps", object{"max_steps": 2}, "rlam.NotConverged", "2 steps were not enough"},
		{"no value", object{"initial": object{"n": 1}, "equations": object{"n": "log(t)"}}, "rlam.NumericalError", "t = 0: the derivative of n is -Inf at the start"},
	} {
		f := b.fail("ode.integrate", decay(c.changes))
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
}

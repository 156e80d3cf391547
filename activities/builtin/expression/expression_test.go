package expression_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
)

// at evaluates source and its derivative by x, with y = 3 and z = 0.
func at(t *testing.T, source string, x float64) dual.Number {
	t.Helper()
	e, err := expression.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	f, err := e.Bind([]string{"x", "y", "z"})
	if err != nil {
		t.Fatal(err)
	}
	return f([]dual.Number{{Real: x, Emag: 1}, {Real: 3}, {Real: 0}})
}

func TestValueAndDerivative(t *testing.T) {
	for _, c := range []struct {
		source        string
		x, value, dvx float64
	}{
		{"1 + 2*x^2", 3, 19, 12},
		{"-x^2", 3, -9, -6},
		{"(-x)^2", 3, 9, 6},
		{"2^3^2", 0, 512, 0},
		{"(2^3)^2", 0, 64, 0},
		{"2^-x", 1, 0.5, -0.5 * math.Ln2},
		{"8/4/2", 0, 1, 0},
		{"10-4-3", 0, 3, 0},
		{"--x", 2, 2, 1},
		{"+x - -y", 2, 5, 1},
		{"x*-y", 2, -6, -3},
		{".5e1*x", 2, 10, 5},
		{"2.e0*x", 2, 4, 2},
		{"`x`*y", 2, 6, 3},
		{"y/x", 2, 1.5, -0.75},
		{"1/x", 1e-200, 1e200, math.Inf(-1)},
		{"exp(2*x)", 0.5, math.E, 2 * math.E},
		{"log(x)", 4, math.Log(4), 0.25},
		{"sqrt(x)", 4, 2, 0.25},
		{"sqrt(z) + x", 4, 4, 1},
		{"sin(pi*x)", 0.5, 1, 0},
		{"cos(x)", 0, 1, 0},
		{"tan(x)", 0, 0, 1},
		{"atan(x)", 1, math.Pi / 4, 0.5},
		{"tanh(x)", 0, 0, 1},
		{"abs(x)", -2, 2, -1},
		{"abs(x)", 0, 0, 0},
		{"pow(x, y)", 2, 8, 12},
		{"x^y", -2, -8, 12},
		{"y^x", 2, 9, 9 * math.Log(3)},
		{"x^x", 2, 4, 4 * (1 + math.Log(2))},
		{"z^x", 2, 0, 0},
		{"x^2", 0, 0, 0},
		{"x^1", 0, 0, 1},
		{"x^0", 0, 1, 0},
		{"z^0.5 * x", 2, 0, 0},
		{"x^2", 1e-17, 1e-34, 2e-17},
		{"log ( x )\n", 1, 0, 1},
	} {
		got := at(t, c.source, c.x)
		if !near(got.Real, c.value) || !near(got.Emag, c.dvx) {
			t.Errorf("%q at x = %v is %v with derivative %v; want %v, %v", c.source, c.x, got.Real, got.Emag, c.value, c.dvx)
		}
	}
}

func near(got, want float64) bool {
	return got == want || math.Abs(got-want) <= 4e-16*math.Max(1, math.Abs(want)) && (want == 0 || math.Abs(got/want-1) < 1e-15)
}

func TestNoValueOutsideOfTheDomain(t *testing.T) {
	for _, source := range []string{"log(-x)", "sqrt(-x)", "(-x)^0.5", "z/z"} {
		if got := at(t, source, 2); !math.IsNaN(got.Real) {
			t.Errorf("%q is %v; want NaN", source, got.Real)
		}
	}
	if got := at(t, "x/z", 2); !math.IsInf(got.Real, 1) {
		t.Errorf("x/0 is %v", got.Real)
	}
}

func TestErrorsNameThePositionAndTheNearestName(t *testing.T) {
	for _, c := range []struct {
		source  string
		column  int
		message string
	}{
		{"", 1, "found the end"},
		{"b1*", 4, "found the end"},
		{"b1*(x + 2", 10, `want ")" for the "(" of column 4`},
		{"b1 b2", 4, "want an operator"},
		{"2x", 2, "want an operator"},
		{"x**2", 2, "written ^"},
		{"1 + exq(x)", 5, `did you mean "exp"`},
		{"1 + wibble(x)", 5, `"atan"`},
		{"pow(x)", 1, "takes 2 argument(s), found 1"},
		{"exp(x, 2)", 1, "takes 1 argument(s), found 2"},
		{"exp()", 5, `found ")"`},
		{"(x))", 4, `found ")"`},
		{"x = 3", 3, "unexpected '='"},
		{"é + x; y", 6, "unexpected ';'"},
		{"1e999", 1, "double holds"},
		{".", 1, "double holds"},
		{"`x", 1, "back quote"},
		{"``", 1, "back quote"},
		{"x, y", 2, "want an operator"},
		{"\xff", 1, "UTF-8"},
		{strings.Repeat("(", 200), 101, "nested deeper than 100"},
		{strings.Repeat("-", 200) + "x", 101, "nested deeper than 100"},
		{strings.Repeat("1+", 3000) + "1", 4097, "too long"},
	} {
		_, err := expression.Parse(c.source)
		var fault *expression.Error
		if !errors.As(err, &fault) {
			t.Errorf("Parse(%.40q): %v; want an *expression.Error", c.source, err)
			continue
		}
		if fault.Column != c.column || !strings.Contains(fault.Message, c.message) {
			t.Errorf("Parse(%.40q): column %d, %q; want column %d and %q", c.source, fault.Column, fault.Message, c.column, c.message)
		}
	}
}

func TestBindRefusesAnUnknownName(t *testing.T) {
	e, err := expression.Parse("b1*x + beta_2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Bind([]string{"b1", "x", "beta_1"})
	const want = `expression "b1*x + beta_2", column 8: unknown name "beta_2" (did you mean "beta_1"?)`
	if err == nil || err.Error() != want {
		t.Errorf("Bind: %v; want %s", err, want)
	}
}

func TestNamesAreSortedAndHaveTheirFirstColumn(t *testing.T) {
	e, err := expression.Parse("z + `dose 2`*a/z + pi")
	if err != nil {
		t.Fatal(err)
	}
	want := []expression.Name{{Text: "a", Column: 14}, {Text: "dose 2", Column: 5}, {Text: "z", Column: 1}}
	got := e.Names()
	if len(got) != len(want) {
		t.Fatalf("names %v; want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("name %d is %v; want %v", i, got[i], want[i])
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"b1*(x^2+x*b2)/(x^2+x*b3+b4)", "pow(x,-2)^-.5e-3", "`a b`", "1e1000001", "((", "-+-x", "é^2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := expression.Parse(source)
		if err != nil {
			return
		}
		var names []string
		var values []dual.Number
		for _, n := range e.Names() {
			names = append(names, n.Text)
			values = append(values, dual.Number{Real: 0.5, Emag: 1})
		}
		bound, err := e.Bind(names)
		if err != nil {
			t.Fatalf("Bind(%q) of its own names: %v", source, err)
		}
		bound(values)
	})
}

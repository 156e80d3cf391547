package expression

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/num/dual"
)

type function struct {
	one func(dual.Number) dual.Number
	two func(x, y dual.Number) dual.Number
}

func (f function) arity() int {
	if f.two != nil {
		return 2
	}
	return 1
}

var functions = map[string]function{
	"exp":  {one: dual.Exp},
	"log":  {one: dual.Log},
	"sqrt": {one: sqrt},
	"sin":  {one: dual.Sin},
	"cos":  {one: dual.Cos},
	"tan":  {one: dual.Tan},
	"atan": {one: dual.Atan},
	"tanh": {one: dual.Tanh},
	"abs":  {one: abs},
	"pow":  {two: power},
}

// Functions lists the functions' names, sorted.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

func negate(x dual.Number) dual.Number { return dual.Number{Real: -x.Real, Emag: -x.Emag} }

// divide is x/y with the quotient rounded once; a product with dual.Inv rounds
// twice, and overflows for a denominator below 1e-154.
func divide(x, y dual.Number) dual.Number {
	q := x.Real / y.Real
	return dual.Number{Real: q, Emag: (x.Emag - q*y.Emag) / y.Real}
}

// sqrt has the derivative 0 where its argument is a constant 0; dual.Sqrt says infinity.
func sqrt(x dual.Number) dual.Number {
	root := math.Sqrt(x.Real)
	return dual.Number{Real: root, Emag: product(x.Emag, 0.5/root)}
}

// abs has the derivative 0 at 0, the middle of its subgradients.
func abs(x dual.Number) dual.Number {
	switch {
	case x.Real < 0:
		return negate(x)
	case x.Real == 0:
		return dual.Number{}
	}
	return x
}

// power is x^y. dual.PowReal is not used: it moves a base within 1e-15 of zero
// to 1e-15, which is wrong for data in small units. dual.Pow goes through the
// logarithm, which has no value for a negative base.
func power(x, y dual.Number) dual.Number {
	value := math.Pow(x.Real, y.Real)
	base, exponent := 0.0, 0.0
	if y.Real != 0 {
		base = product(x.Emag, y.Real*math.Pow(x.Real, y.Real-1))
	}
	if y.Emag != 0 && value != 0 {
		exponent = y.Emag * value * math.Log(x.Real)
	}
	return dual.Number{Real: value, Emag: base + exponent}
}

// product is derivative × slope, and 0 for a constant even where the slope is infinite.
func product(derivative, slope float64) float64 {
	if derivative == 0 {
		return 0
	}
	return derivative * slope
}

// Suggest is " (did you mean …?)" for the name nearest to name, else the list of the known ones.
func Suggest(name string, known []string) string {
	best, distance := "", 1+len(name)/3
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if d := len(candidate) - len(name); max(d, -d) > distance {
			continue
		}
		if d := edits(name, candidate); d <= distance && (best == "" || d < distance) {
			best, distance = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf(" (did you mean %q?)", best)
	case len(known) > 0 && len(known) <= 20:
		return fmt.Sprintf("; known are %q", slices.Sorted(slices.Values(known)))
	}
	return ""
}

// edits is the Levenshtein distance of two names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

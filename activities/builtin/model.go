package builtin

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
	"rlam/activities/builtin/leastsquares"
)

// maxCells bounds observations × parameters: the size of the Jacobian.
const maxCells = 4_000_000

// model is a formula whose names were told apart: parameters have a start,
// every other name is a column of the table.
type model struct {
	parameters []string
	predictors []string // sorted
	label      string   // of the response, as the user wrote it
	response   formula
	formula    expression.Function // of parameters, then predictors
}

// newModel reads formula and response. parameters must be sorted.
func newModel(formula, response string, parameters, columns []string) (*model, error) {
	parsed, err := expression.Parse(formula)
	if err != nil {
		return nil, fmt.Errorf("reading the model: %w", err)
	}
	m := &model{parameters: parameters, predictors: []string{}, label: response}
	if m.response, err = readFormula("the response", response, columns); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, name := range parsed.Names() {
		used[name.Text] = true
		isParameter, isColumn := slices.Contains(parameters, name.Text), slices.Contains(columns, name.Text)
		switch {
		case isParameter && isColumn:
			return nil, fmt.Errorf("%q is a column of the data and has a start as well: give the parameter another name", name.Text)
		case isColumn && name.Text == response:
			return nil, fmt.Errorf("the model of %q has %q in it", response, name.Text)
		case isColumn:
			m.predictors = append(m.predictors, name.Text)
		case !isParameter:
			return nil, fmt.Errorf("reading the model: %w; a parameter needs a start, a predictor a column", parsed.Unknown(name, slices.Concat(parameters, columns)))
		}
	}
	for _, name := range parameters {
		if !used[name] {
			return nil, fmt.Errorf("%q has a start but isn't in the model %q", name, formula)
		}
	}
	m.formula, err = parsed.Bind(slices.Concat(parameters, m.predictors))
	return m, err
}

// observations are the rows of a table that a model uses.
type observations struct {
	response   []float64
	predictors [][]float64 // of each observation, in the model's order
	lines      []int       // in the file
	dropped    int         // rows with a missing value
}

// observations reads the cells that the model needs. A missing value fails,
// unless rows that have one are to be dropped.
func (m *model) observations(t *table, drop bool) (*observations, error) {
	needed := []formula{m.response}
	for _, name := range m.predictors {
		needed = append(needed, columnFormula(name))
	}
	e, err := t.evaluate(drop, needed...)
	if err != nil {
		return nil, err
	}
	if len(e.rows)*len(m.parameters) > maxCells {
		return nil, fmt.Errorf("%d observations with %d parameters are too many: %d is the most for their product", len(e.rows), len(m.parameters), maxCells)
	}
	o := &observations{lines: e.lines, dropped: e.dropped}
	for _, values := range e.rows {
		o.response = append(o.response, values[0])
		o.predictors = append(o.predictors, values[1:])
	}
	return o, nil
}

// numbers are a row's values in the given columns; gap is the first column without one.
func (t *table) numbers(r row, columns []string) (values []float64, gap string, err error) {
	values = make([]float64, len(columns))
	for i, name := range columns {
		c, err := t.column(name)
		if err != nil {
			return nil, "", err
		}
		if missing(r.cells[c]) {
			return nil, name, nil
		}
		v, ok := number(r.cells[c])
		if !ok {
			return nil, "", fmt.Errorf("line %d, column %q: %q is not a number that a double holds", r.line, name, brief(r.cells[c], 80))
		}
		values[i] = v
	}
	return values, "", nil
}

// at is the model as a function of its parameters. It is not for concurrent use.
func (m *model) at(o *observations) leastsquares.Model {
	values := make([]dual.Number, len(m.parameters)+len(m.predictors))
	return func(i int, parameters []dual.Number) dual.Number {
		copy(values, parameters)
		for j, x := range o.predictors[i] {
			values[len(parameters)+j] = dual.Number{Real: x}
		}
		return m.formula(values)
	}
}

// inOrder is the values of the sorted names.
func inOrder(names []string, values map[string]float64) []float64 {
	ordered := make([]float64, len(names))
	for j, name := range names {
		ordered[j] = values[name]
	}
	return ordered
}

// bounds are those of the sorted names, nil if there is none.
func bounds(names []string, lower, upper map[string]float64) (low, high []float64, err error) {
	if low, err = bound("lower", names, lower, math.Inf(-1)); err != nil {
		return nil, nil, err
	}
	if high, err = bound("upper", names, upper, math.Inf(1)); err != nil {
		return nil, nil, err
	}
	for j, name := range names {
		if low != nil && high != nil && low[j] >= high[j] {
			return nil, nil, fmt.Errorf("the bounds of %q leave no room: lower %v, upper %v", name, low[j], high[j])
		}
	}
	return low, high, nil
}

func bound(which string, names []string, given map[string]float64, none float64) ([]float64, error) {
	if len(given) == 0 {
		return nil, nil
	}
	found := 0
	values := make([]float64, len(names))
	for j, name := range names {
		v, ok := given[name]
		if !ok {
			v = none
		} else {
			found++
		}
		values[j] = v
	}
	if found == len(given) {
		return values, nil
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("the %s bound of %q: no such parameter%s", which, name, expression.Suggest(name, names))
		}
	}
	return values, nil
}

package builtin

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
)

// formula is an expression in the columns of a table, or the name of a column.
type formula struct {
	what    string // for messages, such as "the response log(y)"
	columns []string
	value   expression.Function // of the columns
}

// readFormula reads source; role says what it is for, such as "the response".
func readFormula(role, source string, columns []string) (formula, error) {
	parsed, err := readColumns(role, source, columns)
	if err != nil {
		return formula{}, err
	}
	f := formula{what: role + " " + source}
	for _, name := range parsed.Names() {
		f.columns = append(f.columns, name.Text)
	}
	f.value, err = parsed.Bind(f.columns)
	return f, err
}

// readColumns reads the name of a column, or an expression in columns such as log(y).
func readColumns(role, source string, columns []string) (*expression.Expression, error) {
	parsed, err := expression.Parse(quoteColumn(source, columns))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", role, err)
	}
	for _, name := range parsed.Names() {
		if !slices.Contains(columns, name.Text) {
			return nil, fmt.Errorf("reading %s: %w", role, parsed.Unknown(name, columns))
		}
	}
	if len(parsed.Names()) == 0 {
		return nil, fmt.Errorf("%s %q names no column", role, source)
	}
	return parsed, nil
}

// quoteColumn puts source between back quotes if it is the name of a column, which
// need not be an identifier.
func quoteColumn(source string, columns []string) string {
	if slices.Contains(columns, source) && !strings.Contains(source, "`") {
		return "`" + source + "`"
	}
	return source
}

// columnFormula is a column as it is.
func columnFormula(name string) formula {
	return formula{what: fmt.Sprintf("column %q", name), columns: []string{name}, value: func(v []dual.Number) dual.Number { return v[0] }}
}

// evaluated are formulas' values in the rows of a table that have all of them.
type evaluated struct {
	rows    [][]float64 // of each row, a value for each formula
	lines   []int       // in the file
	dropped int         // rows with a missing value
}

// column is one formula's values.
func (e *evaluated) column(j int) []float64 {
	values := make([]float64, len(e.rows))
	for i, row := range e.rows {
		values[i] = row[j]
	}
	return values
}

// evaluate computes the formulas row by row. A missing value fails, unless rows
// that have one are to be dropped. A value that isn't finite fails.
func (t *table) evaluate(drop bool, formulas ...formula) (*evaluated, error) {
	e := &evaluated{}
	for _, r := range t.rows {
		values, gap, err := t.values(r, formulas)
		if err != nil {
			return nil, err
		}
		if gap == "" {
			e.rows, e.lines = append(e.rows, values), append(e.lines, r.line)
			continue
		}
		if !drop {
			return nil, fmt.Errorf("line %d, column %q: the value is missing (\"missing\": \"drop\" leaves such rows out)", r.line, gap)
		}
		e.dropped++
	}
	if len(e.rows) == 0 {
		return nil, errors.New("the table has no row with a value in every column that is needed")
	}
	return e, nil
}

// values are those of the formulas in one row; gap is the first column without one.
func (t *table) values(r row, formulas []formula) (values []float64, gap string, err error) {
	values = make([]float64, len(formulas))
	for j, f := range formulas {
		cells, gap, err := t.numbers(r, f.columns)
		if gap != "" || err != nil {
			return nil, gap, err
		}
		v := f.value(constants(cells)).Real
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, "", fmt.Errorf("line %d: %s is %v", r.line, f.what, v)
		}
		values[j] = v
	}
	return values, "", nil
}

// constants are numbers without a derivative, as expressions take them.
func constants(values []float64) []dual.Number {
	duals := make([]dual.Number, len(values))
	for i, v := range values {
		duals[i].Real = v
	}
	return duals
}

package builtin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"rlam/activities/builtin/ols"
	"rlam/activities/executor"
)

// confidence is that of all intervals unless the caller says another.
const confidence = 0.95

type linearParams struct {
	Data      string   `json:"data"`
	Response  string   `json:"response"`
	Terms     []string `json:"terms"`
	Intercept *bool    `json:"intercept"` // true if absent
	Weights   string   `json:"weights"`
	Missing   string   `json:"missing"` // fail (default) or drop
}

// linearOutput is what fit.linear returns. What fit.compare and fit.plot need of
// it has the names that fit.nonlinear gives.
type linearOutput struct {
	Parameters map[string]linearEstimate `json:"parameters"`
	RSS        float64                   `json:"residual_sum_of_squares"`
	Deviation  float64                   `json:"residual_standard_deviation"`
	Freedom    int                       `json:"degrees_of_freedom"`
	N          int                       `json:"observations"`
	Dropped    int                       `json:"dropped"`
	RSquared   *float64                  `json:"r_squared,omitempty"`
	Adjusted   *float64                  `json:"adjusted_r_squared,omitempty"`
	F          *float64                  `json:"f,omitempty"`
	FP         *float64                  `json:"f_p,omitempty"`
	Condition  float64                   `json:"condition"`
	Model      string                    `json:"model"`
	Response   string                    `json:"response"`
	Predictors []string                  `json:"predictors"`
	Weights    string                    `json:"weights,omitempty"`
	Data       string                    `json:"data"`
	Residuals  string                    `json:"residuals"`
}

// linearEstimate is a parameter with its test against 0 and its 95 % interval,
// both by Student's distribution.
type linearEstimate struct {
	Term      string     `json:"term"`
	Estimate  float64    `json:"estimate"`
	Deviation float64    `json:"standard_deviation"`
	T         *float64   `json:"t,omitempty"`
	P         *float64   `json:"p,omitempty"`
	Interval  [2]float64 `json:"interval"`
}

func fitLinear(ctx context.Context, p linearParams) (linearOutput, error) {
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return linearOutput{}, err
	}
	d, err := newDesign(p, t.names)
	if err != nil {
		return linearOutput{}, invalid(err.Error())
	}
	values, err := t.evaluate(p.Missing == "drop", d.formulas()...)
	if err != nil {
		return linearOutput{}, executor.Fail(BadData, err.Error(), nil)
	}
	problem, err := d.problem(values)
	if err != nil {
		return linearOutput{}, executor.Fail(BadData, err.Error(), nil)
	}
	fit, err := ols.Solve(problem)
	var singular *ols.SingularError
	switch {
	case errors.As(err, &singular):
		return linearOutput{}, executor.Fail(SingularMatrix, err.Error(), nil)
	case err != nil:
		return linearOutput{}, invalid(err.Error())
	}
	residuals, err := executor.Save(ctx, "residuals.csv", "text/csv", d.residuals(values, fit))
	if err != nil {
		return linearOutput{}, err
	}
	out := linearOutput{
		Parameters: d.estimates(fit), RSS: fit.RSS, Deviation: fit.Deviation, Freedom: fit.Freedom,
		N: len(values.rows), Dropped: values.dropped, RSquared: finite(fit.RSquared), Adjusted: finite(fit.Adjusted), F: finite(fit.F),
		Condition: fit.Condition, Model: d.model(), Response: p.Response, Predictors: d.predictors, Weights: p.Weights,
		Data: p.Data, Residuals: residuals,
	}
	if terms := len(p.Terms); out.F != nil && terms > 0 {
		out.FP = finite(distuv.F{D1: float64(terms), D2: float64(fit.Freedom)}.Survival(fit.F))
	}
	return out, nil
}

// design is a linear model: its terms in order, the constant first.
type design struct {
	response   formula
	weights    *formula
	terms      []formula
	names      []string // of the parameters
	sources    []string // of the terms, "1" for the constant
	predictors []string // columns of the terms, sorted
	constant   bool
	label      string // of the response, as the user wrote it
}

func newDesign(p linearParams, columns []string) (*design, error) {
	d := &design{constant: p.Intercept == nil || *p.Intercept, label: p.Response, predictors: []string{}}
	var err error
	if d.response, err = readFormula("the response", p.Response, columns); err != nil {
		return nil, err
	}
	if p.Weights != "" {
		weights, err := readFormula("the weights", p.Weights, columns)
		if err != nil {
			return nil, err
		}
		d.weights = &weights
	}
	prefix := parameterPrefix(columns)
	if d.constant {
		d.names, d.sources = append(d.names, prefix+"0"), append(d.sources, "1")
	}
	for j, source := range p.Terms {
		term, err := readFormula(fmt.Sprintf("term %d", j+1), source, columns)
		if err != nil {
			return nil, err
		}
		if slices.Contains(term.columns, p.Response) {
			return nil, fmt.Errorf("term %d, %q, has the response %q in it", j+1, source, p.Response)
		}
		d.terms = append(d.terms, term)
		d.names, d.sources = append(d.names, fmt.Sprintf("%s%d", prefix, j+1)), append(d.sources, quoteColumn(source, columns))
		d.predictors = append(d.predictors, term.columns...)
	}
	slices.Sort(d.predictors)
	d.predictors = slices.Compact(d.predictors)
	if len(d.names) == 0 {
		return nil, errors.New("a model without terms and without an intercept explains nothing: give \"terms\"")
	}
	return d, nil
}

// parameterPrefix begins the parameters' names, b0, b1 and so on, unless a column has such a name.
func parameterPrefix(columns []string) string {
	prefix := "b"
	for slices.ContainsFunc(columns, func(c string) bool {
		return strings.HasPrefix(c, prefix) && strings.Trim(c[len(prefix):], "0123456789") == ""
	}) {
		prefix += "_"
	}
	return prefix
}

func (d *design) formulas() []formula {
	all := append([]formula{d.response}, d.terms...)
	if d.weights != nil {
		all = append(all, *d.weights)
	}
	for _, name := range d.predictors {
		all = append(all, columnFormula(name))
	}
	return all
}

func (d *design) problem(e *evaluated) (ols.Problem, error) {
	p := ols.Problem{Names: d.sources, Observed: e.column(0), Constant: d.constant}
	if len(e.rows)*len(d.names) > maxCells {
		return p, fmt.Errorf("%d observations with %d terms are too many: %d is the most for their product", len(e.rows), len(d.names), maxCells)
	}
	for i, row := range e.rows {
		terms := row[1 : 1+len(d.terms)]
		if d.constant {
			terms = append([]float64{1}, terms...)
		}
		p.Terms = append(p.Terms, terms)
		if d.weights == nil {
			continue
		}
		w := row[1+len(d.terms)]
		if w <= 0 {
			return p, fmt.Errorf("line %d: %s is %s; a weight is positive", e.lines[i], d.weights.what, format(w))
		}
		p.Weights = append(p.Weights, w)
	}
	return p, nil
}

func (d *design) estimates(fit *ols.Fit) map[string]linearEstimate {
	student := distuv.StudentsT{Sigma: 1, Nu: float64(fit.Freedom)}
	reach := student.Quantile((1 + confidence) / 2)
	all := make(map[string]linearEstimate, len(d.names))
	for j, name := range d.names {
		value, deviation := fit.Estimates[j], fit.Deviations[j]
		e := linearEstimate{
			Term: d.sources[j], Estimate: value, Deviation: deviation,
			Interval: [2]float64{value - reach*deviation, value + reach*deviation},
		}
		if e.T = finite(value / deviation); e.T != nil {
			e.P = finite(2 * student.Survival(max(*e.T, -*e.T)))
		}
		all[name] = e
	}
	return all
}

// model is the formula as fit.plot and fit.compare read it.
func (d *design) model() string {
	parts := make([]string, len(d.names))
	for j, name := range d.names {
		parts[j] = name
		if !d.constant || j > 0 {
			parts[j] += "*(" + d.sources[j] + ")"
		}
	}
	return strings.Join(parts, " + ")
}

// residuals is a CSV file of the predictors, the response, what the model gives and the difference.
func (d *design) residuals(e *evaluated, fit *ols.Fit) []byte {
	rows := make([][]float64, len(e.rows))
	for i, row := range e.rows {
		predictors := row[len(row)-len(d.predictors):]
		rows[i] = append(slices.Clone(predictors), row[0], fit.Fitted[i], fit.Residuals[i])
	}
	return csvOf(append(slices.Clone(d.predictors), d.label, "fitted", "residual"), rows)
}

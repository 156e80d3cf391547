package builtin

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"rlam/activities/executor"
	"rlam/internal/draw"
	"rlam/internal/resample"
)

const (
	defaultResamples = 2000
	maxBootstrapRows = 20_000        // each is left out once
	maxResampled     = 2_000_000_000 // rows × resamples
)

type bootstrapParams struct {
	Data       string   `json:"data"`
	Statistic  string   `json:"statistic"`
	Of         []string `json:"of"`
	Resamples  int      `json:"resamples"`
	Confidence float64  `json:"confidence"`
	Missing    string   `json:"missing"` // fail (default) or drop
	Seed       *uint64  `json:"seed"`    // the call's own if absent
}

type bootstrapOutput struct {
	Estimate   float64    `json:"estimate"`
	Error      float64    `json:"standard_error"`
	Bias       float64    `json:"bias"`
	Percentile [2]float64 `json:"percentile"`
	BCa        *bca       `json:"bca,omitzero"` // absent where it has no value
	Confidence float64    `json:"confidence"`
	N          int        `json:"observations"`
	Dropped    int        `json:"dropped"`
	Resamples  int        `json:"resamples"`
	Undefined  int        `json:"undefined"`
	Seed       string     `json:"seed"`
	Values     string     `json:"values"`
}

type bca struct {
	Interval     [2]float64 `json:"interval"`
	Bias         float64    `json:"bias_correction"`
	Acceleration float64    `json:"acceleration"`
}

// statistics are those of one column and those of two.
var (
	statisticsOfOne = map[string]func(values []float64) resample.Statistic{
		"mean": resample.Mean, "median": resample.Median, "sd": resample.SD,
	}
	statisticsOfTwo = map[string]func(x, y []float64) resample.Statistic{
		"correlation": resample.Correlation, "slope": resample.Slope,
	}
)

func bootstrapTable(ctx context.Context, p bootstrapParams) (bootstrapOutput, error) {
	if p.Resamples == 0 {
		p.Resamples = defaultResamples
	}
	if p.Confidence == 0 {
		p.Confidence = confidence
	}
	seed, err := seedOf(ctx, p.Seed)
	if err != nil {
		return bootstrapOutput{}, err
	}
	values, statistic, err := p.read(ctx)
	if err != nil {
		return bootstrapOutput{}, err
	}
	d, err := resample.Bootstrap(ctx, len(values.rows), p.Resamples, draw.New(seed, "table.bootstrap"), statistic)
	if err != nil {
		return bootstrapOutput{}, err
	}
	if math.IsNaN(d.Estimate) || math.IsInf(d.Estimate, 0) || len(d.Resamples) < 2 {
		return bootstrapOutput{}, executor.Fail(NumericalError, fmt.Sprintf("the %s of these data is %v, and %d of %d resamples have one: the values may all be equal", p.Statistic, d.Estimate, len(d.Resamples), p.Resamples), nil)
	}
	rows := make([][]float64, len(d.Resamples))
	for i, v := range d.Resamples {
		rows[i] = []float64{v}
	}
	handle, err := executor.Save(ctx, "resamples.csv", "text/csv", csvOf([]string{p.Statistic}, rows))
	if err != nil {
		return bootstrapOutput{}, err
	}
	out := bootstrapOutput{
		Estimate: d.Estimate, Error: d.Error(), Bias: d.Bias(), Confidence: p.Confidence, N: len(values.rows), Dropped: values.dropped,
		Resamples: p.Resamples, Undefined: d.Undefined, Seed: strconv.FormatUint(seed, 10), Values: handle,
	}
	out.Percentile[0], out.Percentile[1] = d.Percentile(p.Confidence)
	if c, ok := d.Corrected(p.Confidence); ok {
		out.BCa = &bca{[2]float64{c.Low, c.High}, c.Bias, c.Acceleration}
	}
	return out, nil
}

// read gives the statistic over the table's values.
func (p bootstrapParams) read(ctx context.Context) (*evaluated, resample.Statistic, error) {
	ofOne, ofTwo := statisticsOfOne[p.Statistic], statisticsOfTwo[p.Statistic]
	switch {
	case ofOne == nil && ofTwo == nil:
		return nil, nil, invalid(fmt.Sprintf("unknown statistic %q: want mean, median, sd, correlation or slope", p.Statistic))
	case ofOne != nil && len(p.Of) != 1:
		return nil, nil, invalid(fmt.Sprintf("the %s is of one column, and \"of\" has %d", p.Statistic, len(p.Of)))
	case ofTwo != nil && len(p.Of) != 2:
		return nil, nil, invalid(fmt.Sprintf("the %s is of two columns, x and y, and \"of\" has %d", p.Statistic, len(p.Of)))
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return nil, nil, err
	}
	var formulas []formula
	for _, source := range p.Of {
		f, err := readFormula("the variable", source, t.names)
		if err != nil {
			return nil, nil, invalid(err.Error())
		}
		formulas = append(formulas, f)
	}
	values, err := t.evaluate(p.Missing == "drop", formulas...)
	if err != nil {
		return nil, nil, executor.Fail(BadData, err.Error(), nil)
	}
	if n := len(values.rows); n < 3 || n > maxBootstrapRows || n*p.Resamples > maxResampled {
		return nil, nil, executor.Fail(BadData, fmt.Sprintf("%d rows with %d resamples: want 3 to %d rows, and at most %d for the product", n, p.Resamples, maxBootstrapRows, maxResampled), nil)
	}
	if ofOne != nil {
		return values, ofOne(values.column(0)), nil
	}
	return values, ofTwo(values.column(0), values.column(1)), nil
}

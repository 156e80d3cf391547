package builtin

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"rlam/internal/resample"
)

const (
	firstRows = 5
	maxCell   = 100 // characters of a cell in first
)

type describeParams struct {
	Data string `json:"data"`
}

type description struct {
	Rows    int                 `json:"rows"`
	Columns []columnDescription `json:"columns"`
	First   [][]string          `json:"first"`
}

type columnDescription struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"` // number, text or empty
	N        int        `json:"n"`
	Missing  int        `json:"missing"`
	Min      *float64   `json:"min,omitempty"`
	Max      *float64   `json:"max,omitempty"`
	Mean     *float64   `json:"mean,omitempty"`
	SD       *float64   `json:"sd,omitempty"`
	Median   *float64   `json:"median,omitempty"`
	Distinct *int       `json:"distinct,omitempty"`
	Text     *textPlace `json:"text,omitempty"`
}

// textPlace is the first cell that makes a column one of text: often the one wrong cell of a column of numbers.
type textPlace struct {
	Line  int    `json:"line"`
	Value string `json:"value"`
}

func describeTable(ctx context.Context, p describeParams) (description, error) {
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return description{}, err
	}
	d := description{Rows: len(t.rows), Columns: []columnDescription{}, First: [][]string{}}
	for i, name := range t.names {
		d.Columns = append(d.Columns, t.describe(i, name))
	}
	for _, r := range t.rows[:min(firstRows, len(t.rows))] {
		cells := make([]string, len(r.cells))
		for i, cell := range r.cells {
			cells[i] = brief(cell, maxCell)
		}
		d.First = append(d.First, cells)
	}
	return d, nil
}

func (t *table) describe(column int, name string) columnDescription {
	d := columnDescription{Name: name, Kind: "empty"}
	var values []float64
	distinct := map[string]bool{}
	for _, r := range t.rows {
		cell := r.cells[column]
		if missing(cell) {
			d.Missing++
			continue
		}
		d.N++
		distinct[cell] = true
		v, ok := number(cell)
		if !ok && d.Text == nil {
			d.Text = &textPlace{r.line, brief(cell, maxCell)}
		}
		values = append(values, v)
	}
	switch {
	case d.Text != nil:
		d.Kind = "text"
		count := len(distinct)
		d.Distinct = &count
	case d.N > 0:
		d.Kind = "number"
		slices.Sort(values)
		mean, sd := stat.MeanStdDev(values, nil) // sd of one value is NaN, and left out
		d.Min, d.Max, d.Mean, d.SD = finite(floats.Min(values)), finite(floats.Max(values)), finite(mean), finite(sd)
		d.Median = finite(resample.MedianSorted(values))
	}
	return d
}

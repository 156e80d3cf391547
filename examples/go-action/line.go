package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"rlam/activities/executor"
)

// lineFit is the action line.fit of line.fit.yaml.
var lineFit = executor.Typed("line.fit", fitTable)

// fitParams are the action's parameters. The gate has held them against the schema in
// line.fit.yaml before the handler sees them.
type fitParams struct {
	Data string `json:"data"` // an artifact's handle
	X    string `json:"x"`
	Y    string `json:"y"`
}

// line is the action's output. It is held against the schema too.
type line struct {
	Slope     float64 `json:"slope"`
	SlopeSD   float64 `json:"slope_sd"`
	Intercept float64 `json:"intercept"`
	Points    int     `json:"points"`
}

// fitTable reads two columns of a table and fits a line to them.
func fitTable(ctx context.Context, p fitParams) (line, error) {
	f, err := executor.Open(ctx, p.Data)
	if err != nil {
		return line{}, err
	}
	defer f.Close()
	x, y, err := columns(f, p.X, p.Y)
	if err != nil {
		return line{}, executor.Fail("lab.BadTable", err.Error(), nil)
	}
	executor.Progress(ctx, fmt.Sprintf("%d rows", len(x)))
	return fitLine(x, y)
}

// fitLine is the least-squares line through the points. It knows nothing of R-LAM.
func fitLine(x, y []float64) (line, error) {
	n := float64(len(x))
	if len(x) < 3 {
		return line{}, executor.Fail("lab.TooFewPoints", fmt.Sprintf("%d points leave no degree of freedom; want 3 or more", len(x)), nil)
	}
	var meanX, meanY, sxx, sxy, rss float64
	for i := range x {
		meanX += x[i] / n
		meanY += y[i] / n
	}
	for i := range x {
		sxx += (x[i] - meanX) * (x[i] - meanX)
		sxy += (x[i] - meanX) * (y[i] - meanY)
	}
	if sxx == 0 {
		return line{}, executor.Fail("lab.NoSpread", fmt.Sprintf("all %d values of x are %g", len(x), x[0]), nil)
	}
	l := line{Slope: sxy / sxx, Points: len(x)}
	l.Intercept = meanY - l.Slope*meanX
	for i := range x {
		residual := y[i] - l.Intercept - l.Slope*x[i]
		rss += residual * residual
	}
	l.SlopeSD = math.Sqrt(rss / (n - 2) / sxx)
	return l, nil
}

// columns reads two columns of numbers out of a CSV table.
func columns(r io.Reader, nameX, nameY string) (x, y []float64, err error) {
	table := csv.NewReader(r)
	names, err := table.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the names of the columns: %w", err)
	}
	atX, atY := slices.Index(names, nameX), slices.Index(names, nameY)
	if atX < 0 || atY < 0 {
		return nil, nil, fmt.Errorf("the table has the columns %q, and not both %q and %q", names, nameX, nameY)
	}
	for {
		row, err := table.Read()
		if err == io.EOF {
			return x, y, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for _, column := range []struct {
			at int
			to *[]float64
		}{{atX, &x}, {atY, &y}} {
			v, err := strconv.ParseFloat(row[column.at], 64)
			if err != nil {
				at, _ := table.FieldPos(column.at)
				return nil, nil, fmt.Errorf("line %d, column %q: %q is no number", at, names[column.at], row[column.at])
			}
			*column.to = append(*column.to, v)
		}
	}
}

package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"gonum.org/v1/gonum/num/dual"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rlam/activities/executor"
	"rlam/internal/figure"
)

type plotParams struct {
	Data      string          `json:"data"`
	Response  string          `json:"response"`
	Predictor string          `json:"predictor"`
	Fit       json.RawMessage `json:"fit"`
	Format    string          `json:"format"` // png (default) or svg
	Title     string          `json:"title"`
	XLabel    string          `json:"x_label"`
	YLabel    string          `json:"y_label"`
	LogX      bool            `json:"log_x"`
	LogY      bool            `json:"log_y"`
}

type plotOutput struct {
	Plot string `json:"plot"`
}

const (
	plotWidth  = 6.4 * vg.Inch
	plotHeight = 4.4 * vg.Inch
	curveParts = 600
)

func plotFit(ctx context.Context, p plotParams) (plotOutput, error) {
	f, err := readFit(p.Fit)
	if err != nil {
		return plotOutput{}, invalid(fmt.Sprintf("reading the fit: %v", err))
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return plotOutput{}, err
	}
	if p.Response == "" {
		p.Response = f.Response
	}
	m, err := newModel(f.Model, p.Response, f.names(), t.names)
	if err != nil {
		return plotOutput{}, invalid(err.Error())
	}
	if len(m.predictors) != 1 || p.Predictor != "" && p.Predictor != m.predictors[0] {
		return plotOutput{}, invalid(fmt.Sprintf("the model's predictors are %q: a curve needs exactly one, and \"predictor\" must name it", m.predictors))
	}
	obs, err := m.observations(t, true)
	if err != nil {
		return plotOutput{}, executor.Fail(BadData, err.Error(), nil)
	}
	drawn, err := p.draw(m, f, obs)
	if err != nil {
		return plotOutput{}, err
	}
	data, mediaType, err := figure.Render(drawn, p.Format, plotWidth, plotHeight)
	if err != nil {
		return plotOutput{}, fmt.Errorf("drawing the plot: %w", err)
	}
	name := "plot.png"
	if p.Format == "svg" {
		name = "plot.svg"
	}
	handle, err := executor.Save(ctx, name, mediaType, data)
	return plotOutput{Plot: handle}, err
}

// draw puts the data and the model's curve on one pair of axes.
func (p plotParams) draw(m *model, f fitted, o *observations) (*plot.Plot, error) {
	points := make(plotter.XYs, len(o.response))
	for i, y := range o.response {
		points[i] = plotter.XY{X: o.predictors[i][0], Y: y}
		if p.LogX && points[i].X <= 0 || p.LogY && y <= 0 {
			return nil, executor.Fail(BadData, fmt.Sprintf("line %d: (%s, %s) has no place on a logarithmic axis", o.lines[i], format(points[i].X), format(y)), nil)
		}
	}
	if xmin, xmax, ymin, ymax := plotter.XYRange(points); math.IsInf(2*(xmax-xmin), 0) || math.IsInf(2*(ymax-ymin), 0) {
		return nil, executor.Fail(BadData, "the range of the values overflows", nil)
	}
	out := plot.New()
	p.axes(out, m)
	scatter, err := plotter.NewScatter(points)
	if err != nil {
		return nil, fmt.Errorf("plotting the data: %w", err)
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: figure.Orange, Radius: vg.Points(3.2), Shape: draw.CircleGlyph{}}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = figure.Grid, figure.Grid
	out.Add(grid)
	var curve *plotter.Line
	for _, part := range p.curve(m, f, points) {
		line, err := plotter.NewLine(part)
		if err != nil {
			return nil, fmt.Errorf("plotting the curve: %w", err)
		}
		line.LineStyle = draw.LineStyle{Color: figure.Blue, Width: vg.Points(1.8)}
		out.Add(line)
		curve = line
	}
	out.Add(scatter)
	out.Legend.Add("data", scatter)
	if curve != nil {
		out.Legend.Add("fit", curve)
	}
	figure.Margin(&out.X, p.LogX)
	figure.Margin(&out.Y, p.LogY)
	place(out, points)
	return out, nil
}

// curve is the model over the range of the data, in pieces between which it has
// no value, or one far outside of the data's range.
func (p plotParams) curve(m *model, f fitted, points plotter.XYs) []plotter.XYs {
	xmin, xmax, ymin, ymax := plotter.XYRange(points)
	reach := (ymax - ymin) / 2
	values := make([]dual.Number, 0, len(f.Parameters)+1)
	for _, name := range f.names() {
		values = append(values, dual.Number{Real: f.Parameters[name].Estimate})
	}
	values = append(values, dual.Number{})
	var parts []plotter.XYs
	whole := false
	for i := range curveParts + 1 {
		share := float64(i) / curveParts
		x := xmin + (xmax-xmin)*share
		if p.LogX {
			x = xmin * math.Pow(xmax/xmin, share)
		}
		values[len(values)-1].Real = x
		y := m.formula(values).Real
		if !(y >= ymin-reach && y <= ymax+reach) || p.LogY && y <= 0 {
			whole = false
			continue
		}
		if !whole {
			parts = append(parts, nil)
		}
		whole = true
		parts[len(parts)-1] = append(parts[len(parts)-1], plotter.XY{X: x, Y: y})
	}
	return parts
}

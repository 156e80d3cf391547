package ensemble

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"rlam/internal/figure"
)

// mostBars is how many values have a bar of their own.
const mostBars = 12

// bars are how many members have each value, the most common at the top.
func (r *Report) bars(f Field) (*plot.Plot, error) {
	a := f.Values
	p := r.titled(a.N, clipped(a.Words(), 80))
	p.X.Label.Text, p.Y.Label.Text = "members", ""
	shown := a.Values[:min(len(a.Values), mostBars)]
	var names []string
	var counts plotter.Values
	rest := a.N
	for _, v := range shown {
		rest -= v.N
		names, counts = append(names, clipped(Plain(v.Value), 28)), append(counts, float64(v.N))
	}
	if rest > 0 {
		names, counts = append(names, fmt.Sprintf("%d other values", a.Distinct-len(shown))), append(counts, float64(rest))
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j], counts[i], counts[j] = names[j], names[i], counts[j], counts[i]
	}
	bars, err := plotter.NewBarChart(counts, vg.Points(15))
	if err != nil {
		return nil, err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, figure.Blue, 0
	labels := plotter.XYLabels{}
	for i, n := range counts {
		labels.XYs = append(labels.XYs, plotter.XY{X: n, Y: float64(i)})
		labels.Labels = append(labels.Labels, fmt.Sprintf("%.0f", n))
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range numbers.TextStyle {
		figure.Sans(&numbers.TextStyle[i].Font, 10)
		numbers.TextStyle[i].YAlign = -0.5
		numbers.TextStyle[i].Color = figure.Ink
	}
	numbers.Offset.X = vg.Points(4)
	p.Add(bars, numbers)
	p.NominalY(names...)
	p.Y.Tick.Length = 0
	p.Y.Label.Text = clipped(axisLabel(f), 40)
	p.X.Tick.Marker = plot.TickerFunc(whole)
	p.X.Min = 0
	p.X.Max *= 1.08
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	return p, nil
}

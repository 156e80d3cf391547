package builtin

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"rlam/internal/figure"
)

// axes styles out as for a paper.
func (p plotParams) axes(out *plot.Plot, m *model) {
	out.Title.Text = p.Title
	out.Title.Padding = vg.Points(8)
	out.X.Label.Text, out.Y.Label.Text = m.predictors[0], m.label
	if p.XLabel != "" {
		out.X.Label.Text = p.XLabel
	}
	if p.YLabel != "" {
		out.Y.Label.Text = p.YLabel
	}
	figure.Sans(&out.Title.TextStyle.Font, 13)
	figure.Sans(&out.Legend.TextStyle.Font, 11)
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		figure.Axis(axis)
	}
	if p.LogX {
		out.X.Scale, out.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(figure.LogTicks)
	}
	if p.LogY {
		out.Y.Scale, out.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(figure.LogTicks)
	}
	out.Legend.Padding = vg.Points(3)
	out.Legend.ThumbnailWidth = vg.Points(20)
	out.Legend.XOffs, out.Legend.YOffs = vg.Points(-12), vg.Points(12)
}

// place puts the legend into the corner with the fewest points.
func place(out *plot.Plot, points plotter.XYs) {
	crowd := func(right, top bool) int {
		n := 0
		for _, p := range points {
			if out.X.Norm(p.X) > 0.5 == right && out.Y.Norm(p.Y) > 0.5 == top {
				n++
			}
		}
		return n
	}
	corners := [][2]bool{{true, true}, {false, true}, {true, false}, {false, false}} // right, top
	best := slices.MinFunc(corners, func(a, b [2]bool) int { return crowd(a[0], a[1]) - crowd(b[0], b[1]) })
	out.Legend.Left, out.Legend.Top = !best[0], best[1]
	if out.Legend.Left {
		out.Legend.XOffs = -out.Legend.XOffs
	}
	if out.Legend.Top {
		out.Legend.YOffs = -out.Legend.YOffs
	}
}

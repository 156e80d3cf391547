package builtin

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
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
	sans(&out.Title.TextStyle.Font, 13)
	sans(&out.Legend.TextStyle.Font, 11)
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		sans(&axis.Label.TextStyle.Font, 12)
		sans(&axis.Tick.Label.Font, 10)
		axis.Label.Padding = vg.Points(5)
		axis.Tick.Length = vg.Points(4)
		axis.Tick.Label.Color, axis.Color, axis.Tick.Color = inkColour, inkColour, inkColour
		axis.Padding = 0
		axis.Tick.Marker = plot.TickerFunc(roundTicks)
	}
	if p.LogX {
		out.X.Scale, out.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	if p.LogY {
		out.Y.Scale, out.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	out.Legend.Padding = vg.Points(3)
	out.Legend.ThumbnailWidth = vg.Points(20)
	out.Legend.XOffs, out.Legend.YOffs = vg.Points(-12), vg.Points(12)
}

func sans(f *font.Font, points float64) {
	f.Variant = "Sans"
	f.Size = vg.Points(points)
}

// margin gives the points air on an axis. Where all values are equal it gives
// the axis some width: gonum would add and subtract one, which on a logarithmic
// axis may reach zero.
func margin(axis *plot.Axis, logarithmic bool) {
	const share = 0.04
	switch {
	case logarithmic && axis.Min == axis.Max:
		axis.Min, axis.Max = axis.Min/2, axis.Max*2
	case logarithmic:
		factor := math.Pow(axis.Max/axis.Min, share)
		axis.Min, axis.Max = axis.Min/factor, axis.Max*factor
	case axis.Min == axis.Max:
		room := max(math.Abs(axis.Min)/2, 1e-300)
		axis.Min, axis.Max = axis.Min-room, axis.Max+room
	default:
		room := (axis.Max - axis.Min) * share
		axis.Min, axis.Max = axis.Min-room, axis.Max+room
	}
}

// roundTicks marks five to ten multiples of 1, 2 or 5 times a power of ten.
func roundTicks(low, high float64) []plot.Tick {
	unit := math.Pow(10, math.Floor(math.Log10((high-low)/5)))
	step := unit
	for _, factor := range []float64{2, 5} {
		if (high-low)/(factor*unit) >= 5 {
			step = factor * unit
		}
	}
	decimals := max(0, int(-math.Floor(math.Log10(step*(1+1e-9)))))
	verb := byte('f')
	if largest := max(math.Abs(low), math.Abs(high)); largest >= 1e6 || largest < 1e-3 {
		verb, decimals = 'g', -1
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high && len(ticks) < 20; i++ {
		value := i*step + 0 // no negative zero
		label := strconv.FormatFloat(value, verb, decimals, 64)
		if verb == 'g' { // 3e-4, not 3.0000000000000003e-4
			label = strconv.FormatFloat(round(value, 6), verb, -1, 64)
		}
		ticks = append(ticks, plot.Tick{Value: value, Label: label})
	}
	return ticks
}

// logTicks marks powers of ten, and on a short axis names 2 and 5 times these as well.
func logTicks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(low, high)
	if high/low >= 1000 {
		return ticks
	}
	for i, t := range ticks {
		if t.Label != "" {
			continue
		}
		lead := round(t.Value/math.Pow(10, math.Floor(math.Log10(t.Value*(1+1e-9)))), 6)
		if lead == 2 || lead == 5 {
			ticks[i].Label = strconv.FormatFloat(round(t.Value, 6), 'g', -1, 64)
		}
	}
	return ticks
}

// round keeps so many significant digits.
func round(v float64, digits int) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
	if err != nil {
		return v
	}
	return short
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

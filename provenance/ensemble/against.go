package ensemble

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rlam/internal/figure"
	"rlam/internal/statistics"
)

// mostPlaces is how many values that are no numbers an axis has room for.
const mostPlaces = 24

// against is a numeric field against what was varied: the values of its members at each
// place of the axis, whatever else was varied.
type against struct {
	report *Report
	field  Field
	path   string
	places []place
	names  bool    // the places are names, and have no distance
	from   float64 // what is taken from each value
}

// place is a value that was varied, and the numbers of the members that have it.
type place struct {
	at     float64
	name   string
	values []float64
}

// against is false where there aren't two places, or too many names for an axis.
func (r *Report) against(f Field, v Varied) (*against, bool) {
	a := &against{report: r, field: f, path: v.Path, from: offset(f.Numbers.Quantiles.Min, f.Numbers.Quantiles.Max)}
	index := map[string]int{}
	for i, value := range v.Values {
		p := place{at: float64(i), name: clipped(Plain(string(value)), 16)}
		if json.Unmarshal(value, &p.at) != nil || string(value) == "null" {
			a.names = true
		}
		index[string(value)] = i
		a.places = append(a.places, p)
	}
	for i, m := range r.members {
		l, has := r.columns[f.Pointer][i]
		at := slices.IndexFunc(m.Varied, func(s Setting) bool { return s.Path == v.Path })
		if has && l.is && at >= 0 {
			p := &a.places[index[string(m.Varied[at].Value)]]
			p.values = append(p.values, l.number-a.from)
		}
	}
	if a.names {
		for i := range a.places {
			a.places[i].at = float64(i)
		}
	}
	a.places = slices.DeleteFunc(a.places, func(p place) bool { return len(p.values) == 0 })
	slices.SortStableFunc(a.places, func(p, q place) int { return int(math.Copysign(1, p.at-q.at)) })
	return a, len(a.places) > 1 && (!a.names || len(a.places) <= mostPlaces)
}

// plot has a point for each member, and the mean with its interval at each place.
func (a *against) plot() (*plot.Plot, error) {
	r, f := a.report, a.field
	p := r.titled(f.Numbers.N, a.caption())
	p.X.Label.Text, p.Y.Label.Text = clipped(a.path, 60), less(axisLabel(f), a.from)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, figure.Grid
	p.Add(grid)
	points, means, errors := a.points()
	scatter, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: figure.Light, Radius: vg.Points(2.4), Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	if !a.names {
		line, err := plotter.NewLine(means)
		if err != nil {
			return nil, err
		}
		line.LineStyle = draw.LineStyle{Color: figure.Orange, Width: vg.Points(0.8), Dashes: []vg.Length{vg.Points(3), vg.Points(3)}}
		p.Add(line)
	}
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{means, errors})
	if err != nil {
		return nil, err
	}
	bars.LineStyle = draw.LineStyle{Color: figure.Orange, Width: vg.Points(1.8)}
	bars.CapWidth = vg.Points(8)
	marks, err := plotter.NewScatter(means)
	if err != nil {
		return nil, err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: figure.Orange, Radius: vg.Points(3.6), Shape: draw.BoxGlyph{}}
	p.Add(bars, marks)
	p.Legend.Add("member", scatter)
	p.Legend.Add("mean, 95 % interval", marks)
	a.axes(p)
	return p, nil
}

func (a *against) caption() string {
	few := slices.ContainsFunc(a.places, func(p place) bool { return len(p.values) < LeastStudent })
	words := "mean and 95 % Student interval at each value"
	if few {
		words = fmt.Sprintf("mean at each value, with its 95 %% Student interval where there are %d members or more", LeastStudent)
	}
	if len(a.report.Varied) > 1 {
		words += ",\nover all values of what else was varied"
	}
	return words
}

// points are those of the members, and the means with how far their intervals reach.
func (a *against) points() (points, means plotter.XYs, errors plotter.YErrors) {
	for _, p := range a.places {
		for i, v := range p.values {
			x := p.at
			if a.names { // beside each other: names have room
				x += 0.035 * float64(i%9-4)
			}
			points = append(points, plotter.XY{X: x, Y: v})
		}
		values := slices.Sorted(slices.Values(p.values))
		mean, sd := statistics.Moments(values)
		reach := 0.0
		if len(values) >= LeastStudent {
			reach = statistics.Reach(len(values)) * sd / math.Sqrt(float64(len(values)))
		}
		if math.IsInf(reach, 0) {
			reach = 0
		}
		means = append(means, plotter.XY{X: p.at, Y: mean})
		errors = append(errors, struct{ Low, High float64 }{reach, reach})
	}
	return points, means, errors
}

// axes puts names or numbers on the axis, numbers by their logarithm if they reach over more
// than two powers of ten.
func (a *against) axes(p *plot.Plot) {
	first, last := a.places[0].at, a.places[len(a.places)-1].at
	logarithmic := !a.names && first > 0 && last/first >= 100 && !math.IsInf(last/first, 0)
	switch {
	case a.names:
		p.X.Tick.Marker = a.ticks()
		p.X.Min, p.X.Max = first-0.5, last+0.5
		if len(a.places) > 6 {
			p.X.Tick.Label.Rotation = math.Pi / 5
			p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = -1, -0.5
		}
	case logarithmic:
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(figure.LogTicks)
		figure.Margin(&p.X, true)
	default:
		figure.Margin(&p.X, false)
	}
	if !a.names && a.apart(p) {
		p.X.Tick.Marker = a.ticks()
	}
	figure.Margin(&p.Y, false)
	p.Y.Max += (p.Y.Max - p.Y.Min) * 0.16 // for the legend
	p.Legend.Top = true
	p.Legend.XOffs = vg.Points(-4)
}

// ticks are the places.
func (a *against) ticks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, place := range a.places {
		ticks = append(ticks, plot.Tick{Value: place.at, Label: place.name})
	}
	return ticks
}

// apart says whether there is room on the axis for the name of each place.
func (a *against) apart(p *plot.Plot) bool {
	for i, place := range a.places {
		room := 0.022 * float64(len(place.name)+1)
		if i > 0 && p.X.Norm(place.at)-p.X.Norm(a.places[i-1].at) < room {
			return false
		}
	}
	return true
}

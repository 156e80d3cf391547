package ensemble

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rlam/internal/figure"
)

// mostDots is up to how many numbers each has a dot; more are a histogram.
const mostDots = 60

// distribution is a dot for each number, or a histogram, with the mean above.
func (r *Report) distribution(f Field) (*plot.Plot, error) {
	n := f.Numbers
	from := offset(n.Quantiles.Min, n.Quantiles.Max)
	var values []float64
	for _, l := range r.columns[f.Pointer] {
		if l.is {
			values = append(values, l.number-from)
		}
	}
	slices.Sort(values)
	caption := fmt.Sprintf("mean %s, standard deviation %s", n.Spell(n.Mean), Short(*n.SD))
	if s := n.Student; s != nil {
		caption += fmt.Sprintf("\n95 %% interval %s … %s", n.Spell(s.Low), n.Spell(s.High))
	}
	p := r.titled(n.N, caption)
	p.X.Label.Text, p.Y.Label.Text = less(axisLabel(f), from), "members"
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, figure.Grid
	p.Add(grid)
	b := binned(values)
	top := float64(slices.Max(b.counts))
	var err error
	switch {
	case len(values) <= mostDots:
		err = b.dots(p)
	case n.Distinct <= mostBars:
		top = columns(p, values)
	default:
		b.boxes(p)
	}
	if err == nil {
		err = meanMark(p, n, from, top*1.12+0.35)
	}
	if err != nil {
		return nil, err
	}
	figure.Margin(&p.X, false)
	p.Y.Min, p.Y.Max = 0, top*1.25+0.7
	p.Y.Tick.Marker = plot.TickerFunc(whole)
	p.Legend.Top = true
	p.Legend.YOffs = vg.Points(4)
	return p, nil
}

// bins are how many values lie in each part of their range.
type bins struct {
	low, width float64
	counts     []int
	values     []float64
}

// binned parts the range of sorted values that aren't all equal: a dot plot finely, a
// histogram as Freedman and Diaconis advise, in 5 to 40 parts.
func binned(values []float64) bins {
	n := len(values)
	low, high := values[0], values[n-1]
	parts := 36
	if n > mostDots {
		iqr := values[3*n/4] - values[n/4]
		parts = 40
		if width := 2 * iqr / math.Cbrt(float64(n)); width > 0 {
			parts = int(min(max(math.Ceil((high-low)/width), 5), 40))
		}
	}
	b := bins{low: low, width: high/float64(parts) - low/float64(parts), counts: make([]int, parts), values: values}
	for _, v := range values {
		b.counts[b.of(v)]++
	}
	return b
}

// of is the part that a value lies in.
func (b bins) of(v float64) int {
	return min(max(int(v/b.width-b.low/b.width), 0), len(b.counts)-1)
}

// dots puts the values of each part above each other.
func (b bins) dots(p *plot.Plot) error {
	heights := make([]int, len(b.counts))
	var points plotter.XYs
	for _, v := range b.values {
		i := b.of(v)
		heights[i]++
		points = append(points, plotter.XY{X: v, Y: float64(heights[i])})
	}
	scatter, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: figure.Blue, Radius: vg.Points(3.4), Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	return nil
}

// boxes is the histogram.
func (b bins) boxes(p *plot.Plot) {
	h := histogram()
	for i, n := range b.counts {
		from := b.low + float64(i)*b.width
		h.Bins = append(h.Bins, plotter.HistogramBin{Min: from, Max: from + b.width, Weight: float64(n)})
	}
	p.Add(h)
}

func histogram() *plotter.Histogram {
	return &plotter.Histogram{FillColor: figure.Blue, LineStyle: draw.LineStyle{Color: figure.Paper, Width: vg.Points(0.6)}}
}

// columns is a histogram of few different values, such as counts: each has a column of its
// own. It says how high the highest is.
func columns(p *plot.Plot, sorted []float64) (top float64) {
	gap := math.Inf(1)
	h := histogram()
	for i, v := range sorted {
		if i > 0 && v == sorted[i-1] {
			h.Bins[len(h.Bins)-1].Weight++
		} else {
			if i > 0 {
				gap = min(gap, v-sorted[i-1])
			}
			h.Bins = append(h.Bins, plotter.HistogramBin{Min: v, Max: v, Weight: 1})
		}
		top = max(top, h.Bins[len(h.Bins)-1].Weight)
	}
	half := max(0.2*gap, (sorted[len(sorted)-1]/400 - sorted[0]/400)) // to be seen
	for i := range h.Bins {
		h.Bins[i].Min -= half
		h.Bins[i].Max += half
	}
	var ticks plot.ConstantTicks
	for _, b := range h.Bins {
		ticks = append(ticks, plot.Tick{Value: b.Min/2 + b.Max/2, Label: Short(b.Min/2 + b.Max/2)})
	}
	p.X.Tick.Marker = ticks
	p.Add(h)
	return top
}

// meanMark is the mean with its interval, less an offset, as a line at a height.
func meanMark(p *plot.Plot, n *Numbers, from, height float64) error {
	at := plotter.XYs{{X: n.Mean - from, Y: height}}
	mark, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	mark.GlyphStyle = draw.GlyphStyle{Color: figure.Orange, Radius: vg.Points(4), Shape: draw.BoxGlyph{}}
	name := "mean"
	if s := n.Student; s != nil {
		name = "mean, 95 % interval"
		bars, err := plotter.NewXErrorBars(struct {
			plotter.XYs
			plotter.XErrors
		}{at, plotter.XErrors{{Low: n.Mean - s.Low, High: s.High - n.Mean}}})
		if err != nil {
			return err
		}
		bars.LineStyle = draw.LineStyle{Color: figure.Orange, Width: vg.Points(2)}
		bars.CapWidth = vg.Points(9)
		p.Add(bars)
	}
	p.Add(mark)
	p.Legend.Add(name, mark)
	return nil
}

// whole marks whole numbers.
func whole(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for _, t := range figure.RoundTicks(low, max(high, 5)) {
		if t.Value == math.Trunc(t.Value) && t.Value <= high {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

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
	var values []float64
	for _, l := range r.columns[f.Pointer] {
		if l.is {
			values = append(values, l.number)
		}
	}
	slices.Sort(values)
	n := f.Numbers
	caption := fmt.Sprintf("mean %s, standard deviation %s", n.Spell(n.Mean), Short(*n.SD))
	if s := n.Student; s != nil {
		caption += fmt.Sprintf(", 95 %% interval %s … %s", n.Spell(s.Low), n.Spell(s.High))
	}
	p := r.titled(n.N, caption)
	p.X.Label.Text, p.Y.Label.Text = axisLabel(f), "members"
	b := binned(values)
	top := float64(slices.Max(b.counts))
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, figure.Grid
	p.Add(grid)
	if len(values) <= mostDots {
		if err := b.dots(p); err != nil {
			return nil, err
		}
	} else {
		b.boxes(p)
	}
	if err := meanMark(p, n, top*1.12+0.35); err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max = b.low, b.low+float64(len(b.counts))*b.width
	if n.Student != nil {
		p.X.Min, p.X.Max = min(p.X.Min, n.Student.Low), max(p.X.Max, n.Student.High)
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
	h := &plotter.Histogram{Width: b.width, FillColor: figure.Blue, LineStyle: draw.LineStyle{Color: figure.Paper, Width: vg.Points(0.6)}}
	for i, n := range b.counts {
		from := b.low + float64(i)*b.width
		h.Bins = append(h.Bins, plotter.HistogramBin{Min: from, Max: from + b.width, Weight: float64(n)})
	}
	p.Add(h)
}

// meanMark is the mean with its interval, as a line at a height.
func meanMark(p *plot.Plot, n *Numbers, height float64) error {
	mark, err := plotter.NewScatter(plotter.XYs{{X: n.Mean, Y: height}})
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
		}{plotter.XYs{{X: n.Mean, Y: height}}, plotter.XErrors{{Low: n.Mean - s.Low, High: s.High - n.Mean}}})
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

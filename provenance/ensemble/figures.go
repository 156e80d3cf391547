package ensemble

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"rlam/internal/figure"
	"rlam/internal/quantity"
)

// Figure is a plot of one field.
type Figure struct {
	Name    string // of a file, without its extension: "half_life-by-threshold"
	Pointer string // of the field
	Title   string // what it shows, in a line
	height  vg.Length
	draw    func() (*plot.Plot, error)
}

const figureWidth = 6.4 * vg.Inch

// Render draws the figure as "svg" or "png", the same bytes each time.
func (f Figure) Render(format string) ([]byte, error) {
	p, err := f.draw()
	if err != nil {
		return nil, fmt.Errorf("drawing %q: %w", f.Title, err)
	}
	data, _, err := figure.Render(p, format, figureWidth, f.height)
	if err != nil {
		return nil, fmt.Errorf("drawing %q: %w", f.Title, err)
	}
	return data, nil
}

// Figures are the plots of a report, in the order of its fields: of each number its distribution and how it goes with each path that was varied,
// of each other value how often it was seen. What is the same in all results, and an
// artifact, has none.
func (r *Report) Figures() []Figure {
	var figures []Figure
	taken := map[string]bool{}
	add := func(f Field, suffix, title string, height vg.Length, draw func() (*plot.Plot, error)) {
		figures = append(figures, Figure{fileName(f.Pointer, suffix, taken), f.Pointer, title, height, draw})
	}
	for _, f := range r.Fields {
		if n := f.Numbers; n != nil && n.Distinct > 1 && n.SD != nil {
			add(f, "", f.Name(), 3.4*vg.Inch, func() (*plot.Plot, error) { return r.distribution(f) })
			for _, v := range r.Varied {
				if against, ok := r.against(f, v); ok {
					add(f, "by-"+r.shortPath(v.Path), f.Name()+" by "+v.Path, 3.9*vg.Inch, against.plot)
				}
			}
		}
		if a := f.Values; a != nil && f.Kind == Category && a.Distinct > 1 && a.Values[0].N > 1 {
			bars := min(len(a.Values), mostBars) + 1
			add(f, "", f.Name(), vg.Length(float64(bars)*0.32+1.1)*vg.Inch, func() (*plot.Plot, error) { return r.bars(f) })
		}
	}
	return figures
}

// fileName is a name for a figure that every file system takes, and no other figure has.
func fileName(pointer, suffix string, taken map[string]bool) string {
	letters := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '-'
	}
	name := strings.Trim(strings.Map(letters, pointer), "-")
	if suffix != "" {
		name += "-" + strings.Trim(strings.Map(letters, suffix), "-")
	}
	name = strings.Trim(name[:min(len(name), 80)], "-")
	if name == "" {
		name = "result"
	}
	unique := name
	for i := 2; taken[strings.ToLower(unique)]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	taken[strings.ToLower(unique)] = true
	return unique
}

// titled is an empty plot of a field, with a caption that says of how many members it is.
func (r *Report) titled(in int, caption string) *plot.Plot {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("n = %d of %s", in, quantity.Of(r.Members, "member"))
	if in < r.Members {
		p.Title.Text += fmt.Sprintf("; %d without this result", r.Members-in)
	}
	if caption != "" {
		p.Title.Text += "\n" + caption
	}
	p.Title.Padding = vg.Points(7)
	p.Title.TextStyle.Color = figure.Ink
	figure.Sans(&p.Title.TextStyle.Font, 10)
	figure.Sans(&p.Legend.TextStyle.Font, 10)
	figure.Axis(&p.X)
	figure.Axis(&p.Y)
	p.Legend.Padding = vg.Points(2)
	p.Legend.ThumbnailWidth = vg.Points(18)
	return p
}

// axisLabel names a field and its unit; a long name has its end.
func axisLabel(f Field) string {
	name := strings.TrimPrefix(f.Name(), "/")
	if runes := []rune(name); len(runes) > 60 {
		name = "…" + string(runes[len(runes)-60:])
	}
	if f.Unit != "" {
		name += " (" + clipped(f.Unit, 20) + ")"
	}
	return visible(name)
}

// clipped is a text of at most so many signs: its beginning and its end, since names often
// differ there.
func clipped(text string, most int) string {
	runes := []rune(visible(text))
	if len(runes) <= most {
		return string(runes)
	}
	head := (most - 1) * 2 / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

// offset is what to take from values so that an axis can tell them apart: 0, unless they lie
// close to each other and far from 0. low and high bound them.
func offset(low, high float64) float64 {
	span := high - low
	if largest := max(math.Abs(low), math.Abs(high)); math.IsInf(span, 0) || span <= 0 || largest/span < 1e4 {
		return 0
	}
	unit := math.Pow(10, math.Ceil(math.Log10(span)))
	round := math.Round((low/2+high/2)/unit) * unit
	if digits, err := strconv.ParseFloat(strconv.FormatFloat(round, 'g', 15, 64), 64); err == nil {
		round = digits // 15.8445, and not 15.844500000000002
	}
	return round
}

// less names an axis from whose values an offset is taken.
func less(label string, offset float64) string {
	switch {
	case offset > 0:
		return label + " − " + strconv.FormatFloat(offset, 'g', -1, 64)
	case offset < 0:
		return label + " + " + strconv.FormatFloat(-offset, 'g', -1, 64)
	}
	return label
}

// visible puts a mark in the place of what a font has no sign for.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

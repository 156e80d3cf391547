// Package figure draws plots as for a paper, on white and the same bytes each time: type,
// axes with round numbers, colours that every kind of colour vision tells apart.
package figure

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// dpi is the resolution of an image of pixels.
const dpi = 150

// Colours: two that every kind of colour vision tells apart (Okabe and Ito 2008), and greys.
var (
	Blue   = color.RGBA{R: 0, G: 114, B: 178, A: 255}
	Orange = color.RGBA{R: 213, G: 94, B: 0, A: 255}
	Light  = color.RGBA{R: 116, G: 174, B: 212, A: 255} // blue, for many points
	Paper  = color.RGBA{R: 255, G: 255, B: 255, A: 255}
	Ink    = color.RGBA{R: 60, G: 60, B: 60, A: 255}
	Grid   = color.RGBA{R: 228, G: 228, B: 228, A: 255}
)

// Axis styles an axis.
func Axis(axis *plot.Axis) {
	Sans(&axis.Label.TextStyle.Font, 12)
	Sans(&axis.Tick.Label.Font, 10)
	axis.Label.Padding = vg.Points(5)
	axis.Tick.Length = vg.Points(4)
	axis.Tick.Label.Color, axis.Color, axis.Tick.Color = Ink, Ink, Ink
	axis.Padding = 0
	axis.Tick.Marker = plot.TickerFunc(RoundTicks)
}

// Sans makes a font one without serifs, of a size in points.
func Sans(f *font.Font, points float64) {
	f.Variant = "Sans"
	f.Size = vg.Points(points)
}

// Margin gives the points air on an axis. Where all values are equal it gives
// the axis some width: gonum would add and subtract one, which on a logarithmic
// axis may reach zero.
func Margin(axis *plot.Axis, logarithmic bool) {
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

// RoundTicks marks five to ten multiples of 1, 2 or 5 times a power of ten.
func RoundTicks(low, high float64) []plot.Tick {
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
	// As many as tell two marks apart.
	digits := min(max(6, int(math.Ceil(math.Log10(max(math.Abs(low), math.Abs(high))/step)))+1), 17)
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high && len(ticks) < 20; i++ {
		value := i*step + 0 // no negative zero
		label := strconv.FormatFloat(value, verb, decimals, 64)
		if verb == 'g' { // 3e-4, not 3.0000000000000003e-4
			label = strconv.FormatFloat(round(value, digits), verb, -1, 64)
		}
		ticks = append(ticks, plot.Tick{Value: value, Label: label})
	}
	return ticks
}

// LogTicks marks powers of ten, and on a short axis names 2 and 5 times these as well.
func LogTicks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(low, high)
	short := high/low < 1000
	for i, t := range ticks {
		lead := round(t.Value/math.Pow(10, math.Floor(math.Log10(t.Value*(1+1e-9)))), 6)
		if t.Label != "" || short && (lead == 2 || lead == 5) {
			// Of the rounded value: the ticks are products, such as 9.999999999999999e-06.
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

// Render draws a plot with a margin around it, as "svg" or else as a PNG of 150 pixels an
// inch, and says of which media type the bytes are.
func Render(p *plot.Plot, format string, width, height vg.Length) (data []byte, mediaType string, err error) {
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	mediaType = "image/svg+xml"
	if format == "svg" {
		canvas = vgsvg.New(width, height)
	} else {
		mediaType = "image/png"
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))}
	}
	inner := draw.Crop(draw.New(canvas), vg.Points(8), vg.Points(-14), vg.Points(8), vg.Points(-10))
	p.BackgroundColor = nil // the canvas is white up to its margins
	p.Draw(inner)
	var out bytes.Buffer
	_, err = canvas.WriteTo(&out)
	return out.Bytes(), mediaType, err
}

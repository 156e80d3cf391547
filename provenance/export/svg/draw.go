package svg

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"rlam/provenance"
)

// style are the drawing's colours: first those for a light ground. Every rule is below a
// class of our own, so that a page which holds the drawing keeps its style.
const style = `
.rlam-trace{--ground:#fff;--ink:#1d2733;--faint:#66717e;--band:#f4f6f8;--turn:#e9e2f8;--turn-edge:#7a5bc4;
 --do:#e3eefb;--do-edge:#3f78b8;--call:#fff;--data:#e2f3e8;--data-edge:#3b8a5a;--bad:#fbe3e1;--bad-edge:#c0392b;--line:#3b8a5a;
 font:12px system-ui,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.rlam-trace{--ground:#14181d;--ink:#e4e9ee;--faint:#98a4b0;--band:#1c2229;--turn:#2d2544;
 --turn-edge:#a78be6;--do:#1b2e44;--do-edge:#6aa5e6;--call:#14181d;--data:#18342a;--data-edge:#63bd88;--bad:#43201d;--bad-edge:#f0766a;--line:#63bd88}}
.rlam-trace .ground{fill:var(--ground)}.rlam-trace text{fill:var(--ink)}.rlam-trace .faint{fill:var(--faint)}
.rlam-trace .head{font-size:17px;font-weight:600}.rlam-trace .band{fill:var(--band)}.rlam-trace .name{font-weight:600}
.rlam-trace .box{stroke-width:1.2}.rlam-trace .turn .box{fill:var(--turn);stroke:var(--turn-edge)}
.rlam-trace .call .box{fill:var(--call);stroke:var(--do-edge)}.rlam-trace .attempt .box{fill:var(--do);stroke:var(--do-edge)}
.rlam-trace .data .box{fill:var(--data);stroke:var(--data-edge)}
.rlam-trace .failed .box{fill:var(--bad);stroke:var(--bad-edge)}.rlam-trace .refused .box{stroke:var(--bad-edge);stroke-dasharray:4 3}
.rlam-trace .cut .box{stroke-dasharray:4 3}.rlam-trace .aside{opacity:.55}
.rlam-trace .flow{stroke:var(--line);stroke-width:1.3;fill:none;opacity:.75}.rlam-trace .typed{stroke-dasharray:5 4}
.rlam-trace .arrow{fill:var(--line)}
`

// drawing writes SVG. Its first error stays with the writer, which is a buffered one.
type drawing struct {
	w io.Writer
	*placed
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d.w, format, args...) }

// escaped is text as SVG has it. What XML can't hold becomes U+FFFD.
func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func (d *drawing) draw(t *provenance.Trace) {
	width := laneX + d.lanes*laneWidth + margin
	d.printf("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rlam-trace\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", width, d.height, width, d.height)
	d.printf("<title>%s</title>\n<style>%s</style>\n", escaped("Trace of run "+t.ID), style)
	d.printf("<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", width, d.height)
	d.head(t)
	for _, s := range d.stripes {
		d.stripe(s)
	}
	for _, l := range d.lines {
		d.line(l)
	}
	for _, b := range d.boxes {
		d.box(b)
	}
	d.printf("</svg>\n")
}

// head is the run's name and status, and what shapes and colours mean.
func (d *drawing) head(t *provenance.Trace) {
	title := "run " + t.ID
	if t.Study != nil {
		title = t.Study.Study.Title
	}
	d.printf("<text class=\"head\" x=\"%d\" y=\"28\">%s</text>\n", margin, escaped(cut(title, 60)))
	facts := []string{"run " + t.ID, t.Status}
	if t.Run != nil {
		facts = append(facts, t.Run.Started)
	}
	if d.note != "" {
		facts = append(facts, d.note)
	}
	d.printf("<text class=\"faint\" x=\"%d\" y=\"48\">%s</text>\n", margin, escaped(cut(strings.Join(facts, " · "), 95)))
	d.printf("<path class=\"flow typed\" d=\"M%d 44h30\"/><text class=\"faint\" x=\"%d\" y=\"48\">typed by the planner</text>\n", dataX, dataX+38)
	x := dataX + dataWidth - 318
	for _, l := range []box{
		{text: "turn", class: "turn", width: 50},
		{text: "done", class: "attempt", width: 50},
		{text: "failed", class: "attempt failed", width: 56},
		{text: "data", class: "data", shape: datum, width: 54},
		{text: "artifact", class: "data", shape: document, width: 68},
	} {
		l.x, l.y = x, 14
		d.box(l)
		x += l.width + 10
	}
}

func (d *drawing) stripe(s stripe) {
	class := "band"
	if s.aside {
		class += " aside"
	}
	d.printf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n", class, margin-8, s.y, laneX-margin-2, s.height)
	d.printf("<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", margin, s.y+min(20, s.height-9), escaped(cut(s.title, 12)))
	if s.sub != "" {
		d.printf("<text class=\"faint\" x=\"%d\" y=\"%d\">%s</text>\n", margin, s.y+34, escaped(cut(s.sub, 12)))
	}
}

// line goes right from data, along its lane, and back to what was taken from it.
func (d *drawing) line(l line) {
	class := "flow"
	if l.typed {
		class += " typed"
	}
	x, end := laneX+l.lane*laneWidth, dataX+dataWidth
	r := 5
	if l.to < l.from {
		r = -r
	}
	d.printf("<g><title>%s</title><path class=\"%s\" d=\"M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d\"/>", escaped(strings.TrimSuffix(l.title, "\n")), class,
		end, l.from, x-5, x, l.from, x, l.from+r, l.to-r, x, l.to, x-5, l.to, end+6)
	d.printf("<path class=\"arrow\" d=\"M%d %dl7 -4v8z\"/></g>\n", end, l.to)
}

func (d *drawing) box(b box) {
	d.printf("<g class=\"%s\"", b.class)
	if b.id != "" {
		d.printf(" data-id=\"%s\"", escaped(b.id))
	}
	d.printf(">")
	if b.title != "" {
		d.printf("<title>%s</title>", escaped(b.title))
	}
	switch b.shape {
	case document: // a corner is folded
		d.printf("<path class=\"box\" d=\"M%d %dh%dl7 7v%dh%dz\"/>", b.x, b.y, b.width-7, boxHeight-7, -b.width)
	case datum:
		d.printf("<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\"/>", b.x, b.y, b.width, boxHeight)
	default:
		d.printf("<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"/>", b.x, b.y, b.width, boxHeight)
	}
	d.printf("<text x=\"%d\" y=\"%d\">%s</text></g>\n", b.x+9, b.y+14, escaped(cut(b.text, (b.width-14)*10/64)))
}

package svg

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"rlam/provenance/graph"
)

// Places, in units of the drawing.
const (
	margin     = 16
	rowHeight  = 26
	boxHeight  = 20
	leastBand  = 40
	bandGap    = 10
	headHeight = 70
	turnX      = 96
	turnWidth  = 190
	callX      = 302
	callWidth  = 330
	dataX      = 648
	dataWidth  = 190
	laneX      = dataX + dataWidth + 18
	laneWidth  = 9
	mostLanes  = 30 // more share a place
)

// shape is how a thing is drawn.
type shape int

const (
	process shape = iota
	datum
	document
)

// box is one thing that is drawn.
type box struct {
	id, text, title string
	class           string // of its style
	shape           shape
	x, y, width     int
}

// stripe is a band as it was placed.
type stripe struct {
	title, sub string
	y, height  int
	aside      bool
}

// line leads from data to what was taken from it.
type line struct {
	from, to int // y
	lane     int
	typed    bool // through the planner
	count    int
	title    string
}

// placed is a drawing before it is drawn.
type placed struct {
	stripes []stripe
	boxes   []box
	ports   map[string]int // y at which lines end, by the node's id
	lines   []line
	lanes   int
	height  int
	note    string
}

func number(i int) string { return strconv.Itoa(i) }

// place gives every thing of the bands its place.
func place(bands []*band) *placed {
	p := &placed{ports: map[string]int{}, height: headHeight}
	for _, b := range bands {
		s := stripe{title: b.title, y: p.height, height: max(b.rows()*rowHeight+6, leastBand), aside: b.aside}
		y := p.height + 6
		if b.step != nil {
			s.sub = b.step.Status
		}
		if b.aside {
			s.sub = "reset away"
		}
		for i, n := range b.turns {
			p.boxes = append(p.boxes, turnBox(n, y+i*rowHeight))
		}
		for _, c := range b.calls {
			p.call(c, y)
			y += c.rows() * rowHeight
		}
		for i, n := range b.data {
			p.data(n, y+i*rowHeight)
		}
		p.stripes = append(p.stripes, s)
		p.height += s.height + bandGap
	}
	return p
}

func (p *placed) call(c *call, y int) {
	x := callX
	if c.node != nil {
		p.boxes = append(p.boxes, callBox(c, y))
		for i, n := range c.params {
			p.data(n, y+i*rowHeight)
		}
		y += max(1, len(c.params)) * rowHeight
		x += 14
	}
	for _, a := range c.attempts {
		p.boxes = append(p.boxes, attemptBox(a.node, x, y))
		for i, n := range a.made {
			p.data(n, y+i*rowHeight)
		}
		y += max(1, len(a.made)) * rowHeight
	}
}

func (p *placed) data(n *graph.Node, y int) {
	p.boxes = append(p.boxes, dataBox(n, y))
	p.ports[n.ID] = y + boxHeight/2
}

// join leads lines from data to what was taken from it, one for each pair of places, and
// gives those that overlap lanes of their own.
func (p *placed) join(g *graph.Graph) {
	at := map[[2]int]int{}
	for _, e := range g.Edges {
		from, ok := p.ports[e.To]
		to, also := p.ports[e.From]
		if e.Kind != graph.Derived || !ok || !also || from == to {
			continue
		}
		i, drawn := at[[2]int{from, to}]
		if !drawn {
			i = len(p.lines)
			at[[2]int{from, to}] = i
			p.lines = append(p.lines, line{from: from, to: to, typed: true})
		}
		l := &p.lines[i]
		l.count++
		l.typed = l.typed && e.Through != ""
		if l.count <= 8 {
			l.title += fmt.Sprintf("%s%s comes from %s%s\n", e.From, e.At, e.To, e.Pointer)
		}
	}
	for i := range p.lines {
		if l := &p.lines[i]; l.count > 8 {
			l.title += fmt.Sprintf("and %d more", l.count-8)
		}
	}
	p.lay()
}

// lay gives each source of lines the leftmost lane that is free along all its ways.
func (p *placed) lay() {
	type way struct{ top, bottom int }
	var ways []*way
	of := map[[2]int]*way{}
	key := func(l line) [2]int {
		if l.typed {
			return [2]int{l.from, 1}
		}
		return [2]int{l.from, 0}
	}
	for _, l := range p.lines {
		w := of[key(l)]
		if w == nil {
			w = &way{l.from, l.from}
			of[key(l)] = w
			ways = append(ways, w)
		}
		w.top, w.bottom = min(w.top, l.to), max(w.bottom, l.to)
	}
	slices.SortStableFunc(ways, func(a, b *way) int { return cmp.Compare(a.top, b.top) })
	var busy []int // y to which each lane is taken
	lanes := map[*way]int{}
	for i, w := range ways {
		lane := slices.IndexFunc(busy, func(y int) bool { return y < w.top })
		if lane < 0 && len(busy) < mostLanes {
			lane = len(busy)
			busy = append(busy, 0)
		}
		if lane < 0 {
			lane = i % mostLanes
		}
		lanes[w] = lane
		busy[lane] = max(busy[lane], w.bottom)
	}
	for i := range p.lines {
		p.lines[i].lane = lanes[of[key(p.lines[i])]]
	}
	p.lanes = len(busy)
}

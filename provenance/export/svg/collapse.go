package svg

import (
	"fmt"

	"rlam/internal/quantity"
	"rlam/provenance/graph"
)

// collapse places several bands a row, so that there are at most the given number of rows.
func collapse(bands []*band, rows int) *placed {
	p := &placed{ports: map[string]int{}, height: headHeight}
	each := (len(bands) + rows - 1) / rows
	p.note = "collapsed: a row is a step"
	if each > 1 {
		p.note = fmt.Sprintf("collapsed: a row is %d steps", each)
	}
	for len(bands) > 0 {
		n := min(each, len(bands))
		if bands[0].step == nil { // inputs stand for themselves
			n = 1
		}
		p.together(bands[:n])
		bands = bands[n:]
	}
	return p
}

// together places bands as one row.
func (p *placed) together(bands []*band) {
	title := bands[0].title
	if last := bands[len(bands)-1]; len(bands) > 1 {
		title = fmt.Sprintf("%d–%d", bands[0].number(), last.number())
	}
	y := p.height
	p.stripes = append(p.stripes, stripe{title: title, y: y, height: rowHeight, aside: bands[0].aside})
	p.height += rowHeight
	var calls, attempts, failed, refused int
	var data, turns []*graph.Node
	for _, b := range bands {
		data, turns = append(data, b.data...), append(turns, b.turns...)
		for _, c := range b.calls {
			calls++
			data = append(data, c.params...)
			if c.refused != "" {
				refused++
			}
			for _, a := range c.attempts {
				attempts++
				data = append(data, a.made...)
				if a.node.Failure != nil {
					failed++
				}
			}
		}
	}
	y += 3
	if len(turns) > 0 {
		p.boxes = append(p.boxes, box{id: turns[0].ID, text: quantity.Of(len(turns), "turn"), title: title, class: "turn", x: turnX, y: y, width: turnWidth})
	}
	if calls+attempts > 0 {
		b := box{id: bands[0].id(), text: quantity.Of(calls, "call") + ", " + quantity.Of(attempts, "attempt"), title: title, class: "call", x: callX, y: y, width: callWidth}
		if failed > 0 {
			b.text, b.class = b.text+fmt.Sprintf(", %d failed", failed), "attempt failed"
		}
		if refused > 0 {
			b.text += fmt.Sprintf(", %d refused", refused)
		}
		p.boxes = append(p.boxes, b)
	}
	if len(data) > 0 {
		p.boxes = append(p.boxes, box{id: data[0].ID, text: fmt.Sprintf("%d data", len(data)), title: title, class: "data", shape: datum, x: dataX, y: y, width: dataWidth})
	}
	for _, n := range data {
		p.ports[n.ID] = y + boxHeight/2
	}
}

// number is the step's; 0 of a band that is none.
func (b *band) number() int {
	for _, n := range append(b.turns[:len(b.turns):len(b.turns)], b.step) {
		if n != nil {
			return n.Step
		}
	}
	return 0
}

// id is the step's, or that of the first thing in the band.
func (b *band) id() string {
	switch {
	case b.step != nil:
		return b.step.ID
	case len(b.calls) > 0 && b.calls[0].node != nil:
		return b.calls[0].node.ID
	}
	return ""
}

package diff

import "rlam/internal/record"

// maxCells bounds the table of an alignment. Longer stretches that differ throughout are
// aligned by the ids of their calls.
const maxCells = 4 << 20

// alignment is the calls of two runs side by side; nil where one has none like the other's.
type alignment [][2]*call

// align puts the calls of two runs side by side, each in its order, so that as much as
// possible is alike: equal parameters count most, then the planner's own name, then the id.
// Calls of different actions never stand side by side.
func align(a, b []*call) alignment {
	head := 0
	for head < len(a) && head < len(b) && same(a[head], b[head]) {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && same(a[len(a)-1-tail], b[len(b)-1-tail]) {
		tail++
	}
	var out alignment
	for i := range head {
		out = append(out, [2]*call{a[i], b[i]})
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if len(x) > 0 && len(y) > 0 && len(x)*len(y) > maxCells {
		out = append(out, byID(x, y)...)
	} else {
		out = append(out, best(x, y)...)
	}
	for i := tail; i > 0; i-- {
		out = append(out, [2]*call{a[len(a)-i], b[len(b)-i]})
	}
	return out
}

func same(a, b *call) bool { return a.ID == b.ID && a.key == b.key }

// likeness is how much two calls are alike; 0 are not to be compared.
func likeness(a, b *call) int {
	if actionName(a.Call) != actionName(b.Call) {
		return 0
	}
	score := 1
	if a.key == b.key {
		score += 8
	}
	if a.Name != "" && a.Name == b.Name {
		score += 4
	}
	if a.ID == b.ID {
		score += 2
	}
	return score
}

// actionName is the action of a call without its version.
func actionName(c record.Call) string {
	for i := len(c.Action) - 1; i >= 0; i-- {
		if c.Action[i] == '@' {
			return c.Action[:i]
		}
	}
	return c.Action
}

// best is the alignment with the greatest likeness, by a table of those of all ends.
func best(a, b []*call) alignment {
	width := len(b) + 1
	score := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			s := max(score[(i+1)*width+k], score[i*width+k+1])
			if l := likeness(a[i], b[k]); l > 0 {
				s = max(s, score[(i+1)*width+k+1]+int32(l))
			}
			score[i*width+k] = s
		}
	}
	var out alignment
	i, k := 0, 0
	for i < len(a) && k < len(b) {
		switch l := likeness(a[i], b[k]); {
		case l > 0 && score[i*width+k] == score[(i+1)*width+k+1]+int32(l):
			out = append(out, [2]*call{a[i], b[k]})
			i, k = i+1, k+1
		case score[i*width+k] == score[(i+1)*width+k]:
			out = append(out, [2]*call{a[i], nil})
			i++
		default:
			out = append(out, [2]*call{nil, b[k]})
			k++
		}
	}
	for ; i < len(a); i++ {
		out = append(out, [2]*call{a[i], nil})
	}
	for ; k < len(b); k++ {
		out = append(out, [2]*call{nil, b[k]})
	}
	return out
}

// byID aligns calls of the same id and action.
func byID(a, b []*call) alignment {
	var out alignment
	i, k := 0, 0
	for i < len(a) || k < len(b) {
		switch {
		case i == len(a) || k < len(b) && b[k].step < a[i].step:
			out, k = append(out, [2]*call{nil, b[k]}), k+1
		case k == len(b) || a[i].step < b[k].step || likeness(a[i], b[k]) == 0:
			out, i = append(out, [2]*call{a[i], nil}), i+1
		default:
			out, i, k = append(out, [2]*call{a[i], b[k]}), i+1, k+1
		}
	}
	return out
}

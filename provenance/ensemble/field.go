package ensemble

import (
	"fmt"
	"strings"
)

// listed is how many different values of a field a report lists.
const listed = 20

// field is what the members show of one column.
func (t *table) field(pointer string, labels *labels) Field {
	label := labels.at(pointer)
	f := Field{Pointer: pointer, Title: label.title, Unit: label.unit, Kind: kindOf(t.columns[pointer], label.artifact)}
	f.Part = t.part(pointer, -1)
	if t.groups == nil {
		return f
	}
	last := 0
	for _, g := range t.groups {
		last = max(last, g)
	}
	for g := range last + 1 {
		f.Groups = append(f.Groups, t.part(pointer, g))
	}
	return f
}

// kindOf is the kind of a column.
func kindOf(c column, artifact bool) Kind {
	numbers, handles := 0, 0
	for _, l := range c {
		if l.is {
			numbers++
		}
		if l.handle {
			handles++
		}
	}
	switch {
	case numbers == len(c):
		return Number
	case numbers > 0:
		return Mixed
	case artifact, handles == len(c):
		return Artifact
	}
	return Category
}

// part is what the members of a group show of a column; all of them, of the group −1.
func (t *table) part(pointer string, group int) Part {
	var p Part
	var numbers []float64
	var others []string
	c := t.columns[pointer]
	for _, i := range t.used {
		if group >= 0 && t.groups[i] != group {
			continue
		}
		l, has := c[i]
		switch {
		case !has:
			p.Lacking++
			continue
		case l.is:
			numbers = append(numbers, l.number)
		default:
			others = append(others, l.text)
		}
		p.In++
	}
	if len(numbers) > 0 {
		var unbounded []Count
		unbounded, others = withoutUnbounded(others)
		p.Numbers = numbersOf(numbers, t.options.Resamples, fmt.Sprintf("%s\n%s\n%d", t.options.Ensemble, pointer, group))
		p.Numbers.Unbounded = unbounded
	}
	if len(others) > 0 {
		p.Values = agreementOf(others)
	}
	return p
}

// unbounded are the texts that programs write where a number would be, in JSON.
var unbounded = map[string]string{
	"nan": "NaN", "inf": "Infinity", "+inf": "Infinity", "infinity": "Infinity", "+infinity": "Infinity", "-inf": "-Infinity", "-infinity": "-Infinity",
}

// withoutUnbounded parts values that name a number and are none from other values.
func withoutUnbounded(values []string) ([]Count, []string) {
	n := map[string]int{}
	var others []string
	for _, v := range values {
		if name, is := unbounded[strings.ToLower(strings.Trim(v, `"`))]; is {
			n[name]++
		} else {
			others = append(others, v)
		}
	}
	if len(n) == 0 {
		return nil, others
	}
	return ranked(n, nil), others
}

// agreementOf says how far at least one value agree.
func agreementOf(values []string) *Agreement {
	n := map[string]int{}
	for _, v := range values {
		n[v]++
	}
	all := ranked(n, nil)
	a := &Agreement{N: len(values), Distinct: len(all), Share: float64(all[0].N) / float64(len(values)), Values: all[:min(len(all), listed)]}
	for _, c := range all[len(a.Values):] {
		a.More++
		a.MoreN += c.N
	}
	return a
}

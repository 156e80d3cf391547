package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rlam/internal/quantity"
	"rlam/internal/record"
)

// unresolved are the places at which both calls refer to the same part of the same output,
// and one of them still has the reference there: it was refused before that was looked up.
func unresolved(a, b *call) (at []string) {
	x, y := parse(a.params.Value), parse(b.params.Value)
	for _, u := range a.Uses {
		if slices.Contains(b.Uses, u) && isReference(lookUp(x, u.At)) != isReference(lookUp(y, u.At)) {
			at = append(at, u.At)
		}
	}
	return at
}

func isReference(v any) bool {
	object, ok := v.(map[string]any)
	return ok && object["$from"] != nil
}

// source says where a parameter that differs comes from, if not from the planner, and
// which part of the parameters that is.
func (c *comparison) source(a, b *call, v value) (at, why string) {
	for side, uses := range [][]record.Use{a.Uses, b.Uses} {
		i := slices.IndexFunc(uses, func(u record.Use) bool { return within(v.at, u.At) && c.differing[side][u.From] })
		if i >= 0 {
			return uses[i].At, fmt.Sprintf("it is taken from call %s, whose output differs", uses[i].From)
		}
	}
	if from := c.elements(a, b, v.at); len(from) == 1 {
		return v.at, fmt.Sprintf("it is taken from call %s, whose output differs", from[0])
	} else if len(from) > 1 {
		return v.at, fmt.Sprintf("it is taken from calls %s, whose outputs differ", strings.Join(from, ", "))
	}
	for _, in := range c.a.run.Inputs {
		for _, other := range c.b.run.Inputs {
			if in.Name == other.Name && v.a == show(in.Digest.String()) && v.b == show(other.Digest.String()) {
				return v.at, fmt.Sprintf("input %q differs", in.Name)
			}
		}
	}
	return v.at, ""
}

// elements are the calls that all elements were taken from in which two arrays differ, as
// far as the outputs of those differ: an array of numbers is one difference. There are none
// if the planner proposed one of the elements.
func (c *comparison) elements(a, b *call, at string) (from []string) {
	x, _ := lookUp(parse(a.params.Value), at).([]any)
	y, _ := lookUp(parse(b.params.Value), at).([]any)
	if len(x) != len(y) {
		return nil
	}
	for i := range x {
		if reflect.DeepEqual(x[i], y[i]) {
			continue
		}
		element := fmt.Sprintf("%s/%d", at, i)
		k := slices.IndexFunc(a.Uses, func(u record.Use) bool {
			return slices.Contains(b.Uses, u) && within(element, u.At) && c.differing[0][u.From]
		})
		if k < 0 {
			return nil
		}
		if !slices.Contains(from, a.Uses[k].From) {
			from = append(from, a.Uses[k].From)
		}
	}
	return from
}

// causesOf are the reasons why parameters differ, each once.
func causesOf(params []Item) []string {
	var out, proposed []string
	for _, i := range params {
		switch {
		case i.Why == "":
			proposed = append(proposed, strings.TrimPrefix(i.At, "/params"))
		case !slices.Contains(out, i.Why):
			out = append(out, i.Why)
		}
	}
	if len(proposed) > 0 {
		out = append(out, "other parameters were proposed ("+quantity.Listed(proposed, mostNamed)+")")
	}
	return out
}

// mostNamed is how many parameters are named that were proposed otherwise.
const mostNamed = 3

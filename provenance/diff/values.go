package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rlam/internal/jsonpointer"
	"rlam/internal/quantity"
)

// shown bounds how much of a value a difference shows, in bytes.
const shown = 240

// value is a difference of two JSON values.
type value struct {
	at      string
	a, b    string // "" where there is none
	numbers *Numbers
	x, y    []float64 // of numbers: those that differ
}

// values are the differences of two JSON values, by pointer and in the order of their
// names. An array of numbers is compared as a whole; none is nil or empty.
func values(a, b json.RawMessage) []value {
	var out []value
	walk(&out, "", parse(a), parse(b))
	return out
}

// absent is a value that isn't there: null is one.
type absent struct{}

func parse(raw json.RawMessage) any {
	if len(raw) == 0 {
		return absent{}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return string(raw)
	}
	return v
}

func walk(out *[]value, at string, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			names := maps.Clone(x)
			maps.Copy(names, y)
			for _, name := range slices.Sorted(maps.Keys(names)) {
				walk(out, at+"/"+jsonpointer.Escape(name), member(x, name), member(y, name))
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			if of := numbersOf(x, y); of != nil {
				of.add(out, at, a, b)
				return
			}
			for i := range x {
				walk(out, fmt.Sprintf("%s/%d", at, i), x[i], y[i])
			}
			return
		}
	case json.Number:
		if y, ok := b.(json.Number); ok {
			if of := numbersOf([]any{x}, []any{y}); of != nil {
				of.add(out, at, a, b)
				return
			}
		}
	case string:
		if y, ok := b.(string); ok && x != y {
			one, other := showBoth(whereTextsPart(x, y))
			*out = append(*out, value{at: at, a: one, b: other})
			return
		}
	}
	if encode(a) != encode(b) {
		one, other := showBoth(a, b)
		*out = append(*out, value{at: at, a: one, b: other})
	}
}

func member(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return absent{}
}

// numbersOf says how far numbers are apart; nil unless all are numbers, and there is one.
func numbersOf(a, b []any) *value {
	v := &value{numbers: &Numbers{Of: len(a)}}
	for i := range a {
		x, okX := number(a[i])
		y, okY := number(b[i])
		if !okX || !okY {
			return nil
		}
		if x != y {
			v.x, v.y = append(v.x, x), append(v.y, y)
			v.numbers.Differ++
			v.numbers.Absolute = max(v.numbers.Absolute, math.Abs(x-y))
			v.numbers.Relative = max(v.numbers.Relative, math.Abs(x-y)/max(math.Abs(x), math.Abs(y)))
		}
	}
	if len(a) == 0 {
		return nil
	}
	return v
}

// add adds the numbers' difference, if they have one.
func (v *value) add(out *[]value, at string, a, b any) {
	if v.numbers.Differ > 0 {
		v.at, v.a, v.b = at, show(a), show(b)
		*out = append(*out, *v)
	}
}

// agree says whether all that differs is numbers within a tolerance:
// |a − b| ≤ max(relative · max(|a|, |b|), absolute).
func (v *value) agree(relative, absolute float64) bool {
	for i := range v.x {
		if math.Abs(v.x[i]-v.y[i]) > max(relative*max(math.Abs(v.x[i]), math.Abs(v.y[i])), absolute) {
			return false
		}
	}
	return len(v.x) > 0
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	return f, err == nil
}

// whereTextsPart gives of two texts of several lines the first that differ.
func whereTextsPart(a, b string) (x, y any) {
	if !strings.Contains(a, "\n") && !strings.Contains(b, "\n") {
		return a, b
	}
	ours, theirs := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(ours) && i < len(theirs) && ours[i] == theirs[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return fmt.Sprintf("line %d: %s", i+1, lines[i])
		}
		return quantity.Of(len(lines), "line")
	}
	return line(ours), line(theirs)
}

// lookUp is what a pointer leads to in a value; absent if it leads nowhere.
func lookUp(v any, pointer string) any {
	if pointer == "" {
		return v
	}
	for name := range strings.SplitSeq(pointer[1:], "/") {
		switch x := v.(type) {
		case map[string]any:
			v = member(x, jsonpointer.Unescape(name))
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				return absent{}
			}
			v = x[i]
		default:
			return absent{}
		}
	}
	return v
}

func encode(v any) string {
	if _, none := v.(absent); none {
		return ""
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// show spells a value, shortened.
func show(v any) string { return shorten(encode(v), 0) }

// showBoth spells two values that differ, each shortened to what is around the place at
// which they part.
func showBoth(a, b any) (x, y string) {
	x, y = encode(a), encode(b)
	part := 0
	for part < len(x) && part < len(y) && x[part] == y[part] {
		part++
	}
	from := 0
	if max(len(x), len(y)) > shown && part > shown/3 {
		from = part - shown/3
	}
	return shorten(x, from), shorten(y, from)
}

// shorten is what of a text is shown, from about a byte on.
func shorten(s string, from int) string {
	before, after := "", ""
	for from > 0 && from < len(s) && !utf8.RuneStart(s[from]) {
		from--
	}
	if from = min(from, len(s)); from > 0 {
		before = "…"
	}
	to := len(s)
	if to-from > shown {
		for to = from + shown; !utf8.RuneStart(s[to]); {
			to--
		}
		after = "…"
	}
	return before + s[from:to] + after
}

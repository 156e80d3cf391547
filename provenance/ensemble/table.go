package ensemble

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// deepest is how many levels of objects and arrays have fields of their own.
const deepest = 12

// table is the results, taken apart into columns.
type table struct {
	options Options
	results []any // of each member; nil where it has none that is used
	used    []int // the members that have
	groups  []int // of each member; nil if there is one group
	columns map[string]column
	cuts    map[Cut]*Cut // by what and pointer alone
}

// column is one field's values, by member.
type column map[int]leaf

// leaf is a value that has nothing below it that counts by itself.
type leaf struct {
	is     bool    // a number
	number float64 // if so
	text   string  // else its JSON, shortened if it is long
	handle bool    // it is spelled as an artifact's
}

// fields are the columns' statistics, and what has none. Of too many fields those stay
// that most members have, and of equals the first.
func (t *table) fields(labels *labels) ([]Field, []Cut) {
	in := map[string]int{}
	t.cuts = map[Cut]*Cut{}
	for _, i := range t.used {
		t.walk(t.results[i], "", 0, func(pointer string, _ any) { in[pointer]++ }, t.cut)
	}
	kept := slices.SortedFunc(maps.Keys(in), func(a, b string) int { return cmp.Or(in[b]-in[a], natural(a, b)) })
	cuts := slices.Collect(maps.Values(t.cuts))
	if all := len(kept); all > t.options.MaxFields {
		kept = kept[:t.options.MaxFields]
		cuts = append(cuts, &Cut{What: "fields", Kept: len(kept), Of: all})
	}
	t.columns = make(map[string]column, len(kept))
	for _, pointer := range kept {
		t.columns[pointer] = make(column, in[pointer])
	}
	for _, i := range t.used {
		t.walk(t.results[i], "", 0, func(pointer string, value any) {
			if c, is := t.columns[pointer]; is {
				c[i] = leafOf(value)
			}
		}, func(Cut) {})
	}
	slices.SortFunc(kept, natural)
	fields := []Field{}
	for _, pointer := range kept {
		fields = append(fields, t.field(pointer, labels))
	}
	slices.SortFunc(cuts, func(a, b *Cut) int { return cmp.Or(natural(a.Pointer, b.Pointer), cmp.Compare(a.What, b.What)) })
	var found []Cut
	for _, c := range cuts {
		found = append(found, *c)
	}
	return fields, found
}

// walk tells of each leaf of a value, and of what is cut.
func (t *table) walk(value any, pointer string, depth int, tell func(string, any), cut func(Cut)) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			break
		}
		if depth == deepest {
			cut(Cut{What: "depth", Pointer: pointer})
			break
		}
		for name, member := range v {
			t.walk(member, jsonpointer.Member(pointer, name), depth+1, tell, cut)
		}
		return
	case []any:
		if len(v) == 0 {
			break
		}
		if depth == deepest {
			cut(Cut{What: "depth", Pointer: pointer})
			break
		}
		if len(v) > t.options.MaxItems {
			cut(Cut{What: "items", Pointer: pointer, Kept: t.options.MaxItems, Of: len(v)})
		}
		for i, item := range v[:min(len(v), t.options.MaxItems)] {
			t.walk(item, jsonpointer.Item(pointer, i), depth+1, tell, cut)
		}
		return
	}
	tell(pointer, value)
}

// cut notes what is cut in one more member.
func (t *table) cut(c Cut) {
	key := Cut{What: c.What, Pointer: c.Pointer}
	known := t.cuts[key]
	if known == nil {
		known = &c
		t.cuts[key] = known
	}
	known.Of = max(known.Of, c.Of)
	known.Members++
}

// leafOf takes in a value.
func leafOf(value any) leaf {
	switch v := value.(type) {
	case json.Number:
		if number, err := strconv.ParseFloat(string(v), 64); err == nil {
			return leaf{is: true, number: number}
		}
	case string:
		if d, err := canon.Parse(v); err == nil && !d.IsZero() {
			return leaf{text: strconv.Quote(v), handle: true}
		}
	}
	spelled, err := canon.Encode(value)
	if err != nil {
		spelled = fmt.Appendf(nil, "%v", value) // what was decoded is encoded: this is for types that JSON hasn't got
	}
	return leaf{text: shorten(spelled)}
}

// longest is how many bytes of a value stand in a report.
const longest = 200

// shorten is a value's JSON, or the beginning of it and its digest, so that two long
// values are the same in a report if they are the same.
func shorten(spelled []byte) string {
	if len(spelled) <= longest {
		return string(spelled)
	}
	head := spelled[:longest/2]
	for !utf8.Valid(head) {
		head = head[:len(head)-1]
	}
	return fmt.Sprintf("%s… (%d bytes, %s)", head, len(spelled), canon.Sum(spelled))
}

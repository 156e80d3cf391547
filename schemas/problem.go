package schemas

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file, and where.
type Problem struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`   // from 1; 0 when the file as a whole is meant
	Column   int    `json:"column,omitempty"` // from 1
	Pointer  string `json:"pointer"`          // JSON pointer; "" is the document
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"` // what would be right
	Nearest  string `json:"nearest,omitempty"`  // the valid name that is closest to the one written
}

// Error is "file:line:col: /pointer: message (did you mean "…"?)".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Pointer != "" {
		b.WriteString(p.Pointer + ": ")
	}
	b.WriteString(phrase(p.Message, p.Expected, p.Nearest))
	return b.String()
}

// Problems are all that is wrong with one or several files, in the order of the text.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is ps as an error: nil when there are none. A bare Problems in an error
// variable would not compare equal to nil.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Sorted is ps by place, without what is said twice.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(ps)
}

// Violation is one way in which a value doesn't fit its schema.
type Violation struct {
	Pointer  string `json:"pointer"` // into the value; "" is the whole
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"`
	Nearest  string `json:"nearest,omitempty"`

	name    bool   // the name of what Pointer leads to is wrong, not its value
	missing string // the member that what Pointer leads to should have
}

func (v Violation) Error() string {
	return "at " + spot(v.Pointer) + ": " + phrase(v.Message, v.Expected, v.Nearest)
}

// Violations are all the ways in which a value, or a schema, is wrong.
type Violations []Violation

func (vs Violations) Error() string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = v.Error()
	}
	return strings.Join(parts, "; ")
}

func phrase(message, expected, nearest string) string {
	if expected != "" {
		message += "; expected " + expected
	}
	if nearest != "" {
		message += fmt.Sprintf(" (did you mean %q?)", nearest)
	}
	return message
}

// Nearest is the candidate that is most like name, or "" if none is close.
func Nearest(name string, candidates []string) string { return nearest(name, candidates) }

// nearest is the candidate that is most like name, or "" if none is close:
// more than a third of the name's letters would have to change. Ties go to the
// candidate that sorts first, so that the answer doesn't depend on map order.
func nearest(name string, candidates []string) string {
	best, bestAt := "", max(1, len(name)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if strings.EqualFold(c, name) && c != name {
			return c
		}
		if d := distance(name, c, bestAt); d < bestAt && c != name {
			best, bestAt = c, d
		}
	}
	if best != "" || len(name) < 3 {
		return best
	}
	for _, c := range slices.Sorted(slices.Values(candidates)) { // an abbreviation, or a name with something added
		if strings.HasPrefix(c, name) || len(c) >= 3 && strings.HasPrefix(name, c) {
			return c
		}
	}
	return ""
}

// distance is how many letters to insert, remove, change or swap with their
// neighbour lead from a to b; it gives up at limit.
func distance(a, b string, limit int) int {
	if len(a) > 128 || len(b) > 128 || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// quoted lists names for people: "a", "b", "c", … of at most 20.
func quoted(names []string) string {
	const most = 20
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, ", … (%d in all)", len(names))
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.80q", n)
	}
	return b.String()
}

// Package quantity spells numbers of things as people read them.
package quantity

import (
	"strconv"
	"strings"
)

// Of is a number with its noun, in the plural where it has one: "1 step", "1,200 steps".
// The noun's plural ends with s.
func Of(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Thousands(n) + " " + noun
}

// Thousands is a number with its thousands apart.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Listed joins the first of some names with commas, at most most of them, and says how
// many more there are.
func Listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + " and " + Thousands(len(names)-most) + " more"
}

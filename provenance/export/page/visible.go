package page

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// visible is a text as it may be shown: characters that would hide something or change
// the order in which the rest is read are spelled out. Line feeds and tabs stay.
func visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune(0x2400 + r) // Unicode has pictures of these
		default:
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		}
	}
	return b.String()
}

// hidden says whether a character can't be seen, or reorders what can.
func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		return true
	case r == 0x061c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff:
		return true // directional controls, separators of lines, and spaces without a width
	}
	return r >= 0xe0000 && r <= 0xe007f // tags, which show as nothing
}

// head is the beginning of a text, of at most n bytes and of whole characters.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// tail is the end of a text, likewise.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := len(s) - n
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return s[at:]
}

// line is the beginning of a text on one line.
func line(s string, n int) string {
	s = strings.Join(strings.Fields(visible(head(s, 4*n))), " ")
	if short := head(s, n); short != s {
		return short + " …"
	}
	return s
}

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"golang.org/x/term"
)

// Widths of text, in columns.
const (
	defaultWidth = 80
	leastWidth   = 40
	mostWidth    = 100 // longer lines are hard to read
)

// screen writes text that is broken to a width, in colours where there is a terminal
// that wants them. It never moves the cursor.
type screen struct {
	w     io.Writer
	width int

	bold, dim, good, bad, warn lipgloss.Style
}

func newScreen(w io.Writer, getenv func(string) string) *screen {
	s := &screen{w: w, width: defaultWidth}
	terminal := isTerminal(w)
	if terminal {
		f := w.(*os.File)
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			s.width = columns
		}
	} else if columns, err := strconv.Atoi(getenv("COLUMNS")); err == nil && columns > 0 {
		s.width = columns
	}
	s.width = min(max(s.width, leastWidth), mostWidth)

	r := lipgloss.NewRenderer(w)
	r.SetColorProfile(termenv.Ascii)
	if terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" {
		r.SetColorProfile(termenv.ANSI) // the terminal's own sixteen colours, which its owner has chosen
	}
	plain := r.NewStyle()
	s.bold, s.dim = plain.Bold(true), plain.Faint(true)
	s.good, s.bad, s.warn = plain.Foreground(lipgloss.Color("2")), plain.Foreground(lipgloss.Color("1")), plain.Foreground(lipgloss.Color("3"))
	return s
}

// isTerminal says whether what is written is shown to a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s.w, format, args...) }

// block writes text after a first prefix, broken to the width; its other lines begin
// below its first letter. The prefix may hold styles, the text may not: style is its.
func (s *screen) block(prefix, text string, style lipgloss.Style) {
	indent := strings.Repeat(" ", lipgloss.Width(prefix))
	for _, line := range wrap(text, s.width-len(indent)) {
		s.printf("%s%s\n", prefix, styled(style, line))
		prefix = indent
	}
}

func styled(style lipgloss.Style, line string) string {
	if line == "" {
		return ""
	}
	return style.Render(line)
}

// wrap breaks a text at spaces into lines of at most width columns, and words that are
// longer wherever they must. Line ends of the text stay.
func wrap(text string, width int) []string {
	width = max(width, 20)
	var lines []string
	for paragraph := range strings.SplitSeq(printable(text), "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case lipgloss.Width(line)+1+lipgloss.Width(word) <= width:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
			for lipgloss.Width(line) > width {
				head := clip(line, width)
				lines = append(lines, head)
				line = line[len(head):]
			}
		}
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], string(glue), " ")
	}
	return lines
}

// clip is as much of the beginning of a text as fits into width columns.
func clip(text string, width int) string {
	used := 0
	for i, r := range text {
		if used += lipgloss.Width(string(r)); used > width {
			return text[:i]
		}
	}
	return text
}

// oneLine is a text on one line of at most width columns.
func oneLine(text string, width int) string {
	text = strings.Join(strings.Fields(printable(text)), " ")
	if lipgloss.Width(text) <= width {
		return text
	}
	return strings.TrimRight(clip(text, max(1, width-1)), " ") + "…"
}

// printable takes what a model or a program wrote, and keeps it from driving the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

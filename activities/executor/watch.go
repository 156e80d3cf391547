package executor

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxLine is how much of a line is held against patterns. What is longer is no line
// that a person would point at, and a stream without a line break must not fill memory.
const maxLine = 64 << 10

// search looks for a pattern in the lines of one source.
type search struct {
	pattern *regexp.Regexp
	literal []byte // is in every line that matches; looking for it is much cheaper
	first   bool   // the first match counts, not the last
	all     bool   // every match counts
	found   []string
	list    []string // of all: each match's value
	size    int      // of list, in bytes
	tell    func(groups []string)
}

func newSearch(pattern string) (*search, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return &search{pattern: re, literal: required(pattern)}, nil
}

// required is the longest text that every match of a pattern has; nil if that can't be
// told.
func required(pattern string) []byte {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	longest := ""
	var look func(*syntax.Regexp)
	look = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			if re.Flags&syntax.FoldCase == 0 && len(string(re.Rune)) > len(longest) {
				longest = string(re.Rune)
			}
		case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
			for _, sub := range re.Sub {
				look(sub)
			}
		}
	}
	look(parsed)
	if strings.ContainsAny(longest, "\r\n") {
		return nil
	}
	return []byte(longest)
}

// block looks at whole lines.
func (s *search) block(text []byte) {
	if s.first && s.found != nil {
		return
	}
	for len(text) > 0 {
		start := 0
		if len(s.literal) > 0 {
			at := bytes.Index(text, s.literal)
			if at < 0 {
				return
			}
			start = bytes.LastIndexByte(text[:at], '\n') + 1
		}
		line, rest, _ := bytes.Cut(text[start:], []byte{'\n'})
		s.line(bytes.TrimSuffix(line, []byte{'\r'}))
		text = rest
	}
}

func (s *search) line(line []byte) {
	if s.first && s.found != nil {
		return
	}
	m := s.pattern.FindSubmatch(line)
	if m == nil {
		return
	}
	groups := make([]string, len(m))
	for i, g := range m {
		groups[i] = string(g)
	}
	groups[0] = strings.TrimSpace(string(line))
	s.found = groups
	if s.all && len(groups) > 1 && s.size <= maxResult {
		s.list = append(s.list, groups[1])
		s.size += len(groups[1]) + 2
	}
	if s.tell != nil {
		s.tell(groups)
	}
}

// lines cuts a stream into lines for searches.
type lines struct {
	searches []*search
	held     []byte // of a line that goes on, up to maxLine
}

// Write never fails: a program isn't to fail because of what is looked for.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	if len(l.searches) == 0 {
		return n, nil
	}
	for len(p) > 0 {
		if len(l.held) == 0 {
			if i := bytes.LastIndexByte(p, '\n'); i >= 0 {
				l.look(p[:i])
				p = p[i+1:]
				continue
			}
		}
		piece, rest, ended := bytes.Cut(p, []byte{'\n'})
		l.held = append(l.held, piece[:min(len(piece), maxLine-len(l.held))]...)
		if p = rest; ended {
			l.flush()
		}
	}
	return n, nil
}

// flush looks at the last line: the stream, or the line, has ended.
func (l *lines) flush() {
	l.look(l.held)
	l.held = l.held[:0]
}

func (l *lines) look(text []byte) {
	for _, s := range l.searches {
		s.block(text)
	}
}

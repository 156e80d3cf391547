package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"rlam/internal/canon"
)

// maxFile is the size at which a file that people write is refused.
const maxFile = 1 << 20

// position is a place in a text, from 1.
type position struct{ line, column int }

// source is a file's text as JSON, with the place of everything in it.
type source struct {
	file     string
	json     bytes.Buffer
	values   map[string]position // by pointer
	keys     map[string]position // of a member's name, by the member's pointer
	problems Problems
}

// parse reads YAML, or JSON when the name says so. Problems are collected in the source.
func parse(file string, text []byte) *source {
	s := &source{file: file, values: map[string]position{}, keys: map[string]position{}}
	switch {
	case len(text) > maxFile:
		s.report(position{}, "", fmt.Sprintf("the file has %d bytes; %d is the most", len(text), maxFile), "")
	case strings.EqualFold(filepath.Ext(file), ".json"):
		s.parseJSON(text)
	default:
		s.parseYAML(text)
	}
	return s
}

func (s *source) report(at position, pointer, message, expected string) {
	s.problems = append(s.problems, Problem{File: s.file, Line: at.line, Column: at.column, Pointer: pointer, Message: message, Expected: expected})
}

// at is where pointer stands, or the nearest place around it.
func (s *source) at(pointer string, key bool) position {
	for {
		if p, ok := s.keys[pointer]; ok && key {
			return p
		}
		if p, ok := s.values[pointer]; ok {
			return p
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return position{}
		}
		pointer, key = pointer[:i], false
	}
}

// add turns violations of what stands at base into problems.
func (s *source) add(base string, vs Violations) {
	for _, v := range vs {
		at := s.at(base+v.Pointer, v.name)
		s.problems = append(s.problems, Problem{
			File: s.file, Line: at.line, Column: at.column, Pointer: base + v.Pointer,
			Message: v.Message, Expected: v.Expected, Nearest: v.Nearest,
		})
	}
}

func (s *source) parseYAML(text []byte) {
	var doc yaml.Node
	if err := loadYAML(text, &doc); err != nil {
		at := position{line: 1, column: 1}
		message := err.Error()
		var several *yaml.LoadErrors
		if errors.As(err, &several) && len(several.Errors) > 0 {
			err = several.Errors[0]
		}
		var le *yaml.LoadError
		if errors.As(err, &le) {
			if le.Mark.Line > 0 {
				at = position{line: le.Mark.Line, column: max(1, le.Mark.Column)}
			}
			message = le.Message
		}
		s.report(at, "", "YAML: "+strings.TrimPrefix(message, "yaml: "), "")
		return
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		s.report(position{1, 1}, "", "the file is empty", "")
		return
	}
	s.node(doc.Content[0], "", 0)
}

// loadYAML turns a panic of the parser, should hostile text find one, into an error.
func loadYAML(text []byte, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the text can't be read: %v", r)
		}
	}()
	err = yaml.Load(text, doc)
	if err != nil && len(bytes.TrimSpace(text)) == 0 {
		err = errors.New("the file is empty")
	}
	return err
}

func (s *source) node(n *yaml.Node, pointer string, depth int) {
	at := position{n.Line, n.Column}
	s.values[pointer] = at
	refuse := func(message, expected string) {
		s.report(at, pointer, message, expected)
		s.json.WriteString("null")
	}
	switch {
	case depth > canon.MaxDepth:
		refuse(fmt.Sprintf("nested deeper than %d", canon.MaxDepth), "")
	case n.Kind == yaml.AliasNode:
		refuse(fmt.Sprintf("the alias *%s is not read", n.Value), "the value itself")
	case n.Anchor != "":
		refuse(fmt.Sprintf("the anchor &%s is not read", n.Anchor), "the value itself, where it is needed")
	case n.Kind == yaml.MappingNode && n.ShortTag() == "!!map":
		s.mapping(n, pointer, depth)
	case n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq":
		s.json.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				s.json.WriteByte(',')
			}
			s.node(item, joinIndex(pointer, i), depth+1)
		}
		s.json.WriteByte(']')
	case n.Kind == yaml.ScalarNode:
		s.scalar(n, pointer, refuse)
	default:
		refuse(fmt.Sprintf("the tag %s is not read", n.Tag), "a plain value")
	}
}

func (s *source) mapping(n *yaml.Node, pointer string, depth int) {
	s.json.WriteByte('{')
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := position{key.Line, key.Column}
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			s.report(at, pointer, "a key is not a plain name", "a string")
			continue
		}
		if tag := key.ShortTag(); tag != "!!str" && tag != "!!timestamp" {
			s.report(at, pointer, fmt.Sprintf("the key %q is read as %s", key.Value, strings.TrimPrefix(tag, "!!")), fmt.Sprintf("a string, written %q", key.Value))
			continue
		}
		inner := join(pointer, key.Value)
		if line, ok := first[key.Value]; ok {
			s.report(at, inner, fmt.Sprintf("the key %q is written twice, first in line %d", key.Value, line), "")
			continue
		}
		if len(first) > 0 {
			s.json.WriteByte(',')
		}
		first[key.Value] = key.Line
		s.keys[inner] = at
		s.text(key.Value)
		s.json.WriteByte(':')
		s.node(value, inner, depth+1)
	}
	s.json.WriteByte('}')
}

func (s *source) text(v string) {
	quoted, err := jsontext.AppendQuote(nil, v)
	if err != nil {
		quoted = []byte(`""`)
	}
	s.json.Write(quoted)
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	yamlNumber = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

func (s *source) scalar(n *yaml.Node, pointer string, refuse func(message, expected string)) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	switch tag := n.ShortTag(); {
	case plain && yamlNumber.MatchString(n.Value), tag == "!!int", tag == "!!float":
		s.number(n.Value, refuse)
	case tag == "!!null":
		s.json.WriteString("null")
	case tag == "!!bool":
		s.json.WriteString(strings.ToLower(n.Value))
	case tag == "!!str", tag == "!!timestamp" && plain: // dates are strings: JSON has none
		s.text(n.Value)
	default:
		refuse(fmt.Sprintf("the tag %s is not read", tag), "a plain value")
	}
}

// number writes a number as JSON spells it, with every digit it had.
func (s *source) number(lit string, refuse func(message, expected string)) {
	spelled := lit
	if !jsonNumber.MatchString(spelled) {
		spelled = strings.TrimPrefix(spelled, "+")
		sign, mantissa := "", spelled
		if strings.HasPrefix(mantissa, "-") {
			sign, mantissa = "-", mantissa[1:]
		}
		if strings.HasPrefix(mantissa, ".") {
			mantissa = "0" + mantissa
		}
		if before, after, ok := strings.Cut(mantissa, "."); ok && (after == "" || after[0] == 'e' || after[0] == 'E') {
			mantissa = before + ".0" + after
		}
		spelled = sign + mantissa
	}
	if !jsonNumber.MatchString(spelled) {
		refuse(fmt.Sprintf("%q is not a decimal number", lit), "a number such as 10 or 1.5e-3, or a string in quotes: "+strconv.Quote(lit))
		return
	}
	if err := canon.CheckNumber(spelled); err != nil {
		refuse(err.Error(), "")
		return
	}
	s.json.WriteString(spelled)
}

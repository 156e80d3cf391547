package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/go-json-experiment/json/jsontext"

	"rlam/internal/canon"
)

// jsonText reads JSON token by token, so that places and duplicates are known.
type jsonText struct {
	*source
	text  []byte
	lines []int // offset of each line's first byte
	dec   *jsontext.Decoder
}

func (s *source) parseJSON(text []byte) {
	j := &jsonText{source: s, text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			j.lines = append(j.lines, i+1)
		}
	}
	j.dec = jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	err := j.value("", 0)
	if err == nil {
		if _, err = j.dec.ReadToken(); err == nil {
			err = errors.New("data after the document")
		} else if errors.Is(err, io.EOF) {
			return
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the document ends too early")
	}
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		err = se.Err
		s.report(j.position(int(se.ByteOffset)), "", "JSON: "+err.Error(), "")
		return
	}
	s.report(j.position(int(j.dec.InputOffset())), "", "JSON: "+err.Error(), "")
}

func (j *jsonText) position(offset int) position {
	line := sort.SearchInts(j.lines, offset+1)
	return position{line: line, column: offset - j.lines[line-1] + 1}
}

// start is where the next token stands: past white space and separators.
func (j *jsonText) start() position {
	i := int(j.dec.InputOffset())
	for i < len(j.text) && bytes.IndexByte([]byte(" \t\r\n,:"), j.text[i]) >= 0 {
		i++
	}
	return j.position(i)
}

func (j *jsonText) value(pointer string, depth int) error {
	at := j.start()
	j.values[pointer] = at
	if depth > canon.MaxDepth {
		return fmt.Errorf("nested deeper than %d", canon.MaxDepth)
	}
	tok, err := j.dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '{':
		return j.object(pointer, depth)
	case '[':
		j.json.WriteByte('[')
		for i := 0; j.dec.PeekKind() != ']'; i++ {
			if i > 0 {
				j.json.WriteByte(',')
			}
			if err := j.value(joinIndex(pointer, i), depth+1); err != nil {
				return err
			}
		}
		j.json.WriteByte(']')
		_, err = j.dec.ReadToken()
		return err
	case '"':
		j.source.text(tok.String())
	case '0':
		if err := canon.CheckNumber(tok.String()); err != nil {
			j.report(at, pointer, err.Error(), "")
			j.json.WriteString("null")
			return nil
		}
		j.json.WriteString(tok.String())
	default:
		j.json.WriteString(tok.String())
	}
	return nil
}

func (j *jsonText) object(pointer string, depth int) error {
	j.json.WriteByte('{')
	first := map[string]int{}
	for j.dec.PeekKind() != '}' {
		at := j.start()
		tok, err := j.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		inner := join(pointer, name)
		if line, ok := first[name]; ok {
			j.report(at, inner, fmt.Sprintf("the key %q is written twice, first in line %d", name, line), "")
			if err := j.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if len(first) > 0 {
			j.json.WriteByte(',')
		}
		first[name] = at.line
		j.keys[inner] = at
		j.source.text(name)
		j.json.WriteByte(':')
		if err := j.value(inner, depth+1); err != nil {
			return err
		}
	}
	j.json.WriteByte('}')
	_, err := j.dec.ReadToken()
	return err
}

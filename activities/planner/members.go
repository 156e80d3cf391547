package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// member is one member of a JSON object, with its value as it was written.
type member struct {
	name  string
	value []byte
}

// text is the value of a JSON string, nothing for null, and JSON for all else.
func (m member) text() string {
	var s *string
	switch err := json.Unmarshal(m.value, &s); {
	case err != nil:
		return string(m.value)
	case s == nil:
		return ""
	}
	return *s
}

// readMembers reads one JSON object: names as they are spelled, case and all, and
// every one of those that stand twice. On an error it returns those before it.
func readMembers(raw []byte) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errors.New("want a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var ms []member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return ms, err
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return ms, err
		}
		m.value = bytes.Clone(value)
		ms = append(ms, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return ms, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return ms, fmt.Errorf("data after the JSON object, at byte %d", dec.InputOffset())
	}
	return ms, nil
}

func spellMembers(ms []member) Raw {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := encode(m.name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return Raw(b.Bytes())
}

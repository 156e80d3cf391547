package scripted

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"rlam/internal/canon"
)

// conversation is a chat-completions request, read as far as an answer needs it.
// A request may be long and is asked for at every step, so contents are kept as
// they came, and are decoded only when a condition looks at them.
type conversation struct {
	digest   canon.Digest // of the body
	size     int          // of the body, in bytes
	model    string
	messages []message
	last     int // index of the first message after the newest assistant message
	turn     int // assistant messages
	tools    []string
	stream   bool
	counted  bool // stream_options.include_usage
}

// message is one message of the conversation; what is decoded of it is kept.
type message struct {
	role string
	raw  jsontext.Value // content: a string, an array of parts, or null

	text   []byte
	read   bool
	id     string // of an observation
	object bool   // an observation: text is a JSON object
	sorted bool   // id and object are known
}

// parse reads a request, whose digest is given because hashing costs more than reading.
func parse(body []byte, digest canon.Digest) (*conversation, error) {
	c := &conversation{digest: digest, size: len(body)}
	d := reader{jsontext.NewDecoder(bytes.NewBuffer(body)), body}
	err := d.object(func(name string) error {
		switch name {
		case "model":
			return d.text(&c.model)
		case "messages":
			return d.array(func() error { return c.message(d) })
		case "tools":
			return d.array(func() error { return c.tool(d) })
		case "stream":
			return d.truth(&c.stream)
		case "stream_options":
			return d.object(func(name string) error {
				if name == "include_usage" {
					return d.truth(&c.counted)
				}
				return d.SkipValue()
			})
		case "n":
			v, err := d.ReadValue()
			if err == nil && string(v) != "1" && string(v) != "null" {
				err = fmt.Errorf("n is %s: one choice is all there is", v)
			}
			return err
		default:
			return d.SkipValue()
		}
	})
	if err == nil {
		if _, end := d.ReadToken(); !errors.Is(end, io.EOF) {
			err = errors.New("there is more after the JSON document")
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading request: %w", err)
	case len(c.messages) == 0:
		return nil, errors.New("reading request: there are no messages")
	}
	return c, nil
}

func (c *conversation) message(d reader) error {
	var m message
	err := d.object(func(name string) error {
		switch name {
		case "role":
			return d.text(&m.role)
		case "content":
			v, err := d.ReadValue()
			if err == nil {
				// The decoder's own slice is good until its next read; the body's is good for ever.
				end := d.InputOffset()
				m.raw = d.body[end-int64(len(v)) : end]
			}
			return err
		default:
			return d.SkipValue()
		}
	})
	if err != nil {
		return err
	}
	if m.role == "" {
		return fmt.Errorf("message %d has no role", len(c.messages)+1)
	}
	c.messages = append(c.messages, m)
	if m.role == "assistant" {
		c.turn++
		c.last = len(c.messages)
	}
	return nil
}

func (c *conversation) tool(d reader) error {
	var name string
	err := d.object(func(member string) error {
		if member != "function" {
			return d.SkipValue()
		}
		return d.object(func(member string) error {
			if member == "name" {
				return d.text(&name)
			}
			return d.SkipValue()
		})
	})
	if err == nil && name == "" {
		err = fmt.Errorf("tool %d has no name", len(c.tools)+1)
	}
	c.tools = append(c.tools, name)
	return err
}

// content is m's text: of a string, or of the text parts of an array.
func (m *message) content() []byte {
	if m.read {
		return m.text
	}
	m.read = true
	switch m.raw.Kind() {
	case '"':
		m.text, _ = jsontext.AppendUnquote(nil, m.raw) // the decoder has checked it
	case '[':
		d := reader{jsontext.NewDecoder(bytes.NewBuffer(m.raw)), m.raw}
		_ = d.array(func() error {
			return d.object(func(name string) error {
				var text string
				if name != "text" {
					return d.SkipValue()
				}
				err := d.text(&text)
				m.text = append(m.text, text...)
				return err
			})
		})
	}
	return m.text
}

// observation is the id of the observation that m is; ok says whether it is one.
func (m *message) observation() (id string, ok bool) {
	if m.sorted {
		return m.id, m.object
	}
	m.sorted = true
	if m.role != "tool" && m.role != "user" {
		return "", false
	}
	content := m.content()
	if jsontext.Value(content).Kind() != '{' {
		return "", false
	}
	v, found, err := lookup(content, "/id")
	if err != nil {
		return "", false
	}
	m.object = true
	if found && v.Kind() == '"' {
		b, _ := jsontext.AppendUnquote(nil, v)
		m.id = string(b)
	}
	return m.id, true
}

// observed is the value that o names.
func (c *conversation) observed(o *observed) (jsontext.Value, error) {
	for i := len(c.messages) - 1; i >= 0; i-- {
		if id, ok := c.messages[i].observation(); !ok || id != o.Observation {
			continue
		}
		v, found, err := lookup(c.messages[i].content(), o.Pointer)
		if err == nil && !found {
			err = errors.New("there is no such value")
		}
		if err == nil {
			err = v.Compact()
		}
		if err != nil {
			return nil, fmt.Errorf("filling in %q of observation %q: %w", o.Pointer, o.Observation, err)
		}
		return v, nil
	}
	return nil, fmt.Errorf("filling in %q of observation %q: there is no such observation", o.Pointer, o.Observation)
}

// lookup finds the value at a JSON pointer. It reads no further than that value,
// and what it returns is a copy.
func lookup(doc []byte, pointer string) (v jsontext.Value, found bool, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc))
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch d.PeekKind() {
		case '{':
			found, err = enterMember(d, token)
		case '[':
			found, err = enterItem(d, token)
		default:
			_, err = d.ReadToken() // an error if this is no JSON at all
			found = false
		}
		if err != nil || !found {
			return nil, false, err
		}
	}
	v, err = d.ReadValue()
	return v.Clone(), err == nil, err
}

func enterMember(d *jsontext.Decoder, name string) (bool, error) {
	if _, err := d.ReadToken(); err != nil {
		return false, err
	}
	for d.PeekKind() == '"' {
		tok, err := d.ReadToken()
		if err != nil {
			return false, err
		}
		if tok.String() == name {
			return true, nil
		}
		if err := d.SkipValue(); err != nil {
			return false, err
		}
	}
	_, err := d.ReadToken()
	return false, err
}

func enterItem(d *jsontext.Decoder, token string) (bool, error) {
	index, err := strconv.Atoi(token)
	if err != nil || strconv.Itoa(index) != token || index < 0 {
		return false, nil
	}
	if _, err := d.ReadToken(); err != nil {
		return false, err
	}
	for ; index > 0 && d.PeekKind() != ']'; index-- {
		if err := d.SkipValue(); err != nil {
			return false, err
		}
	}
	if kind := d.PeekKind(); kind == ']' || kind == 0 {
		_, err := d.ReadToken()
		return false, err
	}
	return true, nil
}

// reader walks a request.
type reader struct {
	*jsontext.Decoder
	body []byte
}

// object calls member with the name of each member; member reads the value.
// null is an object without members, as Go's clients send it.
func (d reader) object(member func(name string) error) error {
	return d.each('{', '}', func() error {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		return member(tok.String())
	})
}

// array calls item for each item, which item reads. null is an empty array.
func (d reader) array(item func() error) error { return d.each('[', ']', item) }

func (d reader) each(open, shut jsontext.Kind, item func() error) error {
	tok, err := d.ReadToken()
	if err != nil || tok.Kind() == 'n' {
		return err
	}
	if tok.Kind() != open {
		return fmt.Errorf("%q is a JSON %v, want %v", d.StackPointer(), tok.Kind(), open)
	}
	for {
		switch d.PeekKind() {
		case shut:
			_, err := d.ReadToken()
			return err
		case 0:
			_, err := d.ReadToken()
			return err
		}
		if err := item(); err != nil {
			return err
		}
	}
}

func (d reader) text(to *string) error {
	tok, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case tok.Kind() == 'n':
		return nil
	case tok.Kind() != '"':
		return fmt.Errorf("%q is a JSON %v, want a string", d.StackPointer(), tok.Kind())
	}
	*to = tok.String()
	return nil
}

func (d reader) truth(to *bool) error {
	tok, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case tok.Kind() != 't' && tok.Kind() != 'f' && tok.Kind() != 'n':
		return fmt.Errorf("%q is a JSON %v, want a boolean", d.StackPointer(), tok.Kind())
	}
	*to = tok.Kind() == 't'
	return nil
}

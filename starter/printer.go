package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// message is one thing that a command says.
type message interface {
	// MessageType tells the kinds of messages apart in JSON.
	MessageType() string
}

// printer says messages: as text to people, or as JSON lines to programs.
type printer interface {
	Print(message)
}

// jsonPrinter writes each message as one line: an object whose first member is message_type.
type jsonPrinter struct{ w io.Writer }

func (p *jsonPrinter) Print(m message) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		b.Reset()
		fmt.Fprintf(&b, "{\"error\":%q}\n", err)
	}
	body := b.Bytes()[1:]
	comma := ","
	if body[0] == '}' {
		comma = ""
	}
	// A reader that has gone is no error: the run goes on without it.
	fmt.Fprintf(p.w, "{\"message_type\":%q%s%s", m.MessageType(), comma, body)
}

// indent spells JSON for people, every number as it was written.
func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}

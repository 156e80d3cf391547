package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// A needle is a piece of a withheld value that is looked for in everything else. What is
// shorter than shortNeedle bytes says too little to be found by: it stands in many places
// that have nothing to do with it.
const (
	shortNeedle = 6
	longNeedle  = 4096 // of a longer one its beginning is looked for
)

// needles finds any of many texts in one pass: by the first bytes of each.
type needles struct {
	texts map[string]bool       // as they stand in the values; false once they are public
	spelt map[string][]spelling // by the first shortNeedle bytes
}

// spelling is one way in which a text stands in files.
type spelling struct{ as, text string }

func newNeedles() *needles { return &needles{texts: map[string]bool{}} }

// value takes the strings and the precise numbers of a withheld value, and the value as a
// whole.
func (n *needles) value(raw json.RawMessage) error {
	v, err := canon.Decode(raw)
	if err != nil {
		return err
	}
	n.leaves(v)
	if text := string(raw); text != "" && text[0] != '"' {
		n.text(text)
	}
	return nil
}

func (n *needles) leaves(v any) {
	switch v := v.(type) {
	case string:
		if _, err := canon.Parse(v); err != nil { // a handle names bytes that are known by it everywhere
			n.text(v)
		}
	case json.Number:
		n.text(v.String())
	case []any:
		for _, one := range v {
			n.leaves(one)
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			n.leaves(v[key])
		}
	}
}

// conversation takes what was said in a request or an answer: the words of the messages,
// but not the parameters in them, nor what calls returned: those are contents of their own.
func (n *needles) conversation(raw json.RawMessage) error {
	var c struct {
		Messages []struct{ Role, Content string } `json:"messages"`
		Text     string                           `json:"text"`
		GiveUp   string                           `json:"give_up"`
		Refusal  string                           `json:"refusal"`
		Calls    []struct{ Why string }           `json:"calls"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	for _, m := range c.Messages {
		if m.Role != "tool" {
			n.text(m.Content)
		}
	}
	for _, call := range c.Calls {
		n.text(call.Why)
	}
	n.text(c.Text)
	n.text(c.GiveUp)
	n.text(c.Refusal)
	return nil
}

func (n *needles) text(s string) {
	if len(s) >= shortNeedle {
		n.texts[s] = true
	}
}

// spell prepares the search.
func (n *needles) spell() {
	n.spelt = map[string][]spelling{}
	for _, text := range sortedKeys(n.texts) {
		if !n.texts[text] {
			continue
		}
		for _, as := range spellingsOf(text) {
			n.spelt[as[:shortNeedle]] = append(n.spelt[as[:shortNeedle]], spelling{as, text})
		}
	}
}

// public takes out of the needles what the study, its inputs and the actions say
// themselves: they are part of every bundle, and whoever reads them knows it.
func (w *withholding) public() error {
	w.needles.spell()
	for _, it := range w.order {
		switch it.Role {
		case RoleStudy, RoleAction, RoleBinding, RoleScript, RoleTools, RoleInput:
			all := &scanner{needles: w.needles, every: func(text string) { w.needles.texts[text] = false }}
			if err := w.scan(it, all); err != nil {
				return err
			}
		}
	}
	w.needles.spell()
	return nil
}

// quoting leaves out what turns out to quote what is withheld, and can be spared.
func (w *withholding) quoting() error {
	for _, it := range w.order {
		if it.why != "" || !it.Role.spared() {
			continue
		}
		s := w.needles.scanner()
		if err := w.scan(it, s); err != nil {
			return err
		}
		if s.hit() != "" {
			w.mark(it.Digest, "it quotes what is withheld")
		}
	}
	return nil
}

// scan reads an item. One that can't be read holds nothing; that it can't is told when it
// is to be copied.
func (w *withholding) scan(it *item, s *scanner) error {
	r, err := w.store.Get(w.ctx, it.Digest)
	if err != nil {
		return context.Cause(w.ctx)
	}
	defer r.Close()
	_, _ = io.Copy(s, r)
	s.hit()
	return context.Cause(w.ctx)
}

// spellingsOf are the ways in which a text stands in files: as it is, in JSON, in JSON
// within JSON, and in HTML.
func spellingsOf(text string) []string {
	inJSON := func(s string, escapeHTML bool) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		_ = e.Encode(s) // a string
		return strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`)
	}
	once := inJSON(text, false)
	var all []string
	for _, s := range []string{text, once, inJSON(once, false), inJSON(text, true), html.EscapeString(text)} {
		if len(s) > longNeedle {
			s = s[:longNeedle]
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// scanner looks for needles in bytes that are written to it.
type scanner struct {
	needles *needles
	every   func(text string) // told of each needle, where not the first alone is wanted
	tail    []byte            // what came last, as long as a needle can be
	found   string
}

func (n *needles) scanner() *scanner { return &scanner{needles: n} }

// Write looks for needles. It never fails.
func (s *scanner) Write(p []byte) (int, error) {
	if len(s.needles.spelt) == 0 || s.found != "" {
		return len(p), nil
	}
	s.tail = append(s.tail, p...)
	// A needle that goes on beyond what is here is looked for when more has come.
	if last := len(s.tail) - longNeedle - 1; last > 0 {
		s.search(last)
		s.tail = append(s.tail[:0], s.tail[max(0, last-1):]...)
	}
	return len(p), nil
}

// hit is the needle that was found in all that was written; "" if there is none.
func (s *scanner) hit() string {
	if s.found == "" {
		s.search(len(s.tail))
	}
	return s.found
}

// search looks for needles that begin before end.
func (s *scanner) search(end int) {
	for i := 0; i < end && i+shortNeedle <= len(s.tail); i++ {
		candidates, ok := s.needles.spelt[string(s.tail[i:i+shortNeedle])]
		if !ok {
			continue
		}
		for _, c := range candidates {
			if !bytes.HasPrefix(s.tail[i:], []byte(c.as)) || !s.whole(i, len(c.as)) {
				continue
			}
			if s.every == nil {
				s.found = c.text
				return
			}
			s.every(c.text)
		}
	}
}

// whole says whether a number that was found isn't only a part of a longer one.
func (s *scanner) whole(at, n int) bool {
	digit := func(i int) bool { return i >= 0 && i < len(s.tail) && s.tail[i] >= '0' && s.tail[i] <= '9' }
	return !(digit(at) && digit(at-1)) && !(digit(at+n-1) && digit(at+n))
}

package bundle

import (
	"bytes"
	"encoding/json"
	"html"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/store"
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
	texts  []string            // as they stand in the values
	public map[string]bool     // those of them that the study says as well
	spelt  map[string][]string // in each spelling, by the first shortNeedle bytes
}

func newNeedles() *needles { return &needles{public: map[string]bool{}} }

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
		n.texts = append(n.texts, s)
	}
}

// public takes out of the needles what the study, the actions and the planner's file say
// themselves: they are part of every bundle, and whoever reads them knows it.
func (w *withholding) public() error {
	var pinned [][]byte
	for _, it := range w.order {
		switch it.Role {
		case RoleStudy, RoleAction, RoleBinding, RoleTools:
			if b, err := store.Read(w.ctx, w.store, it.Digest, maxPin); err == nil {
				pinned = append(pinned, b)
			}
		}
	}
	seen := map[string]bool{}
	spelt := map[string][]string{}
	for _, text := range w.needles.texts {
		if seen[text] {
			continue
		}
		seen[text] = true
		spellings := spellingsOf(text)
		said := false
		for _, b := range pinned {
			for _, s := range spellings {
				said = said || bytes.Contains(b, []byte(s))
			}
		}
		for _, s := range spellings {
			if !said {
				spelt[s[:shortNeedle]] = append(spelt[s[:shortNeedle]], s)
			}
		}
	}
	w.needles.texts, w.needles.spelt = nil, spelt
	return nil
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
		known := false
		for _, other := range all {
			known = known || other == s
		}
		if !known {
			all = append(all, s)
		}
	}
	return all
}

// scanner looks for needles in bytes that are written to it.
type scanner struct {
	needles *needles
	tail    []byte // what came last, as long as a needle can be
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
			if bytes.HasPrefix(s.tail[i:], []byte(c)) && s.whole(i, len(c)) {
				s.found = c
				return
			}
		}
	}
}

// whole says whether a number that was found isn't only a part of a longer one.
func (s *scanner) whole(at, n int) bool {
	digit := func(i int) bool { return i >= 0 && i < len(s.tail) && s.tail[i] >= '0' && s.tail[i] <= '9' }
	return !(digit(at) && digit(at-1)) && !(digit(at+n-1) && digit(at+n))
}

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
	"rlam/internal/record"
	"rlam/schemas"
)

// selector is one thing to withhold:
//
//	prompts           what the planner was asked, and what it answered
//	params            the parameters of all calls
//	outputs           the outputs of all calls, and the results
//	artifact:NAME     artifacts of that name; CALL/NAME is one call's
//	CALL/params/PATH  of one call's parameters the value at a JSON pointer; without
//	CALL/output/PATH  PATH all of them
type selector struct {
	text  string
	role  Role
	call  string // "" is all
	name  string // of an artifact
	at    string // JSON pointer into the content; "" is the whole
	apart bool   // at is set: what is left of the content is shown
}

// SelectorError says that a selector names nothing.
type SelectorError struct {
	Text, What string
	Nearest    string // what was meant, perhaps
}

func (e *SelectorError) Error() string {
	s := fmt.Sprintf("withholding %q: %s", e.Text, e.What)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s
}

const selectorForms = "it is one of prompts, params, outputs, artifact:NAME, CALL/params/path, CALL/output/path"

func parseSelector(text string) (selector, error) {
	s := selector{text: text}
	switch text {
	case "prompts":
		s.role = RolePrompt
		return s, nil
	case "params":
		s.role = RoleParams
		return s, nil
	case "outputs":
		s.role = RoleOutput
		return s, nil
	}
	if name, ok := strings.CutPrefix(text, "artifact:"); ok && name != "" {
		s.role, s.name = RoleArtifact, name
		return s, nil
	}
	call, rest, ok := strings.Cut(text, "/")
	what, at, below := strings.Cut(rest, "/")
	switch {
	case !ok || call == "":
		return s, &SelectorError{Text: text, What: selectorForms, Nearest: schemas.Nearest(text, []string{"prompts", "params", "outputs"})}
	case what == "params":
		s.role = RoleParams
	case what == "output":
		s.role = RoleOutput
	default:
		return s, &SelectorError{Text: text, What: selectorForms, Nearest: nearestMember(call, what)}
	}
	s.call = call
	if below && at != "" {
		s.at, s.apart = "/"+at, true
	}
	return s, nil
}

func nearestMember(call, what string) string {
	if near := schemas.Nearest(what, []string{"params", "output"}); near != "" {
		return call + "/" + near
	}
	return ""
}

// matches says whether one use of an item is what the selector names.
func (s selector) matches(u use) bool {
	role := u.role
	switch {
	case s.role == RolePrompt && role == RoleAnswer:
		role = RolePrompt
	case s.role == RoleOutput && role == RoleResult && s.call == "":
		role = RoleOutput
	case s.role == RoleArtifact && role == RoleFile: // of a folder
		folder, _, _ := strings.Cut(u.name, "/")
		return s.artifact(u.call, folder)
	case s.role == RoleArtifact && role == RoleArtifact:
		return s.artifact(u.call, u.name)
	}
	return s.role == role && (s.call == "" || s.call == u.call)
}

func (s selector) artifact(call, name string) bool { return s.name == name || s.name == call+"/"+name }

// withholding decides what is left out on purpose.
type withholding struct {
	*gathering
	needles  *needles
	redacted []redacted
}

// redacted is what is left of a content of which a part was withheld.
type redacted struct {
	Format  string          `json:"format"` // "rlam.redacted.v1"
	Of      canon.Digest    `json:"of"`     // the content as it was
	Call    string          `json:"call"`
	What    Role            `json:"what"`
	Without []string        `json:"without"` // JSON pointers
	Value   json.RawMessage `json:"value"`
	// Proved is false: nothing shows that this is what the content says, except for who
	// is given the whole of it.
	Proved bool `json:"proved"`
}

const redactedFormat = "rlam.redacted.v1"

// withhold marks what the selectors name, and whatever must go with it because it quotes
// it by its nature: the answer in which a planner typed parameters, the requests that told
// it of calls, reasons, details and logs. What quotes it otherwise is found when the files
// are read.
func (g *gathering) withhold(selectors []string) (*withholding, error) {
	w := &withholding{gathering: g, needles: newNeedles()}
	for _, text := range selectors {
		s, err := parseSelector(text)
		if err != nil {
			return nil, err
		}
		if err := w.choose(s); err != nil {
			return nil, err
		}
	}
	if len(selectors) == 0 {
		return w, nil
	}
	return w, errors.Join(w.public(), w.quoting())
}

// choose marks all that one selector names.
func (w *withholding) choose(s selector) error {
	found := false
	for _, it := range slices.Clone(w.order) {
		for _, u := range it.uses() {
			if !s.matches(u) {
				continue
			}
			found = true
			if err := w.selected(s, it, u); err != nil {
				return err
			}
			break
		}
	}
	if !found {
		return w.nothing(s)
	}
	return nil
}

// nothing says what could have been meant by a selector that names nothing.
func (w *withholding) nothing(s selector) error {
	e := &SelectorError{Text: s.text, What: "the run has nothing of the kind"}
	var near []string
	for _, it := range w.order {
		for _, u := range it.uses() {
			switch {
			case s.role == RoleArtifact && u.role == RoleArtifact:
				near = append(near, "artifact:"+u.name)
			case s.call != "" && u.role == s.role:
				near = append(near, u.call+strings.TrimPrefix(s.text, s.call))
			}
		}
	}
	e.Nearest = schemas.Nearest(s.text, near)
	return e
}

// selected marks an item that a selector names, looks into it for what must not stand
// elsewhere, and marks what quotes it.
func (w *withholding) selected(s selector, it *item, u use) error {
	w.mark(it.Digest, "asked for by "+s.text)
	if !it.Role.content() {
		return nil
	}
	var value json.RawMessage
	err := record.OpenContent(w.ctx, w.store, it.Digest, &value)
	if err != nil {
		return nil // it is missing, and there is nothing to keep back
	}
	if s.apart {
		if err := w.redact(s, it, u, &value); err != nil {
			return err
		}
	}
	if s.role == RolePrompt {
		return w.needles.conversation(value)
	}
	w.quoted(u.call, u.role, map[string]bool{})
	return w.needles.value(value)
}

// mark leaves bytes out. Records are never left out: the chain is made of them.
func (w *withholding) mark(d canon.Digest, note string) {
	if it := w.items[d]; it != nil && it.why == "" && it.Role != RoleRecord {
		it.why, it.note = Withheld, note
	}
}

// quoted marks what quotes the parameters or the output of a call by its nature.
func (w *withholding) quoted(call string, role Role, seen map[string]bool) {
	c := w.calls[call]
	if c == nil || seen[call+string(role)] {
		return
	}
	seen[call+string(role)] = true
	for _, d := range c.told {
		w.mark(d, "it may quote what is withheld of call "+call)
	}
	step, _, _ := strings.Cut(call, ".")
	n, err := strconv.Atoi(step)
	if err != nil {
		return
	}
	quoting := w.turns[use{role: RolePrompt, call: strconv.Itoa(n + 1)}]
	if role != RoleOutput { // the planner wrote it
		quoting = slices.Concat(quoting, w.turns[use{role: RoleAnswer, call: step}])
	}
	for _, d := range quoting {
		w.mark(d, "it quotes what is withheld of call "+call)
	}
	if role != RoleOutput {
		return
	}
	for _, other := range w.users[call] {
		for _, d := range w.calls[other].params {
			w.mark(d, "it holds what is withheld of call "+call)
		}
		w.quoted(other, RoleParams, seen)
	}
}

// redact keeps what is left of a content without the value at a pointer, and leaves in
// value what was there.
func (w *withholding) redact(s selector, it *item, u use, value *json.RawMessage) error {
	i := slices.IndexFunc(w.redacted, func(r redacted) bool { return r.Of == it.Digest })
	if i < 0 {
		w.redacted = append(w.redacted, redacted{Format: redactedFormat, Of: it.Digest, Call: u.call, What: u.role, Without: []string{}, Value: *value})
		i = len(w.redacted) - 1
	}
	r := &w.redacted[i]
	doc, err := canon.Decode(r.Value)
	if err != nil {
		return &SelectorError{Text: s.text, What: err.Error()}
	}
	left, taken, err := without(doc, strings.Split(s.at, "/")[1:])
	if err != nil {
		return &SelectorError{Text: s.text, What: err.Error()}
	}
	if r.Value, err = canon.Encode(left); err != nil {
		return err
	}
	r.Without = append(r.Without, s.at)
	*value, err = canon.Encode(taken)
	return err
}

// without is a JSON value without what a pointer names, and that. In an array null stands
// in its place, so that the others keep theirs.
func without(v any, path []string) (left, taken any, err error) {
	if len(path) == 0 {
		return nil, v, nil
	}
	token := jsonpointer.Unescape(path[0])
	switch v := v.(type) {
	case map[string]any:
		if _, there := v[token]; !there {
			return nil, nil, fmt.Errorf("there is no member %q: it has %s", token, strings.Join(sortedKeys(v), ", "))
		}
		below, taken, err := without(v[token], path[1:])
		if len(path) == 1 {
			delete(v, token)
		} else {
			v[token] = below
		}
		return v, taken, err
	case []any:
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(v) {
			return nil, nil, fmt.Errorf("there is no element %q: it has %d", token, len(v))
		}
		v[i], taken, err = without(v[i], path[1:])
		return v, taken, err
	}
	return nil, nil, errors.New("the path leads into a value that has no members")
}

// withheld says whether a digest is of something left out on purpose.
func (w *withholding) withheld(d canon.Digest) bool {
	it := w.items[d]
	return it != nil && it.why == Withheld
}

// any says whether anything is.
func (w *withholding) any() bool {
	return slices.ContainsFunc(w.order, func(it *item) bool { return it.why == Withheld })
}

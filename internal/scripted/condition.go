package scripted

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"rlam/internal/canon"
)

// conditions is written as one condition or as a list of them.
type conditions []condition

// UnmarshalYAML reads either form.
func (cs *conditions) UnmarshalYAML(n *yaml.Node) error {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	*cs = make(conditions, len(nodes))
	for i, node := range nodes {
		c := &(*cs)[i]
		if err := node.Load(c, yaml.WithKnownFields()); err != nil {
			return err
		}
		c.line = node.Line
	}
	return nil
}

func (cs conditions) compile() error {
	for i := range cs {
		if err := cs[i].compile(); err != nil {
			return &lineError{cs[i].line, fmt.Errorf("condition: %w", err)}
		}
	}
	return nil
}

// condition is what some message must satisfy.
type condition struct {
	Role        string    `yaml:"role"`
	Observation string    `yaml:"observation"`
	Contains    string    `yaml:"contains"`
	Matches     string    `yaml:"matches"`
	Pointer     *string   `yaml:"pointer"`
	Exists      *bool     `yaml:"exists"`
	Equals      yaml.Node `yaml:"equals"`
	Lt          *float64  `yaml:"lt"`
	Gt          *float64  `yaml:"gt"`

	line    int
	matches *regexp.Regexp
	equals  []byte // canonical JSON; nil without
}

func (c *condition) compile() (err error) {
	if c.Matches != "" {
		if c.matches, err = regexp.Compile(c.Matches); err != nil {
			return fmt.Errorf("matches %q: %w", c.Matches, err)
		}
	}
	if c.Equals.Kind != 0 {
		if c.equals, err = constant(&c.Equals); err != nil {
			return fmt.Errorf("equals: %w", err)
		}
		c.equals = spelling(c.equals)
	}
	value := c.equals != nil || c.Lt != nil || c.Gt != nil
	switch {
	case c.Pointer == nil && (value || c.Exists != nil):
		return errors.New("exists, equals, lt and gt want a pointer")
	case c.Pointer != nil && !jsontext.Pointer(*c.Pointer).IsValid():
		return fmt.Errorf("pointer %q is no JSON pointer: want it empty or beginning with /", *c.Pointer)
	case c.Exists != nil && value:
		return errors.New("exists goes without equals, lt and gt")
	case c.Pointer == nil && c.Role == "" && c.Observation == "" && c.Contains == "" && c.Matches == "":
		return errors.New("it says nothing")
	}
	return nil
}

// spelling is the one spelling of a value, or v itself where a double can't hold it.
func spelling(v []byte) []byte {
	if canonical, err := canon.Transform(v); err == nil {
		return canonical
	}
	return v
}

// among says whether one of messages satisfies c, and if none does, why the one
// that came nearest doesn't.
func (c *condition) among(messages []message) (ok bool, why string) {
	why = "there are no messages in sight"
	nearest := -1
	for i := len(messages) - 1; i >= 0; i-- { // of equals, the newest is named
		stage, reason := c.test(&messages[i])
		if stage == satisfied {
			return true, ""
		}
		if stage > nearest {
			nearest, why = stage, reason
		}
	}
	return false, why
}

// The stages a message passes through; the later it fails, the nearer it came.
const (
	byRole = iota
	byObservation
	byContent
	byPointer
	satisfied
)

func (c *condition) test(m *message) (stage int, why string) {
	if c.Role != "" && m.role != c.Role {
		return byRole, "no message has this role"
	}
	if c.Observation != "" || c.Pointer != nil {
		id, ok := m.observation()
		if !ok {
			return byObservation, "there is no observation in sight"
		}
		if c.Observation != "" && id != c.Observation {
			return byObservation, fmt.Sprintf("an observation is %q", id)
		}
	}
	if c.Contains != "" && !bytes.Contains(m.content(), []byte(c.Contains)) {
		return byContent, "the content doesn't contain it"
	}
	if c.matches != nil && !c.matches.Match(m.content()) {
		return byContent, "the content doesn't match"
	}
	if c.Pointer == nil {
		return satisfied, ""
	}
	v, found, err := lookup(m.content(), *c.Pointer)
	if err != nil {
		return byObservation, "the content is broken JSON"
	}
	if ok, why := c.holds(v, found); !ok {
		return byPointer, why
	}
	return satisfied, ""
}

// holds judges the value at the pointer.
func (c *condition) holds(v jsontext.Value, found bool) (ok bool, why string) {
	if want := c.Exists == nil || *c.Exists; want != found {
		if found {
			return false, fmt.Sprintf("it is %s", excerpt(v))
		}
		return false, "there is no such value"
	}
	if c.equals != nil && !bytes.Equal(spelling(v), c.equals) {
		return false, fmt.Sprintf("it is %s", excerpt(v))
	}
	if c.Lt == nil && c.Gt == nil {
		return true, ""
	}
	number, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != '0' || err != nil {
		return false, fmt.Sprintf("it is no number but %s", excerpt(v))
	}
	if c.Lt != nil && number >= *c.Lt || c.Gt != nil && number <= *c.Gt {
		return false, fmt.Sprintf("it is %s", v)
	}
	return true, ""
}

// excerpt is v, short enough for an error.
func excerpt(v []byte) string {
	const most = 80
	if len(v) <= most {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:most]), "") + "…"
}

func (c *condition) String() string {
	var s []string
	say := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	if c.Role != "" {
		say("role %s", c.Role)
	}
	if c.Observation != "" {
		say("observation %q", c.Observation)
	}
	if c.Contains != "" {
		say("contains %q", c.Contains)
	}
	if c.Matches != "" {
		say("matches %q", c.Matches)
	}
	if c.Pointer != nil {
		say("pointer %q", *c.Pointer)
	}
	if c.Exists != nil {
		say("exists: %v", *c.Exists)
	}
	if c.equals != nil {
		say("equals %s", excerpt(c.equals))
	}
	if c.Lt != nil {
		say("below %v", *c.Lt)
	}
	if c.Gt != nil {
		say("above %v", *c.Gt)
	}
	return strings.Join(s, " ")
}

// test judges w. It returns how many conditions hold, and of each other one what
// it is and why it doesn't.
func (w *when) test(conv *conversation) (held int, failed []string) {
	if w.Turn != nil {
		if conv.turn == *w.Turn {
			held++
		} else {
			failed = append(failed, fmt.Sprintf("turn %d: this is turn %d", *w.Turn, conv.turn))
		}
	}
	judge := func(scope string, cs conditions, messages []message) {
		for i := range cs {
			ok, why := cs[i].among(messages)
			if ok {
				held++
				continue
			}
			failed = append(failed, fmt.Sprintf("%s: %v: %s", scope, &cs[i], why))
		}
	}
	judge("last", w.Last, conv.messages[conv.last:])
	judge("any", w.Any, conv.messages)
	return held, failed
}

package scripted

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"rlam/internal/canon"
)

// observedKey is the one name of an object that stands for a value of the conversation.
const observedKey = "$observed"

// maxNodes bounds what aliases can grow a value to.
const maxNodes = 100_000

// template is JSON with holes that a conversation fills.
type template struct{ parts []part }

// part is JSON text, or a hole when from is set.
type part struct {
	text []byte
	from *observed
}

// observed names a value in the conversation.
type observed struct {
	Observation string `yaml:"observation"`
	Pointer     string `yaml:"pointer"`
}

// compile turns a YAML value into JSON, members in the order they were written,
// and numbers with the digits they were written with.
func compile(n *yaml.Node) (*template, error) {
	t := new(template)
	c := compiler{template: t}
	if err := c.value(n, 0); err != nil {
		return nil, err
	}
	c.cut()
	return t, nil
}

// constant is a YAML value as JSON, without holes.
func constant(n *yaml.Node) ([]byte, error) {
	t, err := compile(n)
	if err != nil {
		return nil, err
	}
	if len(t.parts) != 1 || t.parts[0].from != nil {
		return nil, at(n, fmt.Errorf("%q has no place here", observedKey))
	}
	return t.parts[0].text, nil
}

// fill is the JSON that t becomes in a conversation.
func (t *template) fill(conv *conversation) ([]byte, error) {
	var out []byte
	for _, p := range t.parts {
		if p.from == nil {
			out = append(out, p.text...)
			continue
		}
		v, err := conv.observed(p.from)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}

type compiler struct {
	*template
	text  []byte // not yet a part
	nodes int
}

func (c *compiler) cut() {
	if len(c.text) > 0 {
		c.parts = append(c.parts, part{text: c.text})
		c.text = nil
	}
}

func (c *compiler) value(n *yaml.Node, depth int) error {
	if c.nodes++; depth > canon.MaxDepth || c.nodes > maxNodes {
		return at(n, fmt.Errorf("the value is deeper than %d or larger than %d nodes", canon.MaxDepth, maxNodes))
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		c.text = append(c.text, '[')
		for i, item := range n.Content {
			if i > 0 {
				c.text = append(c.text, ',')
			}
			if err := c.value(item, depth+1); err != nil {
				return err
			}
		}
		c.text = append(c.text, ']')
		return nil
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.ScalarNode:
		return c.scalar(n)
	default:
		return at(n, errors.New("this is no value"))
	}
}

func (c *compiler) mapping(n *yaml.Node, depth int) error {
	if len(n.Content) == 2 && n.Content[0].Value == observedKey {
		from := new(observed)
		if err := n.Content[1].Load(from, yaml.WithKnownFields()); err != nil {
			return at(n, fmt.Errorf("%s: %w", observedKey, err))
		}
		if from.Observation == "" || !jsontext.Pointer(from.Pointer).IsValid() {
			return at(n, fmt.Errorf("%s: want an observation and a JSON pointer, not %q and %q", observedKey, from.Observation, from.Pointer))
		}
		c.cut()
		c.parts = append(c.parts, part{from: from})
		return nil
	}
	seen := make(map[string]bool, len(n.Content)/2)
	c.text = append(c.text, '{')
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			return at(key, errors.New("a name must be plain text"))
		case seen[key.Value]:
			return at(key, fmt.Errorf("%q is named twice", key.Value))
		}
		seen[key.Value] = true
		if i > 0 {
			c.text = append(c.text, ',')
		}
		if err := c.quote(key); err != nil {
			return err
		}
		c.text = append(c.text, ':')
		if err := c.value(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	c.text = append(c.text, '}')
	return nil
}

func (c *compiler) quote(n *yaml.Node) error {
	out, err := jsontext.AppendQuote(c.text, n.Value)
	if err != nil {
		return at(n, err)
	}
	c.text = out
	return nil
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (c *compiler) scalar(n *yaml.Node) error {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return c.quote(n)
	case "!!null":
		c.text = append(c.text, "null"...)
	case "!!bool":
		var v bool
		if err := n.Load(&v); err != nil {
			return at(n, err)
		}
		c.text = strconv.AppendBool(c.text, v)
	case "!!int", "!!float":
		if jsonNumber.MatchString(n.Value) {
			c.text = append(c.text, n.Value...)
			return nil
		}
		// Spellings that JSON lacks: 0x10, .5, +1, 1_000.
		var integer int64
		if tag == "!!int" && n.Load(&integer) == nil {
			c.text = strconv.AppendInt(c.text, integer, 10)
			return nil
		}
		var v float64
		if err := n.Load(&v); err != nil {
			return at(n, err)
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return at(n, fmt.Errorf("JSON has no number %q", n.Value))
		}
		c.text = strconv.AppendFloat(c.text, v, 'g', -1, 64)
	default:
		return at(n, fmt.Errorf("JSON has nothing for the tag %q", tag))
	}
	return nil
}

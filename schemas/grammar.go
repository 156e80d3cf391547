package schemas

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Limits of a schema. They are far above what people write.
const (
	maxSchema  = 256 << 10 // bytes
	maxShapes  = 5000      // subschemas
	maxPattern = 1000      // instructions of one compiled pattern
)

// role is what a keyword's value holds.
type role int

const (
	plain     role = iota // no schema
	single                // one schema
	list                  // an array of schemas
	named                 // an object of schemas
	positions             // items: one schema or an array of them
	needs                 // dependencies: an object of schemas or arrays of names
)

// draft2020 is 2020-12 among the drafts' numbers: 4, 6, 7 and this one.
const draft2020 = 2020

// keyword is one word of JSON Schema, and the drafts that have it.
type keyword struct {
	role  role
	from  int // first draft
	until int // last draft; 0: it is in the newest
}

var keywords = map[string]keyword{
	"$schema": {}, "$id": {from: 6}, "id": {until: 7}, "$ref": {}, "$comment": {}, "title": {}, "description": {}, "default": {},
	"examples": {}, "readOnly": {}, "writeOnly": {}, "contentMediaType": {}, "contentEncoding": {}, "unit": {},
	"definitions": {role: named}, "type": {}, "enum": {}, "const": {from: 6}, "multipleOf": {}, "maximum": {},
	"exclusiveMaximum": {}, "minimum": {}, "exclusiveMinimum": {}, "maxLength": {}, "minLength": {}, "pattern": {},
	"items": {role: positions}, "additionalItems": {role: single, until: 7}, "maxItems": {}, "minItems": {}, "uniqueItems": {},
	"contains": {role: single, from: 6}, "maxProperties": {}, "minProperties": {}, "required": {},
	"properties": {role: named}, "patternProperties": {role: named}, "additionalProperties": {role: single},
	"dependencies": {role: needs, until: 7}, "propertyNames": {role: single, from: 6}, "allOf": {role: list}, "anyOf": {role: list},
	"oneOf": {role: list}, "not": {role: single}, "if": {role: single, from: 7}, "then": {role: single, from: 7},
	"else": {role: single, from: 7}, "format": {},
	"$defs": {role: named, from: draft2020}, "prefixItems": {role: list, from: draft2020}, "dependentRequired": {from: draft2020},
	"dependentSchemas": {role: named, from: draft2020}, "unevaluatedProperties": {role: single, from: draft2020},
	"unevaluatedItems": {role: single, from: draft2020}, "minContains": {from: draft2020}, "maxContains": {from: draft2020},
	"deprecated": {from: draft2020},
}

// annotations say nothing about validity, and may stand beside $ref.
var annotations = []string{
	"$schema", "$id", "id", "$comment", "title", "description", "default", "examples", "readOnly", "writeOnly",
	"contentMediaType", "contentEncoding", "unit", "deprecated",
}

// successors are keywords of later and earlier drafts and common slips, with what to write instead.
var successors = map[string]string{
	"additionalItems": "items", "dependencies": "dependentSchemas", "id": "$id",
	"$defs": "definitions", "prefixItems": "items", "unevaluatedProperties": "additionalProperties",
	"unevaluatedItems": "additionalItems", "dependentRequired": "dependencies", "dependentSchemas": "dependencies",
	"nullable": "type", "optional": "required",
}

var dialects = map[string]int{
	"http://json-schema.org/draft-04/schema": 4,
	"http://json-schema.org/draft-06/schema": 6,
	"http://json-schema.org/draft-07/schema": 7,

	"https://json-schema.org/draft/2020-12/schema": draft2020,
}

// draftName is how people call a draft.
func draftName(draft int) string {
	if draft == draft2020 {
		return "2020-12"
	}
	return strconv.Itoa(draft)
}

// shape is one subschema, with what applies where.
type shape struct {
	pointer string
	raw     map[string]any
	always  *bool  // of the schemas true and false
	ref     *shape // of $ref; nothing else counts beside it

	all, any, one, cond, deps []*shape // at the same location; cond holds if, then, else
	not, names                *shape

	props                      map[string]*shape
	patterns                   []patterned
	rest                       *shape // additionalProperties
	items, extra, contains     *shape
	others                     []*shape // unevaluatedProperties, unevaluatedItems: may judge every member
	tuple                      []*shape
	pattern                    int // instructions of "pattern"
	types                      []string
	choices                    []any // enum, or const as its only item
	unique, closed, isArtifact bool
	unit                       string
}

type patterned struct {
	re    *regexp.Regexp
	cost  int
	shape *shape
}

// here are the subschemas that judge the same value as s, one level down.
func (s *shape) here() []*shape {
	if s.ref != nil {
		return []*shape{s.ref}
	}
	var out []*shape
	for _, group := range [][]*shape{s.all, s.any, s.one, s.cond, s.deps} {
		out = append(out, group...)
	}
	if s.not != nil {
		out = append(out, s.not)
	}
	return out
}

// grammar reads a schema into shapes, and collects what is wrong with it.
type grammar struct {
	draft  int
	shapes map[string]*shape
	order  []*shape
	wrong  Violations
}

func (g *grammar) refuse(pointer, nearest, format string, args ...any) {
	g.wrong = append(g.wrong, Violation{Pointer: pointer, Message: fmt.Sprintf(format, args...), Nearest: nearest})
}

// dialect is the draft that a schema asks for; none asks for draft 7.
func dialect(schema any) (int, *Violation) {
	m, _ := schema.(map[string]any)
	v, ok := m["$schema"]
	if !ok {
		return 7, nil
	}
	s, _ := v.(string)
	if d, ok := dialects[strings.TrimSuffix(s, "#")]; ok {
		return d, nil
	}
	return 0, &Violation{
		Pointer: "/$schema", Message: fmt.Sprintf("the dialect %.80q is not supported", fmt.Sprint(v)),
		Expected: `"http://json-schema.org/draft-07/schema#" (or draft-04, draft-06, or "https://json-schema.org/draft/2020-12/schema"), or no "$schema"`,
	}
}

// size counts what can be a subschema: objects, true and false.
func size(v any) int {
	n := 0
	walk(v, "", func(v any, _ string) bool {
		switch v.(type) {
		case map[string]any, bool:
			n++
		}
		return n <= maxShapes
	})
	return n
}

// read walks the whole schema. The metaschema has been checked before, so that
// values have the types that their keywords demand.
func (g *grammar) read(v any, pointer string) *shape {
	s := &shape{pointer: pointer}
	g.shapes[pointer] = s
	g.order = append(g.order, s)
	switch v := v.(type) {
	case bool:
		s.always = &v
	case map[string]any:
		s.raw = v
		for _, name := range slices.Sorted(maps.Keys(v)) {
			g.keyword(s, name, v[name])
		}
	default:
		g.refuse(pointer, "", "is %s, where a schema is expected", kindOf(v))
	}
	return s
}

func (g *grammar) keyword(s *shape, name string, v any) {
	at := join(s.pointer, name)
	word, known := keywords[name]
	switch {
	case !known:
		near, ok := successors[name]
		if !ok {
			near = nearest(name, slices.Collect(maps.Keys(keywords)))
		}
		g.refuse(at, near, "%.80q is no keyword of draft %s, and would be ignored", name, draftName(g.draft))
		g.wrong[len(g.wrong)-1].name = true
		return
	case word.from > g.draft:
		g.refuse(at, successors[name], "%q is no keyword of draft %s, and would be ignored; it came with draft %s", name, draftName(g.draft), draftName(word.from))
		return
	case word.until != 0 && word.until < g.draft:
		g.refuse(at, successors[name], "%q is no keyword of draft %s, and would be ignored; it went after draft %s", name, draftName(g.draft), draftName(word.until))
		return
	}
	switch word.role {
	case single:
		g.single(s, name, v, at)
	case list:
		for i, item := range v.([]any) {
			sub := g.read(item, joinIndex(at, i))
			switch name {
			case "allOf":
				s.all = append(s.all, sub)
			case "anyOf":
				s.any = append(s.any, sub)
			case "oneOf":
				s.one = append(s.one, sub)
			case "prefixItems":
				s.tuple = append(s.tuple, sub)
			}
		}
	case named:
		g.named(s, name, v.(map[string]any), at)
	case positions:
		if tuple, ok := v.([]any); ok {
			for i, item := range tuple {
				s.tuple = append(s.tuple, g.read(item, joinIndex(at, i)))
			}
			return
		}
		s.items = g.read(v, at)
		if s.raw["prefixItems"] != nil { // it is for those that follow
			s.extra = s.items
		}
	case needs:
		m := v.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if _, names := m[key].([]any); !names {
				s.deps = append(s.deps, g.read(m[key], join(at, key)))
			}
		}
	default:
		g.plain(s, name, v, at)
	}
}

func (g *grammar) single(s *shape, name string, v any, at string) {
	sub := g.read(v, at)
	switch name {
	case "additionalProperties":
		s.rest = sub
		s.closed = sub.always != nil && !*sub.always
	case "additionalItems":
		s.extra = sub
	case "contains":
		s.contains = sub
	case "propertyNames":
		s.names = sub
	case "not":
		s.not = sub
	case "unevaluatedProperties", "unevaluatedItems":
		s.others = append(s.others, sub)
	default:
		s.cond = append(s.cond, sub)
	}
}

func (g *grammar) named(s *shape, name string, m map[string]any, at string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		sub := g.read(m[key], join(at, key))
		switch name {
		case "properties":
			if s.props == nil {
				s.props = map[string]*shape{}
			}
			s.props[key] = sub
		case "dependentSchemas":
			s.deps = append(s.deps, sub)
		case "patternProperties":
			if re, cost := g.regexp(join(at, key), key); re != nil {
				s.patterns = append(s.patterns, patterned{re: re, cost: cost, shape: sub})
			}
		}
	}
}

func (g *grammar) plain(s *shape, name string, v any, at string) {
	text, _ := v.(string)
	switch name {
	case "$schema", "$id", "id":
		if s.pointer != "" {
			g.refuse(at, "", "%q stands below the top of the schema, where it would change what references mean", name)
		}
	case "$ref":
		for _, key := range besideRef(s.raw) {
			if g.draft != draft2020 {
				g.refuse(join(s.pointer, key), "", "%.80q stands beside \"$ref\", and would be ignored; put both into \"allOf\"", key)
			}
		}
		if !strings.HasPrefix(text, "#") {
			g.refuse(at, "", "the reference %.80q is not local; only \"#/…\" is, and nothing is ever fetched", text)
		}
	case "type":
		if text != "" {
			s.types = []string{text}
		}
		if several, ok := v.([]any); ok {
			for _, t := range several {
				name, _ := t.(string)
				s.types = append(s.types, name)
			}
		}
	case "enum":
		s.choices, _ = v.([]any)
	case "const":
		s.choices = []any{v}
	case "uniqueItems":
		s.unique, _ = v.(bool)
	case "pattern":
		_, s.pattern = g.regexp(at, text)
	case "unit":
		s.unit = text
		if _, ok := v.(string); !ok {
			g.refuse(at, "", "is %s; a unit is a string, such as \"kg\" or \"m/s\"", kindOf(v))
		}
	case "format":
		s.isArtifact = text == artifactFormat
		if !knownFormat(text) {
			g.refuse(at, nearest(text, formats), "the format %.80q is not known, and would be ignored", text)
		}
	}
}

// regexp compiles a pattern and counts its instructions: matching takes time in
// proportion to their number times the length of the text.
func (g *grammar) regexp(at, pattern string) (*regexp.Regexp, int) {
	if len(pattern) > 4*maxPattern {
		g.refuse(at, "", "the pattern has %d characters; %d is the most", len(pattern), 4*maxPattern)
		return nil, 0
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		g.refuse(at, "", "the pattern %.80q can't be compiled: %v (Go's syntax: no look-around, no back-references)", pattern, err)
		return nil, 0
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxPattern {
		g.refuse(at, "", "the pattern %.80q has too many repetitions: more than %d instructions", pattern, maxPattern)
		return nil, 0
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		g.refuse(at, "", "the pattern %.80q can't be compiled: %v", pattern, err)
		return nil, 0
	}
	return re, len(prog.Inst)
}

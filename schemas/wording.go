package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// finding is one error of the validator, with the schemas that hold where it stands.
type finding struct {
	kind     string // the validator's name for it
	path     []string
	property string
	value    any
	shapes   []*shape
}

// echoes are kinds that only repeat, for the enclosing value, what another
// violation says in detail.
const echo = "\x00"

// violation says what was wrong, and what would be right, in words that a model can act on.
func (f finding) violation(fallback string) Violation {
	v := Violation{}
	for _, p := range f.path {
		v.Pointer = join(v.Pointer, p)
	}
	given := show(f.value)
	switch f.kind {
	case "required", "missing_dependency":
		v.Message, v.missing = fmt.Sprintf("%q is missing", f.property), f.property
		if sub := f.property0(); sub != nil {
			v.Expected = sub.describe()
		}
	case "invalid_type":
		v.Message = "is " + given
		v.Expected = f.union(func(s *shape) []string { return articles(s.types) })
	case "enum", "const":
		v.Message = "is " + given
		v.Expected, v.Nearest = f.choices()
	case "additional_property_not_allowed":
		v.Pointer = join(v.Pointer, f.property)
		v.Message, v.name = "there is no such property", true
		var names []string
		for _, s := range f.shapes {
			names = append(names, slices.Collect(maps.Keys(s.props))...)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		v.Expected, v.Nearest = "none", nearest(f.property, names)
		if len(names) > 0 {
			v.Expected = "one of " + quoted(names)
		}
	case "number_gte", "number_gt", "number_lte", "number_lt", "multiple_of", "string_gte", "string_lte", "pattern",
		"array_min_items", "array_max_items", "array_min_properties", "array_max_properties":
		v.Message = "is " + given
		v.Expected = f.union(func(s *shape) []string { return s.bounds(f.kind) })
		if names := f.union(func(s *shape) []string { return s.names.boundsOf(f.kind) }); v.Expected == "" && names != "" {
			v.Message, v.Expected = "has the name "+given, names
		}
	case "format":
		v.Message = "is " + given
		v.Expected = f.union(func(s *shape) []string { return s.format() })
	case "unique":
		v.Message, v.Expected = "has the same item twice", "items that differ"
	case "number_any_of", "number_one_of":
		v.Message = "is " + given + noAlternative
		if f.kind == "number_one_of" {
			v.Message = "is " + given + ", which doesn't fit exactly one of the alternatives"
		}
		v.Expected = f.union(func(s *shape) []string {
			var out []string
			for _, sub := range append(slices.Clone(s.any), s.one...) {
				out = append(out, sub.describe())
			}
			return out
		})
	case "number_not":
		v.Message = "is " + given + ", which is excluded"
		for _, s := range f.shapes {
			if s.not != nil {
				v.Expected = "anything but " + s.not.describe()
			}
		}
	case "number_all_of", "condition_then", "condition_else", "invalid_property_name":
		v.Message = echo + fallback
	case "array_no_additional_items":
		v.Message = "has too many items"
	case "contains":
		v.Message = "has no item that fits"
		if len(f.shapes) > 0 && (f.shapes[0].raw["minContains"] != nil || f.shapes[0].raw["maxContains"] != nil) {
			v.Message = "has too few or too many items that fit"
		}
	case "nothing":
		v.Message = "is not allowed here"
	case "property_name":
		v.Message = fmt.Sprintf("has the name %q, which is not allowed", f.property)
	default:
		v.Message = fallback
	}
	if v.Message == "" {
		v.Message = fallback
	}
	return v
}

// property0 is the schema of the property that is missing.
func (f finding) property0() *shape {
	for _, s := range f.shapes {
		if sub := s.props[f.property]; sub != nil {
			return sub
		}
	}
	return nil
}

// union joins what the schemas at one place say, without repetition.
func (f finding) union(say func(*shape) []string) string {
	var out []string
	for _, s := range f.shapes {
		for _, w := range say(s) {
			if w != "" && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return strings.Join(out, " or ")
}

func (f finding) choices() (expected, near string) {
	var words, names []string
	for _, s := range f.shapes {
		for _, c := range s.choices {
			if w := show(c); !slices.Contains(words, w) {
				words = append(words, w)
			}
			if name, ok := c.(string); ok {
				names = append(names, name)
			}
		}
	}
	if given, ok := f.value.(string); ok {
		near = nearest(given, names)
	}
	if len(words) > 20 {
		words = append(words[:20:20], fmt.Sprintf("… (%d in all)", len(words)))
	}
	if len(words) == 1 {
		return words[0], near
	}
	return "one of " + strings.Join(words, ", "), near
}

func articles(types []string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "null":
			out[i] = "null"
		case "array", "integer", "object":
			out[i] = "an " + t
		default:
			out[i] = "a " + t
		}
	}
	return out
}

// describe is a schema in a few words.
func (s *shape) describe() string {
	for n := 0; s.ref != nil && n < 64; n++ {
		s = s.ref
	}
	if s.always != nil {
		return map[bool]string{true: "anything", false: "nothing"}[*s.always]
	}
	switch title, _ := s.raw["title"].(string); {
	case title != "":
		return title
	case len(s.choices) > 0:
		words, _ := finding{shapes: []*shape{s}}.choices()
		return words
	case s.isArtifact:
		return s.format()[0]
	case len(s.types) > 0:
		return strings.Join(articles(s.types), " or ") + s.having()
	case len(s.any)+len(s.one) > 0:
		var out []string
		for _, sub := range append(slices.Clone(s.any), s.one...) {
			out = append(out, sub.describe())
		}
		return strings.Join(out, " or ")
	case s.raw["required"] != nil:
		return "an object" + s.having()
	}
	return ""
}

func (s *shape) having() string {
	required, _ := s.raw["required"].([]any)
	if len(required) == 0 || len(required) > 5 {
		return ""
	}
	names := make([]string, len(required))
	for i, r := range required {
		names[i], _ = r.(string)
	}
	return " with " + quoted(names)
}

// format is what the schema's format, if it has one, asks for.
func (s *shape) format() []string {
	switch f, _ := s.raw["format"].(string); f {
	case "":
		return nil
	case artifactFormat:
		return []string{`an artifact's handle, "sha256:" and 64 hexadecimal digits`}
	case "regex":
		return []string{"a regular expression of Go's syntax, which has no look-around and no back-references"}
	default:
		return []string{fmt.Sprintf("a string of format %q", f)}
	}
}

// boundsOf is bounds of a schema that may be missing.
func (s *shape) boundsOf(kind string) []string {
	if s == nil {
		return nil
	}
	return s.bounds(kind)
}

// bounds is the demand behind one kind of error, for example "at least 3".
func (s *shape) bounds(kind string) []string {
	say := func(keyword, format string) []string {
		if v, ok := s.raw[keyword]; ok {
			if _, flag := v.(bool); !flag {
				return []string{fmt.Sprintf(format, show(v))}
			}
		}
		return nil
	}
	switch kind {
	case "number_gte":
		return say("minimum", "at least %s")
	case "number_gt":
		if s.raw["exclusiveMinimum"] == true { // draft 4 marks the bound
			return say("minimum", "more than %s")
		}
		return say("exclusiveMinimum", "more than %s")
	case "number_lte":
		return say("maximum", "at most %s")
	case "number_lt":
		if s.raw["exclusiveMaximum"] == true {
			return say("maximum", "less than %s")
		}
		return say("exclusiveMaximum", "less than %s")
	case "multiple_of":
		return say("multipleOf", "a multiple of %s")
	case "string_gte":
		return say("minLength", "at least %s characters")
	case "string_lte":
		return say("maxLength", "at most %s characters")
	case "pattern":
		if title, _ := s.raw["title"].(string); title != "" {
			return []string{title}
		}
		return say("pattern", "a string that matches %s")
	case "array_min_items":
		return say("minItems", "at least %s items")
	case "array_max_items":
		return say("maxItems", "at most %s items")
	case "array_min_properties":
		return say("minProperties", "at least %s properties")
	}
	return say("maxProperties", "at most %s properties")
}

// show is a value for people: short JSON, or its kind and size.
func show(v any) string {
	switch v := v.(type) {
	case []any:
		if len(v) > 4 {
			return fmt.Sprintf("an array of %d items", len(v))
		}
	case map[string]any:
		if len(v) > 0 {
			return "an object with " + quoted(slices.Sorted(maps.Keys(v)))
		}
		return "an empty object"
	case string:
		if len(v) > 80 {
			return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(v[:60]), len(v))
		}
	}
	b, err := json.Marshal(v)
	if err != nil || len(b) > 120 {
		return kindOf(v)
	}
	return string(b)
}

// at are all schemas that judge the place below root that path leads to.
func (s *shape) at(path []string, v any) []*shape {
	level := s.spread(nil)
	for _, part := range path {
		var next []*shape
		for _, s := range level {
			for _, sub := range s.member(part, v) {
				next = sub.spread(next)
			}
		}
		switch here := v.(type) {
		case map[string]any:
			v = here[part]
		case []any:
			if i, err := strconv.Atoi(part); err == nil && i < len(here) {
				v = here[i]
			}
		}
		level = next
	}
	return level
}

// spread adds s and what it applies at the same location.
func (s *shape) spread(out []*shape) []*shape {
	if slices.Contains(out, s) || len(out) > 200 {
		return out
	}
	out = append(out, s)
	if s.ref != nil {
		return s.ref.spread(out)
	}
	for _, group := range [][]*shape{s.all, s.any, s.one, s.cond, s.deps} {
		for _, sub := range group {
			out = sub.spread(out)
		}
	}
	return out
}

// member are the schemas for one member of an object or array.
func (s *shape) member(part string, v any) []*shape {
	if _, array := v.([]any); array {
		out := append([]*shape{s.items, s.contains}, s.others...)
		if i, err := strconv.Atoi(part); err == nil && s.tuple != nil {
			if out[0] = s.extra; i < len(s.tuple) {
				out[0] = s.tuple[i]
			}
		}
		return slices.DeleteFunc(out, func(s *shape) bool { return s == nil })
	}
	var out []*shape
	if sub := s.props[part]; sub != nil {
		out = append(out, sub)
	}
	for _, p := range s.patterns {
		if p.re.MatchString(part) {
			out = append(out, p.shape)
		}
	}
	if len(out) == 0 && s.rest != nil {
		out = append(out, s.rest)
	}
	if len(out) == 0 {
		out = append(out, s.others...)
	}
	return out
}

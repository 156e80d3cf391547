package executor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rlam/internal/jsonpointer"
)

// maxApplicable bounds how many schemas are looked at for one place of a value.
const maxApplicable = 256

// marks are the places that a JSON Schema marks with "format": "artifact". It looks at
// every schema that may apply, whichever branch of an anyOf holds; validation is done
// elsewhere, and before.
type marks struct{ root any }

func readMarks(schema json.RawMessage) (marks, error) {
	var m marks
	if len(schema) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(schema, &m.root); err != nil {
		return m, fmt.Errorf("reading the action's schema: %w", err)
	}
	return m, nil
}

// defaults are what the schema's own properties state for members that are not given.
func (m marks) defaults() map[string]any {
	found := make(map[string]any)
	root, _ := m.root.(map[string]any)
	properties, _ := root["properties"].(map[string]any)
	for name, s := range properties {
		for _, s := range m.applicable(nil, s) {
			if value, ok := s["default"]; ok {
				found[name] = value
				break
			}
		}
	}
	return found
}

// member is what the schema says of the member of an object: its type, if there is one
// that it must have, and whether it is an artifact's handle; of an array, that of its items.
func (m marks) member(name string) (typ string, handle, list bool) {
	at := m.members(m.applicable(nil, m.root), name)
	for _, s := range at {
		if s["type"] == "array" {
			at, list = m.items([]map[string]any{s}, 0), true
			break
		}
	}
	for _, s := range at {
		if t, ok := s["type"].(string); ok && typ == "" {
			typ = t
		}
		handle = handle || s["format"] == "artifact"
	}
	return typ, handle, list
}

// replace calls f for every string of v at a marked place, with the media type that the
// schema states there, and puts what f returns in its stead.
func (m marks) replace(v any, f func(text, mediaType string) (string, error)) (any, error) {
	return m.walk(m.applicable(nil, m.root), v, f)
}

func (m marks) walk(schemas []map[string]any, v any, f func(text, mediaType string) (string, error)) (any, error) {
	if len(schemas) == 0 {
		return v, nil
	}
	switch v := v.(type) {
	case string:
		for _, s := range schemas {
			if s["format"] == "artifact" {
				mediaType, _ := s["contentMediaType"].(string)
				return f(v, mediaType)
			}
		}
	case []any:
		for i, e := range v {
			var err error
			if v[i], err = m.walk(m.items(schemas, i), e, f); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) { // sorted, so that the first error is always the same
			var err error
			if v[name], err = m.walk(m.members(schemas, name), v[name], f); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (m marks) members(schemas []map[string]any, name string) []map[string]any {
	var all []map[string]any
	for _, s := range schemas {
		properties, _ := s["properties"].(map[string]any)
		if sub, ok := properties[name]; ok {
			all = m.applicable(all, sub)
			continue
		}
		patterns, _ := s["patternProperties"].(map[string]any)
		for _, p := range slices.Sorted(maps.Keys(patterns)) {
			all = m.applicable(all, patterns[p])
		}
		all = m.applicable(all, s["additionalProperties"])
	}
	return all
}

func (m marks) items(schemas []map[string]any, i int) []map[string]any {
	var all []map[string]any
	for _, s := range schemas {
		list, ok := s["items"].([]any)
		switch {
		case !ok:
			all = m.applicable(all, s["items"])
		case i < len(list):
			all = m.applicable(all, list[i])
		default:
			all = m.applicable(all, s["additionalItems"])
		}
	}
	return all
}

// applicable adds s, what it refers to and what it is composed of to all.
func (m marks) applicable(all []map[string]any, s any) []map[string]any {
	schema, ok := s.(map[string]any)
	if !ok || len(all) >= maxApplicable {
		return all
	}
	all = append(all, schema)
	if ref, ok := schema["$ref"].(string); ok {
		return m.applicable(all, m.resolve(ref))
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[keyword].([]any)
		for _, sub := range list {
			all = m.applicable(all, sub)
		}
	}
	for _, keyword := range []string{"if", "then", "else"} {
		all = m.applicable(all, schema[keyword])
	}
	return all
}

// resolve follows a reference within the document, "#/definitions/a".
func (m marks) resolve(ref string) any {
	at := m.root
	path, local := strings.CutPrefix(ref, "#")
	if !local {
		return nil
	}
	for _, name := range strings.Split(path, "/")[1:] {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[jsonpointer.Unescape(name)]
	}
	return at
}

package planner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// members are an object schema's properties.
type members map[string]any

// object is the JSON Schema of an object with these members and no others.
func object(properties members, required ...string) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// relocate prepares a JSON Schema to stand at a pointer of another document: its
// local references ("#/definitions/x") are relative to the document they stand in.
func relocate(schema json.RawMessage, pointer string) (any, error) {
	v, err := decode(schema)
	if err != nil {
		return nil, fmt.Errorf("reading a JSON Schema: %w", err)
	}
	return moveSchema(v, pointer), nil
}

func moveSchema(v any, pointer string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = moveSchema(v[i], pointer)
		}
	case map[string]any:
		for key, value := range v {
			switch key {
			case "$ref":
				if ref, ok := value.(string); ok && strings.HasPrefix(ref, "#") {
					v[key] = "#" + pointer + ref[1:]
				}
			case "enum", "const", "default", "examples": // values, not schemas
			case "properties", "patternProperties", "definitions", "$defs", "dependencies":
				// The keys are the schema author's: one may be named "$ref" or "enum".
				if named, ok := value.(map[string]any); ok {
					for name := range named {
						named[name] = moveSchema(named[name], pointer)
					}
				}
			default:
				v[key] = moveSchema(value, pointer)
			}
		}
	}
	return v
}

// decode reads one JSON value and keeps its numbers as they are spelled.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("data after the JSON value, at byte %d", dec.InputOffset())
	}
	return v, nil
}

// encode is v's JSON on one line, with "<" and "&" left as they are: a model reads it.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// proposalSchema is the JSON Schema of an answer in ModeResponseFormat:
//
//	{"calls": [{"id", "action", "why", "params"}, …]} | {"finish": {"result"}} | {"give_up": {"reason"}}
//
// The parameters of each action are in the system message and are the gates'
// business: a union of every action's schema is more than many servers' grammars take.
func proposalSchema(tools []Tool) (any, error) {
	actions := []any{}
	var branches []any
	for _, t := range tools {
		if t.Action != "" {
			actions = append(actions, t.Action)
		}
	}
	if len(actions) > 0 {
		str := map[string]any{"type": "string"}
		call := object(members{
			"id":     str,
			"action": map[string]any{"type": "string", "enum": actions},
			"why":    str,
			"params": map[string]any{"type": "object"},
		}, "id", "action", "params")
		branches = append(branches, object(members{"calls": map[string]any{"type": "array", "minItems": 1, "items": call}}, "calls"))
	}
	for _, t := range tools {
		if t.Action != "" {
			continue
		}
		arguments, err := relocate(t.Parameters, fmt.Sprintf("/anyOf/%d/properties/%s", len(branches), t.Name))
		if err != nil {
			return nil, fmt.Errorf("tool %q: %w", t.Name, err)
		}
		branches = append(branches, object(members{t.Name: arguments}, t.Name))
	}
	return map[string]any{"anyOf": branches}, nil
}

package schemas

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// referenceDefinition is the schema of a reference, as the model sees it.
func referenceDefinition() map[string]any {
	return map[string]any{
		"type":        "object",
		"description": "Stands for a value of an earlier call, or of another call of this step, instead of typing it.",
		"properties": map[string]any{
			"$from":   map[string]any{"type": "string", "description": `the call's id, or "input"`},
			"pointer": map[string]any{"type": "string", "description": `where in its output, such as "/parameters/b1"; the whole output if absent`},
		},
		"required":             []any{"$from"},
		"additionalProperties": false,
	}
}

const referenceName = "reference"

// ToolSchema is the schema of the arguments with which a planner calls the
// action: an id of its own choice for the call, why it makes it, and the
// action's parameters, in which a reference may stand for every value.
func ToolSchema(b *Bound) json.RawMessage { return toolSchema(b, nil) }

// ToolSchema is [ToolSchema] with what the study narrows: both schemas of the
// parameters must hold.
func (l *LoadedStudy) ToolSchema(b *Bound) json.RawMessage {
	for _, a := range l.Study.Actions {
		if name, _, _ := strings.Cut(a.Use, "@"); name == b.Action.Name && a.Params != nil {
			return toolSchema(b, a.Params)
		}
	}
	return toolSchema(b, nil)
}

func toolSchema(b *Bound, narrow json.RawMessage) json.RawMessage {
	const at, target = "#/properties/params", "#/definitions/" + referenceName
	params := relaxing{prefix: at, target: target, forModel: true}.relax(raw(b.Action.Params))
	if narrow != nil {
		params = map[string]any{"allOf": []any{
			relaxing{prefix: at + "/allOf/0", target: target, forModel: true}.relax(raw(b.Action.Params)),
			relaxing{prefix: at + "/allOf/1", target: target, forModel: true}.relax(raw(narrow)),
		}}
	}
	return marshal(map[string]any{
		"type": "object",
		"properties": map[string]any{
			"id":     map[string]any{"type": "string", "pattern": callNamePattern, "description": "your id for this call, new in this run, by which other calls refer to it"},
			"why":    map[string]any{"type": "string", "description": "why this call, in one sentence"},
			"params": params,
		},
		"required":             []any{"id", "params"},
		"additionalProperties": false,
		"definitions":          map[string]any{referenceName: referenceDefinition()},
	})
}

// ResultToolSchema is the schema of the arguments with which a planner hands in
// the study's result, references admitted.
func ResultToolSchema(l *LoadedStudy) json.RawMessage {
	r := relaxing{prefix: "#/properties/result", target: "#/definitions/" + referenceName, forModel: true}
	return marshal(map[string]any{
		"type":                 "object",
		"properties":           map[string]any{"result": r.relax(raw(l.Study.Result))},
		"required":             []any{"result"},
		"additionalProperties": false,
		"definitions":          map[string]any{referenceName: referenceDefinition()},
	})
}

// looseSchema judges parameters whose references have no values yet: it admits a
// reference at every value, and leaves out the keywords whose answer could change
// when the values are known (not, if, contains, unevaluated…; oneOf becomes anyOf).
func looseSchema(params json.RawMessage) []byte {
	const name = "rlam " + referenceName // no pointer of the schema's own leads here by accident
	r := relaxing{prefix: "#", target: "#/definitions/rlam%20" + referenceName}
	schema, ok := r.relax(raw(params)).(map[string]any)
	if !ok {
		return params
	}
	definitions, _ := schema["definitions"].(map[string]any)
	definitions = maps.Clone(definitions)
	if definitions == nil {
		definitions = map[string]any{}
	}
	definitions[name] = referenceDefinition()
	schema["definitions"] = definitions
	if said, ok := raw(params).(map[string]any)["$schema"]; ok {
		schema["$schema"] = said
	}
	return marshal(schema)
}

func raw(schema json.RawMessage) any {
	v, err := decode(schema)
	if err != nil {
		return true
	}
	return v
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("schemas: marshalling decoded JSON: " + err.Error())
	}
	return b
}

// relaxing rewrites a schema so that references are admitted. Nothing is shared
// with the schema it reads.
type relaxing struct {
	prefix   string // put before local references, since the schema moves
	target   string // where the schema of a reference stands
	forModel bool   // keep what only informs
}

// admit is the schema of a member's value, or a reference.
func (r relaxing) admit(v any) any {
	m, ok := r.relax(v).(map[string]any)
	if !ok {
		return v // true admits everything, false nothing
	}
	outer := map[string]any{}
	for _, name := range []string{"title", "description", "unit"} {
		if text, ok := m[name]; ok {
			outer[name] = text
			delete(m, name)
		}
	}
	if len(m) > 0 { // an empty schema admits everything
		outer["anyOf"] = []any{m, map[string]any{"$ref": r.target}}
	}
	return outer
}

// relax admits references below the value that v is the schema of, not in its place.
func (r relaxing) relax(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		sub := m[name]
		switch name {
		case "$schema", "$id", "id", "$comment":
		case "$ref":
			ref, _ := sub.(string)
			out[name] = r.prefix + ref[min(1, len(ref)):]
		case "properties", "patternProperties":
			out[name] = each(sub, r.admit)
		case "definitions", "$defs", "dependentSchemas":
			out[name] = each(sub, r.relax)
		case "prefixItems":
			out[name] = every(arrayOf(sub), r.admit)
		case "unevaluatedProperties", "unevaluatedItems":
			if r.forModel { // else what is left out elsewhere would count as unevaluated
				out[name] = r.moved(sub)
			}
		case "minContains", "maxContains":
			if r.forModel {
				out[name] = sub
			}
		case "additionalProperties", "additionalItems":
			out[name] = r.admit(sub)
		case "items":
			if tuple, ok := sub.([]any); ok {
				out[name] = every(tuple, r.admit)
			} else {
				out[name] = r.admit(sub)
			}
		case "oneOf":
			if r.forModel {
				out[name] = every(arrayOf(sub), r.relax)
				continue
			}
			// In allOf, since an anyOf may stand beside.
			out["allOf"] = append(arrayOf(out["allOf"]), map[string]any{"anyOf": every(arrayOf(sub), r.relax)})
		case "allOf":
			out[name] = append(arrayOf(out[name]), every(arrayOf(sub), r.relax)...)
		case "anyOf":
			out[name] = every(arrayOf(sub), r.relax)
		case "not", "if", "then", "else", "contains":
			if r.forModel {
				out[name] = r.moved(sub)
			}
		case "dependencies":
			out[name] = each(sub, func(v any) any {
				if names, ok := v.([]any); ok {
					return slices.Clone(names)
				}
				return r.relax(v)
			})
		default:
			out[name] = sub
		}
	}
	return out
}

// moved is a schema as it is, with its references where they lead now.
func (r relaxing) moved(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, sub := range v {
			if ref, ok := sub.(string); ok && name == "$ref" && len(ref) > 0 {
				out[name] = r.prefix + ref[1:]
			} else {
				out[name] = r.moved(sub)
			}
		}
		return out
	case []any:
		return every(v, r.moved)
	}
	return v
}

func arrayOf(v any) []any {
	a, _ := v.([]any)
	return a
}

func every(items []any, f func(any) any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return out
}

func each(v any, f func(any) any) map[string]any {
	members, _ := v.(map[string]any)
	out := make(map[string]any, len(members))
	for name, sub := range members {
		out[name] = f(sub)
	}
	return out
}

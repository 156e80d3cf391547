package lineage

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/jsonpointer"
)

// covers says whether a JSON pointer names the value that another names, or one around it.
func covers(around, pointer string) bool {
	rest, ok := strings.CutPrefix(pointer, around)
	return ok && (rest == "" || rest[0] == '/')
}

// decode reads JSON, every number as it was written.
func decode(raw json.RawMessage) (any, bool) {
	if len(raw) == 0 {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	return v, d.Decode(&v) == nil
}

// at is the part of a value that a pointer names, and whether there is one.
func at(raw json.RawMessage, pointer string) (json.RawMessage, bool) {
	if pointer == "" {
		return raw, len(raw) > 0
	}
	v, ok := decode(raw)
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if !ok {
			break
		}
		v, ok = member(v, jsonpointer.Unescape(part))
	}
	if !ok {
		return nil, false
	}
	b, err := json.Marshal(v)
	return b, err == nil
}

func member(v any, name string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		m, ok := v[name]
		return m, ok
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}

// typed are the parts of a value, below pointer, that no covered pointer names: the
// largest parts of which that is wholly true.
func typed(raw json.RawMessage, pointer string, covered []string) []Typed {
	whole, ok := decode(raw)
	if !ok {
		return nil
	}
	var out []Typed
	var walk func(at string, v any)
	walk = func(at string, v any) {
		if slices.ContainsFunc(covered, func(c string) bool { return covers(c, at) }) || !covers(pointer, at) && !covers(at, pointer) {
			return
		}
		inside := slices.ContainsFunc(covered, func(c string) bool { return covers(at, c) })
		within := covers(pointer, at) && at != ""
		switch v := v.(type) {
		case map[string]any:
			if inside || !within {
				for _, name := range slices.Sorted(maps.Keys(v)) {
					walk(at+"/"+jsonpointer.Escape(name), v[name])
				}
				return
			}
		case []any:
			if inside || !within {
				for i, x := range v {
					walk(at+"/"+strconv.Itoa(i), x)
				}
				return
			}
		}
		if b, err := json.Marshal(v); err == nil && len(b) <= mostValue {
			out = append(out, Typed{At: at, Value: b})
		}
	}
	walk("", whole)
	return out
}

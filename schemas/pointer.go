package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// join is the JSON pointer (RFC 6901) of a member of what pointer names.
func join(pointer, name string) string { return pointer + "/" + jsonpointer.Escape(name) }

func joinIndex(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// tokens are the unescaped parts of a JSON pointer.
func tokens(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("%.80q is no JSON pointer: it is empty or begins with \"/\"", pointer)
	}
	parts := strings.Split(pointer[1:], "/")
	for i, p := range parts {
		parts[i] = jsonpointer.Unescape(p)
	}
	return parts, nil
}

// At is the canonical JSON of what a JSON pointer names in a document. Its error says
// how far the path exists, and what stands there instead.
func At(document json.RawMessage, pointer string) (json.RawMessage, error) {
	v, err := decode(document)
	if err == nil {
		v, err = Lookup(v, pointer)
	}
	if err != nil {
		return nil, err
	}
	return canon.Marshal(v)
}

// Lookup finds what pointer names in v. Its error says how far the path exists
// and what stands there instead.
func Lookup(v any, pointer string) (any, error) {
	parts, err := tokens(pointer)
	if err != nil {
		return nil, err
	}
	at := ""
	for _, part := range parts {
		switch here := v.(type) {
		case map[string]any:
			next, ok := here[part]
			if !ok {
				keys := slices.Sorted(maps.Keys(here))
				return nil, missing(at, part, keys)
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(here) || strconv.Itoa(i) != part {
				return nil, fmt.Errorf("%s is an array of %d items, and has no item %.80q", place(at), len(here), part)
			}
			v = here[i]
		default:
			return nil, fmt.Errorf("%s is %s, and has nothing at %.80q", place(at), kindOf(v), part)
		}
		at = join(at, part)
	}
	return v, nil
}

func missing(at, part string, keys []string) error {
	if len(keys) == 0 {
		return fmt.Errorf("%s has no %.80q: it is an empty object", place(at), part)
	}
	hint := ""
	if n := nearest(part, keys); n != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", n)
	}
	return fmt.Errorf("%s has no %.80q; its keys are %s%s", place(at), part, quoted(keys), hint)
}

// spot and place name what a pointer leads to, for "at …" and as a subject.
func spot(pointer string) string {
	if pointer == "" {
		return "the top"
	}
	return pointer
}

func place(pointer string) string {
	if pointer == "" {
		return "the whole value"
	}
	return pointer
}

// kindOf names the JSON type of v with its article.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "a number"
		}
		return "an integer"
	case []any:
		return "an array"
	}
	return "an object"
}

// decode reads one JSON document, with numbers as they are spelled.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("JSON: data after the document")
	}
	return v, nil
}

// doubles is decoded JSON with every number as a float64. Canonical JSON holds no
// number that this would change.
func doubles(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case []any:
		return every(v, doubles)
	case map[string]any:
		return each(v, doubles)
	}
	return v
}

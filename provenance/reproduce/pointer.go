package reproduce

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/jsonpointer"
)

// findIn is where a text stands in a value; of several places the first, by sorted keys.
func findIn(v any, text string) (pointer string, found bool) {
	switch v := v.(type) {
	case string:
		return "", v == text
	case []any:
		for i, x := range v {
			if pointer, found = findIn(x, text); found {
				return "/" + strconv.Itoa(i) + pointer, true
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if pointer, found = findIn(v[key], text); found {
				return "/" + jsonpointer.Escape(key) + pointer, true
			}
		}
	}
	return "", false
}

// put replaces what stands at a JSON pointer in v, which must be there.
func put(v any, pointer string, with any) (any, error) {
	if pointer == "" {
		return with, nil
	}
	token, rest, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if rest != "" {
		rest = "/" + rest
	}
	var err error
	switch v := v.(type) {
	case map[string]any:
		key := jsonpointer.Unescape(token)
		old, ok := v[key]
		if !ok {
			return nil, fmt.Errorf("there is no member %q", key)
		}
		v[key], err = put(old, rest, with)
		return v, err
	case []any:
		i, convErr := strconv.Atoi(token)
		if convErr != nil || i < 0 || i >= len(v) {
			return nil, fmt.Errorf("there is no item %q", token)
		}
		v[i], err = put(v[i], rest, with)
		return v, err
	}
	return nil, fmt.Errorf("there is nothing at %q", pointer)
}

package change

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// NoPlaceError says that a document has no such place.
type NoPlaceError struct {
	Pointer string   // as far as it leads, and the token that leads no further
	Have    []string // the pointers that there are instead; nil where a value has no members
}

func (e *NoPlaceError) Error() string {
	if e.Have == nil {
		return fmt.Sprintf("there is nothing at %q: what holds it has no members", e.Pointer)
	}
	return fmt.Sprintf("there is nothing at %q", e.Pointer)
}

// Put gives doc with value at the pointer, which must lead to something; with add, it may
// also name a member of an object that the object doesn't have yet. doc stays as it is.
func Put(doc json.RawMessage, pointer string, value json.RawMessage, add bool) (json.RawMessage, error) {
	if pointer == "" {
		return canon.Transform(value)
	}
	v, err := canon.Decode(doc)
	if err != nil {
		return nil, err
	}
	in, err := canon.Decode(value)
	if err != nil {
		return nil, err
	}
	if v, err = put(v, "", strings.Split(pointer[1:], "/"), in, add); err != nil {
		return nil, err
	}
	return canon.Encode(v)
}

func put(at any, path string, tokens []string, v any, add bool) (any, error) {
	if len(tokens) == 0 {
		return v, nil
	}
	token := jsonpointer.Unescape(tokens[0])
	here := path + "/" + tokens[0]
	switch node := at.(type) {
	case map[string]any:
		child, is := node[token]
		if !is && !(add && len(tokens) == 1) {
			e := &NoPlaceError{Pointer: here, Have: []string{}}
			for _, name := range slices.Sorted(maps.Keys(node)) {
				e.Have = append(e.Have, path+"/"+jsonpointer.Escape(name))
			}
			return nil, e
		}
		child, err := put(child, here, tokens[1:], v, add)
		node[token] = child
		return node, err
	case []any:
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(node) || strconv.Itoa(i) != token {
			e := &NoPlaceError{Pointer: here, Have: []string{}}
			for i := range node {
				e.Have = append(e.Have, fmt.Sprintf("%s/%d", path, i))
			}
			return nil, e
		}
		node[i], err = put(node[i], here, tokens[1:], v, add)
		return node, err
	}
	return nil, &NoPlaceError{Pointer: here}
}

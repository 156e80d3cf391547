package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/jsonpointer"
)

// replace puts v at a path ("limits/steps" or "/limits/steps") of a JSON document and
// returns the document. Members that are missing on the way are made.
func replace(doc any, pointer string, v any) (any, error) {
	pointer = strings.TrimPrefix(pointer, "/")
	if pointer == "" {
		return nil, errors.New("the path is empty")
	}
	return put(doc, strings.Split(pointer, "/"), v)
}

func put(at any, tokens []string, v any) (any, error) {
	if len(tokens) == 0 {
		return v, nil
	}
	token := jsonpointer.Unescape(tokens[0])
	switch node := at.(type) {
	case nil:
		child, err := put(nil, tokens[1:], v)
		return map[string]any{token: child}, err
	case map[string]any:
		child, err := put(node[token], tokens[1:], v)
		node[token] = child
		return node, err
	case []any:
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(node) {
			return nil, fmt.Errorf("%q is no index into an array of %d", token, len(node))
		}
		node[i], err = put(node[i], tokens[1:], v)
		return node, err
	}
	return nil, fmt.Errorf("%q leads into a value that has no members", token)
}

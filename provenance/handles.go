package provenance

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// handle is an artifact's name as it stands in a value, and where.
type handle struct {
	at     string // JSON pointer
	digest canon.Digest
}

// handlesIn finds the handles that stand in a JSON value as strings of their own.
func handlesIn(raw json.RawMessage) []handle {
	if !strings.Contains(string(raw), "sha256:") {
		return nil
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil // parameters that are no JSON were refused, and are kept as they came
	}
	var found []handle
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case string:
			if d, err := canon.Parse(v); err == nil {
				found = append(found, handle{at, d})
			}
		case []any:
			for i, x := range v {
				walk(at+"/"+strconv.Itoa(i), x)
			}
		case map[string]any:
			for key, x := range v {
				walk(at+"/"+jsonpointer.Escape(key), x)
			}
		}
	}
	walk("", v)
	slices.SortFunc(found, func(a, b handle) int { return strings.Compare(a.at, b.at) })
	return found
}

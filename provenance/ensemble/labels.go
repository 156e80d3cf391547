package ensemble

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// labels are what a result's schema says of its fields.
type labels struct{ root any }

// label is what it says of one.
type label struct {
	title, unit string
	artifact    bool
}

// labelsOf reads a schema; nil says nothing of any field.
func labelsOf(schema json.RawMessage) (*labels, error) {
	if len(schema) == 0 {
		return &labels{}, nil
	}
	root, err := canon.Decode(schema)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of the ensemble's results: %w", err)
	}
	return &labels{root}, nil
}

// at is what the schema says of what a pointer names. What it says by conditions and by
// patterns of names isn't looked for.
func (l *labels) at(pointer string) label {
	at := l.root
	if pointer != "" {
		for token := range strings.SplitSeq(pointer[1:], "/") {
			at = l.below(at, token)
		}
	}
	s := l.follow(at)
	var found label
	found.title, _ = s["title"].(string)
	found.unit, _ = s["unit"].(string)
	found.artifact = s["format"] == "artifact"
	return found
}

// below is the schema of a member or item of what a schema is of.
func (l *labels) below(schema any, token string) any {
	s := l.follow(schema)
	properties, _ := s["properties"].(map[string]any)
	if member, is := properties[jsonpointer.Unescape(token)]; is {
		return member
	}
	i, err := strconv.Atoi(token)
	if err != nil {
		return s["additionalProperties"]
	}
	for _, keyword := range []string{"prefixItems", "items"} {
		if each, is := s[keyword].([]any); is && i < len(each) && i >= 0 {
			return each[i]
		}
	}
	return s["items"]
}

// follow is a schema as an object, references within the document followed.
func (l *labels) follow(schema any) map[string]any {
	s, _ := schema.(map[string]any)
	for range 16 { // references in a circle lead nowhere
		ref, is := s["$ref"].(string)
		if !is || !strings.HasPrefix(ref, "#/") {
			break
		}
		at := l.root
		for token := range strings.SplitSeq(ref[2:], "/") {
			object, _ := at.(map[string]any)
			at = object[jsonpointer.Unescape(token)]
		}
		s, _ = at.(map[string]any)
	}
	return s
}

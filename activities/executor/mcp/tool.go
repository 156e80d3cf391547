package mcp

import (
	"encoding/json"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"rlam/internal/canon"
)

// Tool is a tool's definition, as its server gives it.
type Tool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input_schema"`            // JSON Schema of the arguments, canonical JSON
	Output      json.RawMessage `json:"output_schema,omitempty"` // JSON Schema of the structured result; nil if there is none
	Hints       *Hints          `json:"hints,omitempty"`
}

// Hints are what a server says of a tool's effects. Nobody has checked them.
type Hints struct {
	ReadOnly    bool  `json:"read_only,omitempty"`
	Idempotent  bool  `json:"idempotent,omitempty"`
	Destructive *bool `json:"destructive,omitempty"`
	OpenWorld   *bool `json:"open_world,omitempty"`
}

// Digest names the definition: name, title, description, both schemas and hints. Icons
// and other metadata are not in it.
func (t Tool) Digest() (canon.Digest, error) {
	d, _, err := canon.Of(t)
	if err != nil {
		return d, fmt.Errorf("pinning tool %q: %w", t.Name, err)
	}
	return d, nil
}

func toolOf(t *sdk.Tool) (Tool, error) {
	out := Tool{Name: t.Name, Title: t.Title, Description: t.Description}
	var err error
	if out.Input, err = canon.Marshal(t.InputSchema); err != nil {
		return out, fmt.Errorf("reading the input schema of tool %q: %w", t.Name, err)
	}
	if t.OutputSchema != nil {
		if out.Output, err = canon.Marshal(t.OutputSchema); err != nil {
			return out, fmt.Errorf("reading the output schema of tool %q: %w", t.Name, err)
		}
	}
	if a := t.Annotations; a != nil {
		if out.Title == "" {
			out.Title = a.Title
		}
		out.Hints = &Hints{ReadOnly: a.ReadOnlyHint, Idempotent: a.IdempotentHint, Destructive: a.DestructiveHint, OpenWorld: a.OpenWorldHint}
	}
	return out, nil
}

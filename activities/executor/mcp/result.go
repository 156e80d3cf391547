package mcp

import (
	"encoding/json"
	"fmt"
	"math"
	"mime"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"rlam/internal/canon"
)

// Result is what a tool gave.
type Result struct {
	Text       string          // all text, a blank line between its pieces
	Structured json.RawMessage // canonical JSON; nil if there is none
	Declared   bool            // Structured is what the tool's output schema describes
	Files      []File          // images, sounds and resources, in their order
	Links      []string        // URIs that the tool names
}

// File is data within a result.
type File struct {
	Name      string // made of its place and media type: "1.png"
	MediaType string
	Data      []byte
}

func resultOf(a *sdk.CallToolResult, declared bool) (*Result, error) {
	r := &Result{Declared: declared}
	var texts []string
	file := func(mediaType string, data []byte) {
		if _, _, err := mime.ParseMediaType(mediaType); err != nil {
			mediaType = "application/octet-stream"
		}
		r.Files = append(r.Files, File{Name: fmt.Sprintf("%d%s", len(r.Files)+1, extension(mediaType)), MediaType: mediaType, Data: data})
	}
	for _, c := range a.Content {
		switch c := c.(type) {
		case *sdk.TextContent:
			texts = append(texts, c.Text)
		case *sdk.ImageContent:
			file(c.MIMEType, c.Data)
		case *sdk.AudioContent:
			file(c.MIMEType, c.Data)
		case *sdk.ResourceLink:
			r.Links = append(r.Links, c.URI)
		case *sdk.EmbeddedResource:
			if c.Resource == nil {
				continue
			}
			r.Links = append(r.Links, c.Resource.URI)
			if c.Resource.Blob != nil {
				file(c.Resource.MIMEType, c.Resource.Blob)
			} else {
				texts = append(texts, c.Resource.Text)
			}
		default:
			return r, &Error{Type: TypeServerLost, Message: fmt.Sprintf("the tool's result has a kind of content that isn't known: %T", c)}
		}
	}
	r.Text = strings.Join(texts, "\n\n")
	if a.StructuredContent == nil {
		if declared && !a.IsError {
			return r, &Error{Type: typeInvalidOutput, Message: "the tool declares an output schema, and gave no structured content"}
		}
		return r, nil
	}
	if n, rounded := roundedInteger(a.StructuredContent); rounded {
		return r, &Error{Type: typeInvalidOutput, Message: fmt.Sprintf("the tool's result has an integer near %.0f: beyond 2^53 its exact value is not known. Have the tool give it as a string", n)}
	}
	var err error
	if r.Structured, err = canon.Marshal(a.StructuredContent); err != nil {
		return r, &Error{Type: typeInvalidOutput, Message: fmt.Sprintf("reading the tool's structured content: %v", err)}
	}
	return r, nil
}

const typeInvalidOutput = "rlam.InvalidOutput"

// roundedInteger finds an integer that may have been another before the library read it.
func roundedInteger(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, math.Abs(v) >= 1<<53 && math.Abs(v) < 1e21 && v == math.Trunc(v)
	case []any:
		for _, item := range v {
			if n, found := roundedInteger(item); found {
				return n, true
			}
		}
	case map[string]any:
		for _, item := range v {
			if n, found := roundedInteger(item); found {
				return n, true
			}
		}
	}
	return 0, false
}

// extension goes by a list of its own, the same on every machine.
func extension(mediaType string) string {
	t, _, _ := mime.ParseMediaType(mediaType)
	return map[string]string{
		"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "image/webp": ".webp",
		"audio/wav": ".wav", "audio/mpeg": ".mp3", "application/pdf": ".pdf", "application/json": ".json", "text/csv": ".csv", "text/plain": ".txt",
	}[t]
}

// Output is the result as an action's output, canonical JSON: what the tool's output
// schema describes; or, for a tool without one, text, the handles of the files,
// links, and structured content if there is any. handles are of Files.
func (r *Result) Output(handles []string) (json.RawMessage, error) {
	if r.Declared {
		return r.Structured, nil
	}
	out := map[string]any{"text": r.Text}
	if len(handles) > 0 {
		out["files"] = handles
	}
	if len(r.Links) > 0 {
		out["links"] = r.Links
	}
	if r.Structured != nil {
		out["structured"] = r.Structured
	}
	return canon.Marshal(out)
}

// Plain is the JSON Schema of [Result.Output] for a tool without an output schema.
func Plain() map[string]any {
	return map[string]any{
		"type": "object", "required": []any{"text"}, "additionalProperties": false,
		"properties": map[string]any{
			"text":       map[string]any{"type": "string", "description": "What the tool says."},
			"files":      map[string]any{"type": "array", "items": map[string]any{"type": "string", "format": "artifact"}, "description": "Images and other data, by handle."},
			"links":      map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": "URIs that the tool names."},
			"structured": map[string]any{"description": "What the tool gives beside text."},
		},
	}
}

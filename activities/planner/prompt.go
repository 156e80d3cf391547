package planner

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"rlam/internal/jsonpointer"
	"rlam/schemas"
)

// Input is a study's input as the planner is told of it.
type Input struct {
	Name        string
	Description string
	MediaType   string // such as "text/csv"; may be empty
	Size        int64  // in bytes, or SizeUnknown
	Origin      string // where it comes from and what can't be done with it, in sentences; may be empty
}

// SizeUnknown is the size of an input whose bytes nobody has seen.
const SizeUnknown = -1

//go:embed system.tmpl
var systemText string

var systemTemplate = template.Must(template.New("system").Parse(systemText))

// System is a conversation's first message: the role, the goal, the inputs, the
// rules, what a result looks like, and the limits. In ModeResponseFormat it also
// lists the tools, which a request in ModeTools carries by itself.
//
// Its text is in system.tmpl. It depends on its arguments only, and not on the
// order of inputs; two runs of a study begin with the same message.
func System(study *schemas.Study, tools []Tool, inputs []Input) (Message, error) {
	type input struct{ Description, Reference string }
	type tool struct{ Action, Description, Schema string }
	data := struct {
		Title, Goal, Instructions, Result, Limits string
		Inputs                                    []input
		Tools                                     []tool
		AsText                                    bool
	}{
		Title:        study.Title,
		Goal:         strings.TrimSpace(study.Goal),
		Instructions: strings.TrimSpace(study.Planner.Instructions),
		Limits:       (schemas.Facts{Study: &schemas.LoadedStudy{Study: *study}}).Remaining().String(),
		AsText:       study.Planner.Calls == ModeResponseFormat,
	}
	for _, in := range slices.SortedFunc(slices.Values(inputs), func(a, b Input) int { return strings.Compare(a.Name, b.Name) }) {
		reference, err := encode(map[string]string{"$from": "input", "pointer": "/" + escape(in.Name)})
		if err != nil {
			return Message{}, fmt.Errorf("describing input %q: %w", in.Name, err)
		}
		data.Inputs = append(data.Inputs, input{Description: in.describe(), Reference: string(reference)})
	}
	if data.AsText {
		for _, t := range tools {
			if t.Action == "" {
				continue
			}
			schema, err := oneLine(t.Parameters)
			if err != nil {
				return Message{}, fmt.Errorf("describing action %q: %w", t.Action, err)
			}
			data.Tools = append(data.Tools, tool{Action: t.Action, Description: t.Description, Schema: schema})
		}
	}
	result := study.Result
	if len(result) == 0 {
		result = json.RawMessage(`{"type":"object"}`)
	}
	var err error
	if data.Result, err = oneLine(result); err != nil {
		return Message{}, fmt.Errorf("describing the result: %w", err)
	}
	var text strings.Builder
	if err := systemTemplate.Execute(&text, data); err != nil {
		return Message{}, fmt.Errorf("writing the system message: %w", err)
	}
	return Message{Role: RoleSystem, Content: strings.TrimSpace(text.String())}, nil
}

func (in Input) describe() string {
	size := fmt.Sprintf("%d bytes", in.Size)
	if in.Size == SizeUnknown {
		size = "size not known"
	}
	if in.MediaType != "" {
		size = in.MediaType + ", " + size
	}
	text := fmt.Sprintf("%s (%s)", in.Name, size)
	if in.Description != "" {
		text += ": " + strings.Join(strings.Fields(in.Description), " ")
	}
	if in.Origin != "" {
		text = strings.TrimSuffix(text, ".") + ". " + in.Origin
	}
	return text
}

func oneLine(raw json.RawMessage) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", err
	}
	return b.String(), nil
}

// escape spells a name inside a JSON pointer (RFC 6901).
func escape(name string) string {
	return jsonpointer.Escape(name)
}

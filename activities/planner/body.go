package planner

import (
	"encoding/json"
	"fmt"
	"regexp"

	"rlam/internal/canon"
)

// reasoning matches OpenAI's models that count their thoughts as output, with or
// without a router's "openai/" before the name.
var reasoning = regexp.MustCompile(`^(.*/)?(o[1-9]|gpt-[5-9])([-.:]|$)`)

// Body is the exact body of a request: the same bytes for the same Request, with
// schemas in canonical JSON, so that their spelling doesn't matter. BaseURL and Key
// are not in it.
//
// It is spelled here and not by go-openai, which drops a temperature of 0 and a
// tool message's empty content, and refuses some parameters by the model's name
// before a server has seen them. Two things do depend on the name. A model that
// begins with o1 to o9 or gpt-5 to gpt-9 gets max_completion_tokens in place of
// max_tokens, and no temperature: OpenAI's answer anything else with an error, and
// other servers that have models of such names take both. For all others the
// temperature is in the body, 0 included. (Temperature 0 is not determinism.)
//
// In ModeTools tool_choice is "required", since ending a run is a tool as well; a
// server that ignores it may answer in words, and [Client.Complete] copes. In
// ModeResponseFormat observations are sent as user messages and earlier tool calls
// as the JSON they would have been, so a conversation can change its mode. In
// either mode a tool message that answers no tool call goes as a user message.
func Body(r Request) ([]byte, error) {
	if r.Model == "" {
		return nil, fmt.Errorf("writing a request: no model is named")
	}
	w := wireRequest{Model: r.Model, Temperature: &r.Temperature, MaxTokens: max(r.MaxTokens, 0), Seed: r.Seed}
	if reasoning.MatchString(r.Model) {
		w.MaxTokens, w.MaxCompletionTokens, w.Temperature = 0, w.MaxTokens, nil
	}
	var err error
	switch r.Mode {
	case "", ModeTools:
		w.Messages, err = toolMessages(r.Messages)
		if err == nil {
			w.Tools, err = wireTools(r.Tools)
		}
		if len(w.Tools) > 0 {
			w.ToolChoice = "required"
		}
	case ModeResponseFormat:
		var schema any
		w.Messages, err = textMessages(r.Messages, namesOf(r.Tools))
		if err == nil {
			schema, err = proposalSchema(r.Tools)
		}
		w.ResponseFormat = &wireFormat{Type: "json_schema", Schema: wireSchema{Name: "proposal", Schema: schema}}
	default:
		err = fmt.Errorf("mode %q is unknown, want %q or %q", r.Mode, ModeTools, ModeResponseFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("writing a request to %q: %w", r.Model, err)
	}
	body, err := encode(w)
	if err != nil {
		return nil, fmt.Errorf("writing a request to %q: %w", r.Model, err)
	}
	return body, nil
}

// The protocol's request, in the order in which it is spelled.
type (
	wireRequest struct {
		Model               string        `json:"model"`
		Messages            []wireMessage `json:"messages"`
		Tools               []wireTool    `json:"tools,omitempty"`
		ToolChoice          string        `json:"tool_choice,omitempty"`
		ResponseFormat      *wireFormat   `json:"response_format,omitempty"`
		Temperature         *float32      `json:"temperature,omitempty"`
		MaxTokens           int           `json:"max_tokens,omitempty"`
		MaxCompletionTokens int           `json:"max_completion_tokens,omitempty"`
		Seed                *int          `json:"seed,omitempty"`
		Stream              bool          `json:"stream"`
	}
	wireMessage struct {
		Role       string         `json:"role"`
		Content    *string        `json:"content"` // null beside tool calls only, and never left out
		ToolCalls  []wireToolCall `json:"tool_calls,omitempty"`
		ToolCallID string         `json:"tool_call_id,omitempty"`
	}
	wireToolCall struct {
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function wireFunction `json:"function"`
	}
	wireFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	wireTool struct {
		Type     string         `json:"type"`
		Function wireDefinition `json:"function"`
	}
	wireDefinition struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	wireFormat struct {
		Type   string     `json:"type"`
		Schema wireSchema `json:"json_schema"`
	}
	wireSchema struct {
		Name   string `json:"name"`
		Strict bool   `json:"strict"`
		Schema any    `json:"schema"`
	}
)

func wireTools(tools []Tool) ([]wireTool, error) {
	out := make([]wireTool, len(tools))
	for i, t := range tools {
		parameters, err := canon.Transform(t.Parameters)
		if err != nil {
			return nil, fmt.Errorf("parameters of tool %q: %w", t.Name, err)
		}
		out[i] = wireTool{Type: "function", Function: wireDefinition{Name: t.Name, Description: t.Description, Parameters: parameters}}
	}
	return out, nil
}

// wire spells one message. A tool's answer to nothing is a user's message.
func wire(m Message, answers bool) wireMessage {
	w := wireMessage{Role: m.Role, Content: &m.Content}
	if m.Role == RoleTool && !answers {
		w.Role = RoleUser
	} else if m.Role == RoleTool {
		w.ToolCallID = m.ToolCallID
	}
	if len(m.ToolCalls) == 0 {
		return w
	}
	if m.Content == "" {
		w.Content = nil
	}
	w.ToolCalls = make([]wireToolCall, len(m.ToolCalls))
	for i, tc := range m.ToolCalls {
		w.ToolCalls[i] = wireToolCall{ID: tc.ID, Type: "function", Function: wireFunction{Name: tc.Name, Arguments: tc.Arguments}}
	}
	return w
}

// toolMessages spells a conversation with tool calls. Servers refuse one in which
// a tool call has no answer, with words that don't say which: so it is said here.
func toolMessages(messages []Message) ([]wireMessage, error) {
	out := make([]wireMessage, len(messages))
	open := map[string]bool{} // the tool calls of the last assistant message, until they are answered
	for i, m := range messages {
		answers := m.Role == RoleTool && open[m.ToolCallID]
		delete(open, m.ToolCallID)
		if m.Role == RoleAssistant {
			if id, ok := first(open); ok {
				return nil, fmt.Errorf("message %d: tool call %q before it has no answer", i, id)
			}
			for _, tc := range m.ToolCalls {
				open[tc.ID] = true
			}
		}
		out[i] = wire(m, answers)
	}
	if id, ok := first(open); ok {
		return nil, fmt.Errorf("the conversation ends, and tool call %q has no answer", id)
	}
	return out, nil
}

// first is the least key, so that an error's text doesn't depend on a map's order.
func first(open map[string]bool) (least string, ok bool) {
	for id := range open {
		if !ok || id < least {
			least, ok = id, true
		}
	}
	return least, ok
}

// textMessages spells a conversation without tool calls.
func textMessages(messages []Message, names Names) ([]wireMessage, error) {
	out := make([]wireMessage, len(messages))
	for i, m := range messages {
		if len(m.ToolCalls) > 0 {
			proposal, err := asText(m.ToolCalls, names)
			if err != nil {
				return nil, fmt.Errorf("message %d: %w", i, err)
			}
			m.Content, m.ToolCalls = string(proposal), nil
		}
		out[i] = wire(m, false)
	}
	return out, nil
}

// asText is the JSON object that a model in ModeResponseFormat would have written
// for these tool calls. What had no such form goes as a call of that name.
func asText(calls []ToolCall, names Names) ([]byte, error) {
	if len(calls) == 1 && (calls[0].Name == FinishTool || calls[0].Name == GiveUpTool) {
		return encode(map[string]any{calls[0].Name: json.RawMessage(calls[0].Arguments)})
	}
	type call struct {
		ID     string          `json:"id"`
		Action string          `json:"action"`
		Why    string          `json:"why,omitempty"`
		Params json.RawMessage `json:"params"`
	}
	out := make([]call, len(calls))
	for i, tc := range calls {
		c, _ := readCall(tc, names)
		out[i] = call{ID: c.ID, Action: c.Action, Why: c.Why, Params: json.RawMessage(c.Params)}
	}
	return encode(map[string]any{"calls": out})
}

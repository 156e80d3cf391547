package otlp

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"rlam/internal/canon"
	"rlam/provenance/export"
)

// provider is who serves the model, as far as that is known.
func (b *builder) provider(scripted bool) string {
	planner := b.t.Study.Study.Planner
	host, _ := address(planner.BaseURL)
	switch {
	case scripted || planner.Scripted != "":
		return "rlam.scripted"
	case planner.BaseURL == "" || host == "api.openai.com":
		return "openai"
	}
	return "openai_compatible" // whose server it is, its address may tell
}

// server adds the address of the model's server, where the study names one.
func (b *builder) server(a *attributes) {
	host, port := address(b.t.Study.Study.Planner.BaseURL)
	a.text("server.address", host)
	if host != "" {
		a.int("server.port", port)
	}
}

func address(base string) (host string, port int64) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "", 0
	}
	port = 443
	if u.Scheme == "http" {
		port = 80
	}
	if h, p, err := net.SplitHostPort(u.Host); err == nil {
		if n, err := strconv.ParseInt(p, 10, 32); err == nil {
			return h, n
		}
	}
	return u.Hostname(), port
}

// message is one of a conversation, as it is kept.
type message struct {
	Role       string `json:"role"`
	Content    string `json:"content"`
	ToolCallID string `json:"tool_call_id"`
	ToolCalls  []struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"tool_calls"`
}

// asked adds what a model was sent: how, and where content is asked for the messages that
// are new in this request. Those before are on the spans before.
func (b *builder) asked(a *attributes, d canon.Digest) error {
	var kept struct {
		Messages    []message `json:"messages"`
		Temperature float64   `json:"temperature"`
		MaxTokens   int       `json:"max_tokens"`
	}
	raw, err := b.content(d, &kept)
	if raw == nil {
		return err
	}
	a.double("gen_ai.request.temperature", kept.Temperature)
	if kept.MaxTokens > 0 {
		a.int("gen_ai.request.max_tokens", int64(kept.MaxTokens))
	}
	if !b.o.Content {
		return nil
	}
	var system []part
	var said []spoken
	for _, m := range kept.Messages {
		if m.Role == "system" {
			system = append(system, part{Type: "text", Content: m.Content})
		} else {
			said = append(said, m.parts())
		}
	}
	if len(system) > 0 {
		a.json("gen_ai.system_instructions", system)
	}
	if len(said) > 0 {
		a.json("gen_ai.input.messages", said)
	}
	return nil
}

// answered adds what a model answered.
func (b *builder) answered(a *attributes, d canon.Digest) error {
	var answer struct {
		ResponseID   string  `json:"response_id"`
		FinishReason string  `json:"finish_reason"`
		Assistant    message `json:"assistant"`
	}
	raw, err := b.content(d, &answer)
	if raw == nil {
		return err
	}
	a.text("gen_ai.response.id", answer.ResponseID)
	if answer.FinishReason != "" {
		a.texts("gen_ai.response.finish_reasons", answer.FinishReason)
	}
	if b.o.Content {
		m := answer.Assistant.parts()
		m.FinishReason = answer.FinishReason
		a.json("gen_ai.output.messages", []spoken{m})
	}
	return nil
}

// spoken is a message as the conventions spell it.
type spoken struct {
	Role         string `json:"role"`
	Parts        []part `json:"parts"`
	FinishReason string `json:"finish_reason,omitempty"`
}

type part struct {
	Type      string          `json:"type"`
	Content   string          `json:"content,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Response  string          `json:"response,omitempty"`
}

func (m message) parts() spoken {
	s := spoken{Role: m.Role, Parts: []part{}}
	switch {
	case m.Role == "tool":
		s.Parts = append(s.Parts, part{Type: "tool_call_response", ID: m.ToolCallID, Response: m.Content})
	case m.Content != "":
		s.Parts = append(s.Parts, part{Type: "text", Content: m.Content})
	}
	for _, c := range m.ToolCalls {
		arguments := json.RawMessage(c.Arguments)
		if !json.Valid(arguments) {
			arguments, _ = json.Marshal(c.Arguments)
		}
		s.Parts = append(s.Parts, part{Type: "tool_call", ID: c.ID, Name: c.Name, Arguments: arguments})
	}
	return s
}

// json adds a structure, spelled in a string: backends read it from there.
func (a *attributes) json(key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("spelling %s: %v", key, err)) // of strings and valid JSON: it can't fail
	}
	a.text(key, string(raw))
}

// content reads a content into v, if it is there, and returns its JSON.
func (b *builder) content(d canon.Digest, v any) (json.RawMessage, error) {
	if d.IsZero() {
		return nil, nil
	}
	c, err := b.run.Content(b.ctx, d)
	if err != nil || c.State != export.Present {
		return nil, err
	}
	if v != nil && json.Unmarshal(c.Value, v) != nil {
		return nil, nil // of a form that a newer R-LAM writes
	}
	return c.Value, nil
}

package scripted

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// completion is an answer on the wire. Its time is always 0: a script has none, and
// the same request gets the same bytes.
type completion struct {
	ID          string   `json:"id"`
	Object      string   `json:"object"`
	Created     int64    `json:"created"`
	Model       string   `json:"model"`
	Fingerprint string   `json:"system_fingerprint"`
	Choices     []choice `json:"choices"`
	Usage       *tokens  `json:"usage,omitempty"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      *answer `json:"message,omitempty"`
	Delta        *delta  `json:"delta,omitempty"` // in streams, for Message
	FinishReason *string `json:"finish_reason"`
}

type answer struct {
	Role    string     `json:"role"`
	Content *string    `json:"content"`
	Refusal *string    `json:"refusal"`
	Calls   []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	Index    *int     `json:"index,omitempty"` // in streams
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type tokens struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`

	Details *promptDetails `json:"prompt_tokens_details,omitempty"`
}

type promptDetails struct {
	Cached int `json:"cached_tokens"`
}

// compose is the completion that a reply, spoilt by a fault, becomes for a
// conversation. Either may be nil, not both. notOffered are tools that are called
// though the request has none of that name.
func (s *Scenario) compose(r *reply, f *fault, conv *conversation) (c *completion, notOffered []string, err error) {
	if r == nil {
		r = new(reply)
	}
	if f == nil {
		f = new(fault)
	}
	c = &completion{
		ID:          "chatcmpl-scripted-" + conv.digest.Short(),
		Object:      "chat.completion",
		Model:       first(f.Model, r.AnsweredModel, s.model),
		Fingerprint: first(r.Fingerprint, s.fingerprint),
		Choices:     []choice{},
	}
	a := &answer{Role: "assistant"}
	reason := "stop"
	switch {
	case f.Empty, f.EmptyContent:
		a.Content = new(string)
	case f.Refusal != "":
		a.Refusal = &f.Refusal
	case len(conv.tools) > 0:
		notOffered, err = r.asTools(a, conv)
		if len(a.Calls) > 0 {
			reason = "tool_calls"
		}
	default:
		err = r.asContent(a, conv)
	}
	if err != nil {
		return nil, nil, err
	}
	if f.Truncated {
		reason = "length"
		a.cut()
	} else {
		reason = first(r.FinishReason, reason)
	}
	if !f.Empty {
		c.Choices = append(c.Choices, choice{Message: a, FinishReason: &reason})
	}
	c.Usage = &tokens{Prompt: estimate(conv.size), Completion: estimate(len(encode(a)))}
	if r.Usage != nil {
		c.Usage = &tokens{Prompt: r.Usage.PromptTokens, Completion: r.Usage.CompletionTokens}
		if n := r.Usage.CachedTokens; n > 0 {
			c.Usage.Details = &promptDetails{Cached: n}
		}
	}
	c.Usage.Total = c.Usage.Prompt + c.Usage.Completion
	return c, notOffered, nil
}

// estimate is the number of tokens in so many bytes, as the package's documentation states it.
func estimate(bytes int) int { return (bytes + 3) / 4 }

func first(names ...string) string {
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return ""
}

// asTools renders r as tool calls.
func (r *reply) asTools(a *answer, conv *conversation) (notOffered []string, err error) {
	a.Content = r.Text
	add := func(action, arguments string) {
		name := strings.ReplaceAll(action, ".", "_")
		if !slices.Contains(conv.tools, name) {
			notOffered = append(notOffered, name)
		}
		// The turn makes the id unique in a conversation, and the same one in every fork of it.
		id := fmt.Sprintf("call_%d_%d", conv.turn, len(a.Calls)+1)
		a.Calls = append(a.Calls, toolCall{ID: id, Type: "function", Function: function{name, arguments}})
	}
	for i := range r.Calls {
		arguments, err := r.Calls[i].arguments(conv, false)
		if err != nil {
			return nil, err
		}
		add(r.Calls[i].Action, string(arguments))
	}
	if r.finish != nil {
		result, err := r.finish.fill(conv)
		if err != nil {
			return nil, err
		}
		add("finish", string(object(member{"result", result})))
	}
	if r.GiveUp != nil {
		add("give_up", string(object(member{"reason", quoted(*r.GiveUp)})))
	}
	return notOffered, nil
}

// asContent renders r as the content of a message.
func (r *reply) asContent(a *answer, conv *conversation) error {
	var members []member
	if len(r.Calls) > 0 {
		list := []byte{'['}
		for i := range r.Calls {
			one, err := r.Calls[i].arguments(conv, true)
			if err != nil {
				return err
			}
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, one...)
		}
		members = append(members, member{"calls", append(list, ']')})
	}
	if r.finish != nil {
		result, err := r.finish.fill(conv)
		if err != nil {
			return err
		}
		members = append(members, member{"finish", object(member{"result", result})})
	}
	if r.GiveUp != nil {
		members = append(members, member{"give_up", object(member{"reason", quoted(*r.GiveUp)})})
	}
	if len(members) == 0 {
		a.Content = r.Text
		return nil
	}
	content := string(object(members...))
	a.Content = &content
	return nil
}

// arguments is c as JSON, with the action's name where no tool's name carries it.
func (c *call) arguments(conv *conversation, named bool) ([]byte, error) {
	if c.Arguments != nil {
		return []byte(*c.Arguments), nil
	}
	params, err := c.params.fill(conv)
	if err != nil {
		return nil, fmt.Errorf("call %q: %w", c.ID, err)
	}
	members := []member{{"id", quoted(c.ID)}}
	if named {
		members = append(members, member{"action", quoted(c.Action)})
	}
	return object(append(members, member{"why", quoted(c.Why)}, member{"params", params})...), nil
}

// member is one of a JSON object: its name, and its value as JSON.
type member struct {
	name  string
	value []byte
}

// object is the JSON object of members, in that order.
func object(members ...member) []byte {
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quoted(m.name)...), ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// quoted is s as a JSON string. YAML has seen to it that s is UTF-8.
func quoted(s string) []byte {
	out, _ := jsontext.AppendQuote(nil, s)
	return out
}

// cut halves what a model had still been writing when its tokens ran out.
func (a *answer) cut() {
	if n := len(a.Calls); n > 0 {
		f := &a.Calls[n-1].Function
		f.Arguments = half(f.Arguments)
		return
	}
	if a.Content != nil {
		cut := half(*a.Content)
		a.Content = &cut
	}
}

func half(s string) string {
	end := len(s) / 2
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

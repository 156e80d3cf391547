package scripted

import (
	"strings"
	"unicode/utf8"
)

// delta is what one event of a stream adds to the answer.
type delta struct {
	Role    string     `json:"role,omitempty"`
	Content *string    `json:"content,omitempty"`
	Refusal *string    `json:"refusal,omitempty"`
	Calls   []toolCall `json:"tool_calls,omitempty"`
}

// events is c as the server-sent events of a stream: the role, the content and each
// call's arguments in pieces, the finish reason, the usage if it was asked for, [DONE].
func (c *completion) events(counted bool) [][]byte {
	var events [][]byte
	chunk := *c
	chunk.Object, chunk.Usage = "chat.completion.chunk", nil
	send := func() { events = append(events, event(encode(chunk))) }
	add := func(d delta, reason *string) {
		chunk.Choices = []choice{{Delta: &d, FinishReason: reason}}
		send()
	}
	if len(c.Choices) == 0 {
		send()
	}
	for _, choice := range c.Choices {
		a := choice.Message
		add(delta{Role: a.Role}, nil)
		for piece := range pieces(a.Refusal) {
			add(delta{Refusal: &piece}, nil)
		}
		for piece := range pieces(a.Content) {
			add(delta{Content: &piece}, nil)
		}
		for i, call := range a.Calls {
			add(delta{Calls: []toolCall{{&i, call.ID, call.Type, function{Name: call.Function.Name}}}}, nil)
			for piece := range pieces(&call.Function.Arguments) {
				add(delta{Calls: []toolCall{{Index: &i, Function: function{Arguments: piece}}}}, nil)
			}
		}
		add(delta{}, choice.FinishReason)
	}
	if counted {
		chunk.Choices, chunk.Usage = []choice{}, c.Usage
		send()
	}
	return append(events, event([]byte("[DONE]")))
}

func event(data []byte) []byte {
	return append(append([]byte("data: "), data...), "\n\n"...)
}

// pieces yields s in at most nine parts of whole runes, small ones undivided.
func pieces(s *string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if s == nil {
			return
		}
		rest, size := strings.Clone(*s), max(16, len(*s)/8)
		for len(rest) > 0 {
			end := min(size, len(rest))
			for end < len(rest) && !utf8.RuneStart(rest[end]) {
				end++
			}
			if !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

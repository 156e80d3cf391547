package planner

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Cut says how a conversation was shortened, in indices of its messages. It is what
// a record needs beside the messages to spell a request again: see [Shorten].
// Each of them only grows with the conversation, and Counted ≤ Folded ≤ Stubbed
// where something is folded. The zero Cut leaves a conversation whole.
type Cut struct {
	Counted int `json:"counted"` // calls observed before it are counted, and not listed, in the message that stands for what is folded
	Folded  int `json:"folded"`  // messages before it, the system message apart, are folded into one
	Stubbed int `json:"stubbed"` // observations before it are sent as their stub, where that is shorter
}

// Shorten is the messages that [Window.Fit] gave with this cut, of a conversation
// that begins with the same ones. messages stay as they are.
func Shorten(messages []Message, cut Cut) []Message {
	from := min(max(cut.Folded, 0), len(messages))
	var sent []Message
	if from > 0 {
		if messages[0].Role == RoleSystem {
			sent = append(sent, messages[0])
		}
		counted := 0
		var lines []string
		for i, m := range messages[:from] {
			if l, ok := m.folded(); ok && i >= cut.Counted {
				lines = append(lines, l)
			} else if ok {
				counted++
			}
		}
		sent = append(sent, foldMessage(counted, lines))
	}
	for i, m := range messages[from:] {
		if from+i < cut.Stubbed && m.stubs() {
			m.Content = m.Stub
		}
		sent = append(sent, m)
	}
	return sent
}

// stubs says whether a message can be sent as a stub, and is shorter for it.
func (m Message) stubs() bool { return m.Call != "" && m.Stub != "" && len(m.Stub) < len(m.Content) }

// maxFoldedWord bounds each part of a folded call's line: models make up ids and names
// of actions of any length. The engine's id, which references can use, is short.
const maxFoldedWord = 80

// folded is the line that an observation is folded to:
//
//	3.1 fit1 fit.nonlinear failed rlam.NotConverged
//
// The engine's id, the planner's, the action, the status, and of a failure its
// type. What is empty or holds more than a plain word is quoted, so that nothing a
// model wrote makes up a line of its own.
func (m Message) folded() (line string, ok bool) {
	if m.Call == "" {
		return "", false
	}
	var s stub
	if json.Unmarshal([]byte(m.Stub), &s) != nil {
		return word(m.Call), true // an observation that Observe did not make
	}
	parts := []string{word(m.Call), word(s.ID), word(s.Action), word(s.Status)}
	if s.Error != "" {
		parts = append(parts, word(s.Error))
	}
	return strings.Join(parts, " "), true
}

func word(s string) string {
	s = clip(s, maxFoldedWord)
	odd := func(r rune) bool {
		return r == '"' || r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r) || unicode.IsSpace(r)
	}
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}

// foldMessage stands for messages that are folded: of their calls the oldest are
// counted, and the others have lines.
func foldMessage(counted int, lines []string) Message {
	before, after := foldFrame(counted+len(lines), counted)
	var text strings.Builder
	text.WriteString(before)
	for _, l := range lines {
		text.WriteByte('\n')
		text.WriteString(l)
	}
	text.WriteString(after)
	return Message{Role: RoleUser, Content: text.String()}
}

// foldFrame is what a fold message says before and after its lines.
func foldFrame(calls, counted int) (before, after string) {
	before = fmt.Sprintf("The beginning of this conversation is left out here, to keep it short: %s, and what was said about them. They stay on the record, and references by id still reach their outputs.", number(calls, "earlier call"))
	if calls > counted {
		before += " The newest of them, oldest first, each with the engine's id, your id, the action and the status:"
		if counted > 0 {
			after = fmt.Sprintf("\nand %s before them.", number(counted, "call"))
		}
	}
	return before, after
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

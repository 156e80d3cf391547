package planner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// reply is what a model said, apart from how it travelled.
type reply struct {
	text, refusal, finishReason string
	toolCalls                   []ToolCall
}

// read makes an answer of a reply. It decides by the whole reply: an answer is
// either used as a whole, or not at all.
func read(r reply, mode string, names Names) Answer {
	a := Answer{Text: r.text, Refusal: r.refusal, FinishReason: r.finishReason}
	calls := identify(r.toolCalls)
	switch {
	case r.finishReason == "length":
		a.Outcome = OutcomeTruncated
	case r.refusal != "" || r.finishReason == "content_filter":
		a.Outcome = OutcomeRefused
	case len(calls) > 0:
		a.readToolCalls(calls, names)
	case strings.TrimSpace(r.text) == "":
		a.Outcome = OutcomeEmpty
	default:
		a.readText(r.text, mode, names)
	}
	if n := len(a.Calls); n > MaxCalls {
		a.garbled("%d calls came at once, and %d is the most: propose the first of them, and the others once you have seen what came of those", n, MaxCalls)
	}
	a.Assistant = a.message(calls, names)
	return a
}

// identify gives every tool call an id that no other of the reply has: some
// servers send none, or the same for all.
func identify(calls []ToolCall) []ToolCall {
	out := make([]ToolCall, len(calls))
	taken := map[string]bool{"": true}
	for i, tc := range calls {
		if taken[tc.ID] {
			n := i + 1
			for taken["call_"+strconv.Itoa(n)] {
				n++
			}
			tc.ID = "call_" + strconv.Itoa(n)
		}
		taken[tc.ID] = true
		out[i] = tc
	}
	return out
}

// message is the assistant's message as the conversation keeps it. What is never
// dispatched keeps its words only: a tool call that was cut off is no use to anyone.
func (a *Answer) message(calls []ToolCall, names Names) Message {
	m := Message{Role: RoleAssistant, Content: a.Text}
	switch a.Outcome {
	case OutcomeTruncated, OutcomeRefused:
		calls = nil
		if m.Content == "" {
			m.Content = a.Refusal
		}
	}
	for _, tc := range calls {
		tc.Name = names.Tool(names.Action(tc.Name))
		if !isObject(tc.Arguments) {
			kept, _ := encode(map[string]string{"malformed": tc.Arguments})
			if tc.Arguments == "" {
				kept = []byte("{}")
			}
			tc.Arguments = string(kept)
		}
		m.ToolCalls = append(m.ToolCalls, tc)
	}
	if m.Content == "" && len(m.ToolCalls) == 0 {
		m.Content = "(no answer)" // some servers take no assistant message without content
	}
	return m
}

func isObject(s string) bool {
	return strings.HasPrefix(strings.TrimSpace(s), "{") && json.Valid([]byte(s))
}

func (a *Answer) readToolCalls(calls []ToolCall, names Names) {
	for _, tc := range calls {
		var problem string
		switch tc.Name {
		case FinishTool, GiveUpTool:
			if len(calls) > 1 {
				a.garbled("%q came together with %d other calls; see to those first, then call it alone", tc.Name, len(calls)-1)
				return
			}
			problem = a.readEnd(tc.Name, []byte(tc.Arguments))
		default:
			var c Call
			if c, problem = readCall(tc, names); problem == "" {
				a.Outcome, a.Calls = OutcomeCalls, append(a.Calls, c)
			}
		}
		if problem != "" {
			a.garbled("%s", problem)
			return
		}
	}
}

func (a *Answer) garbled(format string, args ...any) {
	a.Outcome, a.Problem = OutcomeGarbled, fmt.Sprintf(format, args...)
	a.Calls, a.Finish, a.GiveUp = nil, nil, ""
}

// readText reads words that may hold a proposal: in ModeResponseFormat they should,
// and in ModeTools a server without tool calls may have left the model to write
// the same JSON object. It counts if the words hold exactly one, be it inside a
// code fence, and not among the thoughts of a model that shows them.
func (a *Answer) readText(text, mode string, names Names) {
	if i := strings.LastIndex(text, "</think>"); i >= 0 {
		text = text[i:]
	}
	found, err := proposals(text)
	switch {
	case len(found) == 1:
		a.readProposal(found[0], names)
	case len(found) > 1:
		a.garbled("the answer holds %d proposals; send one JSON object", len(found))
	case mode == ModeResponseFormat && err != nil:
		a.garbled("the answer is not one JSON object: %s", err)
	case mode == ModeResponseFormat && strings.Contains(text, "{"):
		a.garbled(`the answer's JSON object has none of the members "calls", "finish" and "give_up"`)
	default:
		a.Outcome = OutcomeText
	}
}

// Bounds of the search for a proposal: how long a text may be, and how often a "{"
// may begin no JSON. Both are far above what a model writes that means to propose.
const (
	maxProposal = 1 << 20
	maxBraces   = 64
)

// proposals are the JSON objects in a text that have a proposal's members, and the
// first reason why something that began like one is none.
func proposals(text string) (found [][]member, first error) {
	if len(text) > maxProposal {
		return nil, fmt.Errorf("it has %d bytes, and %d are the most", len(text), maxProposal)
	}
	for tries := 0; tries < maxBraces; {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			break
		}
		text = text[i:]
		dec := jsontext.NewDecoder(bytes.NewBufferString(text), jsontext.AllowDuplicateNames(true))
		v, err := dec.ReadValue()
		if err != nil {
			if first == nil {
				first = err
			}
			tries++
			text = text[1:]
			continue
		}
		if ms, err := readMembers(v); err == nil && isProposal(ms) {
			found = append(found, ms)
		}
		text = text[dec.InputOffset():]
	}
	return found, first
}

func isProposal(ms []member) bool {
	for _, m := range ms {
		if m.name == "calls" || m.name == FinishTool || m.name == GiveUpTool {
			return true
		}
	}
	return false
}

// readProposal reads {"calls": …}, {"finish": …} or {"give_up": …}. Members that
// are null or hold no call are as good as absent.
func (a *Answer) readProposal(ms []member, names Names) {
	var said []member
	for _, m := range ms {
		switch value := string(m.value); {
		case value == "null", value == "[]" && m.name == "calls":
		case m.name == "calls", m.name == FinishTool, m.name == GiveUpTool:
			said = append(said, m)
		}
	}
	if len(said) != 1 {
		a.garbled(`want exactly one of "calls", "finish" and "give_up", got %d`, len(said))
		return
	}
	problem := ""
	if said[0].name == "calls" {
		problem = a.readCalls(said[0].value, names)
	} else {
		problem = a.readEnd(said[0].name, said[0].value)
	}
	if problem != "" {
		a.garbled("%s", problem)
	}
}

func (a *Answer) readCalls(raw []byte, names Names) (problem string) {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return fmt.Sprintf(`"calls" is not an array: %s`, err)
	}
	for i, e := range elements {
		ms, err := readMembers(e)
		if err != nil {
			return fmt.Sprintf(`"calls"[%d]: %s`, i, err)
		}
		var name string
		var rest []member
		for _, m := range ms {
			if m.name == "action" {
				name = m.text()
			} else {
				rest = append(rest, m)
			}
		}
		if name == "" {
			return fmt.Sprintf(`"calls"[%d] names no action`, i)
		}
		c := Call{Action: names.Action(name)}
		if problem := c.fill(rest, e); problem != "" {
			return problem
		}
		a.Calls = append(a.Calls, c)
	}
	a.Outcome = OutcomeCalls
	return ""
}

// readEnd reads the arguments of finish or give_up.
func (a *Answer) readEnd(tool string, raw []byte) (problem string) {
	want := map[string]string{FinishTool: "result", GiveUpTool: "reason"}[tool]
	ms, err := readMembers(raw)
	if err != nil {
		return fmt.Sprintf("the arguments of %q: %s", tool, err)
	}
	var value *member
	for i, m := range ms {
		switch m.name {
		case want:
			if value != nil {
				return fmt.Sprintf("%q holds %q twice", tool, want)
			}
			value = &ms[i]
		case "id", "why": // every other tool takes them
		default:
			return fmt.Sprintf(`%q takes {%q: …}, and has no member %q`, tool, want, m.name)
		}
	}
	switch {
	case value == nil:
		return fmt.Sprintf("%q takes {%q: …}, and has no %q", tool, want, want)
	case tool == FinishTool:
		a.Outcome, a.Finish = OutcomeFinish, Raw(value.value)
	default:
		a.Outcome, a.GiveUp = OutcomeGiveUp, value.text()
	}
	return ""
}

// readCall reads a tool call's arguments, {"id", "why", "params"}. Arguments that
// can't be read become the parameters as they are: the gate that parses says where
// they break.
func readCall(tc ToolCall, names Names) (c Call, problem string) {
	c = Call{ToolCallID: tc.ID, Action: names.Action(tc.Name)}
	if strings.TrimSpace(tc.Arguments) == "" {
		c.Params = Raw("{}") // how some servers say "none"
		return c, ""
	}
	ms, err := readMembers([]byte(tc.Arguments))
	if err != nil {
		rest := []member{}
		for _, m := range ms { // the id, if it stands before the break, names the call in its refusal
			if m.name == "id" || m.name == "why" {
				rest = append(rest, m)
			}
		}
		c.fill(rest, nil)
		c.Params = Raw(tc.Arguments)
		return c, ""
	}
	return c, c.fill(ms, []byte(tc.Arguments))
}

// fill sets a call's members. Models that are new to the envelope leave it out and
// write the parameters beside id and why: those are taken as the parameters. With
// params and others beside it nobody knows what was meant.
func (c *Call) fill(ms []member, whole []byte) (problem string) {
	seen := map[string]bool{}
	var beside []member
	for _, m := range ms {
		if seen[m.name] {
			c.Params = Raw(whole) // the gate refuses the name that stands twice
			return ""
		}
		seen[m.name] = true
		switch m.name {
		case "id":
			c.ID = m.text()
		case "why":
			c.Why = m.text()
		case "params":
			c.Params = Raw(m.value)
		default:
			beside = append(beside, m)
		}
	}
	if len(beside) > 0 && c.Params != nil {
		return fmt.Sprintf(`a call of %q has %q beside "params"; put it inside or leave it out`, c.Action, beside[0].name)
	}
	if c.Params == nil {
		c.Params = spellMembers(beside)
	}
	return ""
}

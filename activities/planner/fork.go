package planner

import (
	"fmt"
	"slices"
	"strings"
)

// Fork is what the planner is told where a person has a run go on from another one's
// record.
type Fork struct {
	Ended    bool     // the other run had come to its end
	Inputs   []string // that have other data
	Dropped  []string // actions
	Limits   []string // that are others
	Policy   bool     // is another one
	Instruct string   // the person's own words
}

// Words tell it, in one message; none if there is nothing to tell.
func (f Fork) Words() string {
	var lines []string
	if f.Ended {
		lines = append(lines, "The study had ended here. A person has it go on.")
	}
	for _, name := range f.Inputs {
		lines = append(lines, fmt.Sprintf(`A person gave the input %q other data. Refer to it as before, {"$from": "input", "pointer": "/%s"}; what was computed so far came from the former data.`, name, name))
	}
	for _, name := range f.Dropped {
		lines = append(lines, fmt.Sprintf("A person took the action %s away: calls of it are refused.", name))
	}
	if len(f.Limits) > 0 {
		lines = append(lines, fmt.Sprintf("A person changed limits of the study (%s).", strings.ReplaceAll(strings.Join(f.Limits, ", "), "/", ".")))
	}
	if f.Policy {
		lines = append(lines, "A person changed the study's policy.")
	}
	if f.Instruct != "" {
		lines = append(lines, "A person says:\n\n"+f.Instruct)
	}
	return strings.Join(lines, "\n")
}

// EndedStub is the stub of the message that [Answered] adds.
const EndedStub = `{"status":"the study ended here"}`

// Answered is messages with an answer to the tool calls by which the planner ended the
// run in a step: no server takes a conversation that goes on without one. Where nothing
// is open they stay as they are.
func Answered(messages []Message, step int) []Message {
	n := len(messages)
	if n == 0 || messages[n-1].Role != RoleAssistant || len(messages[n-1].ToolCalls) == 0 {
		return messages
	}
	out := slices.Clone(messages)
	for _, t := range messages[n-1].ToolCalls {
		m := Observe(Observation{Call: fmt.Sprintf("%d.result", step), ID: t.Name, Action: t.Name, Status: "accepted", ToolCallID: t.ID}, 0)
		m.Stub = EndedStub
		out = append(out, m)
	}
	return out
}

package planner

import (
	"encoding/json"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// Names of the tools that end a run. No action has these names.
const (
	FinishTool = "finish"
	GiveUpTool = "give_up"
)

// maxToolName is the protocol's bound of a tool's name.
const maxToolName = 64

// ToolSpec is an action as a model should see it.
type ToolSpec struct {
	Action     string          // its name, such as "fit.nonlinear"
	Summary    string          // what it does, in a sentence
	Parameters json.RawMessage // JSON Schema of {"id", "why", "params"}
}

// Tool is what a request offers the model. The zero Action says that it is one of
// the two that end a run.
type Tool struct {
	Name        string          `json:"name"`
	Action      string          `json:"action,omitempty"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"` // JSON Schema of the arguments
}

// Tools are the actions as tools, in the order given, and after them
//
//	finish  {"result": …}
//	give_up {"reason": "…"}
//
// finish is the JSON Schema of that tool's arguments; without one the result may
// be any object.
func Tools(actions []ToolSpec, finish json.RawMessage) []Tool {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = a.Action
	}
	byName := NewNames(names)
	tools := make([]Tool, 0, len(actions)+2)
	for _, a := range actions {
		tools = append(tools, Tool{Name: byName.Tool(a.Action), Action: a.Action, Description: a.Summary, Parameters: a.Parameters})
	}
	if len(finish) == 0 {
		finish = json.RawMessage(`{"type":"object","properties":{"result":{"type":"object"}},"required":["result"],"additionalProperties":false}`)
	}
	return append(tools,
		Tool{Name: FinishTool, Description: "Hand in the study's result and end the run. Call it alone.", Parameters: finish},
		Tool{
			Name: GiveUpTool, Description: "End the run without a result, when the goal can't be reached. Call it alone.",
			Parameters: json.RawMessage(`{"type":"object","properties":{"reason":{"type":"string"}},"required":["reason"],"additionalProperties":false}`),
		},
	)
}

// Names maps actions to tools and back. A tool's name is its action's with "." as
// "_", since the protocol takes [A-Za-z0-9_-]{1,64} only. Where that is too long,
// taken, or shared by two actions, each of them gets a suffix from the digest of
// its name: the mapping does not depend on the order of the actions.
type Names struct {
	tools   map[string]string // by action
	actions map[string]string // by tool
}

// NewNames is the mapping of these actions.
func NewNames(actions []string) Names {
	sorted := slices.Compact(slices.Sorted(slices.Values(actions)))
	shared := map[string]int{FinishTool: 1, GiveUpTool: 1}
	for _, a := range sorted {
		shared[spell(a)]++
	}
	n := Names{tools: make(map[string]string, len(sorted)), actions: make(map[string]string, len(sorted))}
	for _, a := range sorted {
		tool := spell(a)
		if shared[tool] > 1 || len(tool) > maxToolName {
			suffix := "_" + canon.Sum([]byte(a)).Short()
			tool = tool[:min(len(tool), maxToolName-len(suffix))] + suffix
		}
		n.tools[a], n.actions[tool] = tool, a
	}
	return n
}

// namesOf is the mapping that tools were made with.
func namesOf(tools []Tool) Names {
	n := Names{tools: make(map[string]string, len(tools)), actions: make(map[string]string, len(tools))}
	for _, t := range tools {
		if t.Action != "" {
			n.tools[t.Action], n.actions[t.Name] = t.Name, t.Action
		}
	}
	return n
}

// Tool is the name of an action's tool; of an unknown action, one that the
// protocol takes.
func (n Names) Tool(action string) string {
	if tool, ok := n.tools[action]; ok {
		return tool
	}
	tool := spell(action)
	if tool == "" {
		tool = "unknown"
	}
	return tool[:min(len(tool), maxToolName)]
}

// Action is the action of a tool. Models mix the two up, so an action's own name
// is understood as well; any other name is its own action, for the gates to refuse.
func (n Names) Action(tool string) string {
	if action, ok := n.actions[tool]; ok {
		return action
	}
	return tool
}

func spell(action string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, action)
}

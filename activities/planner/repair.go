package planner

import "fmt"

// Repair is what to tell the model after an answer that proposes nothing; "" after
// one that proposes something.
func Repair(a Answer) string {
	const next = "Propose one or more calls, or finish with the result, or give up with a reason."
	switch a.Outcome {
	case OutcomeText:
		return "Nothing was done: your answer holds words and no call. " + next
	case OutcomeEmpty:
		return "Nothing was done: your answer was empty. " + next
	case OutcomeTruncated:
		return "Nothing was done: your answer was cut off at the limit of tokens. Write less: fewer calls at a time, and references to earlier outputs instead of their values. " + next
	case OutcomeRefused:
		if a.Refusal != "" {
			return fmt.Sprintf("Nothing was done: you refused (%q). ", clip(a.Refusal, 300)) + next
		}
		return "Nothing was done: a content filter withheld your answer. " + next
	case OutcomeGarbled:
		return "Nothing was done: " + clip(a.Problem, maxWords) + ". " + next
	}
	return ""
}

// Repairs are the messages that carry [Repair] to the model, to be appended after
// a.Assistant: one for each of its tool calls, since the protocol wants every one
// answered, or one from the user where it has none.
func Repairs(a Answer) []Message {
	text := Repair(a)
	if text == "" {
		return nil
	}
	if len(a.Assistant.ToolCalls) == 0 {
		return []Message{{Role: RoleUser, Content: text}}
	}
	messages := make([]Message, len(a.Assistant.ToolCalls))
	for i, tc := range a.Assistant.ToolCalls {
		messages[i] = Message{Role: RoleTool, ToolCallID: tc.ID, Content: text}
	}
	return messages
}

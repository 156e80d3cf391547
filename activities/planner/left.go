package planner

import (
	"slices"

	"rlam/schemas"
)

// Left tells the planner what the run has left, in a line.
func Left(r schemas.Remaining) string { return "Left: " + r.String() + "." }

// LastTurn tells the planner that a limit is reached, which reason says, and what it
// can still do.
func LastTurn(reason string) string {
	return "This is your last turn: " + reason + ". Calls are refused now. Finish with what the outputs so far show: the result may lack " +
		"members that the schema requires, but what it holds must fit the schema. It is handed in as partial if it lacks any. If there is nothing to hand in, give up."
}

// Noted is messages with a note in a line of its own at their end. It goes into the
// last message, since some servers take no message of the user's after a tool's; and
// is left out with that message's content once its stub is sent. messages stay as they are.
func Noted(messages []Message, note string) []Message {
	n := len(messages)
	if n == 0 || note == "" {
		return messages
	}
	if messages[n-1].Role == RoleAssistant {
		return append(slices.Clip(messages), Message{Role: RoleUser, Content: note})
	}
	noted := slices.Clone(messages)
	noted[n-1].Content += "\n" + note
	return noted
}

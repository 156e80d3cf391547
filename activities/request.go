package activities

import (
	"rlam/activities/planner"
	"rlam/internal/canon"
)

// Request is the content of a planner's turn: what was asked, kept so that a run's
// store grows with what is new and not with the conversation. The whole conversation
// is the messages of all requests back to the first; Cut says how it was shortened.
// Body is the digest of the exact bytes that were sent, so that what is spelled again
// can be compared.
type Request struct {
	Parent      canon.Digest      `json:"parent"`
	Messages    []planner.Message `json:"messages"` // new since the parent
	Cut         planner.Cut       `json:"cut"`
	Tools       canon.Digest      `json:"tools"` // a blob: the planner.Tools offered
	Model       string            `json:"model"`
	Mode        string            `json:"mode"`
	Temperature float32           `json:"temperature"`
	MaxTokens   int               `json:"max_tokens"`
	Tokens      int               `json:"tokens"` // estimated, of the request
	Body        canon.Digest      `json:"body"`
}

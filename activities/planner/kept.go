package planner

import "rlam/internal/canon"

// Kept is a request as the store keeps it, the content of a planner's turn: a run's store
// grows with what is new, and not with the conversation. The whole conversation is the
// messages of all requests back to the first; [Shorten] with Cut gives what was sent of
// it. Body is the digest of the exact bytes, so that what is spelled again can be compared.
type Kept struct {
	Parent      canon.Digest `json:"parent"`
	Messages    []Message    `json:"messages"` // new since the parent
	Cut         Cut          `json:"cut"`
	Tools       canon.Digest `json:"tools"` // a blob: the []Tool offered
	Model       string       `json:"model"`
	Mode        string       `json:"mode"`
	Temperature float32      `json:"temperature"`
	MaxTokens   int          `json:"max_tokens"`
	Tokens      int          `json:"tokens"` // estimated, of the request
	Body        canon.Digest `json:"body"`
}

package activities

import (
	"context"
	"slices"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
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

// Conversation reads a request and its messages as they were sent.
func Conversation(ctx context.Context, s store.Store, request canon.Digest) (Request, []planner.Message, error) {
	var asked Request
	var parts [][]planner.Message
	for d := request; !d.IsZero(); {
		var r Request
		if err := record.OpenContent(ctx, s, d, &r); err != nil {
			return Request{}, nil, err
		}
		if d == request {
			asked = r
		}
		parts = append(parts, r.Messages)
		d = r.Parent
	}
	slices.Reverse(parts)
	return asked, planner.Shorten(slices.Concat(parts...), asked.Cut), nil
}

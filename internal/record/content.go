package record

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// previewBytes is how much of a content's text a Ref shows.
const previewBytes = 160

// MaxContent bounds one content. What is larger belongs into an artifact.
const MaxContent = 8 << 20

// Ref is how content crosses the Temporal boundary: by digest, with a preview for
// people who look at a history. Nothing decides by a preview, and no comparison
// looks at it.
type Ref struct {
	Digest  canon.Digest `json:"digest"`
	Size    int64        `json:"size"`
	Preview string       `json:"preview,omitempty"`
}

// Secret salts a run's contents. It stays in the store and is never exported: a
// digest that was published does not let anyone guess at the content.
type Secret [32]byte

// NewSecret makes a secret.
func NewSecret() Secret {
	var s Secret
	rand.Read(s[:]) // never fails: see crypto/rand
	return s
}

type content struct {
	Salt  string          `json:"salt"`
	Value json.RawMessage `json:"value"`
}

// Content is the blob {salt, value} of v. Equal values of one run are equal blobs.
func (s Secret) Content(v any) (Ref, []byte, error) {
	value, err := canon.Marshal(v)
	if err != nil {
		return Ref{}, nil, err
	}
	if len(value) > MaxContent {
		return Ref{}, nil, fmt.Errorf("content of %d bytes is over %d: make it an artifact", len(value), MaxContent)
	}
	mac := hmac.New(sha256.New, s[:])
	mac.Write(value)
	blob, err := canon.Marshal(content{Salt: hex.EncodeToString(mac.Sum(nil)), Value: value})
	if err != nil {
		return Ref{}, nil, err
	}
	return Ref{Digest: canon.Sum(blob), Size: int64(len(value)), Preview: Preview(string(value))}, blob, nil
}

// OpenContent reads the value of a content blob into v.
func OpenContent(ctx context.Context, s store.Store, d canon.Digest, v any) error {
	b, err := store.Read(ctx, s, d, MaxContent+1024)
	if err != nil {
		return fmt.Errorf("reading content %s: %w", d, err)
	}
	var c content
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("reading content %s: %w", d, err)
	}
	if err := json.Unmarshal(c.Value, v); err != nil {
		return fmt.Errorf("reading content %s: %w", d, err)
	}
	return nil
}

// Preview is the beginning of a text.
func Preview(text string) string {
	if len(text) <= previewBytes {
		return text
	}
	cut := previewBytes
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

package canon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const prefix = "sha256:"

// Digest is a SHA-256. Its text is "sha256:" and 64 lower-case hexadecimal digits.
// The zero Digest stands for "none", and its text is empty.
type Digest [sha256.Size]byte

// Sum is the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// Of is the digest of v's canonical JSON, and that JSON.
func Of(v any) (Digest, []byte, error) {
	b, err := Marshal(v)
	if err != nil {
		return Digest{}, nil, err
	}
	return Sum(b), b, nil
}

// Key is the digest of parts in order, under a domain of its own, so that keys of
// different kinds never meet. Each part ends with a newline; parts hold none.
func Key(domain string, parts ...string) Digest {
	return Sum([]byte(domain + "\n" + strings.Join(parts, "\n") + "\n"))
}

// Parse reads a digest's text, and nothing but that text.
func Parse(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) != 2*len(d) || strings.ToLower(digits) != digits {
		return Digest{}, fmt.Errorf("%.80q is no digest: want \"sha256:\" and 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, fmt.Errorf("%.80q is no digest: %w", s, err)
	}
	return d, nil
}

// IsZero says whether d stands for "none".
func (d Digest) IsZero() bool { return d == Digest{} }

// Hex is d's 64 hexadecimal digits.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// Short is d's first eight hexadecimal digits, for people.
func (d Digest) Short() string { return d.Hex()[:8] }

func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return prefix + d.Hex()
}

// MarshalText writes d's text.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads d's text; empty text is the zero Digest.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	parsed, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

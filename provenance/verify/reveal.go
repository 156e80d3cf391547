package verify

import "rlam/internal/canon"

// Revealed says what a content is that is shown beside a bundle.
type Revealed struct {
	Digest   canon.Digest `json:"digest"`
	What     string       `json:"what,omitempty"`     // "the output of call 4.1"; "" if the bundle names no such bytes
	Withheld bool         `json:"withheld,omitempty"` // the bundle hasn't got it
}

// Reveal finds the content or artifact whose bytes these are, by their digest: what the
// records commit to. A content is its blob {salt, value}, in any spelling of its JSON.
func (in *Input) Reveal(b []byte) Revealed {
	candidates := []canon.Digest{canon.Sum(b)}
	if text, err := canon.Transform(b); err == nil {
		candidates = append(candidates, canon.Sum(text))
	}
	for _, d := range candidates {
		for _, a := range in.Absent {
			if a.Digest == d {
				return Revealed{Digest: d, What: a.What, Withheld: true}
			}
		}
		if blob, here := in.Blobs.Find(d); here {
			return Revealed{Digest: d, What: blob.What}
		}
	}
	return Revealed{Digest: candidates[len(candidates)-1]}
}

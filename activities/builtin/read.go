package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"rlam/activities/executor"
)

// maxText is the most that one call of artifact.read returns, in bytes: what a planner's context can bear.
const maxText = 16_000

type readParams struct {
	Handle string `json:"handle"`
	Offset int64  `json:"offset"`
	Length int    `json:"length"`
}

type readOutput struct {
	Text       string `json:"text"`
	Offset     int64  `json:"offset"`
	NextOffset *int64 `json:"next_offset,omitempty"` // absent at the end
	TotalBytes int64  `json:"total_bytes"`
	Binary     bool   `json:"binary"`
}

// readArtifact returns a part of an artifact as text. Parts end between
// characters, so that they join without loss.
func readArtifact(ctx context.Context, p readParams) (readOutput, error) {
	if p.Length == 0 {
		p.Length = maxText
	}
	if p.Offset < 0 || p.Length < utf8.UTFMax || p.Length > maxText {
		return readOutput{}, invalid(fmt.Sprintf("offset %d, length %d: want an offset from 0 and a length from %d to %d", p.Offset, p.Length, utf8.UTFMax, maxText))
	}
	r, err := executor.Open(ctx, p.Handle)
	if err != nil {
		return readOutput{}, err
	}
	defer r.Close()
	chunk, total, err := readPart(r, p.Offset, p.Length)
	if err != nil {
		return readOutput{}, fmt.Errorf("reading artifact %q: %w", p.Handle, err)
	}
	if p.Offset > total {
		return readOutput{}, invalid(fmt.Sprintf("offset %d is past the end: the artifact has %d bytes", p.Offset, total))
	}
	out := readOutput{Offset: p.Offset, TotalBytes: total}
	text, skipped := wholeCharacters(chunk, p.Offset > 0, p.Offset+int64(len(chunk)) < total)
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		out.Binary = true
		return out, nil
	}
	out.Text, out.Offset = string(text), p.Offset+int64(skipped)
	if next := out.Offset + int64(len(text)); next < total {
		out.NextOffset = &next
	}
	return out, nil
}

// readPart reads length bytes from offset, and counts all.
func readPart(r io.Reader, offset int64, length int) (part []byte, total int64, err error) {
	skipped, err := io.CopyN(io.Discard, r, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	part, err = io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return nil, 0, err
	}
	rest, err := io.Copy(io.Discard, r)
	return part, skipped + int64(len(part)) + rest, err
}

// wholeCharacters leaves out the halves of characters at the ends of a part
// that others precede or follow.
func wholeCharacters(part []byte, preceded, followed bool) (text []byte, skipped int) {
	if preceded {
		for skipped < len(part) && skipped < utf8.UTFMax-1 && !utf8.RuneStart(part[skipped]) {
			skipped++
		}
	}
	text = part[skipped:]
	if followed {
		for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
			if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					text = text[:len(text)-back]
				}
				break
			}
		}
	}
	return text, skipped
}

// Package canon gives every value one spelling and every spelling one name.
//
// The spelling is canonical JSON (RFC 8785: members sorted by UTF-16 code
// units, no white space, numbers as ECMAScript prints them). The name is the
// SHA-256 of those bytes, written "sha256:" and 64 hexadecimal digits. So
//
//	printf '{"a":1}' | sha256sum
//
// is the digest of {"a": 1.0} and of every other spelling of that object.
//
// Canonical JSON holds a number as an IEEE 754 double. A number that no double
// holds is refused here and never rounded: see [Transform].
package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep a document may be nested.
const MaxDepth = 64

// ErrNumber is wrapped by every refusal of a number that a double can't hold.
var ErrNumber = errors.New("number is not held by a double")

// Marshal is the canonical JSON of v, which is marshalled by encoding/json first.
func Marshal(v any) ([]byte, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("canonical JSON of %T: %w", v, err)
	}
	return Transform(raw.Bytes())
}

// Transform is the canonical spelling of one JSON document.
//
// It refuses what has no single meaning: duplicate names, trailing data,
// invalid UTF-8, nesting below [MaxDepth], and numbers that would change:
// those outside a double's range, integers that are not exact, and more than
// 17 significant digits (17 are enough to name any double).
func Transform(raw []byte) ([]byte, error) {
	v, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return Encode(v)
}

// Check refuses what [Transform] refuses, and makes nothing.
func Check(raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			if dec.InputOffset() == 0 || dec.StackDepth() != 0 {
				return errors.New("JSON: empty document")
			}
			return nil
		}
		if err != nil {
			return malformed{err}
		}
		if dec.StackDepth() > MaxDepth {
			return fmt.Errorf("JSON: nested deeper than %d at %q", MaxDepth, dec.StackPointer())
		}
		if tok.Kind() == '0' {
			if err := CheckNumber(tok.String()); err != nil {
				return fmt.Errorf("JSON: at %q: %w", dec.StackPointer(), err)
			}
		}
		if dec.StackDepth() == 0 {
			if err := trailing(dec); err != nil {
				return err
			}
			return nil
		}
	}
}

// malformed is a text that is no JSON, for people and planners: they don't need to know
// who read it.
type malformed struct{ err error }

func (e malformed) Error() string { return "JSON: " + strings.TrimPrefix(e.err.Error(), "jsontext: ") }

func (e malformed) Unwrap() error { return e.err }

func trailing(dec *jsontext.Decoder) error {
	switch _, err := dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	default:
		return fmt.Errorf("JSON: data after the document, at byte %d", dec.InputOffset())
	}
}

// CheckNumber refuses a JSON number that a double would not hold unchanged.
func CheckNumber(lit string) error {
	if len(lit) > 400 {
		return fmt.Errorf("%w: %.40q… has %d characters", ErrNumber, lit, len(lit))
	}
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil || math.IsInf(f, 0) {
		return fmt.Errorf("%w: %.40q is beyond ±1.8e308", ErrNumber, lit)
	}
	digits, integer := significant(lit)
	if f == 0 && digits != "" {
		return fmt.Errorf("%w: %.40q is nearer to zero than any double", ErrNumber, lit)
	}
	if integer && math.Abs(f) >= 1<<53 && strconv.FormatFloat(math.Abs(f), 'f', -1, 64) != strings.TrimLeft(lit, "-0") {
		return fmt.Errorf("%w: the integer %.40q is not exact (%v would be kept); send it as a string", ErrNumber, lit, f)
	}
	if !integer && len(digits) > 17 {
		return fmt.Errorf("%w: %.40q has %d significant digits, 17 is the most a double keeps", ErrNumber, lit, len(digits))
	}
	return nil
}

// significant is a literal's significant digits, and whether it is written as an integer.
func significant(lit string) (digits string, integer bool) {
	mantissa := strings.TrimPrefix(lit, "-")
	integer = !strings.ContainsAny(mantissa, ".eE")
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa = mantissa[:i]
	}
	digits = strings.Replace(mantissa, ".", "", 1)
	digits = strings.TrimLeft(digits, "0")
	return strings.TrimRight(digits, "0"), integer
}

package canon

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
)

// Decode reads one JSON document into nil, bool, string, json.Number, []any and
// map[string]any. It refuses what [Check] refuses, and spells every number
// canonically, so that equal numbers have equal spellings.
func Decode(raw []byte) (any, error) {
	d := decoding{jsontext.NewDecoder(bytes.NewBuffer(raw))}
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if err := trailing(d.Decoder); err != nil {
		return nil, err
	}
	return v, nil
}

type decoding struct{ *jsontext.Decoder }

func (d decoding) value() (any, error) {
	tok, err := d.ReadToken()
	if err != nil {
		if errors.Is(err, io.EOF) && d.StackDepth() == 0 {
			return nil, errors.New("JSON: empty document")
		}
		return nil, malformed{err}
	}
	if d.StackDepth() > MaxDepth {
		return nil, fmt.Errorf("JSON: nested deeper than %d at %q", MaxDepth, d.StackPointer())
	}
	switch tok.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		return tok.String(), nil
	case '0':
		lit := tok.String()
		if plainInteger(lit) {
			return json.Number(lit), nil
		}
		if err := CheckNumber(lit); err != nil {
			return nil, fmt.Errorf("JSON: at %q: %w", d.StackPointer(), err)
		}
		spelled, err := number(lit)
		return json.Number(spelled), err
	case '[':
		return d.array()
	}
	return d.object()
}

func (d decoding) array() (any, error) {
	out := []any{}
	for d.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.ReadToken()
	return out, err
}

func (d decoding) object() (any, error) {
	out := map[string]any{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, malformed{err}
		}
		key := name.String()
		if out[key], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return out, err
}

// plainInteger says that lit is canonical as it stands: an integer of few digits.
func plainInteger(lit string) bool {
	digits := strings.TrimPrefix(lit, "-")
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '0' && lit != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

func number(lit string) (string, error) {
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil {
		return "", fmt.Errorf("%w: %.40q", ErrNumber, lit)
	}
	return jcs.NumberToJSON(f)
}

// Encode is the canonical JSON of v, made of what [Decode] gives, of float64, and
// of Digest. It says what Marshal says, without a detour over other spellings.
func Encode(v any) ([]byte, error) { return appendValue(make([]byte, 0, 256), v, 0) }

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("canonical JSON: nested deeper than %d", MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v)
	case Digest:
		b = append(b, '"')
		if !v.IsZero() {
			b = hex.AppendEncode(append(b, prefix...), v[:])
		}
		return append(b, '"'), nil
	case json.Number:
		if plainInteger(string(v)) {
			return append(b, v...), nil
		}
		spelled, err := number(string(v))
		return append(b, spelled...), err
	case float64:
		if v >= -1e15 && v <= 1e15 && v == float64(int64(v)) {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
		spelled, err := jcs.NumberToJSON(v)
		return append(b, spelled...), err
	case []any:
		return appendArray(b, v, depth)
	case map[string]any:
		return appendObject(b, v, depth)
	}
	return nil, fmt.Errorf("canonical JSON: a %T is no decoded JSON", v)
}

func appendArray(b []byte, v []any, depth int) (_ []byte, err error) {
	b = append(b, '[')
	for i, item := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, v map[string]any, depth int) (_ []byte, err error) {
	var few [16]string
	names := few[:0]
	for name := range v {
		names = append(names, name)
	}
	slices.SortFunc(names, compareUnits)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, v[name], depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// compareUnits orders by UTF-16 code units. It differs from the order of the bytes
// where one text has a character beyond U+FFFF and the other one between U+E000 and U+FFFF.
func compareUnits(a, b string) int {
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] && a[same] < utf8.RuneSelf {
		same++
	}
	a, b = a[same:], b[same:]
	for len(a) > 0 && len(b) > 0 {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			return int(unit(x, y)) - int(unit(y, x))
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// unit is the first UTF-16 code unit of r in which it differs from other.
func unit(r, other rune) rune {
	if r < 0x10000 {
		return r
	}
	high, low := utf16.EncodeRune(r)
	if otherHigh, _ := utf16.EncodeRune(other); otherHigh == high {
		return low
	}
	return high
}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("canonical JSON: %.40q is not UTF-8", s)
	}
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			b = append(b, '\\', `"\bfnrt`[short])
			continue
		}
		b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	return append(append(b, s[from:]...), '"'), nil
}

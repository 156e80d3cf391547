package canon_test

import (
	"encoding/json"
	"testing"

	"github.com/gowebpki/jcs"

	"rlam/internal/canon"
)

// Decode and Encode, of which Transform consists, agree with a library: on what is refused, and on every byte.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		`{"b":1.50,"a":[1e2,-0,0.1,1e-7,1E21,123456789012345678]}`, `1e1000001`, `9007199254740993`, `9007199254740992`, `-0`, `-7`, `01`, `[]`, `{}`, ``, ` `, `nul`,
		`{"a":1,"a":2}`, `"\u0000\u001f\"\\\/\b\f\n\r\t\u007f\u2028<&>"`, `{"\ud83d\ude00":1,"\ue000":2,"z":3,"\ud83d\ude01":4}`, `1 2`, "\"\xff\"", `"\ud800"`, `{"a"`, `[1,`, `0.10000000000000001`, `1e-400`, `100000000000000000000`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want, refused := reference(raw)
		v, err := canon.Decode(raw)
		if (err != nil) != (refused != nil) {
			t.Fatalf("%q: Decode says %v, the library %v", raw, err, refused)
		}
		if err != nil {
			if err.Error() != refused.Error() {
				t.Fatalf("%q: Decode says %q, the library %q", raw, err, refused)
			}
			return
		}
		got, err := canon.Encode(v)
		if err != nil || string(got) != string(want) {
			t.Fatalf("%q: %s, %v; the library says %s", raw, got, err, want)
		}
		if floats, err := canon.Encode(asFloats(v)); err != nil || string(floats) != string(want) {
			t.Fatalf("%q with float64s: %s, %v; the library says %s", raw, floats, err, want)
		}
	})
}

// reference is the canonical spelling by a library.
func reference(raw []byte) ([]byte, error) {
	if err := canon.Check(raw); err != nil {
		return nil, err
	}
	return jcs.Transform(raw)
}

func asFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = asFloats(item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, item := range v {
			out[name] = asFloats(item)
		}
		return out
	}
	return v
}

func TestEncodeRefusesWhatIsNoJSON(t *testing.T) {
	for _, v := range []any{"\xff", map[string]any{"\xff": 1.0}, 7, json.Number("x"), struct{}{}} {
		if out, err := canon.Encode(v); err == nil {
			t.Errorf("%v is encoded as %s", v, out)
		}
	}
}

package canon_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"rlam/internal/canon"
)

func TestTransformGivesOneSpelling(t *testing.T) {
	for raw, want := range map[string]string{
		`{"b":1.0,"a":[1e2, 1e-7]}`:     `{"a":[100,1e-7],"b":1}`,
		"\"\\u20ac<&\"":                 `"€<&"`,
		`3.0750560385E-04`:              `0.00030750560385`,
		`0.10000000000000001`:           `0.1`,
		`-0`:                            `0`,
		`9007199254740992`:              `9007199254740992`,
		`18014398509481984`:             `18014398509481984`,
		`{"é":null,"z":true}`:           `{"z":true,"é":null}`,
		"\n {\"a\" :\t{}} ":             `{"a":{}}`,
		`1.7976931348623157e308`:        `1.7976931348623157e+308`,
		`{"a":"1","\u0061b":"x\u0000"}`: `{"a":"1","ab":"x\u0000"}`,
	} {
		got, err := canon.Transform([]byte(raw))
		if err != nil || string(got) != want {
			t.Errorf("Transform(%s) = %s, %v; want %s", raw, got, err, want)
		}
	}
}

func TestTransformRefusesWhatHasNoSingleMeaning(t *testing.T) {
	for raw, number := range map[string]bool{
		`{"a":1,"a":2}`: false,
		`{"a":1} {}`:    false,
		``:              false,
		`{"a":`:         false,
		`NaN`:           false,
		`01`:            false,
		"\"\xff\"":      false,
		strings.Repeat("[", 65) + strings.Repeat("]", 65): false,
		`1e309`:                  true,
		`1e1000001`:              true,
		`1e-400`:                 true,
		`9007199254740993`:       true,
		`0.12345678901234567891`: true,
		strings.Repeat("1", 500): true,
	} {
		_, err := canon.Transform([]byte(raw))
		if err == nil {
			t.Errorf("Transform(%.40s) was accepted", raw)
		}
		if errors.Is(err, canon.ErrNumber) != number {
			t.Errorf("Transform(%.40s): %v; a number's refusal: want %v", raw, err, number)
		}
	}
}

func TestDigestText(t *testing.T) {
	d := canon.Sum([]byte(`{"a":1}`))
	const want = "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
	if d.String() != want {
		t.Fatalf("digest = %s", d)
	}
	b, err := json.Marshal(map[string]canon.Digest{"d": d, "none": {}})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]canon.Digest
	if err := json.Unmarshal(b, &back); err != nil || back["d"] != d || !back["none"].IsZero() {
		t.Fatalf("read back %v, %v", back, err)
	}
	for _, bad := range []string{"sha256:00", strings.ToUpper(want), want + "0", want[7:], "md5:" + want[7:], "sha256:" + strings.Repeat("g", 64)} {
		if _, err := canon.Parse(bad); err == nil {
			t.Errorf("Parse(%q) was accepted", bad)
		}
	}
}

func FuzzTransform(f *testing.F) {
	for _, s := range []string{`1e1000001`, `{"a":[1,2,{"b":0.1}]}`, `"\ud800"`, `-0.0`, `[1e-323]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := canon.Transform(raw)
		if err != nil {
			return
		}
		twice, err := canon.Transform(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q -> %q -> %q, %v", raw, once, twice, err)
		}
	})
}

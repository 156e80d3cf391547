package history_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"rlam/provenance/history"
)

// TestDecode reads what either form spells, and says of all else what is wrong with it.
func TestDecode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "test", "histories", "mgh09.json"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Decode(append([]byte(" \n"), text...))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := history.Decode(raw); err != nil || !proto.Equal(h, again) {
		t.Errorf("in protobuf: %v, and the same events: %t", err, proto.Equal(h, again))
	}
	noise := make([]byte, 4096)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "it has no events"},
		{"no events", []byte(`{"events":[]}`), "it has no events"},
		{"another object", []byte(`{"a":1}`), "no member events"},
		{"an array", []byte(`[1]`), "neither in JSON nor in protobuf"},
		{"noise", noise, "neither in JSON nor in protobuf"},
		{"JSON, cut", text[:3000], "cut off after 1 whole events"},
		{"protobuf, cut", raw[:3000], "cut off after"},
		{"events that are none", []byte(`{"events":7}`), "its member events is no array"},
		{"a second value in place of an event", bytes.Replace(text, []byte(`"eventId": "2"`), []byte(`"eventId": {}`), 1), "event 2"},
	} {
		if _, err := history.Decode(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

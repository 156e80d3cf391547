package history_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"rlam/internal/canon"
	"rlam/provenance/history"
)

// TestLeaves: the leaf of an event is the same with and without what may be withheld, has
// nothing of it, and changes with anything else.
func TestLeaves(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../test/histories/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	previews := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range readAll(t, history.FromJSON(bytes.NewReader(text))).Events {
			whole, err := history.Leaf(e)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(whole, []byte(`"preview"`)) {
				t.Errorf("%s: the leaf of event %d has a preview", file, e.EventId)
			}
			n := 0
			half := proto.CloneOf(e)
			history.Strip(half, func(canon.Digest) bool { n++; return n%2 == 0 })
			previews += n
			if again, err := history.Leaf(half); err != nil || !bytes.Equal(whole, again) {
				t.Errorf("%s: event %d has another leaf when contents are withheld, %v", file, e.EventId, err)
			}
			e.EventTime.Nanos++
			if other, err := history.Leaf(e); err != nil || bytes.Equal(whole, other) {
				t.Errorf("%s: event %d has the same leaf at another time, %v", file, e.EventId, err)
			}
		}
	}
	if previews == 0 {
		t.Error("no history names a content")
	}
}

// TestStripped: a canary in the contents of a run whose all contents are withheld is
// nowhere in its history.
func TestStripped(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../test/histories/retry.json")
	if err != nil {
		t.Fatal(err)
	}
	h := readAll(t, history.FromJSON(bytes.NewReader(text)))
	before, err := proto.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.Events {
		history.Strip(e, func(canon.Digest) bool { return true })
	}
	after, err := proto.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	failure := ""
	for _, e := range h.Events {
		if f := e.GetActivityTaskFailedEventAttributes().GetFailure(); f != nil {
			failure = f.GetApplicationFailureInfo().GetType()
			if f.GetMessage() != "" {
				t.Errorf("event %d still has the message %q", e.EventId, f.GetMessage())
			}
		}
	}
	if failure == "" || !strings.Contains(string(before), `"preview"`) || strings.Contains(string(after), `"preview"`) {
		t.Errorf("failure %q; %d bytes before, %d after", failure, len(before), len(after))
	}
}

package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

func put(t *testing.T, s store.Store, rec any) canon.Digest {
	t.Helper()
	d, b, err := record.Encode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{b}}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestARecordCanBeCheckedByHand(t *testing.T) {
	d, b, err := record.Encode(&record.Seal{Kind: record.KindSeal, Status: record.NoResult, Ended: "2026-01-02T03:04:05Z"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "rlam.record.v1\n" + `{"counters":{"attempts":0,"calls":0,"losses":0,"refused":0,"repairs":0,"steps":0,"usage":{"completion":0,"prompt":0}},` +
		`"ended":"2026-01-02T03:04:05Z","kind":"seal","parent":"","reason":"","result":"","status":"no_result"}`
	if string(b) != want {
		t.Errorf("%s\nwant\n%s", b, want)
	}
	if d != canon.Sum(b) {
		t.Errorf("it is named %s", d)
	}
}

func TestChain(t *testing.T) {
	s := &store.Mem{}
	run := put(t, s, &record.Run{Kind: record.KindRun, ID: "a"})
	one := put(t, s, &record.Proposal{Kind: record.KindProposal, Parent: run, Index: 1})
	step := put(t, s, &record.Step{Kind: record.KindStep, Parent: one, Index: 1})
	other := put(t, s, &record.Run{Kind: record.KindRun, ID: "b"})

	links, err := record.Chain(t.Context(), s, run, step)
	if err != nil || len(links) != 3 || links[0].Digest != run || links[2].Digest != step {
		t.Errorf("%v, %v", links, err)
	}
	if _, err := record.Chain(t.Context(), s, other, step); !errors.Is(err, record.ErrNoStart) {
		t.Errorf("a chain of another run: %v", err)
	}
	if _, err := record.Chain(t.Context(), s, run, canon.Sum([]byte("nothing"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a chain from nowhere: %v", err)
	}
	var p record.Proposal
	var kind *record.KindError
	if err := record.Load(t.Context(), s, step, &p); !errors.As(err, &kind) || kind.Got != record.KindStep {
		t.Errorf("a step read as a proposal: %v", err)
	}
	// The same step written twice is one record.
	if again := put(t, s, &record.Step{Kind: record.KindStep, Parent: one, Index: 1}); again != step {
		t.Errorf("%s and %s", step, again)
	}
}

func TestDecodeRefusesWhatIsNoRecord(t *testing.T) {
	for _, text := range []string{"", `{"kind":"seal"}`, "rlam.record.v2\n{}", "rlam.record.v1\n[]", "rlam.record.v1\n{"} {
		var seal record.Seal
		if _, err := record.Decode([]byte(text), &seal); err == nil {
			t.Errorf("%q was read as a seal", text)
		}
	}
	s := &store.Mem{}
	blob := []byte("rlam.record.v1\n" + `{"kind":"from the future"}`)
	if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
		t.Fatal(err)
	}
	if _, err := record.LoadAny(t.Context(), s, canon.Sum(blob)); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a kind of the future: %v", err)
	}
}

func TestContentIsSalted(t *testing.T) {
	s := &store.Mem{}
	one, two := record.NewSecret(), record.NewSecret()
	value := map[string]any{"b1": 0.19280693458, "text": "ü"}
	a, blob, err := one.Content(value)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := one.Content(map[string]any{"text": "ü", "b1": 0.19280693458})
	if err != nil || a.Digest != b.Digest {
		t.Errorf("equal values of a run are %s and %s, %v", a.Digest, b.Digest, err)
	}
	c, _, err := two.Content(value)
	if err != nil || a.Digest == c.Digest {
		t.Errorf("two runs name the same value alike: %v", err)
	}
	if plain, _, err := canon.Of(value); err != nil || plain == a.Digest {
		t.Errorf("a content is named as its value is: %v", err)
	}
	if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
		t.Fatal(err)
	}
	var back json.RawMessage
	if err := record.OpenContent(t.Context(), s, a.Digest, &back); err != nil || string(back) != `{"b1":0.19280693458,"text":"ü"}` {
		t.Errorf("%s, %v", back, err)
	}
	if _, _, err := one.Content(strings.Repeat("x", record.MaxContent)); err == nil {
		t.Error("a content that is too large was made")
	}
}

func TestPreviewCutsBetweenCharacters(t *testing.T) {
	for n := 150; n < 170; n++ {
		text := strings.Repeat("a", n) + strings.Repeat("é", 50)
		got := record.Preview(text)
		if strings.ContainsRune(got, '\uFFFD') || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", strings.ToValidUTF8(got, "?")) {
			t.Errorf("%q", got)
		}
	}
	if got := record.Preview("short"); got != "short" {
		t.Errorf("%q", got)
	}
}

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"rlam/activities"
	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/test/lab"
)

// olderGate is the gate "schema" as it was in version 1: it held calls against the
// action's schema alone, and didn't look at what the study allows of it. Each edit's old
// text occurs once in its file of schemas/.
var olderGate = []struct{ file, old, new string }{
	{"gate.go", "GateSchema: 2,", "GateSchema: 1,"},
	{"values.go", "narrow := p.narrowing(c.action)", "var narrow *narrowing"},
}

// upgraded is the file that holds what a run with the older gate left in its store, as
// far as it takes to judge it again.
const upgraded = "testdata/older-gate.json"

// left is such a file.
type left struct {
	Run    canon.Digest `json:"run"`
	Head   canon.Digest `json:"head"`
	Secret []byte       `json:"secret"`
	Blobs  []string     `json:"blobs"`
}

// TestUpgrade judges a run again that was recorded under another version of a gate: its
// history replays (TestHistories, "older-gate"), and where today's gate has another
// opinion, that is said of the gate and never of the record.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s, run, head := openLeft(t)
	ds, err := activities.Rejudge(t.Context(), s, run, head, schemas.NewGate())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`call 1.3, gate schema: judged differently now; recorded admitted by version 1; now refused by version 2: params fit lab.measure@1.0.0, and not what this study allows of it: at /x: is 3.5; expected at most 3`,
		`call 1.2, gate schema: judged differently now; recorded admitted by version 1; now refused by version 2: params fit lab.measure@1.0.0, and not what this study allows of it: at /x: is 4; expected at most 3`,
	}
	var got []string
	for _, d := range ds {
		got = append(got, d.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAChangedVerdictIsNoUpgrade changes the record of the same run, so that it claims
// that today's gate had admitted the calls.
func TestAChangedVerdictIsNoUpgrade(t *testing.T) {
	t.Parallel()
	s, run, head := openLeft(t)
	links, err := record.Chain(t.Context(), s, run, head)
	if err != nil {
		t.Fatal(err)
	}
	forged := links[1].Record.(*record.Proposal)
	for i := range forged.Calls {
		for k := range forged.Calls[i].Verdicts {
			if v := &forged.Calls[i].Verdicts[k]; v.Gate == schemas.GateSchema {
				v.Version = schemas.GateVersions()[schemas.GateSchema]
			}
		}
	}
	d, blob, err := record.Encode(forged)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
		t.Fatal(err)
	}
	ds, err := activities.Rejudge(t.Context(), s, run, d, schemas.NewGate())
	if err != nil || len(ds) != 1 || ds[0].Kind != schemas.Contradicted || ds[0].Call != "1.3" {
		t.Errorf("%v, %v", ds, err)
	}
}

func openLeft(t *testing.T) (s store.Store, run, head canon.Digest) {
	t.Helper()
	raw, err := os.ReadFile(upgraded)
	if err != nil {
		t.Fatal(err)
	}
	var l left
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Entries: []store.Entry{{Key: record.SecretKey(l.Run), Value: l.Secret}}}
	for _, blob := range l.Blobs {
		b.Blobs = append(b.Blobs, []byte(blob))
	}
	s = &store.Mem{}
	if _, _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s, l.Run, l.Head
}

// recordOlderGate builds this test with the older gate in it, and lets it record.
func recordOlderGate(t *testing.T) {
	if schemas.GateVersions()[schemas.GateSchema] != 1 {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlayOlderGate(t), ".", "-run", "^TestRecordHistories$/^older-gate$", "-update")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("recording with the older gate: %v\n%s", err, out)
		}
		return
	}
	l := lab.New(t, executor.Typed("lab.measure", measure))
	set := script("narrow")
	set["/actions"] = `["actions", {"use": "lab.measure", "params": {"properties": {"x": {"maximum": 3}}}}]`
	result, h := l.Study("studies/study.yaml", set)
	keep(t, "older-gate", h)

	run := lab.RunOf(t, h)
	read := &reading{Store: l.Host.Store, seen: map[canon.Digest]bool{}}
	if ds, err := activities.Rejudge(t.Context(), read, run, result.Head, schemas.NewGate()); err != nil || len(ds) > 0 {
		t.Fatalf("judged again by the same gate: %v, %v", ds, err)
	}
	secret, err := l.Host.Store.Entry(t.Context(), record.SecretKey(run))
	if err != nil {
		t.Fatal(err)
	}
	out := left{Run: run, Head: result.Head, Secret: secret}
	for d := range read.seen {
		blob, err := store.Read(t.Context(), l.Host.Store, d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		out.Blobs = append(out.Blobs, string(blob))
	}
	slices.Sort(out.Blobs)
	raw, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(upgraded, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// overlayOlderGate puts the older gate in the place of today's, for a build.
func overlayOlderGate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for _, e := range olderGate {
		path, err := filepath.Abs(filepath.Join("..", "schemas", e.file))
		if err != nil {
			t.Fatal(err)
		}
		text := read(t, path)
		if n := strings.Count(text, e.old); n != 1 {
			t.Fatalf("%s has %q %d times, want once: say the older gate anew", e.file, e.old, n)
		}
		replace[path] = filepath.Join(dir, e.file)
		if err := os.WriteFile(replace[path], []byte(strings.Replace(text, e.old, e.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// reading notes which blobs are read.
type reading struct {
	store.Store
	mu   sync.Mutex
	seen map[canon.Digest]bool
}

func (r *reading) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	r.mu.Lock()
	r.seen[d] = true
	r.mu.Unlock()
	in, err := r.Store.Get(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d, err)
	}
	return in, nil
}

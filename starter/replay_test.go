package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// TestInOrder gives results in the order of what they are of, few at a time.
func TestInOrder(t *testing.T) {
	t.Parallel()
	in := make([]int, 200)
	for i := range in {
		in[i] = i
	}
	for _, n := range []int{1, 2, 7} {
		var got []int
		for v := range inOrder(t.Context(), in, n, func(i int) int { return i * i }) {
			got = append(got, v)
		}
		if len(got) != len(in) || !slices.IsSorted(got) {
			t.Errorf("%d at a time: %v", n, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	taken := 0
	for range inOrder(ctx, in, 2, func(i int) int { return i }) {
		if taken++; taken == 3 {
			cancel()
		}
	}
	if taken != 3 {
		t.Errorf("%d results after it was cancelled at the third", taken)
	}
}

// TestReplayIsFlat replays 100 histories, and wants no more memory kept after the last than
// after the tenth.
func TestReplayIsFlat(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "test", "histories", "mgh09.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.json", i)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}
	sources, err := historiesIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := func() int64 {
		runtime.GC()
		runtime.GC() // what the first made free to finalize
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var tenth, last int64
	n := 0
	for m := range inOrder(t.Context(), sources, 2, func(s replaySource) replayMessage { return a.replay(t.Context(), s, dir) }) {
		if m.Verdict != agrees {
			t.Fatalf("%s: %+v", m.History, m)
		}
		switch n++; n {
		case 10:
			tenth = kept()
		case len(sources):
			last = kept()
		}
	}
	// A history of this length is 400 kB in memory: what keeps each would hold 36 MB more.
	if grown := last - tenth; grown > 4<<20 {
		t.Errorf("%d bytes more are kept after 100 histories than after 10", grown)
	} else {
		t.Logf("%d bytes after 10 histories, %d after 100", tenth, last)
	}
}

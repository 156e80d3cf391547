package ancestry_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/ancestry"
)

// forest writes runs of which nothing but their chains matters.
type forest struct {
	t     *testing.T
	store *store.Mem
	runs  []ancestry.Run
}

func (f *forest) put(rec any) canon.Digest {
	_, b, err := record.Encode(rec)
	if err != nil {
		f.t.Fatal(err)
	}
	d, _, err := f.store.Put(f.t.Context(), bytes.NewReader(b))
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// run makes a run with the steps from first to last, and returns the records of its steps.
func (f *forest) run(r record.Run, first, last int) map[int]canon.Digest {
	r.Kind, r.Started = record.KindRun, fmt.Sprintf("2026-01-01T00:00:%02dZ", len(f.runs))
	head := f.put(r)
	f.runs = append(f.runs, ancestry.Run{Digest: head, Record: &r})
	steps := map[int]canon.Digest{0: head}
	for n := first; n <= last; n++ {
		head = f.put(record.Proposal{Kind: record.KindProposal, Parent: head, Index: n})
		head = f.put(record.Step{Kind: record.KindStep, Parent: head, Index: n})
		steps[n] = head
	}
	return steps
}

// tree spells a tree: how, run and step, children in brackets.
func tree(n *ancestry.Node) string {
	s := fmt.Sprintf("%s %s@%d", n.How, n.Record.ID, n.Step)
	var children []string
	for _, c := range n.Children {
		children = append(children, tree(c))
	}
	if len(children) > 0 {
		s += " [" + strings.Join(children, ", ") + "]"
	}
	return strings.TrimSpace(s)
}

func TestTree(t *testing.T) {
	t.Parallel()
	f := &forest{t: t, store: &store.Mem{}}
	a := f.run(record.Run{ID: "a"}, 1, 4)
	b := f.run(record.Run{ID: "b", Parent: a[2]}, 3, 5)
	f.run(record.Run{ID: "c", Parent: b[3]}, 4, 4)
	f.run(record.Run{ID: "d", Parent: a[0]}, 1, 1)
	f.run(record.Run{ID: "e", Reproduces: &record.Reproduced{ID: "a", Run: a[0]}}, 1, 1)
	f.run(record.Run{ID: "other"}, 1, 1)
	lost := canon.Sum([]byte("nowhere"))
	f.run(record.Run{ID: "orphan", Parent: lost}, 3, 3)

	const whole = "a@0 [fork b@2 [fork c@3], fork d@0, reproduction e@0]"
	for i, want := range []string{whole, whole, whole, whole, whole, "other@0", "fork orphan@0"} {
		n, err := ancestry.Tree(t.Context(), f.store, f.runs, f.runs[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree(n); got != want {
			t.Errorf("of %s: %s, want %s", f.runs[i].Record.ID, got, want)
		}
		if f.runs[i].Record.ID == "orphan" && n.Missing != lost {
			t.Errorf("the orphan misses %s, want %s", n.Missing, lost)
		}
	}
	if _, err := ancestry.Tree(t.Context(), f.store, f.runs[:1], lost); err == nil {
		t.Error("of a run that isn't listed: no error")
	}
}

package reuse_test

import (
	"slices"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/reuse"
	"rlam/internal/store"
)

func digest(s string) canon.Digest { return canon.Sum([]byte(s)) }

func seed(n uint64) *uint64 { return &n }

func components() reuse.Components {
	return reuse.Components{Spec: digest("spec"), Binding: digest("binding"), Params: digest("params"), Seed: seed(7), Identity: digest("identity")}
}

// Each component is part of the key, and is named where it differs.
func TestEachComponentCounts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*reuse.Components){
		reuse.Spec:     func(c *reuse.Components) { c.Spec = digest("another") },
		reuse.Binding:  func(c *reuse.Components) { c.Binding = digest("another") },
		reuse.Params:   func(c *reuse.Components) { c.Params = digest("another") },
		reuse.Seed:     func(c *reuse.Components) { c.Seed = nil },
		reuse.Identity: func(c *reuse.Components) { c.Identity = digest("another") },
	} {
		other := components()
		change(&other)
		if other.Key() == components().Key() {
			t.Errorf("%s: the key is the same", name)
		}
		if got := components().Differing(other); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: %q differ", name, got)
		}
	}
	one, same := components(), components()
	if got := one.Differing(same); len(got) > 0 || one.Key() != same.Key() {
		t.Errorf("equal ones differ in %q", got)
	}
}

func entry(run, call string) reuse.Entry {
	return reuse.Entry{Components: components(), Reused: record.Reused{Key: components().Key(), Run: digest(run), ID: run, Proposal: digest(run + "'s"), Call: call, Execution: 1}}
}

func commit(t *testing.T, s store.Store, f reuse.Found, e reuse.Entry, run string, executed bool) {
	t.Helper()
	entries, err := f.With(e, digest(run), executed)
	if err == nil {
		_, _, err = s.Commit(t.Context(), store.Batch{Entries: entries})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, s store.Store, anywhere bool, runs ...string) (reuse.Found, []string) {
	t.Helper()
	var all []canon.Digest
	for _, run := range runs {
		all = append(all, digest(run))
	}
	f, err := reuse.Index{Store: s}.Find(t.Context(), "act", components().Key(), all, anywhere)
	if err != nil {
		t.Fatal(err)
	}
	calls := []string{}
	for _, e := range f.Entries {
		calls = append(calls, e.ID+" "+e.Call)
	}
	return f, calls
}

func TestAnExecutionIsFoundByWhoMayReuseIt(t *testing.T) {
	t.Parallel()
	s := &store.Mem{}
	none, calls := find(t, s, true, "a")
	if len(calls) > 0 {
		t.Fatalf("an empty store has %q", calls)
	}
	commit(t, s, none, entry("a", "1.1"), "a", true)
	for _, c := range []struct {
		what     string
		anywhere bool
		runs     []string
		want     []string
	}{
		{"the run itself", false, []string{"a"}, []string{"a 1.1"}},
		{"its fork", false, []string{"b", "a"}, []string{"a 1.1"}},
		{"another run", false, []string{"c"}, []string{}},
		{"another run, of the store", true, []string{"c"}, []string{"a 1.1"}},
	} {
		if _, got := find(t, s, c.anywhere, c.runs...); !slices.Equal(got, c.want) {
			t.Errorf("%s finds %q, want %q", c.what, got, c.want)
		}
	}

	// What answered c is found by what is forked from c, without a's being an ancestor.
	f, _ := find(t, s, true, "c")
	commit(t, s, f, entry("a", "1.1"), "c", false)
	if _, got := find(t, s, false, "d", "c"); !slices.Equal(got, []string{"a 1.1"}) {
		t.Errorf("a fork of the run that was answered finds %q", got)
	}

	// Where the first can't be read any more, the next one is entered behind it.
	f, _ = find(t, s, true, "e")
	commit(t, s, f, entry("e", "2.1"), "e", true)
	if _, got := find(t, s, true, "g"); !slices.Equal(got, []string{"a 1.1", "e 2.1"}) {
		t.Errorf("found %q", got)
	}
	all, err := reuse.Index{Store: s}.Of(t.Context(), "act")
	if err != nil || len(all) != 2 {
		t.Errorf("%d executions of the action are listed, %v; want 2", len(all), err)
	}
}

// Ancestry follows parents over the records of other runs, and ends where the store does.
func TestAncestry(t *testing.T) {
	t.Parallel()
	s := &store.Mem{}
	put := func(rec any) canon.Digest {
		d, b, err := record.Encode(rec)
		if err == nil {
			_, _, err = s.Commit(t.Context(), store.Batch{Blobs: [][]byte{b}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	oldest := put(&record.Run{Kind: record.KindRun, ID: "oldest", Parent: digest("never imported")})
	proposal := put(&record.Proposal{Kind: record.KindProposal, Parent: oldest, Index: 1})
	middle := put(&record.Run{Kind: record.KindRun, ID: "middle", Parent: proposal})
	got, err := reuse.Ancestry(t.Context(), s, digest("newest"), middle)
	if want := []canon.Digest{digest("newest"), middle, oldest}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

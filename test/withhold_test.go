package test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/test/lab"
)

// TestWithhold leaves contents out, each in its way: none of their words stands in a file
// of the bundle, and what is left still verifies.
func TestWithhold(t *testing.T) {
	t.Parallel()
	run := measured(t)
	whole, err := attest.FactsOf(run, 0, "rlam test")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		selector string
		canaries []string // that stand in the whole bundle, and in this one no more
		absent   bundle.Role
	}{
		{"prompts", []string{"Two fits that share neither start nor algorithm agree."}, bundle.RolePrompt},
		{"params", []string{"b1*(x^2 + x*b2)/(x^2 + x*b3 + b4)"}, bundle.RoleParams},
		{"4.1/params/model", []string{"b1*(x^2 + x*b2)/(x^2 + x*b3 + b4)"}, bundle.RoleParams},
		{"5.1/output", numbers(t, run, "output:5.1#1"), bundle.RoleOutput},
		{"artifact:plot.png", []string{"IHDR"}, bundle.RoleArtifact},
	} {
		t.Run(strings.ReplaceAll(c.selector, "/", "-"), func(t *testing.T) {
			t.Parallel()
			_, before := unpacked(t, pack(t, run))
			raw := pack(t, run, c.selector)
			_, all := unpacked(t, raw)
			for _, canary := range c.canaries {
				// A longer number is another one.
				whole := regexp.MustCompile(`(^|[^0-9])` + regexp.QuoteMeta(canary) + `([^0-9]|$)`)
				if !whole.Match(before) {
					t.Errorf("%q is nowhere anyway", canary)
				}
				if whole.Match(all) {
					t.Errorf("%q is still there", canary)
				}
			}
			b := opened(t, raw)
			if found := faults(t, b); len(found) > 0 {
				t.Errorf("the bag has faults: %v", found)
			}
			stillTrue(t, b, whole)
			i := slices.IndexFunc(b.Index.Absent, func(a bundle.Absent) bool { return a.Role == c.absent && a.Why == bundle.Withheld })
			if i < 0 {
				t.Fatalf("nothing says that a %s is withheld: %+v", c.absent, b.Index.Absent)
			}
			if _, err := b.Store.Get(t.Context(), b.Index.Absent[i].Digest); !errors.Is(err, export.ErrWithheld) {
				t.Errorf("reading what is withheld gave %v", err)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		_, err := bundle.Write(t.Context(), io.Discard, run, bundle.Options{Withhold: []string{"artifact:plto.png"}, Retell: traced})
		var selector *bundle.SelectorError
		if !errors.As(err, &selector) || selector.Nearest != "artifact:plot.png" {
			t.Errorf("got %v of a name that nothing has", err)
		}
	})
	t.Run("leak", func(t *testing.T) {
		t.Parallel()
		_, err := bundle.Write(t.Context(), io.Discard, run, bundle.Options{
			Withhold: []string{"4.1/params"}, Retell: traced,
			Extras: []bundle.Extra{{Path: "notes.txt", Write: func(_ context.Context, w io.Writer, _ *export.Run) error {
				_, err := io.WriteString(w, "I fitted b1*(x^2 + x*b2)/(x^2 + x*b3 + b4) to it.")
				return err
			}}},
		})
		var leak *bundle.LeakError
		if !errors.As(err, &leak) || leak.Path != "notes.txt" {
			t.Errorf("got %v of a file that quotes what is withheld", err)
		}
	})
}

// numbers are those of a value that nobody would come upon by chance.
func numbers(t *testing.T, run *export.Run, node string) []string {
	t.Helper()
	content, err := run.Content(t.Context(), run.Trace.Graph.Node(node).Digest)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`[0-9]+\.[0-9]{12,}`).FindAllString(string(content.Value), -1)
	if len(found) == 0 {
		t.Fatalf("%s has no number of many digits: %s", node, content.Value)
	}
	return found
}

// stillTrue checks what a bundle shows without what was withheld: chain, history and its
// signed root, and that workflow code makes the same decisions.
func stillTrue(t *testing.T, b *bundle.Bundle, whole attest.Facts) {
	t.Helper()
	from := reread(t, b.Store, b.Index.Run.Record)
	facts, err := attest.FactsOf(from, 0, "rlam test")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(facts.Runs, whole.Runs) || facts.Head != whole.Head || facts.Status != whole.Status {
		t.Errorf("a signature would bind %+v, and of the whole %+v", facts, whole)
	}
	for _, f := range from.Trace.Findings {
		if f.Name != provenance.ContentMissing {
			t.Errorf("a finding: %v", f)
		}
	}
	for _, h := range from.Histories {
		var history historypb.History
		if err := proto.Unmarshal(h.Protobuf, &history); err != nil {
			t.Fatal(err)
		}
		lab.Replay(t, &history)
	}
}

// TestMaxSize leaves out what is large, and says where it was.
func TestMaxSize(t *testing.T) {
	t.Parallel()
	run := measured(t)
	var raw bytes.Buffer
	if _, err := bundle.Write(t.Context(), &raw, run, bundle.Options{MaxSize: 10_000, Engine: "rlam test"}); err != nil {
		t.Fatal(err)
	}
	b := opened(t, raw.Bytes())
	large := b.Absences(bundle.TooLarge)
	if len(large) != 1 || large[0].Name != "plot.png" || large[0].Size < 10_000 {
		t.Fatalf("too large was %+v, want the picture", large)
	}
	if _, err := b.Store.Get(t.Context(), large[0].Digest); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("reading what was too large gave %v", err)
	}
}

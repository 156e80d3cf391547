package test

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/replay"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/test/lab"
	"rlam/worker/host"
)

// lossy is a store from which something was taken.
type lossy struct {
	store.Store
	blobs   []canon.Digest
	entries []string
}

func (l lossy) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if slices.Contains(l.blobs, d) {
		return nil, store.ErrNotFound
	}
	return l.Store.Get(ctx, d)
}

func (l lossy) Entry(ctx context.Context, key string) ([]byte, error) {
	if slices.Contains(l.entries, key) {
		return nil, store.ErrNotFound
	}
	return l.Store.Entry(ctx, key)
}

func (l lossy) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range l.Store.List(ctx, prefix) {
			if !slices.Contains(l.entries, key) && !yield(key, err) {
				return
			}
		}
	}
}

// audited builds the graph of a history and a store, and measures it.
func audited(t *testing.T, s store.Store, h *historypb.History, runID string) (*provenance.Trace, provenance.Metrics) {
	t.Helper()
	r, err := history.Read(history.FromHistory(h), history.Options{RunID: runID, Payloads: host.DataConverter()})
	if err != nil {
		t.Fatal(err)
	}
	trace, err := provenance.Build(t.Context(), provenance.Evidence{Runs: []*history.Run{r}, Store: s, Strays: true})
	if err != nil {
		t.Fatal(err)
	}
	code := replay.Replayer{Register: host.Register, DataConverter: host.DataConverter(), FailureConverter: host.FailureConverter()}
	made, divergent, err := r.Decisions(t.Context(), code, h)
	if err != nil {
		t.Fatal(err)
	}
	m, err := trace.Measure(t.Context(), s, provenance.Replayed{Decisions: made, Total: len(r.Activities), Divergent: divergent})
	if err != nil {
		t.Fatal(err)
	}
	return trace, m
}

// TestAudit runs the example of the newcomer, and takes one thing away at a time: what is
// gone has a finding, and the metric that counts it falls below 1.
func TestAudit(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	run := l.Begin("../examples/mgh09/study.yaml", nil)
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h := l.History(run.GetID(), run.GetRunID())
	s := l.Host.Store
	trace, m := audited(t, s, h, run.GetRunID())
	if len(trace.Findings) > 0 || !m.Reproducibility.Whole() || !m.Completeness.Whole() || !m.Visibility.Whole() {
		t.Fatalf("of a run that went well: %v, %+v", trace.Findings, m)
	}
	if m.Completeness.Total != 12 || m.Visibility.Total != 1 || m.Reproducibility.Total < 20 {
		t.Errorf("counted %+v", m)
	}
	t.Run("graph", func(t *testing.T) { checkGraph(t, trace.Graph) })

	failed := trace.Graph.Node("attempt:2.1#1")
	plot := trace.Graph.Node("artifact:" + plotted(t, trace.Graph))
	call := journal.CallKey(proposalOf(t, trace, 1), "1.1")
	for _, c := range []struct {
		name   string
		store  store.Store
		drop   func(*historypb.HistoryEvent) bool
		want   string // a finding; "" if the metric alone tells
		metric func(provenance.Metrics) provenance.Metric
	}{
		{"an event", s, at(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, 5), history.Gap, reproducibility},
		{"the event of an execution", s, at(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, 3), provenance.AttemptUnscheduled, completeness},
		{"an artifact", lossy{Store: s, blobs: []canon.Digest{plot.Digest}}, nil, "", reproducibility},
		{"an intent", lossy{Store: s, entries: []string{"journal/" + call.Hex() + ".1.intent"}}, nil, provenance.IntentMissing, completeness},
		{"the event of a failure", s, at(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, 1), provenance.OutcomeDiffers, visibility},
		{"the detail of a failure", lossy{Store: s, blobs: []canon.Digest{failed.Failure.Detail}}, nil, provenance.ContentMissing, visibility},
		{"a record", lossy{Store: s, blobs: []canon.Digest{proposalOf(t, trace, 3)}}, nil, provenance.RecordMissing, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			less := &historypb.History{Events: h.Events}
			if c.drop != nil {
				less.Events = slices.DeleteFunc(slices.Clone(h.Events), c.drop)
			}
			trace, m := audited(t, c.store, less, run.GetRunID())
			if c.want != "" && !slices.ContainsFunc(trace.Findings, func(f graph.Finding) bool { return f.Name == c.want }) {
				t.Errorf("no finding %s: %v", c.want, trace.Findings)
			}
			if c.metric != nil && c.metric(m).Score() >= 1 {
				t.Errorf("the metric is whole: %+v", m)
			}
		})
	}
}

func reproducibility(m provenance.Metrics) provenance.Metric { return m.Reproducibility }
func completeness(m provenance.Metrics) provenance.Metric    { return m.Completeness }
func visibility(m provenance.Metrics) provenance.Metric      { return m.Visibility }

// at picks the n-th event of a type.
func at(typ enumspb.EventType, n int) func(*historypb.HistoryEvent) bool {
	return func(e *historypb.HistoryEvent) bool {
		if e.GetEventType() == typ {
			n--
		}
		return e.GetEventType() == typ && n == 0
	}
}

// proposalOf is the digest of a step's proposal.
func proposalOf(t *testing.T, trace *provenance.Trace, step int) canon.Digest {
	t.Helper()
	for _, n := range trace.Graph.Nodes {
		if n.Kind == graph.Plan && n.Step == step && n.Status == string(record.AttemptCompleted) {
			return n.Digest
		}
	}
	t.Fatalf("no turn of step %d", step)
	return canon.Digest{}
}

// plotted is the attempt and name of the run's picture.
func plotted(t *testing.T, g *graph.Graph) string {
	t.Helper()
	for _, n := range g.Nodes {
		if n.Kind == graph.Artifact && n.Name == "plot.png" {
			return strings.TrimPrefix(n.ID, "artifact:")
		}
	}
	t.Fatal("the run made no plot.png")
	return ""
}

// checkGraph looks for what the example is known to have: a failure that the planner
// recovered from, a refusal that nothing was dispatched for, and no round of data.
func checkGraph(t *testing.T, g *graph.Graph) {
	t.Helper()
	edges := map[string]int{}
	for _, e := range g.Edges {
		edges[string(e.Kind)+" "+e.From+" "+e.To]++
		edges[string(e.Kind)]++
		if g.Node(e.From) == nil || g.Node(e.To) == nil {
			t.Errorf("edge %+v joins what isn't there", e)
		}
	}
	if n := edges["recovered"]; n == 0 {
		t.Error("nothing recovered from the failure")
	}
	if refused := g.Node("call:3.1"); refused == nil || refused.Status != string(record.CallRefused) || edges["informed call:3.1 attempt:3.1#1"] > 0 {
		t.Errorf("call 3.1 is %+v", refused)
	}
	if edges["used attempt:2.1#1 params:2.1"] != 1 || edges["generated plan:2#1 params:2.1"] != 1 || edges["derived"] < 3 {
		t.Errorf("edges %v", edges)
	}
	if around := g.Cycle(); len(around) > 0 {
		t.Errorf("data goes round in %v", around)
	}
}

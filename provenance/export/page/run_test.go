package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/export/page"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// made is a run that never happened, with what it says under the caller's control.
type made struct {
	t      testing.TB
	run    *export.Run
	g      *graph.Graph
	store  *store.Folder
	secret record.Secret
	blobs  [][]byte
	begin  time.Time
}

func newRun(t testing.TB, id string) *made {
	t.Helper()
	s, err := store.OpenFolder(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	g := &graph.Graph{}
	g.Add(graph.Node{ID: "run:r1", Kind: graph.Run, Name: id, Status: "completed", Run: "r1"})
	return &made{t: t, g: g, store: s, begin: begin, run: &export.Run{
		Store: s, Trace: &provenance.Trace{
			ID: id, Status: "completed", Graph: g, Run: &record.Run{ID: id, Engine: "test"},
			Line: []*history.Run{{WorkflowID: id, RunID: "r1", Study: true, Started: begin}},
		},
	}}
}

// content keeps a value as the run's.
func (m *made) content(v any) canon.Digest {
	m.t.Helper()
	ref, blob, err := m.secret.Content(v)
	if err != nil {
		m.t.Fatal(err)
	}
	m.blobs = append(m.blobs, blob)
	return ref.Digest
}

func (m *made) bytes(b []byte) canon.Digest {
	m.blobs = append(m.blobs, b)
	return canon.Sum(b)
}

// at is a time of the run, in seconds from its beginning.
func (m *made) at(seconds float64) string {
	return m.begin.Add(time.Duration(seconds * float64(time.Second))).Format(time.RFC3339Nano)
}

// step adds a step of one call, and returns the nodes of its last attempt and output. The
// call fails first as often as it is told to.
func (m *made) step(n int, action string, params, output any, fails int) (attempt, out *graph.Node) {
	m.t.Helper()
	g, call := m.g, fmt.Sprintf("%d.1", n)
	start := float64(2 * n)
	plan := g.Add(graph.Node{ID: fmt.Sprintf("plan:%d#1", n), Kind: graph.Plan, Step: n, N: 1, Status: "completed", Model: "some-model", Started: m.at(start), Ended: m.at(start + 0.5)})
	step := g.Add(graph.Node{ID: fmt.Sprintf("step:%d", n), Kind: graph.Step, Step: n, Status: "calls"})
	g.Join(graph.Informed, plan, step)
	if n > 1 {
		g.Join(graph.Informed, g.Node(fmt.Sprintf("step:%d", n-1)), plan)
	}
	prompt := g.Add(graph.Node{ID: fmt.Sprintf("prompt:%d", n), Kind: graph.Value, Role: "prompt", Step: n, Digest: m.content(map[string]any{
		"messages": []any{map[string]any{"role": "user", "content": fmt.Sprintf("What is to be done in step %d? %v", n, params)}},
	})})
	answer := g.Add(graph.Node{ID: fmt.Sprintf("answer:%d", n), Kind: graph.Value, Role: "answer", Step: n, Digest: m.content(map[string]any{
		"text": fmt.Sprintf("In step %d I do %v", n, params), "calls": []any{map[string]any{"action": action, "params": params}},
	})})
	g.Join(graph.Used, plan, prompt)
	g.Join(graph.Generated, plan, answer)
	c := g.Add(graph.Node{ID: "call:" + call, Kind: graph.Call, Name: action, Step: n, Call: call, Status: "completed"})
	g.Join(graph.Informed, plan, c)
	in := g.Add(graph.Node{ID: "params:" + call, Kind: graph.Value, Role: "params", Step: n, Call: call, Digest: m.content(params)})
	g.Join(graph.Generated, plan, in)
	for _, gate := range []string{"parse", "references", "schema", "preconditions", "policy", "limits"} {
		g.Join(graph.Informed, g.Add(graph.Node{ID: "verdict:" + call + "/" + gate, Kind: graph.Verdict, Name: gate, Version: 1, Step: n, Call: call, Status: "admitted"}), c)
	}
	for try := 1; try <= fails+1; try++ {
		before := attempt
		began := start + 0.6 + 0.3*float64(try-1)
		attempt = g.Add(graph.Node{ID: fmt.Sprintf("attempt:%s#%d", call, try), Kind: graph.Attempt, Name: action, Step: n, Call: call, N: try, Status: "completed", Started: m.at(began), Ended: m.at(began + 0.2), Isolation: "none"})
		g.Join(graph.Informed, c, attempt)
		g.Join(graph.Used, attempt, in)
		if before != nil {
			g.Join(graph.Retried, attempt, before)
		}
		if try <= fails {
			attempt.Status = "failed"
			attempt.Failure = &graph.Failure{Type: "lab.Broken", Message: fmt.Sprintf("it broke in step %d", n), Detail: m.content(map[string]any{"type": "lab.Broken", "message": "it broke", "stderr": fmt.Sprint(params)})}
		}
		g.Join(graph.Informed, attempt, step)
	}
	out = g.Add(graph.Node{ID: "output:" + attempt.ID[len("attempt:"):], Kind: graph.Value, Role: "output", Step: n, Call: call, Digest: m.content(output)})
	g.Join(graph.Generated, attempt, out)
	if n > 1 {
		for _, e := range g.Edges {
			if e.Kind == graph.Generated && g.Node(e.To).Role == "output" && g.Node(e.To).Step == n-1 {
				g.Join(graph.Derived, in, g.Node(e.To)).At = "/x"
				break
			}
		}
	}
	return attempt, out
}

// artifact adds bytes that an attempt made.
func (m *made) artifact(attempt *graph.Node, name, mediaType string, b []byte) *graph.Node {
	a := m.g.Add(graph.Node{ID: "artifact:" + attempt.ID[len("attempt:"):] + "/" + name, Kind: graph.Artifact, Name: name, MediaType: mediaType, Size: int64(len(b)), Digest: m.bytes(b), Step: attempt.Step, Call: attempt.Call})
	m.g.Join(graph.Generated, attempt, a)
	return a
}

func (m *made) result(v any, from *graph.Node, steps int) {
	n := m.g.Add(graph.Node{ID: "result", Kind: graph.Value, Role: "result", Step: steps, Status: "admitted", Digest: m.content(v)})
	m.g.Join(graph.Derived, n, from)
	m.run.Trace.Line[0].Closed = m.begin.Add(time.Duration(2*steps+2) * time.Second)
}

// file writes the page of the run, and returns its path and text.
func (m *made) file(o page.Options) (path, text string) {
	m.t.Helper()
	if _, _, err := m.store.Commit(m.t.Context(), store.Batch{Blobs: m.blobs}); err != nil {
		m.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(m.t.Context(), &b, m.run, o); err != nil {
		m.t.Fatal(err)
	}
	path = filepath.Join(m.t.TempDir(), "run.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		m.t.Fatal(err)
	}
	return path, b.String()
}

// withholding is a store that knows of contents that they were left out.
type withholding struct {
	store.Store
	left map[canon.Digest]bool
}

func (w withholding) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if w.left[d] {
		return nil, fmt.Errorf("content %s: %w", d, export.ErrWithheld)
	}
	return w.Store.Get(ctx, d)
}

// dataOf is the JSON that a page's scripts read.
func dataOf(t testing.TB, text string) (d struct {
	Things []struct {
		ID, Kind, Title string
		Parts           []struct{ Digest string }
	}
	Contents map[string]struct {
		State, Why, Image string
		Size              int64
		Parts             []struct {
			Title, Text string
			Cut         int
			End         bool
		}
	}
},
) {
	t.Helper()
	const begin = `<script type="application/json" id="data">`
	_, rest, ok := bytes.Cut([]byte(text), []byte(begin))
	raw, _, closed := bytes.Cut(rest, []byte("</script>"))
	if !ok || !closed {
		t.Fatal("the page has no data")
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

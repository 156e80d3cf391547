package test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/export/svg"
	"rlam/provenance/graph"
)

func writeSVG(ctx context.Context, run *export.Run) ([]byte, error) {
	var b bytes.Buffer
	err := svg.Write(ctx, &b, run, svg.Options{})
	return b.Bytes(), err
}

// checkSVG reads a drawing as XML: it has every call and attempt of the graph once, the
// failed ones in the class that is red, and nothing that could run or be fetched.
func checkSVG(t *testing.T, run *export.Run, b []byte) {
	classes := map[string]string{} // by data-id
	dec := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if n := e.Name.Local; n != "svg" && n != "g" && n != "title" && n != "style" && n != "rect" && n != "path" && n != "text" {
			t.Errorf("there is an element %q", n)
		}
		id, class := "", ""
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "data-id":
				id = a.Value
			case "class":
				class = a.Value
			case "href", "onload", "onclick", "src":
				t.Errorf("there is an attribute %q", a.Name.Local)
			}
		}
		if id != "" && classes[id] != "" {
			t.Errorf("%s is drawn twice", id)
		}
		classes[id] = class
	}
	for _, n := range run.Trace.Graph.Nodes {
		drawn := n.Kind == graph.Plan || n.Kind == graph.Attempt && n.Role == ""
		if _, ok := classes[n.ID]; drawn && !ok {
			t.Errorf("%s isn't drawn", n.ID)
		}
		if drawn && n.Status == "failed" && !strings.Contains(classes[n.ID], "failed") {
			t.Errorf("%s failed, and is drawn as %q", n.ID, classes[n.ID])
		}
	}
}

// long is a run of many steps, each of which takes from the one before and from the first,
// with names that would be markup.
func long(steps int) *export.Run {
	g := &graph.Graph{}
	g.Add(graph.Node{ID: "input:data", Kind: graph.Artifact, Role: "input", Name: `<script>"'&` + "\x00"})
	before := g.Node("input:data")
	for i := 1; i <= steps; i++ {
		id := fmt.Sprintf("%d.1", i)
		g.Add(graph.Node{ID: fmt.Sprintf("step:%d", i), Kind: graph.Step, Step: i})
		g.Add(graph.Node{ID: fmt.Sprintf("plan:%d#1", i), Kind: graph.Plan, Step: i, N: 1, Status: "completed"})
		g.Add(graph.Node{ID: "call:" + id, Kind: graph.Call, Step: i, Call: id, Name: "</text><script>alert(1)</script>"})
		params := g.Add(graph.Node{ID: "params:" + id, Kind: graph.Value, Role: "params", Step: i, Call: id})
		a := g.Add(graph.Node{ID: "attempt:" + id + "#1", Kind: graph.Attempt, Step: i, Call: id, N: 1, Status: "failed", Failure: &graph.Failure{Type: "<b>", Message: "]]>"}})
		out := g.Add(graph.Node{ID: "output:" + id + "#1", Kind: graph.Value, Role: "output", Step: i, Call: id})
		g.Join(graph.Generated, a, out)
		g.Join(graph.Derived, params, before)
		g.Join(graph.Derived, params, g.Node("input:data"))
		before = out
	}
	return &export.Run{Trace: &provenance.Trace{ID: "long", Status: "completed", Graph: g}}
}

// TestDrawingOfALongRun sees that it is collapsed and stays small, and that nothing in
// it becomes markup.
func TestDrawingOfALongRun(t *testing.T) {
	t.Parallel()
	few, err := writeSVG(t.Context(), long(10))
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, long(10), few)
	many, err := writeSVG(t.Context(), long(1000))
	if err != nil {
		t.Fatal(err)
	}
	if len(many) > 400<<10 || !bytes.Contains(many, []byte("collapsed: a row is 5 steps")) || !bytes.Contains(many, []byte(">996–1000<")) {
		t.Errorf("%d bytes: %.2000s", len(many), many)
	}
	checkSVG(t, &export.Run{Trace: &provenance.Trace{Graph: &graph.Graph{}}}, many)
}

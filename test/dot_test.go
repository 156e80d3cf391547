package test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"rlam/provenance/export"
	"rlam/provenance/export/dot"
	"rlam/test/need"
)

func writeDOT(ctx context.Context, run *export.Run) ([]byte, error) {
	var b bytes.Buffer
	err := dot.Write(ctx, &b, run)
	return b.Bytes(), err
}

// TestDOTInGraphviz has Graphviz draw what we write: with hostile names, and with those
// of a recorded run.
func TestDOTInGraphviz(t *testing.T) {
	t.Parallel()
	program := need.Program(t, "dot")
	for name, run := range map[string]*export.Run{"hostile": long(3), "recovery": archivedRun(t, "recovery"), "deferred": archivedRun(t, "deferred"), "continued": archivedRun(t, "continued-2")} {
		b, err := writeDOT(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, "-Tsvg")
		cmd.Stdin = bytes.NewReader(b)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		drawn, err := cmd.Output()
		if err != nil || complaints.Len() > 0 {
			t.Fatalf("%s: %v: %s\n%s", name, err, &complaints, b)
		}
		for _, n := range run.Trace.Graph.Nodes {
			if n.Failure != nil && !bytes.Contains(drawn, []byte(n.ID)) {
				t.Errorf("%s: %s isn't drawn", name, n.ID)
			}
		}
	}
}

func checkDOT(t *testing.T, _ *export.Run, b []byte) {
	if !bytes.HasPrefix(b, []byte("digraph ")) || bytes.Count(b, []byte(" [label=")) == 0 {
		t.Errorf("%.200s", b)
	}
}

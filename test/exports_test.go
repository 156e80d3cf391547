package test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/export/trace"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/test/lab"
	"rlam/worker/host"
)

// archivedRun is a recorded history as a run to export. There is no store of it any more.
func archivedRun(t *testing.T, name string) *export.Run {
	t.Helper()
	h := readHistory(t, name)
	r, err := history.Read(history.FromHistory(h), history.Options{RunID: name, Payloads: host.DataConverter()})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := provenance.Build(t.Context(), provenance.Evidence{Runs: []*history.Run{r}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := host.EncodeHistory(h)
	if err != nil {
		t.Fatal(err)
	}
	return &export.Run{Trace: tr, Histories: []export.History{{RunID: r.RunID, Protobuf: b}}, Namespace: "default"}
}

// forExport is what exporters are tried on: every recorded history, and a run with its store.
func forExport(t *testing.T) map[string]*export.Run {
	t.Helper()
	all := map[string]*export.Run{}
	files, err := filepath.Glob("histories/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d histories are recorded, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		all[name] = archivedRun(t, name)
	}
	if !testing.Short() {
		l := lab.New(t)
		run := l.Begin("../examples/mgh09/study.yaml", nil)
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		tr, _ := audited(t, l.Host.Store, l.History(run.GetID(), run.GetRunID()), run.GetRunID())
		all["with its store"] = &export.Run{Trace: tr, Store: l.Host.Store, Namespace: "default"}
	}
	return all
}

// TestExports writes every run in the formats that are one file, and has them read by
// programs and schemas that aren't ours.
func TestExports(t *testing.T) {
	t.Parallel()
	runs := forExport(t)
	for _, f := range []struct {
		name  string
		write func(context.Context, *export.Run) ([]byte, error)
		check func(*testing.T, *export.Run, []byte)
	}{
		{"trace", writeTrace, checkTrace},
		{"prov", writeProv, checkProv},
		{"svg", writeSVG, checkSVG},
		{"dot", writeDOT, checkDOT},
		{"html", writeHTML, checkHTML},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for name, run := range runs {
				t.Run(name, func(t *testing.T) {
					first, err := f.write(t.Context(), run)
					if err != nil {
						t.Fatal(err)
					}
					if second, _ := f.write(t.Context(), run); !bytes.Equal(first, second) {
						t.Error("twice is not the same")
					}
					f.check(t, run, first)
				})
			}
		})
	}
}

func writeTrace(_ context.Context, run *export.Run) ([]byte, error) {
	var b bytes.Buffer
	err := trace.Write(&b, run, &provenance.Metrics{})
	return b.Bytes(), err
}

// checkTrace holds the trace against the schema that is published, closed: a member that
// the schema doesn't name is a fault.
func checkTrace(t *testing.T, _ *export.Run, b []byte) {
	raw, err := schemas.MetaSchema("trace")
	if err != nil {
		t.Fatal(err)
	}
	fits(t, bytes.ReplaceAll(raw, []byte(`"properties": {`), []byte(`"additionalProperties": false, "properties": {`)), b)
}

func fits(t *testing.T, schema, document []byte) {
	t.Helper()
	s, err := schemas.Compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Validate(document) {
		t.Errorf("%v", v)
	}
}

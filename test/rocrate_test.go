package test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance/export"
	"rlam/provenance/export/rocrate"
	"rlam/provenance/graph"
	"rlam/test/crates"
	"rlam/test/lab"
	"rlam/test/need"
	"rlam/worker/host"
)

// studied runs a study and returns the run as exporters get it. How the run ends is the
// study's business.
func studied(t *testing.T, l *lab.Lab, study string, set map[string]string) *export.Run {
	t.Helper()
	run := l.Begin(study, set)
	_ = run.Get(t.Context(), nil)
	h := l.History(run.GetID(), run.GetRunID())
	trace, _ := audited(t, l.Host.Store, h, run.GetRunID())
	b, err := host.EncodeHistory(h)
	if err != nil {
		t.Fatal(err)
	}
	return &export.Run{Trace: trace, Store: l.Host.Store, Histories: []export.History{{RunID: run.GetRunID(), Protobuf: b}}}
}

// crateOf writes a run's crate to a folder, and checks it.
func crateOf(t *testing.T, run *export.Run) (string, *crates.Crate) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "crate")
	if err := rocrate.WriteFolder(t.Context(), dir, run); err != nil {
		t.Fatal(err)
	}
	c, err := crates.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range crates.Check(c) {
		t.Error(p)
	}
	return dir, c
}

// TestCrate holds the crates of runs that ended in different ways against every rule of
// the profiles, and has them read by programs of others.
func TestCrate(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		name, study string
		set         map[string]string
		act         func(context.Context, measureIn) (measureOut, error)
		failed      int // CreateActions with an error
		see         func(*testing.T, *crates.Crate)
	}{
		{name: "mgh09", study: "../examples/mgh09/study.yaml", failed: 1, see: seeMGH09},
		{name: "plan", study: "../examples/mgh09/study.yaml", set: map[string]string{"/planner": `{"plan": "plan.yaml"}`}},
		{name: "retries", study: "studies/study.yaml", act: busy(2), failed: 2},
		{name: "no-result", study: "studies/study.yaml", act: busy(3), failed: 4},
		{name: "deferred", study: "studies/study.yaml", set: script("deferred"), act: measure},
		{
			name: "metadata", study: "studies/study.yaml", act: measure,
			set: map[string]string{
				"/license": `"CC-BY-4.0"`, "/keywords": `["decay", "half-life"]`,
				"/authors": `[{"name": "Ada Example", "orcid": "0000-0002-1825-0097"}, {"name": "Bo Example"}]`,
			},
			see: seeMetadata,
		},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			var actions []executor.Builtin
			if p.act != nil {
				actions = append(actions, executor.Typed("lab.measure", p.act))
			}
			run := studied(t, lab.New(t, actions...), p.study, p.set)
			dir, c := crateOf(t, run)
			failed := 0
			for _, e := range c.Entities {
				if e.Is("CreateAction") && e["error"] != nil {
					failed++
				}
			}
			if failed != p.failed {
				t.Errorf("%d actions failed, want %d", failed, p.failed)
			}
			if p.see != nil {
				p.see(t, c)
			}
			again, _ := crateOf(t, run)
			same(t, dir, again)
			t.Run("read by others", func(t *testing.T) { readByOthers(t, dir, c) })
		})
	}
}

// same compares the metadata of two crates byte by byte.
func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(filepath.Join(a, crates.Metadata))
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(filepath.Join(b, crates.Metadata))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Error("the same run gave two crates")
	}
}

// seeMGH09 looks for what the example is known to have.
func seeMGH09(t *testing.T, c *crates.Crate) {
	t.Helper()
	lost := c.Get("#attempt/2.1/1")
	if !strings.HasPrefix(lost.Text("error"), "rlam.NotConverged: ") || len(lost.Refs("result")) == 0 {
		t.Errorf("the failed attempt is %v", lost)
	}
	if turn := c.Get("#plan/3/1"); !strings.Contains(turn.Text("description"), "3.1 fit.nonlinear@1.0.0 (refused by schema)") {
		t.Errorf("the turn whose call was refused is %v", turn)
	}
	if c.Get("#attempt/3.1/1") != nil {
		t.Error("a refused call is an action")
	}
	run := c.Get("#run")
	if !slices.Contains(run.Refs("result"), "calls/5.3/1/plot.png") || !slices.Equal(run.Refs("object"), []string{"inputs/data.csv"}) {
		t.Errorf("the run is %v", run)
	}
	var joined []string
	for _, e := range c.Entities {
		if e.Is("ParameterConnection") {
			joined = append(joined, e.Refs("sourceParameter")[0]+" "+e.Refs("targetParameter")[0])
		}
	}
	if !slices.ContainsFunc(joined, func(s string) bool {
		return strings.HasPrefix(s, "#parameter/study/input/data ") && strings.HasSuffix(s, "/input/data")
	}) || !slices.ContainsFunc(joined, func(s string) bool { return strings.HasSuffix(s, " #parameter/study/output/plot") }) {
		t.Errorf("the connections are %v", joined)
	}
}

// seeMetadata looks for what the study says of itself.
func seeMetadata(t *testing.T, c *crates.Crate) {
	t.Helper()
	root := c.Get("./")
	if !slices.Equal(root.Refs("license"), []string{"https://spdx.org/licenses/CC-BY-4.0"}) || root.Text("keywords") != "decay, half-life" ||
		!slices.Equal(root.Refs("author"), []string{"https://orcid.org/0000-0002-1825-0097", "#author/2"}) {
		t.Errorf("the root is %v", root)
	}
}

// readByOthers has jsonld expand the metadata and ro-crate load them: test/crates/read.js.
func readByOthers(t *testing.T, dir string, c *crates.Crate) {
	node := need.Program(t, "node")
	_, err := os.Stat("crates/node_modules/jsonld")
	need.Need(t, "npm ci in test/crates", err == nil)
	out, err := exec.CommandContext(t.Context(), node, "crates/read.js", dir).Output()
	if err != nil {
		t.Fatalf("reading the crate: %v\n%s", err, stderrOf(err))
	}
	var seen struct {
		Members map[string]int `json:"members"`
		Actions []struct {
			ID         string `json:"id"`
			Instrument string `json:"instrument"`
			Agent      string `json:"agent"`
			Status     string `json:"status"`
			Error      string `json:"error"`
			Results    int    `json:"results"`
		} `json:"actions"`
		Workflow []string `json:"workflow"`
		Steps    int      `json:"steps"`
		Parts    []string `json:"parts"`
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(seen.Members) != len(c.Entities) {
		t.Errorf("%d entities after expansion, %d before", len(seen.Members), len(c.Entities))
	}
	for _, e := range c.Entities {
		id := e.ID()
		if !strings.HasPrefix(id, "http") {
			id = "https://crate.invalid/" + strings.TrimPrefix(id, "./")
		}
		if seen.Members[id] != len(e) {
			t.Errorf("%s has %d members after expansion, %d before", id, seen.Members[id], len(e))
		}
	}
	if !slices.Contains(seen.Workflow, "ComputationalWorkflow") || seen.Steps == 0 || len(seen.Parts) == 0 || len(seen.Actions) == 0 {
		t.Errorf("others see the workflow %v with %d steps, %d files and %d actions", seen.Workflow, seen.Steps, len(seen.Parts), len(seen.Actions))
	}
	for _, a := range seen.Actions {
		if a.Instrument == "" || a.Agent != "Person" || a.Status == "" || a.Results == 0 || strings.HasSuffix(a.Status, "Failed") && a.Error == "" {
			t.Errorf("others see the action %+v", a)
		}
	}
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return ""
}

// withheld is a store that has left contents out on purpose.
type withheld struct {
	store.Store
	blobs []canon.Digest
}

func (w withheld) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if slices.Contains(w.blobs, d) {
		return nil, export.ErrWithheld
	}
	return w.Store.Get(ctx, d)
}

// TestCrateOfWhatIsLeft takes contents away: the crate stays sound, says what is missing by
// its digest, and has nothing of what stood in it.
func TestCrateOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	run := studied(t, lab.New(t), "../examples/mgh09/study.yaml", nil)
	var gone []canon.Digest
	for _, n := range run.Trace.Graph.Nodes {
		if n.Kind == graph.Value || n.Kind == graph.Artifact && n.Role != "input" || n.Kind == graph.Environment {
			gone = append(gone, n.Digest)
		}
	}
	run.Store = withheld{run.Store, gone}
	dir, c := crateOf(t, run)
	for id, want := range map[string]string{
		"#params/4.1": "is withheld", "#output/4.1/1": "is withheld", "#prompt/1": "is withheld", "#artifact/5.3/1/plot.png": "not in this crate", "#result": "is withheld",
	} {
		if e := c.Get(id); !strings.Contains(e.Text("description"), want) || e.Text("identifier")+e.Text("sha256") == "" {
			t.Errorf("%s is %v, want it to say that it %s", id, e, want)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && (strings.Contains(path, "/calls/") || strings.Contains(path, "/turns/")) {
			t.Errorf("%s is there", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("read by others", func(t *testing.T) { readByOthers(t, dir, c) })
}

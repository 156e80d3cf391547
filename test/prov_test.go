package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"rlam/provenance/export"
	"rlam/provenance/export/prov"
	"rlam/provenance/graph"
	"rlam/test/need"
)

func writeProv(ctx context.Context, run *export.Run) ([]byte, error) {
	var b bytes.Buffer
	err := prov.Write(ctx, &b, run)
	return b.Bytes(), err
}

// provSchema is the published schema, with the times of activities where they were meant
// to stand: beside "properties" instead of in it they are no keywords, and say nothing.
func provSchema(t *testing.T) []byte {
	var s struct {
		ID          string                                `json:"id"`
		Schema      string                                `json:"$schema"`
		Type        string                                `json:"type"`
		Properties  json.RawMessage                       `json:"properties"`
		Additional  bool                                  `json:"additionalProperties"`
		Definitions map[string]map[string]json.RawMessage `json:"definitions"`
	}
	if err := json.Unmarshal([]byte(read(t, "../provenance/export/prov/testdata/prov-json.schema.json")), &s); err != nil {
		t.Fatal(err)
	}
	activity := s.Definitions["activity"]
	times, err := json.Marshal(map[string]json.RawMessage{"prov:startTime": activity["prov:startTime"], "prov:endTime": activity["prov:endTime"]})
	if err != nil {
		t.Fatal(err)
	}
	delete(activity, "prov:startTime")
	delete(activity, "prov:endTime")
	activity["properties"] = times
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkProv holds a document against the published schema and PROV-CONSTRAINTS, and
// against the graph that it tells of.
func checkProv(t *testing.T, run *export.Run, b []byte) {
	fits(t, provSchema(t), b)
	var d prov.Document
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	for _, fault := range violations(&d) {
		t.Error(fault)
	}
	if n := len(d.Entity) + len(d.Activity) + len(d.Agent); n != len(run.Trace.Graph.Nodes) {
		t.Errorf("%d elements, of %d nodes", n, len(run.Trace.Graph.Nodes))
	}
	person := slices.ContainsFunc(run.Trace.Graph.Nodes, func(n *graph.Node) bool { return n.Kind == graph.Agent && n.Role == "person" })
	if !person && run.Store != nil {
		t.Error("nobody started it")
	}
	for _, n := range run.Trace.Graph.Nodes {
		a := d.Activity[prov.ID(n.ID)]
		if n.Failure != nil && (a["rlam:failureType"] != n.Failure.Type || a["rlam:failureMessage"] != n.Failure.Message) {
			t.Errorf("%s failed of %+v, and is told as %v", n.ID, n.Failure, a)
		}
		if n.Kind == graph.Agent && n.Role == "model" && person && !delegated(&d, n.ID) {
			t.Errorf("%s acts for nobody", n.ID)
		}
	}
}

func delegated(d *prov.Document, node string) bool {
	for _, r := range d.ActedOnBehalfOf {
		who, _ := r["prov:responsible"].(string)
		if r["prov:delegate"] == prov.ID(node) && strings.HasPrefix(who, "run:agent-person_2F") {
			return true
		}
	}
	return false
}

// instant reads a time; a time that isn't one is the zero time.
func instant(s string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, s)
	return at
}

// instants are those of a document and which of them must not come after which:
// PROV-CONSTRAINTS, section 6.
type instants struct {
	next   map[string][]string
	strict [][2]string
}

func (e *instants) before(a, b string) { e.next[a] = append(e.next[a], b) }

func (e *instants) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for _, n := range e.next[from] {
		if !seen[n] && e.reaches(n, to, seen) {
			return true
		}
	}
	return false
}

// violations are the constraints of PROV-CONSTRAINTS that a document breaks.
func violations(d *prov.Document) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	end := func(r prov.Attributes, role string, in map[string]prov.Attributes) string {
		id, _ := r[role].(string)
		if _, ok := in[id]; !ok {
			fault("%v: its %s is nothing of that class", r, role)
		}
		return id
	}
	e := &instants{next: map[string][]string{}}
	for id, a := range d.Activity {
		if _, both := d.Entity[id]; both {
			fault("%s is an entity and an activity", id)
		}
		e.before("start "+id, "end "+id)
		began, ended := fmt.Sprint(a["prov:startTime"]), fmt.Sprint(a["prov:endTime"])
		if a["prov:startTime"] != nil && a["prov:endTime"] != nil && instant(began).After(instant(ended)) {
			fault("%s ends at %s before it starts at %s", id, ended, began)
		}
	}
	made := map[string]bool{}
	for _, r := range d.WasGeneratedBy {
		what, by := end(r, "prov:entity", d.Entity), end(r, "prov:activity", d.Activity)
		if made[what+" "+by] {
			fault("%s is generated twice by %s", what, by)
		}
		made[what+" "+by] = true
		e.before("start "+by, "made "+what)
		e.before("made "+what, "end "+by)
	}
	for id, r := range d.Used {
		by, what := end(r, "prov:activity", d.Activity), end(r, "prov:entity", d.Entity)
		e.before("start "+by, "used "+id)
		e.before("used "+id, "end "+by)
		e.before("made "+what, "used "+id)
	}
	for _, r := range d.WasInformedBy {
		older, newer := end(r, "prov:informant", d.Activity), end(r, "prov:informed", d.Activity)
		e.before("start "+older, "end "+newer)
	}
	for _, r := range d.WasStartedBy {
		starter, started := end(r, "prov:starter", d.Activity), end(r, "prov:activity", d.Activity)
		e.before("start "+starter, "start "+started)
	}
	for _, r := range d.WasDerivedFrom {
		newer, older := end(r, "prov:generatedEntity", d.Entity), end(r, "prov:usedEntity", d.Entity)
		e.before("made "+older, "made "+newer)
		e.strict = append(e.strict, [2]string{"made " + older, "made " + newer})
	}
	for _, r := range d.WasAssociatedWith {
		end(r, "prov:activity", d.Activity)
		end(r, "prov:agent", d.Agent)
		if r["prov:plan"] != nil {
			end(r, "prov:plan", d.Entity)
		}
	}
	for _, r := range d.WasAttributedTo {
		end(r, "prov:entity", d.Entity)
		end(r, "prov:agent", d.Agent)
	}
	for _, s := range e.strict {
		if e.reaches(s[1], s[0], map[string]bool{}) {
			fault("%q comes before %q and after it", s[0], s[1])
		}
	}
	return faults
}

// TestProvViolations shows that what checks the documents can fail.
func TestProvViolations(t *testing.T) {
	t.Parallel()
	type relations = map[string]prov.Attributes
	for _, c := range []struct {
		want string
		d    prov.Document
	}{
		{"is nothing of that class", prov.Document{Used: relations{"_:1": {"prov:activity": "a", "prov:entity": "b"}}}},
		{"is an entity and an activity", prov.Document{Entity: relations{"a": {}}, Activity: relations{"a": {}}}},
		{"before it starts", prov.Document{Activity: relations{"a": {"prov:startTime": "2026-01-02T00:00:00.5Z", "prov:endTime": "2026-01-02T00:00:00Z"}}}},
		{"is generated twice", prov.Document{
			Entity: relations{"e": {}}, Activity: relations{"a": {}},
			WasGeneratedBy: relations{"_:1": {"prov:entity": "e", "prov:activity": "a"}, "_:2": {"prov:entity": "e", "prov:activity": "a"}},
		}},
		{"and after it", prov.Document{
			Entity:         relations{"e": {}, "f": {}},
			WasDerivedFrom: relations{"_:1": {"prov:generatedEntity": "e", "prov:usedEntity": "f"}, "_:2": {"prov:generatedEntity": "f", "prov:usedEntity": "e"}},
		}},
	} {
		if got := strings.Join(violations(&c.d), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%+v breaks %q, want %q", c.d, got, c.want)
		}
	}
}

// python is the Python that Debian's packages are of.
const python = "/usr/bin/python3"

// readBack has Python's package prov read documents, a line each, write them, and read
// that again; of each it tells how many records there are, and activities with a time.
const readBack = `
import sys
from prov.model import ProvDocument, ProvActivity
for line in sys.stdin:
    d = ProvDocument.deserialize(content=line)
    again = ProvDocument.deserialize(content=d.serialize(format="json"))
    assert d == again, "read again it differs"
    assert d.get_provn()
    print(len(list(d.get_records())), len([a for a in d.get_records(ProvActivity) if a.get_startTime()]))
`

// TestProvInPython has another implementation of PROV read what we write. It is lenient,
// and drops what it doesn't understand: so what it read is counted.
func TestProvInPython(t *testing.T) {
	t.Parallel()
	need.Need(t, "python3-prov", exec.Command(python, "-c", "import prov").Run() == nil)
	var in bytes.Buffer
	var want strings.Builder
	for _, run := range forExport(t) {
		d := prov.Translate(run)
		if err := json.NewEncoder(&in).Encode(d); err != nil {
			t.Fatal(err)
		}
		timed := 0
		for _, a := range d.Activity {
			if a["prov:startTime"] != nil {
				timed++
			}
		}
		fmt.Fprintln(&want, len(d.Entity)+len(d.Activity)+len(d.Agent)+len(d.WasGeneratedBy)+len(d.Used)+len(d.WasInformedBy)+
			len(d.WasStartedBy)+len(d.WasDerivedFrom)+len(d.WasAttributedTo)+len(d.WasAssociatedWith)+len(d.ActedOnBehalfOf)+len(d.WasInfluencedBy), timed)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", readBack)
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want.String() {
		t.Errorf("%v; read\n%s\nwant\n%s", err, out, &want)
	}
}

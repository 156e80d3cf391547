package repeatability_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/repeatability"
	"rlam/schemas"
)

const returns = `{"type": "object", "properties": {
	"energy": {"type": "number"}, "steps": {"type": "integer"}, "note": {"type": "string"},
	"path": {"type": "array", "items": {"type": "number"}},
	"by_name": {"type": "object", "additionalProperties": {"type": "number"}},
	"cell": {"$ref": "#/definitions/cell"}, "plot": {"type": "string", "format": "artifact"}},
	"definitions": {"cell": {"type": "object", "properties": {"a": {"type": "number"}, "b/c": {"type": "number"}}}}}`

// noise is what the tests take for rounding.
var noise = repeatability.Bounds{Relative: 1e-6}

func action(declared schemas.Reproducibility) schemas.Action {
	return schemas.Action{Name: "lab.relax", Returns: json.RawMessage(returns), Reproducibility: declared}
}

func outputs(values ...string) []repeatability.Output {
	var all []repeatability.Output
	for _, v := range values {
		all = append(all, repeatability.Output{Value: []byte(v)})
	}
	return all
}

func judged(t *testing.T, declared schemas.Reproducibility, all []repeatability.Output) []repeatability.Finding {
	t.Helper()
	findings, err := repeatability.Judge(action(declared), all, noise)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// said is findings for a table: name, class, judgement, proposed grade.
func said(findings []repeatability.Finding) string {
	var all []string
	for _, f := range findings {
		grade := string(f.Proposed.Class)
		if f.Proposed.Relative != 0 {
			grade += fmt.Sprintf(" r%g", f.Proposed.Relative)
		}
		if f.Proposed.Absolute != 0 {
			grade += fmt.Sprintf(" t%g", f.Proposed.Absolute)
		}
		all = append(all, fmt.Sprintf("%s: %s %s %s", f.Name(), f.Class, f.Judgement, grade))
	}
	return strings.Join(all, "\n")
}

func TestJudgeFields(t *testing.T) {
	t.Parallel()
	bitwise := schemas.Reproducibility{Default: schemas.Bitwise}
	with := func(class schemas.Class, fields map[string]schemas.Grade) schemas.Reproducibility {
		return schemas.Reproducibility{Default: class, Fields: fields}
	}
	for _, c := range []struct {
		name     string
		declared schemas.Reproducibility
		values   []string
		want     string
	}{
		{"the same, spelled differently", bitwise, []string{`{"energy":1.50}`, `{"energy":1.5}`}, "/energy: bitwise fits bitwise"},
		{"rounding", bitwise, []string{`{"energy":-3.0}`, `{"energy":-3.0000000003}`, `{"energy":-3.0}`}, "/energy: tolerance too_strong tolerance r5e-10"},
		{"scatter", bitwise, []string{`{"energy":1}`, `{"energy":1.1}`}, "/energy: statistical too_strong statistical"},
		{"scatter that was declared", with(schemas.Statistical, nil), []string{`{"energy":1}`, `{"energy":1.1}`}, "/energy: statistical fits statistical"},
		{"scatter within a tolerance", with(schemas.Bitwise, map[string]schemas.Grade{"/energy": {Class: schemas.Tolerance, Absolute: 0.2}}), []string{`{"energy":1}`, `{"energy":1.1}`}, "/energy: tolerance fits tolerance t0.2"},
		{"rounding beyond a tolerance", with(schemas.Bitwise, map[string]schemas.Grade{"/energy": {Class: schemas.Tolerance, Relative: 1e-12}}), []string{`{"energy":1}`, `{"energy":1.0000000009}`}, "/energy: tolerance too_strong tolerance r2e-09"},
		{"declared too weak", with(schemas.Statistical, nil), []string{`{"energy":1}`, `{"energy":1}`}, "/energy: bitwise too_weak bitwise"},
		{"an instrument that agreed with itself", with(schemas.Unrepeatable, nil), []string{`{"energy":1}`, `{"energy":1}`}, "/energy: bitwise too_weak bitwise"},
		{"a date that is ignored", with(schemas.Bitwise, map[string]schemas.Grade{"/note": {Class: schemas.Ignore}}), []string{`{"note":"Mon"}`, `{"note":"Tue"}`}, "/note: unrepeatable fits ignore"},
		{"words that differ", bitwise, []string{`{"note":"Mon"}`, `{"note":"Tue"}`}, "/note: unrepeatable too_strong unrepeatable"},
		{"a number and no number", bitwise, []string{`{"energy":1}`, `{"energy":null}`}, "/energy: unrepeatable too_strong unrepeatable"},
		{"a field that comes and goes", bitwise, []string{`{"energy":1,"steps":2}`, `{"steps":2}`}, "/energy: unrepeatable too_strong unrepeatable\n/steps: bitwise fits bitwise"},
		{"an array is one field", bitwise, []string{`{"path":[1,2,3]}`, `{"path":[1,2.0000000009,3]}`}, "/path: tolerance too_strong tolerance r1e-09"},
		{"an array of another length", bitwise, []string{`{"path":[1,2]}`, `{"path":[1]}`}, "/path: unrepeatable too_strong unrepeatable"},
		{"one element scatters", bitwise, []string{`{"path":[1,2]}`, `{"path":[1.000000001,3]}`}, "/path: statistical too_strong statistical"},
		{"listed names are fields, through references", bitwise, []string{`{"cell":{"a":1,"b/c":2}}`, `{"cell":{"a":1,"b/c":3}}`}, "/cell/a: bitwise fits bitwise\n/cell/b~1c: statistical too_strong statistical"},
		{"names that a call chose are not", bitwise, []string{`{"by_name":{"x":1}}`, `{"by_name":{"x":2}}`}, "/by_name: statistical too_strong statistical"},
		{"unless somebody declared one", with(schemas.Bitwise, map[string]schemas.Grade{"/by_name/x": {Class: schemas.Statistical}}), []string{`{"by_name":{"x":1,"y":1}}`, `{"by_name":{"x":2,"y":1}}`}, "/by_name/x: statistical fits statistical\n/by_name/y: bitwise fits bitwise"},
		{"a class of what holds the field", with(schemas.Bitwise, map[string]schemas.Grade{"/cell": {Class: schemas.Statistical}}), []string{`{"cell":{"a":1}}`, `{"cell":{"a":2}}`}, "/cell/a: statistical fits statistical"},
		{"signs that differ are no rounding", bitwise, []string{`{"energy":-1e-17}`, `{"energy":1e-17}`}, "/energy: statistical too_strong statistical"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := said(judged(t, c.declared, outputs(c.values...))); got != c.want {
				t.Errorf("findings\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestOneOutputShowsNothing(t *testing.T) {
	t.Parallel()
	if f := judged(t, schemas.Reproducibility{Default: schemas.Bitwise}, outputs(`{"energy":1}`)); f != nil {
		t.Errorf("findings %+v of one output", f)
	}
}

func TestAbsoluteNoiseNearZero(t *testing.T) {
	t.Parallel()
	findings, err := repeatability.Judge(action(schemas.Reproducibility{Default: schemas.Bitwise}),
		outputs(`{"path":[1,-1e-17]}`, `{"path":[1.0000001,1e-17]}`), repeatability.Bounds{Relative: 1e-6, Absolute: 1e-12})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := said(findings), "/path: tolerance too_strong tolerance r2e-07 t5e-17"; got != want {
		t.Errorf("findings %s, want %s", got, want)
	}
	if s := findings[0].Spread; s.Relative != 2 || s.Absolute < 9e-8 {
		t.Errorf("spread %+v, want the largest of each kind", s)
	}
}

func TestMeanAndDeviationOfANumber(t *testing.T) {
	t.Parallel()
	f := judged(t, schemas.Reproducibility{Default: schemas.Statistical}, outputs(`{"energy":1}`, `{"energy":2}`, `{"energy":3}`))[0]
	if f.Mean == nil || *f.Mean != 2 || *f.SD != 1 || f.Distinct != 3 || f.In != 3 {
		t.Errorf("finding %+v", f)
	}
}

// left makes an output with artifacts: name and text, or name and "" for bytes.
func left(value string, files ...string) repeatability.Output {
	o := repeatability.Output{}
	for i := 0; i < len(files); i += 2 {
		a := repeatability.Artifact{Name: files[i], Digest: canon.Sum([]byte(files[i+1]))}
		if !strings.Contains(files[i+1], "\xff") {
			a.Text = []byte(files[i+1])
		}
		value = strings.ReplaceAll(value, "@"+files[i], a.Digest.String())
		o.Artifacts = append(o.Artifacts, a)
	}
	o.Value = []byte(value)
	return o
}

func TestJudgeArtifacts(t *testing.T) {
	t.Parallel()
	bitwise := schemas.Reproducibility{Default: schemas.Bitwise, Artifacts: map[string]schemas.Grade{"*.log": {Class: schemas.Ignore}}}
	for _, c := range []struct {
		name string
		a, b repeatability.Output
		want string
	}{
		{"the same bytes, and no field of a handle", left(`{"plot":"@p.png"}`, "p.png", "\xff1"), left(`{"plot":"@p.png"}`, "p.png", "\xff1"), "p.png: bitwise fits bitwise"},
		{"other bytes", left(`{"plot":"@p.png"}`, "p.png", "\xff1"), left(`{"plot":"@p.png"}`, "p.png", "\xff2"), "p.png: unrepeatable too_strong unrepeatable"},
		{"rounded numbers in a table", left(`{}`, "t.csv", "x,y\n1,2.0\n"), left(`{}`, "t.csv", "x,y\n1,2.0000000009\n"), "t.csv: tolerance too_strong tolerance r1e-09"},
		{"doubles as Fortran prints them", left(`{}`, "t.dat", " 0.10D+01"), left(`{}`, "t.dat", " 0.11D+01"), "t.dat: statistical too_strong statistical"},
		{"a column's name is a word", left(`{}`, "t.csv", "y1\n1"), left(`{}`, "t.csv", "y2\n1"), "t.csv: unrepeatable too_strong unrepeatable"},
		{"a log", left(`{}`, "run.log", "began Mon"), left(`{}`, "run.log", "began Tue"), "run.log: unrepeatable fits ignore"},
		{"a file that comes and goes", left(`{}`, "a.txt", "x"), left(`{}`), "a.txt: unrepeatable too_strong unrepeatable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []repeatability.Finding
			for _, f := range judged(t, bitwise, []repeatability.Output{c.a, c.b}) {
				if f.Field == nil || *f.Field != "" {
					got = append(got, f)
				}
			}
			if said(got) != c.want {
				t.Errorf("findings\n%s\nwant\n%s", said(got), c.want)
			}
		})
	}
}

func TestPropose(t *testing.T) {
	t.Parallel()
	declared := schemas.Reproducibility{
		Default: schemas.Bitwise, Fields: map[string]schemas.Grade{"/steps": {Class: schemas.Statistical}, "/cell": {Class: schemas.Statistical}},
		Artifacts: map[string]schemas.Grade{"*.log": {Class: schemas.Ignore}},
	}
	all := []repeatability.Output{
		left(`{"energy":1,"steps":7,"note":"a","path":[1]}`, "run.log", "Mon", "t[1].csv", "1"),
		left(`{"energy":1.00000000009,"steps":7,"note":"a","path":[2]}`, "run.log", "Tue", "t[1].csv", "2"),
	}
	got, err := json.Marshal(repeatability.Propose(declared, judged(t, declared, all)))
	if err != nil {
		t.Fatal(err)
	}
	// What fits stays, what no call gave stays, and what is as the default says needs no entry.
	want := `{"default":"bitwise","fields":{"/cell":{"class":"statistical"},"/energy":{"class":"tolerance","relative":2e-10},"/path":{"class":"statistical"}},` +
		`"artifacts":{"*.log":{"class":"ignore"},"t\\[1].csv":{"class":"statistical"}}}`
	if string(got) != want {
		t.Errorf("proposal\n%s\nwant\n%s", got, want)
	}
}

func TestProposedDefaultIsTheMostFrequent(t *testing.T) {
	t.Parallel()
	declared := schemas.Reproducibility{Default: schemas.Bitwise}
	r := repeatability.Propose(declared, judged(t, declared, outputs(`{"energy":1,"path":[1],"note":"x"}`, `{"energy":2,"path":[2],"note":"x"}`)))
	if r.Default != schemas.Statistical || len(r.Fields) != 1 || r.Fields["/note"].Class != schemas.Bitwise {
		t.Errorf("proposal %+v", r)
	}
}

//go:build linux || darwin

package executor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/internal/tree"
	"rlam/schemas"
)

// wrap is a task that runs a script of the shell, which knows nothing of R-LAM.
func wrap(t *testing.T, params, script string, c schemas.Command) executor.Task {
	t.Helper()
	c.Argv = []string{"/bin/sh", "-euc", script}
	return executor.Task{
		Call: "4.1", Attempt: 1, Action: "a@1.0.0", Binding: schemas.Binding{Command: &c}, Params: json.RawMessage(params),
		Dir: filepath.Join(t.TempDir(), "attempt"), IdempotencyKey: "key",
	}
}

func object(properties string) json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":{` + properties + `}}`)
}

func TestFilesAreMadeFromParameters(t *testing.T) {
	t.Parallel()
	blobs := &store.Mem{}
	data, _, _ := blobs.Put(t.Context(), strings.NewReader("bytes\n"))
	template, _, _ := blobs.Put(t.Context(), strings.NewReader("x={params.x}\n"))
	file, _, _ := blobs.Put(t.Context(), strings.NewReader("#!/bin/sh\n"))
	m := tree.New()
	m.Add("bin/run", tree.File{Digest: file, Size: 10, Executable: true})
	manifest, _ := m.Encode()
	folder, _, _ := blobs.Put(t.Context(), strings.NewReader(string(manifest)))
	task := wrap(t, fmt.Sprintf(`{"x":1.50,"s":"a b","data":%q,"folder":%q,"rows":[{"t":1,"n":"a,b"},{"t":2.5}],"cells":[[1,true],["é",null]]}`, data, folder),
		`cat a.txt b.txt sub/data objects.csv cells.csv value.json; for f in a.txt objects.csv; do ls -l $f | cut -c2-10; done; ls -l tree/bin/run | cut -c2-4; cat`,
		schemas.Command{
			In: []schemas.InFile{
				{Path: "a.txt", Template: "{params.x} {params.s} {x} {params.d} {cpus} {seed} {seed%7} ${params.s}\n"},
				{Path: "b.txt", TemplateFile: "b.in"},
				{Path: "sub/data", From: "params.data"},
				{Path: "objects.csv", CSV: "params.rows"},
				{Path: "cells.csv", CSV: "params.cells"},
				{Path: "value.json", JSON: "params.rows"},
				{Path: "tree", Tree: "params.folder"},
				{Path: "none.json", JSON: "params.none"},
			},
			Stdin: "b.txt", Stdout: "printed",
		})
	seed := uint64(1 << 52)
	task.Seed, task.CPUs, task.Files = &seed, 3, map[string]canon.Digest{"b.in": template}
	task.Takes = object(`"d":{"default":18},"data":{"type":"string","format":"artifact"}`)
	r, f := outcome(t, newSet(t, executor.Config{Blobs: blobs}), task)
	if f != nil {
		t.Fatalf("%v\n%s", f, f.Stderr)
	}
	want := "1.5 a b {x} 18 3 4503599627370496 2 $a b\n" + "x=1.5\n" + "bytes\n" + "n,t\n\"a,b\",1\n,2.5\n" + "1,true\né,\n" +
		`[{"n":"a,b","t":1},{"t":2.5}]` + "r--r--r--\nr--r--r--\nrwx\nx=1.5\n"
	if got := text(t, blobs, r.Artifacts[0].Digest); got != want {
		t.Errorf("the program saw\n%s\nwant\n%s", got, want)
	}
}

func TestAValueHasNoLineBreak(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"a\nb"`, `"a\rb"`, `"a\u0000"`, `"\u001b[2J"`, `"\u0085"`, `[1]`, `{}`, `null`} {
		task := wrap(t, `{"name":`+value+`}`, `true`, schemas.Command{In: []schemas.InFile{{Path: "f", Template: "x = {params.name}"}}})
		_, f := outcome(t, newSet(t, executor.Config{}), task)
		if f == nil || f.Type != executor.TypeInvalidParams || !strings.Contains(f.Message, `parameter "name"`) || !strings.Contains(f.Message, `"f"`) {
			t.Errorf("%s: %v", value, f)
		}
	}
	for params, word := range map[string]string{`{"rows":[[1],{"a":1}]}`: "row 2", `{"rows":[[[1]]]}`: "column 1", `{"rows":[{"a":"\n"}]}`: "control", `{"rows":3}`: "no array"} {
		task := wrap(t, params, `true`, schemas.Command{In: []schemas.InFile{{Path: "f.csv", CSV: "params.rows"}}})
		_, f := outcome(t, newSet(t, executor.Config{}), task)
		wantFailure(t, f, executor.TypeInvalidParams, word)
	}
}

const printed = `cat <<'END'
 total energy = -1.5D+01 Ry
 ok=T n=3 name=Si  a
 total energy = -.25 Ry
! end
END
echo "warned 7 times" >&2
printf 'step, temp\n1,300\n2, 310.5\n' > t.csv
printf '1 0.5\n\n2   0.75\n' > plain
printf '{"a":{"b":[1,2.5]}}' > r.json
printf 'last line 5' > open.txt
`

func TestResultIsReadFromWhatAProgramLeaves(t *testing.T) {
	t.Parallel()
	name := func(n string) schemas.Place { return schemas.Place{Name: n} }
	number := func(n int) schemas.Place { return schemas.Place{Number: n} }
	for _, c := range []struct {
		e    schemas.Extract
		typ  string
		want string // JSON, or a word of the message
	}{
		{schemas.Extract{Pattern: `energy = (\S+) Ry`}, `{"type":"number"}`, `-0.25`},
		{schemas.Extract{Pattern: `energy = (\S+) Ry`, Match: "first"}, `{"type":"number"}`, `-15`},
		{schemas.Extract{Pattern: `energy = (\S+) Ry`, All: true}, `{"type":"array","items":{"type":"number"}}`, `[-15,-0.25]`},
		{schemas.Extract{Pattern: `^ energy`}, `{"type":"boolean"}`, `false`},
		{schemas.Extract{Pattern: `^! end$`}, `{"type":"boolean"}`, `true`},
		{schemas.Extract{Pattern: `ok=(\w)`}, `{"type":"boolean"}`, `true`},
		{schemas.Extract{Pattern: `name=(.*)`}, `{"type":"string"}`, `"Si  a"`},
		{schemas.Extract{Pattern: `n=(\d)`}, `{"$ref":"#/definitions/i"}`, `3`},
		{schemas.Extract{From: "stderr", Pattern: `warned (\d+)`}, `{"type":"integer"}`, `7`},
		{schemas.Extract{From: "open.txt", Pattern: `line (\d)$`}, `{"type":"integer"}`, `5`},
		{schemas.Extract{From: "r.json", Pointer: "/a/b/1"}, `{"type":"number"}`, `2.5`},
		{schemas.Extract{From: "t.csv", CSV: &schemas.Cell{Column: name("temp")}}, `{"type":"number"}`, `310.5`},
		{schemas.Extract{From: "t.csv", CSV: &schemas.Cell{Column: name("temp"), Row: number(1)}}, `{"type":"number"}`, `300`},
		{schemas.Extract{From: "t.csv", CSV: &schemas.Cell{Column: name("step")}, All: true}, `{"type":"array","items":{"type":"integer"}}`, `[1,2]`},
		{schemas.Extract{From: "plain", CSV: &schemas.Cell{Column: number(2), Row: name("last"), Separator: "space"}}, `{"type":"number"}`, `0.75`},
		{schemas.Extract{Pattern: `pressure = (\S+)`, Optional: true}, `{"type":"number"}`, ``},
		{schemas.Extract{From: "none", Pointer: "/a", Optional: true}, `{"type":"number"}`, ``},

		{schemas.Extract{Pattern: `pressure = (\S+)`}, `{"type":"number"}`, `reading "v" of the output: no line of stdout matches the pattern "pressure = (\\S+)"`},
		{schemas.Extract{From: "none", Pattern: `(a)`}, `{"type":"number"}`, `the program left no file "none"`},
		{schemas.Extract{Pattern: `name=(.*)`}, `{"type":"number"}`, `"Si  a" is no number`},
		{schemas.Extract{Pattern: `energy = (\S+) Ry`}, `{}`, `returns doesn't say of what type`},
		{schemas.Extract{From: "r.json", Pointer: "/a/c"}, `{"type":"number"}`, `did you mean "b"?`},
		{schemas.Extract{From: "t.csv", Pointer: "/a"}, `{"type":"number"}`, `from t.csv: JSON`},
		{schemas.Extract{From: "t.csv", CSV: &schemas.Cell{Column: name("tmp")}}, `{"type":"number"}`, `the header has no column "tmp": "step, temp"`},
		{schemas.Extract{From: "t.csv", CSV: &schemas.Cell{Column: name("temp"), Row: number(3)}}, `{"type":"number"}`, `the table has 2 rows`},
		{schemas.Extract{From: "plain", CSV: &schemas.Cell{Column: number(3), Separator: "space"}}, `{"type":"number"}`, `row 1 has 2 cells`},
	} {
		task := wrap(t, `{}`, printed, schemas.Command{Result: map[string]schemas.Extract{"v": c.e}})
		task.Returns = json.RawMessage(`{"type":"object","properties":{"v":` + c.typ + `},"definitions":{"i":{"type":"integer"}}}`)
		r, f := outcome(t, newSet(t, executor.Config{}), task)
		want := `{"v":` + c.want + `}`
		if c.want == "" {
			want = `{}`
		}
		switch {
		case f == nil && string(r.Output) != want:
			t.Errorf("%+v: %s, want %s", c.e, r.Output, want)
		case f != nil && (f.Type != executor.TypeInvalidOutput || !strings.Contains(f.Message, c.want) || c.want == ""):
			t.Errorf("%+v: %v, want %s", c.e, f, c.want)
		}
	}
}

func TestNumbersArePrintedInManyWays(t *testing.T) {
	t.Parallel()
	for printed, want := range map[string]string{
		"1": "1", "-1.50": "-1.5", "+007.": "7", ".5": "0.5", "1.5D-03": "0.0015", "2d2": "200", "-0.123-100": "-1.23e-101",
		"1E5": "100000", "NaN": "", "****": "", "Inf": "", "0x10": "", "1,5": "", "1e400": "", "": "", "1 2": "", "--1": "",
	} {
		task := wrap(t, `{}`, `echo "v: `+printed+`"`, schemas.Command{Result: map[string]schemas.Extract{"v": {Pattern: `v: (.*)`}}})
		task.Returns = object(`"v":{"type":"number"}`)
		r, f := outcome(t, newSet(t, executor.Config{}), task)
		if want == "" {
			wantFailure(t, f, executor.TypeInvalidOutput, `"v" of the output`)
		} else if f != nil || string(r.Output) != `{"v":`+want+`}` {
			t.Errorf("%q is read as %s, %v; want %s", printed, r.Output, f, want)
		}
	}
}

func TestErrorsAreToldFromWhatAProgramPrints(t *testing.T) {
	t.Parallel()
	two := 2
	rules := []schemas.ErrorRule{
		{Exit: &two, Pattern: `NOT achieved after (\d+)`, Type: "qe.NotConverged", Message: "no convergence after {1} steps"},
		{Exit: &two, Type: "qe.Two"},
		{Pattern: `Error in routine (\w+)`, From: "stdout", Type: "qe.Error"},
		{Pattern: `bad`, From: "CRASH", Type: "qe.Crash"},
	}
	for script, want := range map[string]string{
		`echo "convergence NOT achieved after 6 iterations"; exit 2`:     "qe.NotConverged: no convergence after 6 steps",
		`echo "convergence NOT achieved after 6 iterations" >&2; exit 2`: "qe.NotConverged: no convergence after 6 steps",
		`exit 2`:                                 "qe.Two: the program exited with status 2",
		`echo "  Error in routine cdiaghg (4):"`: "qe.Error: Error in routine cdiaghg (4):",
		`echo "Error in routine x" >&2`:          "",
		`echo bad > CRASH`:                       "qe.Crash: bad",
		`echo "convergence NOT achieved after 6 iterations"; exit 3`:             "rlam.ExitStatus: the program exited with status 3",
		`echo '{"type":"lab.Own","message":"m"}' > error.json; exit 2`:           "lab.Own: m",
		`echo "convergence NOT achieved after 6 iterations"; kill -9 $$`:         "rlam.Signalled: the program was ended by SIGKILL",
		`echo v=1; echo "Error in routine x"; echo made > f.txt; exit 1; echo 2`: "qe.Error: Error in routine x",
	} {
		task := wrap(t, `{}`, script, schemas.Command{
			Errors: rules, Out: []schemas.OutFile{{Name: "f", Path: "f.txt"}, {Name: "g", Path: "g.txt", Optional: true}},
			Result: map[string]schemas.Extract{"v": {Pattern: `v=(\d)`, Optional: true}, "w": {Pattern: `w=(\d)`, Optional: true}},
		})
		task.Binding.Command.Out[0].Optional = true
		task.Returns = object(`"v":{"type":"integer"}`)
		_, f := outcome(t, newSet(t, executor.Config{}), task)
		if f == nil && want == "" {
			continue
		}
		if f == nil || f.Error() != want {
			t.Errorf("%s: %v, want %s", script, f, want)
			continue
		}
		if strings.Contains(script, "v=1") && (string(f.Partial) != `{"v":1}` || len(f.Artifacts) != 1 || f.Artifacts[0].Name != "f" || *f.Exit != 1) {
			t.Errorf("%s: partial output %s, artifacts %+v, exit %v", script, f.Partial, f.Artifacts, f.Exit)
		}
	}
}

func TestDeclaredFilesAreCollected(t *testing.T) {
	t.Parallel()
	blobs := &store.Mem{}
	task := wrap(t, `{}`, `
		mkdir -p save/deep empty plots; echo 1 > save/b; echo 2 > save/deep/a; chmod u+x save/b; chmod -x save/deep/a
		echo p > plots/p1.png; echo q > plots/p2.png; echo r > plots/p3.txt; echo d > density.cube; echo no > undeclared; echo out`,
		schemas.Command{
			In: []schemas.InFile{{Path: "plots/made.png", Template: "x"}}, Stdout: "out.log",
			Out: []schemas.OutFile{
				{Name: "save", Path: "save/"},
				{Name: "plots", Path: "plots/*.png"},
				{Name: "density", Path: "density.cube", MediaType: "chemical/x-cube"},
				{Name: "more", Path: "more.txt", Optional: true},
				{Name: "many", Path: "*.many", Optional: true},
			},
		})
	handle := `{"type":"string","format":"artifact"}`
	task.Returns = object(`"save":` + handle + `,"plots":{"type":"array","items":` + handle + `},"many":{"type":"array","items":` + handle + `},"more":` + handle + `,"density":{"type":"string"}`)
	r, f := outcome(t, newSet(t, executor.Config{Blobs: blobs}), task)
	if f != nil {
		t.Fatalf("%v\n%s", f, f.Stderr)
	}
	var names []string
	at := map[string]executor.Artifact{}
	for _, a := range r.Artifacts {
		names = append(names, a.Name+" "+a.MediaType)
		at[a.Name] = a
	}
	want := "density chemical/x-cube|out.log text/plain|plots/plots/p1.png image/png|plots/plots/p2.png image/png|save " + tree.MediaType
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("artifacts %s, want %s", got, want)
	}
	m, err := tree.Decode([]byte(text(t, blobs, at["save"].Digest)))
	if err != nil || strings.Join(m.Paths(), " ") != "b deep/a" || !m.Files["b"].Executable || m.Files["deep/a"].Executable || text(t, blobs, m.Files["deep/a"].Digest) != "2\n" {
		t.Errorf("tree %+v, %v", m, err)
	}
	output := fmt.Sprintf(`{"many":[],"plots":[%q,%q],"save":%q}`, at["plots/plots/p1.png"].Digest, at["plots/plots/p2.png"].Digest, at["save"].Digest)
	if string(r.Output) != output {
		t.Errorf("output %s, want %s", r.Output, output)
	}
	task.Binding.Command.Out[3].Optional, task.Dir = false, task.Dir+"2"
	_, f = outcome(t, newSet(t, executor.Config{Blobs: blobs}), task)
	wantFailure(t, f, executor.TypeInvalidOutput, `collecting "more": the program left no file "more.txt"`)
}

// What a program leaves in place of a declared file is refused, and not hashed.
func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for script, word := range map[string]string{
		`ln -s ` + outside + ` f`:                   "is a link",
		`ln -s real f; echo x > real`:               "is a link",
		`ln ` + outside + ` f`:                      "hard links",
		`mkfifo f`:                                  "no regular file",
		`mkdir f`:                                   "no regular file",
		`ln -s / d; true`:                           "no folder, or a link",
		`mkdir d; ln -s ` + outside + ` d/x`:        "is a link",
		`mkdir d; ln ` + outside + ` d/x`:           "hard links",
		`mkdir d; mkfifo d/x`:                       "no regular file",
		`mkdir d; echo x > "d/a` + "\n" + `b"`:      "control character",
		`mkdir d; echo x > 'd/a\b'`:                 "backslash",
		`ln -s ` + outside + ` x.g`:                 "is a link",
		`echo x > "a` + "\x01" + `.g"`:              "control character",
		`ln -s ` + filepath.Dir(outside) + ` e; :`:  "is a link",
		`mkdir n; ln -s ../f n/outside; echo x > f`: "is a link",
	} {
		blobs := &store.Mem{}
		task := wrap(t, `{}`, script, schemas.Command{Out: []schemas.OutFile{
			{Name: "f", Path: "f", Optional: true},
			{Name: "d", Path: "d/", Optional: true},
			{Name: "g", Path: "*.g", Optional: true},
			{Name: "e", Path: "e/outside", Optional: true},
			{Name: "n", Path: "n/outside", Optional: true},
		}})
		_, f := outcome(t, newSet(t, executor.Config{Blobs: blobs}), task)
		if f == nil || f.Type != executor.TypeInvalidOutput || !strings.Contains(f.Message, word) {
			t.Errorf("%q: %v, want a word of %q", script, f, word)
		}
		if _, err := blobs.Get(t.Context(), canon.Sum([]byte("secret"))); err == nil {
			t.Errorf("%q: what is outside of the folder was stored", script)
		}
	}
}

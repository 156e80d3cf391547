package schemas_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"rlam/schemas"
)

const wrapped = `name: lab.wrap
version: 1.0.0
summary: Wraps.
params:
  type: object
  additionalProperties: false
  properties: {cutoff: {type: number}, rows: {type: array, items: {type: array}}, data: {type: string, format: artifact}}
returns:
  type: object
  additionalProperties: false
  required: [energy]
  properties: {energy: {type: number}, all: {type: array, items: {type: number}}, done: {type: boolean}, plot: {type: string, format: artifact}, any: {}}
reproducibility: {default: bitwise}
effects: none
run:
  command:
`

func TestCommandProblems(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		want    []string
	}{
		"sound": {`argv: [p, "-k={params.cutoff}", "{other}", "{params.data}"]
prefix: [mpirun, -np, "{cpus}"]
in:
  - {path: a.in, template: "x = {params.cutoff} {y.z}"}
  - {path: t.csv, csv: params.rows}
  - {path: d, from: params.data}
stdin: a.in
out: [{name: plot, path: "plot.png", class: ignore}, {name: save, path: save/}]
result: {energy: {pattern: "E=(.*)"}, all: {pattern: "e=(.*)", all: true}, done: {pattern: DONE}, any: {from: r.json, pointer: /a}}
errors: [{exit: 2, type: lab.Two}, {pattern: "(a)(b)", type: lab.AB, message: "{2}{1}"}]
progress: [{pattern: "step (.*)", message: "{1}"}]
probe: [[pip, freeze]]
`, nil},
		"unknown parameters": {`argv: [p, "{params.cutof}", "{param.cutoff}"]
in: [{path: a, template: "{params.cuttoff}"}, {path: b, csv: params.row}, {path: c, from: rows}]
`, []string{
			`17:11: /run/command/argv/1: {params.cutof}: there is no parameter "cutof"; expected a parameter: "cutoff", "data", "rows" (did you mean "cutoff"?)`,
			`17:29: /run/command/argv/2: {param.cutoff} is no placeholder (did you mean "{params.cutoff}"?)`,
			`18:26: /run/command/in/0/template: {params.cuttoff}: there is no parameter "cuttoff"; expected a parameter: "cutoff", "data", "rows" (did you mean "cutoff"?)`,
			`18:62: /run/command/in/1/csv: params.row: there is no parameter "row"; expected a parameter: "cutoff", "data", "rows" (did you mean "rows"?)`,
			`18:91: /run/command/in/2/from: "rows" names no parameter (did you mean "params.rows"?)`,
		}},
		"values where they don't belong": {`argv: ["{params.data}", "--{params.cutoff}", "{params.rows}", "{seed}", "{seed%0}"]
in: [{path: a, csv: params.cutoff}, {path: b, from: params.cutoff}, {path: c, template: x, json: params.rows}, {path: d}]
`, []string{
			`17:8: /run/command/argv/0: a parameter may not choose the program; expected the program's name or path`,
			`17:25: /run/command/argv/1: "--{params.cutoff}" lets a value choose an option; expected an option of a fixed name, such as --k={params.k}`,
			`17:46: /run/command/argv/2: the parameter "rows" is an array; expected a string, number or boolean; larger values go to a file by in`,
			`17:63: /run/command/argv/3: {seed} is given to seeded actions only; the action has to say: seeded: true`,
			`17:73: /run/command/argv/4: {seed%0} divides by 0; expected a number from 1 to 2^53`,
			`17:73: /run/command/argv/4: {seed%0} is given to seeded actions only; the action has to say: seeded: true`,
			`18:21: /run/command/in/0/csv: the parameter "cutoff" is a number; expected an array`,
			`18:53: /run/command/in/1/from: the parameter "cutoff" is a number; expected one with format: artifact`,
			`18:69: /run/command/in/2: there are 2 of them; expected exactly one of template, template_file, from, tree, json and csv`,
			`18:112: /run/command/in/3: there are 0 of them; expected exactly one of template, template_file, from, tree, json and csv`,
		}},
		"paths": {`argv: [p]
files: [s.py]
in: [{path: ../x, template: x}, {path: /x, template: x}, {path: inputs/x, template: x}, {path: s.py, template: x}, {path: t, template_file: u.in}]
stdin: s.pi
out: [{name: a, path: ../a}, {name: ../b, path: b}, {name: c, path: "["}, {name: a, path: d}, {name: e, path: "*/"}]
`, []string{
			`19:13: /run/command/in/0/path: "../x" leads elsewhere; expected a path below the attempt's folder, such as "si.in"`,
			`19:40: /run/command/in/1/path: "/x" leads elsewhere; expected a path below the attempt's folder, such as "si.in"`,
			`19:65: /run/command/in/2/path: "inputs" has a meaning of its own; expected another path`,
			`19:96: /run/command/in/3/path: "s.py" is in the way of "s.py"; expected another path`,
			`19:141: /run/command/in/4/template_file: reading "u.in": open u.in: file does not exist`,
			`20:8: /run/command/stdin: "s.pi" isn't there before the program starts; expected the path of one of in or files (did you mean "s.py"?)`,
			`21:23: /run/command/out/0/path: "../a" leads elsewhere; expected a path below the attempt's folder`,
			`21:37: /run/command/out/1/name: "../b" can't be the name of an artifact; expected a name such as "density.cube"`,
			`21:69: /run/command/out/2/path: the pattern "[" can't be read: syntax error in pattern`,
			`21:82: /run/command/out/3/name: there is an artifact "a" already; expected another name`,
			`21:111: /run/command/out/4/path: "*/" is a pattern of folders; expected a folder, or a pattern of files`,
		}},
		"results": {`argv: [p]
result:
  enrgy: {pattern: "E=(.*)"}
  all: {pattern: "((a)"}
  done: {pattern: "(a)(b)"}
  any: {pattern: "(a)"}
  plot: {pointer: /a}
`, []string{
			`19:3: /run/command/result: nothing gives "energy", which returns requires`,
			`19:3: /run/command/result/enrgy: returns has no property "enrgy"; expected one of "all", "any", "done", "energy", "plot" (did you mean "energy"?)`,
			`20:8: /run/command/result/all: returns says that it is an array, which can't be read from text; expected one type of boolean, integer, number, string`,
			"20:18: /run/command/result/all/pattern: missing closing ): \"((a)\"; expected a regular expression in the syntax of RE2",
			`21:19: /run/command/result/done/pattern: the pattern has 2 groups; expected one group, in parentheses, around the value; (?:…) is none`,
			`22:8: /run/command/result/any: returns says that it is of any type, which can't be read from text; expected one type of boolean, integer, number, string`,
			`23:9: /run/command/result/plot: an artifact's handle comes from the file that out names; expected an entry of out with its name`,
		}},
		"ways to a value": {`argv: [p]
result:
  energy: {pattern: "(a)", pointer: /a}
  done: {from: ../x, pointer: a}
  all: {csv: {row: 0, column: 0}, all: true}
  any: {from: t, csv: {row: lst, column: x, separator: "|"}}
`, []string{
			`19:11: /run/command/result/energy: there are 2 of them; expected exactly one of pattern, pointer and csv`,
			`20:16: /run/command/result/done/from: "../x" leads elsewhere; expected "stdout", "stderr" or a path below the attempt's folder`,
			`20:31: /run/command/result/done/pointer: "a" is no JSON pointer: it is empty or begins with "/"`,
			`21:31: /run/command/result/all/csv/column: there is no such column; expected a name of the header, or a number from 1`,
			`22:56: /run/command/result/any/csv/separator: is "|"; expected one of ",", ";", "tab", "space" (did you mean ","?)`,
		}},
		"more ways to a value": {`argv: [p]
result:
  energy: {pattern: "(a)", pointer: /a}
  done: {from: ../x, pointer: a}
  all: {csv: {row: 1, column: 0}, all: true}
`, []string{
			`19:11: /run/command/result/energy: there are 2 of them; expected exactly one of pattern, pointer and csv`,
			`20:16: /run/command/result/done/from: "../x" leads elsewhere; expected "stdout", "stderr" or a path below the attempt's folder`,
			`20:31: /run/command/result/done/pointer: "a" is no JSON pointer: it is empty or begins with "/"`,
			`21:20: /run/command/result/all/csv/row: all takes every row`,
			`21:31: /run/command/result/all/csv/column: there is no such column; expected a name of the header, or a number from 1`,
		}},
		"errors": {`argv: [p]
errors: [{type: lab.X}, {exit: 1, type: rlam.Timeout}, {exit: 1, type: two words}, {pattern: "a", type: lab.X, message: "{1}"}]
progress: [{pattern: "(a", message: "{1}"}]
`, []string{
			`18:10: /run/command/errors/0: nothing says when this is the failure; expected exit, pattern or both`,
			`18:41: /run/command/errors/1/type: "rlam.Timeout" is the engine's own; choose one such as lab.NotConverged`,
			`18:72: /run/command/errors/2/type: a failure type is two to four words with dots, such as lab.NotConverged`,
			`18:121: /run/command/errors/3/message: {1} is no group of the pattern, which has 0`,
			"19:22: /run/command/progress/0/pattern: missing closing ): \"(a\"; expected a regular expression in the syntax of RE2",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			text := wrapped + "    " + strings.ReplaceAll(strings.TrimSpace(c.command), "\n", "\n    ") + "\n"
			_, ps := schemas.ParseAction("action.yaml", []byte(text), fstest.MapFS{"s.py": {Data: []byte("x")}})
			got := messages(ps)
			// The columns are those of the command as it is written here.
			for i, m := range got {
				line, rest, _ := strings.Cut(m, ":")
				column, rest, _ := strings.Cut(rest, ":")
				got[i] = line + ":" + less(column, 4) + ":" + rest
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestClassesOfOutEnterTheAction(t *testing.T) {
	command := "    argv: [p]\n    result: {energy: {pattern: \"(a)\"}}\n    out: [{name: save, path: save/, class: tolerance, relative: 0.1}, {name: log, path: log}]\n"
	b, ps := schemas.ParseAction("action.yaml", []byte(wrapped+command), nil)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	if g := b.Action.Reproducibility.Artifacts["save"]; g != (schemas.Grade{Class: schemas.Tolerance, Relative: 0.1}) || len(b.Action.Reproducibility.Artifacts) != 1 {
		t.Errorf("artifacts %+v", b.Action.Reproducibility.Artifacts)
	}
	again, err := schemas.ReadBound(b.SpecJSON, b.BindingJSON)
	if err != nil || again.Spec != b.Spec || again.Binding != b.Binding {
		t.Errorf("read back: %v", err)
	}
	for artifacts, want := range map[string]string{
		"{save: {class: ignore}}":    `the action's reproducibility says otherwise of "save"; expected the same in both places, or in one of them (did you mean "ignore"?)`,
		"{sav: {class: ignore}}":     `no out of the command has the name "sav" (did you mean "save"?)`,
		"{log: {class: ignore}}":     ``,
		"{\"lo*\": {class: ignore}}": ``,
	} {
		text := strings.Replace(wrapped, "default: bitwise", "default: bitwise, artifacts: "+artifacts, 1)
		_, ps := schemas.ParseAction("action.yaml", []byte(text+command), nil)
		if got := strings.Join(messages(ps), "\n"); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %s, want %s", artifacts, got, want)
		}
	}
}

// less is a number in digits, made less by n.
func less(digits string, n int) string {
	v, err := strconv.Atoi(digits)
	if err != nil {
		return digits
	}
	return strconv.Itoa(v - n)
}

package scan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// seedArgument is what stands for a seed in a command line: most programs take one of 31 bits.
const seedArgument = "{seed%2147483648}"

// Seed is the name of a parameter for which a run's seed stands in.
const Seed = "seed"

// ActionFile is an action file for a script, with comments that say what is left to fill
// in. It is a valid one as it stands.
func ActionFile(r Result) string {
	var w writer
	isSeed := func(p Param) bool { return p.Name == Seed }
	option := "" // that takes the seed
	if i := slices.IndexFunc(r.Params, isSeed); i >= 0 {
		option = strings.Replace(r.Params[i].Arg, "{params."+Seed+"}", seedArgument, 1)
	}
	seeded := r.Seeded || option != ""
	r.Params = slices.DeleteFunc(slices.Clone(r.Params), isSeed)
	w.line("# What %s does, and how it is run. Lines with a # say what to fill in.", r.Name)
	w.line("name: %s", quoted(r.Name))
	w.line("version: 0.1.0                 # raise it whenever the meaning changes")
	w.line("summary: Runs %s.  # for the planner: what it is for, and how it fails", r.Name)
	w.line("")
	w.params(r)
	w.line("")
	w.returns(r)
	w.line("")
	w.line("# Promises nothing. To see what can be promised: starter actions run FILE --times 5")
	w.line("reproducibility: {default: unrepeatable}")
	w.line("effects: workspace             # none, workspace (files in its own folder) or external (the world)")
	w.line("idempotent: true               # false, if running it once more after a crash does harm")
	if seeded {
		w.line("seeded: true                   # it gets a seed that the run derives, as {seed} and RLAM_SEED")
	} else {
		w.line("seeded: false                  # true, if it takes a seed: as {seed} in argv, or from RLAM_SEED")
	}
	w.line("timeout: 10m                   # of one attempt")
	w.line("")
	w.run(r, option)
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *writer) params(r Result) {
	w.line("# JSON Schema. The gate refuses a call whose parameters don't fit: add minimum,")
	w.line("# maximum, enum, pattern and unit. A file is a string with format: artifact.")
	for _, left := range r.Left {
		w.line("# Seen in the script and left out: %s.", left)
	}
	w.line("params:")
	w.line("  type: object")
	w.line("  additionalProperties: false")
	if len(r.Params) == 0 {
		w.line("  properties: {}")
		return
	}
	var needed []string
	for _, p := range r.Params {
		if p.Default == "" { // what has one stands for itself in argv
			needed = append(needed, quoted(p.Name))
		}
	}
	if len(needed) > 0 {
		w.line("  required: [%s]  # all that stand in argv without a default", strings.Join(needed, ", "))
	}
	w.line("  properties:")
	for _, p := range r.Params {
		w.line("    %s: {%s}", quoted(p.Name), strings.Join(schemaOf(p), ", "))
	}
}

// schemaOf are the keywords of a parameter's schema.
func schemaOf(p Param) []string {
	keywords := []string{"type: " + p.Type}
	if p.File {
		keywords = append(keywords, "format: artifact")
	}
	if p.Enum != nil {
		var values []string
		for _, v := range p.Enum {
			values = append(values, quoted(v))
		}
		keywords = append(keywords, "enum: ["+strings.Join(values, ", ")+"]")
	}
	if p.Default != "" {
		keywords = append(keywords, "default: "+p.Default)
	}
	if p.Help != "" {
		keywords = append(keywords, "description: "+quoted(p.Help))
	}
	return keywords
}

func (w *writer) returns(r Result) {
	w.line("# JSON Schema of the output.")
	w.line("returns:")
	w.line("  type: object")
	if r.Results {
		w.line("  properties: {}  # what the script writes to result.json")
		return
	}
	w.line("  required: [stdout]")
	w.line("  properties:")
	w.line("    stdout: {type: string, format: artifact, description: What it printed.}")
	w.line("    # energy: {type: number, unit: eV}")
}

func (w *writer) run(r Result, seed string) {
	w.line("run:")
	w.line("  command:")
	argv := slices.Clone(r.Run)
	switch {
	case !r.Text:
		argv = append(argv, r.Program)
	case len(argv) == 0:
		argv = append(argv, "./"+r.Files[0])
	default:
		argv = append(argv, r.Files[0])
	}
	for _, p := range r.Params {
		argv = append(argv, p.Arg)
	}
	if seed != "" {
		argv = append(argv, seed)
	}
	for i, arg := range argv {
		argv[i] = quoted(arg)
	}
	w.line("    argv: [%s]", strings.Join(argv, ", "))
	if len(r.Files) > 0 {
		names := make([]string, len(r.Files))
		for i, name := range r.Files {
			names[i] = quoted(name)
		}
		w.line("    files: [%s]  # part of what a run pins; add what else it reads", strings.Join(names, ", "))
	}
	w.line("    # in:                      # files that it reads, made before it starts")
	w.line(`    #   - {path: in.txt, template: "cutoff = {params.cutoff}\n"}`)
	if r.Results {
		return
	}
	w.line("    stdout: stdout             # what it prints, as an artifact")
	w.line("    result: {}                 # values of the output, from what it prints or from its files:")
	w.line(`    #   energy: {pattern: 'total energy *= *(\S+)'}`)
	w.line("    #   rows: {from: out.csv, csv: {column: n}}")
	w.line("    # out:                     # files that it writes and that are worth keeping")
	w.line("    #   - {name: table, path: out.csv}")
	w.line("    # errors:                  # what tells a failure, and its type")
	w.line("    #   - {pattern: 'did not converge', type: lab.NotConverged}")
}

// quoted spells a text for YAML: as it is where nobody could read it as something else.
func quoted(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_./", c)
	})
	if plain && (text[0] < '0' || text[0] > '9') && !slices.Contains([]string{"true", "false", "null"}, strings.ToLower(text)) && text[0] != '.' {
		return text
	}
	b, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(b)
}

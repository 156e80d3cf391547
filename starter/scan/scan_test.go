package scan_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"rlam/schemas"
	"rlam/starter/scan"
)

// said is what was found, a line each.
func said(r scan.Result) string {
	var lines []string
	for _, p := range r.Params {
		line := p.Name + " " + p.Type + " " + p.Arg
		if p.File {
			line += " file"
		}
		if p.Enum != nil {
			line += " one of " + strings.Join(p.Enum, "|")
		}
		if p.Default != "" {
			line += " default " + p.Default
		}
		if p.Help != "" {
			line += " # " + p.Help
		}
		lines = append(lines, line)
	}
	for _, l := range r.Left {
		lines = append(lines, "left "+l)
	}
	return strings.Join(lines, "\n")
}

func TestScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, run, want string }{
		{"argparse", "relax.py", `#!/usr/bin/env python3
import argparse, helper
p = argparse.ArgumentParser()
p.add_argument("data", help="the table, "
               "a CSV (comma, and all)")
p.add_argument('-n', '--steps', type=int, default=10, help='how many')
p.add_argument("--cut-off", type=float, required=True)  # in Ry, (really)
p.add_argument("--mix", choices=["plain", "tf"], default="plain")
p.add_argument("--verbose", action="store_true")
p.add_argument("--only", nargs="+")
p.add_argument(name, type=int)
`, "python3", `data string {params.data} file # the table, a CSV (comma, and all)
steps integer --steps={params.steps} default 10 # how many
cut_off number --cut-off={params.cut_off}
mix string --mix={params.mix} one of plain|tf default "plain"
left verbose: a switch, to be added to argv if it is to be on
left only: takes several values, which one argument can't hold`},
		{"optparse of R", "fit.R", `library(optparse)
option_list <- list(make_option(c("-n", "--number"), type="integer", default=5L, help="draws"),
  make_option(c("-v", "--verbose"), action="store_true"))`, "Rscript", `number integer --number={params.number} default 5 # draws
left verbose: a switch, to be added to argv if it is to be on`},
		{"click", "run.py", `import click
@click.option("--rate", type=float, default=0.5)
@click.argument("infile", type=click.File("r"))
def main(): pass`, "python3", "rate number --rate={params.rate} default 0.5\ninfile string {params.infile} file"},
		{"docopt", "sim.py", `"""Sim.

Options:
  -h --help        Show this.
  --temp=<K>       Temperature. [default: 300.5]
  -s N, --size N   Size.
  --quiet          Say nothing.
"""
from docopt import docopt`, "python3", `temp number --temp={params.temp} default 300.5 # Temperature.
size string --size={params.size} # Size.
left quiet: a switch, to be added to argv if it is to be on`},
		{"getopts", "prep.sh", "#!/bin/bash -eu\nwhile getopts 'hvk:t:' o; do :; done", "bash -eu", `k string -k{params.k}
t string -t{params.t}
left v: a switch, to be added to argv if it is to be on`},
		{"numbers of a shell", "go.sh", `echo "$2" "${1}"`, "sh", "argument1 string {params.argument1}\nargument2 string {params.argument2}"},
		{"numbers of Python", "go.py", "import sys\nprint(sys.argv[1])", "python3", "argument1 string {params.argument1}"},
		{"numbers of R", "go.r", "args <- commandArgs(trailingOnly=TRUE)\nx <- args[[2]]", "Rscript", "argument1 string {params.argument1}\nargument2 string {params.argument2}"},
		{"a price is no argument of awk", "price.py", "print('$1')", "python3", ""},
		{"one that was written for it", "known.py", "p = json.load(open('params.json'))\nimport sys; sys.argv[1]", "python3", ""},
		{"declarations that never end", "torn.py", `p.add_argument("--a", help="`, "python3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := scan.Script(c.file, []byte(c.text))
			if got := said(r); got != c.want {
				t.Errorf("parameters\n%s\nwant\n%s", got, c.want)
			}
			if run := strings.Join(r.Run, " "); run != c.run {
				t.Errorf("run by %q, want %q", run, c.run)
			}
			valid(t, r, c.file)
		})
	}
}

// valid holds the file that is written for a script to being a valid one.
func valid(t *testing.T, r scan.Result, file string) {
	t.Helper()
	r.Files = []string{file}
	written := scan.ActionFile(r)
	if _, problems := schemas.ParseAction("written.yaml", []byte(written), fstest.MapFS{file: {Data: []byte("x")}}); len(problems) > 0 {
		t.Errorf("%v in\n%s", problems.Err(), written)
	}
}

func TestScriptTakesInFilesBesideIt(t *testing.T) {
	t.Parallel()
	for file, text := range map[string]string{
		"a.py": "import numpy\nfrom helper import x\n", "a.R": `source("helper.R")`, "a.sh": ". ./helper.sh\n", "a.jl": `include("helper.jl")`,
	} {
		r := scan.Script(file, []byte(text))
		if want := "helper" + filepath.Ext(file); !slices.Contains(r.Beside, want) {
			t.Errorf("%s may take in %q, want %s among them", file, r.Beside, want)
		}
	}
	if r := scan.Script("a.R", []byte(`source("../../etc/passwd")`)); r.Beside != nil {
		t.Errorf("files %q from elsewhere", r.Beside)
	}
}

func TestProgramIsNotRead(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	r := scan.Script("scan.test", text[:4096])
	if r.Text || r.Params != nil || r.Name != "scan" {
		t.Errorf("read of a program: %+v", r)
	}
	r.Program = "/opt/lab/scan.test"
	if written := scan.ActionFile(r); !strings.Contains(written, `argv: [/opt/lab/scan.test]`) || strings.Contains(written, "    files:") {
		t.Errorf("written for a program:\n%s", written)
	}
}

func TestASeedIsTheRuns(t *testing.T) {
	t.Parallel()
	r := scan.Script("mc.py", []byte(`p.add_argument("--seed", type=int, default=0); p.add_argument("--n", type=int)`))
	r.Files = []string{"mc.py"}
	written := scan.ActionFile(r)
	if !strings.Contains(written, `"--seed={seed%2147483648}"`) || !strings.Contains(written, "seeded: true") || strings.Contains(written, "    seed:") {
		t.Errorf("written for a script that takes a seed:\n%s", written)
	}
	valid(t, r, "mc.py")
}

func FuzzScript(f *testing.F) {
	f.Add("x.py", `p.add_argument("--n", type=int, default=3, help="how many", choices=["a"])`)
	f.Add("x.sh", "#!/bin/sh\ngetopts 'a:b' o")
	f.Fuzz(func(t *testing.T, file, text string) {
		r := scan.Script(file, []byte(text))
		if !r.Text {
			return
		}
		valid(t, r, "script")
	})
}

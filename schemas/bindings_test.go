package schemas_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Several bindings keep their order and have digests of their own; the spec doesn't know them.
func TestSeveralBindings(t *testing.T) {
	files := fstest.MapFS{"sum.py": {Data: []byte("print(1)\n")}}
	parse := func(run string) (*schemas.Bound, schemas.Problems) {
		return schemas.ParseAction("sum.yaml", []byte(strings.Replace(sumAction, "run: {builtin: sum}", "run: "+run, 1)), files)
	}
	alone, ps := parse("{builtin: sum}")
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	listed, ps := parse("[{builtin: sum}]")
	if len(ps) > 0 || listed.Binding != alone.Binding || listed.Others != nil {
		t.Errorf("a list of one is %+v, %v", listed, ps)
	}
	two, ps := parse("[{command: {argv: [python3, sum.py], files: [sum.py]}}, {builtin: sum}]")
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	all := two.Bindings()
	if len(all) != 2 || all[1].Digest != alone.Binding || all[0].Digest != two.Binding || all[0].Pinned.Digests["sum.py"] != canon.Sum([]byte("print(1)\n")) || two.Spec != alone.Spec {
		t.Errorf("%+v", all)
	}
	if !slices.Equal(two.Content["sum.py"], []byte("print(1)\n")) {
		t.Errorf("its files are %q", two.Content)
	}
	back, err := schemas.ReadBound(two.SpecJSON, all[0].JSON, all[1].JSON)
	if err != nil || back.Binding != two.Binding || len(back.Others) != 1 || back.Others[0].Digest != alone.Binding {
		t.Errorf("read again it is %+v, %v", back, err)
	}
	r := &schemas.Registry{}
	if err := r.Add(alone); err != nil {
		t.Fatal(err)
	}
	other, _ := parse("[{builtin: sum}, {command: {argv: [sum]}}]")
	if err := r.Add(other); err == nil || !strings.Contains(err.Error(), "two different bindings of action") {
		t.Errorf("other bindings under the same version: %v", err)
	}
}

func TestBindingsThatAreRefused(t *testing.T) {
	for run, want := range map[string]string{
		"[]":                           "/run: is []; expected at least 1 items",
		"[{builtin: a}, {builtin: a}]": "/run/1: is the same binding as /run/0, and would never be used",
		"[{builtin: a}, {command: {argv: [x], files: [../x]}}]": `/run/1/command/files/0: "../x" leads elsewhere; expected a path below the folder of the action file, with /`,
		"[{builtin: a, command: {argv: [x]}}]":                  `/run/0: is an object with "builtin", "command"; expected at most 1 properties`,
		"[{buitlin: a}]":                                        `/run/0/buitlin: there is no such property; expected one of "builtin", "command", "http", "mcp" (did you mean "builtin"?)`,
		"[{builtin: a}, {http: {url: 'ftp://example.org'}}]":    `/run/1/http/url: the URL "ftp://example.org" has no plain origin such as https://api.example.org: a host stands there without placeholders, user or password`,
		"sum": `/run: is "sum"; expected an object or an array`,
	} {
		_, ps := schemas.ParseAction("sum.yaml", []byte(strings.Replace(sumAction, "{builtin: sum}", run, 1)), nil)
		if len(ps) != 1 || !strings.HasSuffix(ps[0].Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", run, ps, want)
		}
	}
}

package schemas_test

import (
	"strings"
	"testing"

	"rlam/schemas"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]schemas.Size{
		"4096": 4096, "2GiB": 2 << 30, "1.5 GB": 15e8, "512MiB": 512 << 20, "10kB": 10000, "7B": 7,
	} {
		if got, err := schemas.ParseSize(text); got != want || err != nil {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "2 Gib", "1e400", "1e30", "NaN", "10000000TiB"} {
		if got, err := schemas.ParseSize(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
	for size, want := range map[schemas.Size]string{2 << 30: "2 GiB", 1536 << 20: "1.5 GiB", 999: "999 B"} {
		if got := size.String(); got != want {
			t.Errorf("%d is spelled %q, want %q", size, got, want)
		}
	}
}

// A program takes a processor though none is declared; what the worker does by itself is not
// counted, and of several bindings each counts for itself.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	const head = `{name: a, version: "1", summary: s, params: {type: object}, returns: {type: object}, effects: none, reproducibility: {default: bitwise}, `
	for text, want := range map[string]struct {
		cpus int
		may  bool
	}{
		`run: {command: {argv: [x]}}}`:                                                        {1, true},
		`resources: {cpus: 3}, run: {command: {argv: [x]}}}`:                                  {3, true},
		`resources: {memory: 1GiB}, run: {command: {argv: [x]}}}`:                             {1, true},
		`run: {mcp: {argv: [x], tool: t, digest: "sha256:` + strings.Repeat("5", 64) + `"}}}`: {1, true},
		`run: {http: {url: "https://example.org/"}}}`:                                         {0, false},
		`run: {builtin: x}}`:                           {0, false},
		`resources: {cpus: 2}, run: {builtin: x}}`:     {2, true},
		`run: [{builtin: x}, {command: {argv: [x]}}]}`: {0, true},
	} {
		b, problems := schemas.ParseAction("a.yaml", []byte(head+text), nil)
		if len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		if got := b.Takes().CPUs; got != want.cpus || b.MayWait() != want.may {
			t.Errorf("%s: takes %d processors, may wait: %v; want %+v", text, got, b.MayWait(), want)
		}
	}
}

// What is not said stays out of the digests of actions and studies that were recorded before.
func TestIsolationOfActionFiles(t *testing.T) {
	t.Parallel()
	const head = `{name: a, version: "1", summary: s, params: {type: object}, returns: {type: object}, effects: none, reproducibility: {default: bitwise}, `
	for _, c := range []struct {
		text, problem string
	}{
		{`isolation: sandbox, network: true, resources: {cpus: 2, memory: 1.5GiB, file_size: 10, exclusive: the-laser.2}, run: {command: {argv: [x]}}}`, ""},
		{`resources: {cpus: 2, memory: 1GiB, exclusive: laser}, run: {builtin: x}}`, ""},
		{`isolation: none, run: {builtin: x}}`, ""},
		{`isolation: sandbox, run: {builtin: x}}`, "/isolation"},
		{`network: true, run: {builtin: x}}`, "/network"},
		{`resources: {file_size: 1GiB}, run: {builtin: x}}`, "/resources/file_size"},
		{`isolation: container, run: {command: {argv: [x]}}}`, "/isolation"},
		{`resources: {cpus: 0}, run: {command: {argv: [x]}}}`, "/resources/cpus"},
		{`resources: {memory: 2 gigabytes}, run: {command: {argv: [x]}}}`, "/resources/memory"},
		{`resources: {exclusive: ../lock}, run: {command: {argv: [x]}}}`, "/resources/exclusive"},
	} {
		b, problems := schemas.ParseAction("a.yaml", []byte(head+c.text), nil)
		switch {
		case c.problem == "" && len(problems) > 0:
			t.Errorf("%s: %v", c.text, problems)
		case c.problem != "" && (len(problems) != 1 || problems[0].Pointer != c.problem):
			t.Errorf("%s: %v, want a problem at %s", c.text, problems, c.problem)
		case c.problem == "":
			again, err := schemas.ReadBound(b.SpecJSON, b.BindingJSON)
			if err != nil || again.Spec != b.Spec || again.Action.Resources != b.Action.Resources {
				t.Errorf("%s: read again as %s, %v", c.text, again.SpecJSON, err)
			}
		}
	}
}

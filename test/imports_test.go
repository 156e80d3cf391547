package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A rule says what some packages may not import, and why. A name with a slash at
// its end stands for all packages below it, any other for the package itself.
type rule struct {
	of     []string // the packages
	not    []string // imports that they may not have
	but    []string // imports that they may have all the same
	except []string // packages among of that may
	why    string
}

const temporal = "go.temporal.io/"

// The rules of section "Who may import whom" of ARCHITECTURE.md.
var rules = []rule{
	{
		of: []string{"rlam/internal/canon"}, not: []string{"rlam/"},
		why: "everything stands on the spelling and the name of a value, so it stands on nothing",
	},
	{
		of: []string{"rlam/internal/place"}, not: []string{"rlam/", temporal}, but: []string{"rlam/internal/canon"},
		why: "a file in its place is what its digest says or it isn't, whoever asks",
	},
	{
		of: []string{"rlam/internal/store", "rlam/internal/store/storetest"}, not: []string{"rlam/"},
		but: []string{"rlam/internal/canon", "rlam/internal/store"},
		why: "a store keeps bytes and doesn't know what they mean",
	},
	{
		of: []string{"rlam/internal/tree"}, not: []string{"rlam/"}, but: []string{"rlam/internal/canon"},
		why: "a folder's manifest is checked by whoever has its bytes",
	},
	{
		of: []string{"rlam/internal/record", "rlam/internal/journal"}, not: []string{"rlam/"},
		but: []string{"rlam/internal/canon", "rlam/internal/store"},
		why: "a reviewer reads chain and journal without an engine",
	},
	{
		of: []string{"rlam/internal/canon", "rlam/internal/store/", "rlam/internal/record", "rlam/internal/journal", "rlam/internal/scripted"}, not: []string{temporal},
		why: "what is on record must be readable where no Temporal is",
	},
	{
		of: []string{"rlam/internal/repeatability"}, not: []string{temporal, "rlam/"}, but: []string{"rlam/internal/canon", "rlam/internal/jsonpointer", "rlam/internal/statistics", "rlam/schemas"},
		why: "what outputs show of an action is a pure function of them, wherever they come from",
	},
	{
		of: []string{"rlam/internal/reuse"}, not: []string{temporal, "rlam/"}, but: []string{"rlam/internal/canon", "rlam/internal/store", "rlam/internal/record"},
		why: "what an execution shares with an earlier one is read from the store, by who executes and by who asks why",
	},
	{
		of: []string{"rlam/schemas"}, not: []string{temporal, "rlam/"}, but: []string{"rlam/internal/canon", "rlam/internal/jsonpointer"},
		why: "files and gates are judged the same way in an activity, on the command line and by a verifier",
	},
	{
		of: []string{"rlam/workflows"}, not: []string{"rlam/"},
		but: []string{"rlam/schemas", "rlam/internal/canon", "rlam/internal/record"},
		why: "workflow code decides by types and digests; an import of activities would let it do what only they may",
	},
	{
		of: []string{"rlam/workflows"}, not: []string{temporal}, but: []string{temporal + "sdk/temporal", temporal + "sdk/workflow", temporal + "api/enums/"},
		why: "clients, workers and activity contexts tell workflow code about the machine, and a replay elsewhere would differ",
	},
	{
		of:  []string{"rlam/workflows"},
		not: []string{"os", "os/", "net", "net/", "io/fs", "path/filepath", "crypto/rand", "math/rand", "math/rand/", "sync", "sync/", "runtime", "runtime/", "encoding/json", "log", "log/"},
		why: "none of these gives the same in a replay; types from other packages do their own JSON, in activities and in the data converter",
	},
	{
		of: []string{"rlam/provenance/graph"}, not: []string{"rlam/", temporal}, but: []string{"rlam/internal/canon"},
		why: "a trace graph is plain data, whoever's workflow it tells of",
	},
	{
		of: []string{"rlam/provenance"}, not: []string{temporal},
		why: "what is known of a run outlives the server's API: one package reads histories",
	},
	{
		of: []string{"rlam/provenance", "rlam/provenance/"}, not: []string{"rlam/"},
		but: []string{"rlam/provenance", "rlam/provenance/", "rlam/internal/canon", "rlam/internal/jsonpointer", "rlam/internal/store", "rlam/internal/record", "rlam/internal/journal", "rlam/internal/replay", "rlam/internal/quantity", "rlam/internal/repeatability", "rlam/internal/tree", "rlam/internal/draw", "rlam/internal/resample", "rlam/internal/statistics", "rlam/internal/figure", "rlam/schemas", "rlam/workflows"},
		why: "who audits a run rests on what is on record, and on nothing that could execute",
	},
	{
		of: []string{"rlam/activities/executor", "rlam/activities/planner", "rlam/activities/builtin/"}, not: []string{temporal},
		why: "how a model is asked and a program is run doesn't depend on who schedules it",
	},
	{
		of: []string{"rlam/activities/planner"}, not: []string{"rlam/activities/", "rlam/internal/store", "rlam/internal/record", "rlam/internal/journal"},
		why: "a planner's request is a pure function of the conversation, so that it can be spelled again from the record",
	},
	{
		of: []string{"rlam/activities/executor"}, not: []string{"rlam/"}, but: []string{"rlam/activities/executor/", "rlam/internal/canon", "rlam/internal/jsonpointer", "rlam/internal/tree", "rlam/schemas"},
		why: "an executor runs one attempt; it neither judges nor records",
	},
	{
		of: []string{"rlam/activities/executor/web", "rlam/activities/executor/mcp"}, not: []string{"rlam/", temporal},
		but: []string{"rlam/internal/canon", "rlam/internal/retryafter", "rlam/schemas"},
		why: "how a request is made and a tool is called doesn't depend on attempts and their folders; the starter asks servers too",
	},
	{
		of: []string{"rlam/activities/executor/confine"}, not: []string{"rlam/"},
		why: "it runs in every program's place before the program does: the less is initialized before it, the better",
	},
	{
		of: []string{"rlam/activities/builtin/"}, not: []string{"rlam/"},
		but: []string{"rlam/activities/builtin/", "rlam/activities/executor", "rlam/internal/draw", "rlam/internal/resample", "rlam/internal/figure"},
		why: "a shipped action uses what a stranger's can use, and arithmetic",
	},
	{
		of: []string{"rlam/internal/draw", "rlam/internal/resample", "rlam/internal/statistics", "rlam/internal/figure"}, not: []string{"rlam/", temporal}, but: []string{"rlam/internal/draw"},
		why: "arithmetic knows neither actions nor records: actions and what is said of their outputs share it",
	},
	{
		of: []string{"rlam/"}, not: []string{"github.com/sashabaranov/go-openai"}, except: []string{"rlam/activities/planner"},
		why: "one place knows the model client and its traps",
	},
	{
		of: []string{"rlam/"}, not: []string{"github.com/modelcontextprotocol/"}, except: []string{"rlam/activities/executor/mcp"},
		why: "one place knows the protocol's library and what it leaves open",
	},
	{
		of: []string{"rlam/"}, not: []string{"github.com/xeipuuv/", "github.com/santhosh-tekuri/", "cel.dev/"}, except: []string{"rlam/schemas"},
		why: "validators take hostile input only behind the limits of package schemas",
	},
	{
		of: []string{"rlam/"}, not: []string{"gonum.org/"}, except: []string{"rlam/activities/builtin", "rlam/activities/builtin/", "rlam/internal/draw", "rlam/internal/resample", "rlam/internal/statistics", "rlam/internal/figure", "rlam/provenance/ensemble"},
		why: "numerics are the actions' own, and what says what outputs show",
	},
	{
		of: []string{"rlam/"}, not: []string{"go.yaml.in/"}, except: []string{"rlam/schemas", "rlam/internal/scripted", "rlam/starter"},
		why: "what people write is read strictly, in the packages that own the files; the starter only looks of which kind a file is",
	},
	{
		of: []string{"rlam/"}, not: []string{"github.com/spf13/", "github.com/charmbracelet/"}, except: []string{"rlam/starter", "rlam/starter/"},
		why: "only the command line talks to a terminal",
	},
	{
		of: []string{"rlam/"}, not: []string{"rlam/starter", "rlam/starter/"}, except: []string{"rlam/starter", "rlam/starter/"},
		why: "the command line wires; nothing rests on it",
	},
	{
		of: []string{"rlam/"}, not: []string{"rlam/activities", "rlam/activities/builtin"}, except: []string{"rlam/worker/host"},
		why: "worker, starter and a stranger's worker get the activities from one place, wired the same way",
	},
	{
		of: []string{"rlam/"}, not: []string{"rlam/test/", "rlam/internal/store/storetest", "testing"},
		except: []string{"rlam/test/", "rlam/internal/store/storetest"},
		why:    "no product rests on its tests",
	},
}

// A listed package is what the go command says of one.
type listed struct {
	ImportPath string
	Imports    []string
}

// TestImports checks the direct imports of every package, without those of its tests.
func TestImports(t *testing.T) {
	t.Parallel()
	used := make([]bool, len(rules))
	for _, p := range list(t) {
		for i, r := range rules {
			if !named(r.of, p.ImportPath) {
				continue
			}
			used[i] = true
			for _, imported := range r.broken(p) {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.why)
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("a rule names packages that are not there: %q (%s)", r.of, r.why)
		}
	}
}

// TestImportRules breaks each rule on purpose: one that can't be broken guards nothing.
func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		p := listed{ImportPath: example(r.of[0]), Imports: []string{"fmt", example(r.not[0])}}
		if got := r.broken(p); len(got) != 1 {
			t.Errorf("%s may import %s, and the rule says otherwise: %s", p.ImportPath, p.Imports[1], r.why)
		}
		for _, name := range r.but {
			if got := r.broken(listed{ImportPath: p.ImportPath, Imports: []string{example(name)}}); len(got) > 0 {
				t.Errorf("%s may not import %s, and the rule says otherwise: %s", p.ImportPath, name, r.why)
			}
		}
	}
}

func (r rule) broken(p listed) []string {
	if named(r.except, p.ImportPath) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Imports), func(imported string) bool {
		return !named(r.not, imported) || named(r.but, imported)
	})
}

func named(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return pkg == name || strings.HasSuffix(name, "/") && strings.HasPrefix(pkg, name)
	})
}

// example is a package that name stands for.
func example(name string) string {
	if strings.HasSuffix(name, "/") {
		return name + "example"
	}
	return name
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "rlam/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(fmt.Errorf("reading the list of packages: %w", err))
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("the go command lists no package")
	}
	return all
}

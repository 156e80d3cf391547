package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"rlam/schemas"
)

// documents are the files that people read.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/*.md", "../examples/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 10 {
		t.Fatalf("the documents are elsewhere: only %q", all)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestLinks follows every link of the documents that stays in the repository, to its heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, doc), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			path := filepath.Join(filepath.Dir(doc), file)
			if file == "" {
				path = doc
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s: %v", doc, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, path)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", doc, m[1])
			}
		}
	}
}

// anchors are a document's headings as links name them.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("`,.:?!()'’…", r):
				return -1
			}
			return r
		}, strings.ToLower(m[1])))
	}
	return all
}

// block is a fenced part of a document.
type block struct{ language, text string }

func blocks(text string) []block {
	var all []block
	var open *block
	for line := range strings.Lines(text) {
		// A block in a list is indented like the list's text.
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```") && open == nil:
			open = &block{language: trimmed[3:]}
		case trimmed == "```":
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line
		}
	}
	return all
}

// TestDocumentedFiles loads the studies, actions and plans that the documents show, so
// that what they say of the files stays true.
func TestDocumentedFiles(t *testing.T) {
	t.Parallel()
	loaded := 0
	for _, doc := range documents(t) {
		for _, b := range blocks(read(t, doc)) {
			if b.language != "yaml" {
				continue
			}
			var members map[string]any
			if err := yaml.Unmarshal([]byte(b.text), &members); err != nil {
				t.Errorf("%s: %v in\n%s", doc, err, b.text)
				continue
			}
			var problems schemas.Problems
			switch {
			case members["goal"] != nil:
				_, problems = schemas.ParseStudy(doc, []byte(b.text))
			case members["params"] != nil:
				_, problems = schemas.ParseAction(doc, []byte(b.text), os.DirFS("testdata/documented"))
			case members["calls"] != nil:
				_, problems = schemas.ParsePlan(doc, []byte(b.text))
			default:
				continue // a part of a file
			}
			loaded++
			if err := problems.Err(); err != nil {
				t.Errorf("a file that %s shows: %v", doc, err)
			}
		}
	}
	if loaded < 3 {
		t.Errorf("the documents show %d whole files, want a study, an action and a plan", loaded)
	}
}

// TestDocumentedGo finds the Go of docs/actions-in-go.md in the example, line by line.
func TestDocumentedGo(t *testing.T) {
	t.Parallel()
	var source string
	for _, file := range []string{"main.go", "line.go", "line_test.go"} {
		source += read(t, filepath.Join("../examples/go-action", file))
	}
	have := map[string]bool{"…": true, "": true, "}": true, ")": true}
	for line := range strings.Lines(source) {
		have[strings.TrimSpace(line)] = true
	}
	found := 0
	for _, b := range blocks(read(t, "../docs/actions-in-go.md")) {
		if b.language != "go" {
			continue
		}
		for line := range strings.Lines(b.text) {
			if found++; !have[strings.TrimSpace(line)] {
				t.Errorf("docs/actions-in-go.md shows a line that the example doesn't have: %s", line)
			}
		}
	}
	if found == 0 {
		t.Error("docs/actions-in-go.md shows no Go")
	}
}

// TestFailureTypes holds docs/failures.md against the types that the code gives.
func TestFailureTypes(t *testing.T) {
	t.Parallel()
	documented := read(t, "../docs/failures.md")
	constant := regexp.MustCompile(`\bType[A-Z]\w+\s+= "(rlam\.\w+)"`)
	found := 0
	for _, file := range []string{"../workflows/contract.go", "../activities/executor/failure.go", "../activities/planner/errors.go"} {
		for _, m := range constant.FindAllStringSubmatch(read(t, file), -1) {
			if found++; !strings.Contains(documented, "`"+m[1]+"`") {
				t.Errorf("docs/failures.md doesn't tell of %s (%s)", m[1], file)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d failure types are found in the code: are they elsewhere now?", found)
	}
}

// TestDependencies holds docs/dependencies.md against the modules that go.mod and
// tools/go.mod require directly.
func TestDependencies(t *testing.T) {
	t.Parallel()
	documented := read(t, "../docs/dependencies.md")
	for file, direct := range map[string]*regexp.Regexp{
		"../go.mod":       regexp.MustCompile(`(?m)^(?:require )?\s*(\S+) v\S+$`),
		"../tools/go.mod": regexp.MustCompile(`(?m)^\t([^\s=]+)$`), // in tool ( … ): no version
	} {
		found := direct.FindAllStringSubmatch(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s requires nothing, or is written differently now", file)
		}
		for _, m := range found {
			// A word of its own: cel.dev/cel-go isn't told of by cel.dev/cel-go/ext.
			if !regexp.MustCompile(`(^|[\s|])` + regexp.QuoteMeta(m[1]) + `([\s,|]|$)`).MatchString(documented) {
				t.Errorf("docs/dependencies.md doesn't tell of %s (%s)", m[1], file)
			}
		}
	}
}

// TestNamedTestsExist: where docs/isolation.md says which test shows something, it is there.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
			there[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(read(t, "../docs/isolation.md"), -1)
	if len(named) < 10 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("there is no test %s", m[1])
		}
	}
}

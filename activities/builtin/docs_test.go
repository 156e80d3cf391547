package builtin_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rlam/activities/builtin"
	"rlam/schemas"
)

var update = flag.Bool("update", false, "write docs/actions.md anew")

const documented = "../../docs/actions.md"

const preface = `# Shipped actions

<!-- Written from schemas/actions by: go test ./activities/builtin -run TestDocumented -update -->

A study lists the ones that it allows under ` + "`actions`" + `. Tables are CSV files whose first line names the columns; an
*artifact* is a handle, ` + "`sha256:…`" + `, or a reference to an output that is one. What each failure type means:
[failures.md](failures.md). Studies to try: [examples](../examples/README.md).

`

// property is what the documents show of a JSON Schema.
type property struct {
	Description string               `json:"description"`
	Type        any                  `json:"type"`
	Format      string               `json:"format"`
	Enum        []any                `json:"enum"`
	Items       *property            `json:"items"`
	Properties  map[string]*property `json:"properties"`
	Required    []string             `json:"required"`
}

// TestDocumented holds docs/actions.md against the actions' files, and these against the handlers.
func TestDocumented(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../schemas/actions/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	handlers := map[string]bool{}
	for _, h := range builtin.All() {
		handlers[h.Name] = true
	}
	if len(files) != len(handlers) {
		t.Errorf("%d files of actions, %d handlers", len(files), len(handlers))
	}
	var overview, details strings.Builder
	for _, file := range files {
		spec, problems := schemas.LoadAction(file)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		a := spec.Action
		if !handlers[a.Name] {
			t.Errorf("%s has no handler", a.Name)
		}
		first, _, _ := strings.Cut(a.Summary, ". ")
		fmt.Fprintf(&overview, "| [`%s`](#%s) | %s | %s |\n", a.Name, strings.ReplaceAll(a.Name, ".", ""), strings.TrimSuffix(first, "."), traits(a))
		fmt.Fprintf(&details, "\n## %s\n\n%s\n\n%s.\n\n| parameter | is | |\n| --- | --- | --- |\n%s\n| returns | is | |\n| --- | --- | --- |\n%s",
			a.Name, wrap(quoteTypes(a.Summary)), capital(traits(a)), members(t, a.Params, "*required*"), members(t, a.Returns, ""))
	}
	got := preface + "| action | does | class |\n| --- | --- | --- |\n" + overview.String() + details.String()
	if *update {
		if err := os.WriteFile(documented, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("docs/actions.md isn't what schemas/actions says: run go test ./activities/builtin -run TestDocumented -update")
	}
}

// traits are an action's class, whether it is seeded, and its version.
func traits(a schemas.Action) string {
	text := string(a.Reproducibility.Default)
	if a.Seeded {
		text += ", seeded"
	}
	return text + ", effects " + string(a.Effects)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

var failureType = regexp.MustCompile(`rlam\.[A-Z]\w+`)

func quoteTypes(text string) string { return failureType.ReplaceAllString(text, "`$0`") }

// wrap breaks text into lines of at most 120 characters.
func wrap(text string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 120 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n")
}

// members is a table row for each property, the required ones marked and first.
func members(t *testing.T, schema json.RawMessage, mark string) string {
	t.Helper()
	var s property
	if err := json.Unmarshal(schema, &s); err != nil {
		t.Fatal(err)
	}
	required := func(name string) bool { return slices.Contains(s.Required, name) }
	names := slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		if required(a) != required(b) {
			if required(a) {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	var rows strings.Builder
	for _, name := range names {
		kind := s.Properties[name].kind()
		if mark != "" && required(name) {
			kind += ", " + mark
		}
		description := strings.ReplaceAll(s.Properties[name].Description, "|", "\\|")
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", name, kind, quoteTypes(description))
	}
	return rows.String()
}

func (p *property) kind() string {
	switch {
	case p.Format == "artifact":
		return "artifact"
	case len(p.Enum) > 1:
		var values []string
		for _, v := range p.Enum {
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(values, ", ")
	case p.Type == "array" && p.Items != nil && p.Items.Type != nil:
		return "list of " + p.Items.kind() + "s"
	case p.Type == nil:
		return "anything"
	}
	return fmt.Sprint(p.Type)
}

package schemas_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/schemas"
	"rlam/test/need"
)

// suite is a draft's folder of the JSON Schema Test Suite, which comes with modules that
// validate: one that is used here, and for 2020-12 one that the MCP library uses.
func suite(t *testing.T, draft int) string {
	t.Helper()
	module, folder, below := "github.com/xeipuuv/gojsonschema", "testdata", fmt.Sprintf("draft%d", draft)
	if draft == 2020 {
		module, folder, below = "github.com/google/jsonschema-go", "jsonschema/testdata", "draft2020-12"
	}
	dir := os.Getenv("RLAM_SCHEMA_SUITE")
	if dir == "" {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		need.Need(t, "the module "+module+" in the module cache, or RLAM_SCHEMA_SUITE", err == nil && strings.TrimSpace(string(out)) != "")
		dir = filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(folder))
	}
	dir = filepath.Join(dir, below)
	_, err := os.Stat(dir)
	need.Need(t, "the JSON Schema Test Suite in "+dir, err == nil)
	return dir
}

var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Of the required tests of drafts 4, 6, 7 and 2020-12, nothing is admitted that is invalid,
// and nothing refused that is valid. Schemas and values that are refused as such are
// counted with their reasons in testdata/suite.golden.
func TestSuite(t *testing.T) {
	var report strings.Builder
	for _, draft := range []int{4, 6, 7, 2020} {
		files, err := filepath.Glob(filepath.Join(suite(t, draft), "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("draft %d: no files, %v", draft, err)
		}
		var passed, falseRefusals, refusedValues, tests, compiled, groups int
		reasons, wrong := map[string]int{}, []string{}
		for _, file := range files {
			var cases []struct {
				Description string
				Schema      json.RawMessage
				Tests       []struct {
					Description string
					Data        json.RawMessage
					Valid       bool
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &cases); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, c := range cases {
				groups++
				tests += len(c.Tests)
				s, err := schemas.Compile(ofDraft(c.Schema, draft))
				if err != nil {
					reasons[kindOfRefusal(err)]++
					continue
				}
				compiled++
				for _, one := range c.Tests {
					vs := s.Validate(one.Data)
					name := fmt.Sprintf("%s: %s: %s", filepath.Base(file), c.Description, one.Description)
					switch {
					case (len(vs) == 0) == one.Valid:
						passed++
					case len(vs) == 0:
						t.Errorf("draft %d: %s: admitted, and is not valid", draft, name)
					case canon.Check(one.Data) != nil:
						refusedValues++
						wrong = append(wrong, fmt.Sprintf("refused as a value: %s: %v", name, schemas.Violations(vs)))
					default:
						falseRefusals++
						wrong = append(wrong, fmt.Sprintf("refused, and is valid: %s: %v", name, schemas.Violations(vs)))
					}
				}
			}
		}
		fmt.Fprintf(&report, "draft %d: %d of %d schemas compile; of their tests %d pass, %d values are refused, %d are refused and valid; %d tests belong to schemas that are refused\n",
			draft, compiled, groups, passed, refusedValues, falseRefusals, tests-passed-refusedValues-falseRefusals)
		slices.Sort(wrong)
		for _, w := range wrong {
			fmt.Fprintf(&report, "  %s\n", w)
		}
		for _, why := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Or(reasons[b]-reasons[a], cmp.Compare(a, b)) }) {
			fmt.Fprintf(&report, "  %3d schemas: %s\n", reasons[why], why)
		}
	}
	golden(t, "suite.golden", report.String())
}

// ofDraft says in the schema which draft it is of, as a study's would.
func ofDraft(schema json.RawMessage, draft int) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(schema, &members) != nil || members == nil {
		return schema
	}
	if _, has := members["$schema"]; !has {
		members["$schema"] = json.RawMessage(fmt.Sprintf(`"http://json-schema.org/draft-0%d/schema#"`, draft))
		if draft == 2020 {
			members["$schema"] = json.RawMessage(`"https://json-schema.org/draft/2020-12/schema"`)
		}
	}
	out, err := json.Marshal(members)
	if err != nil {
		return schema
	}
	return out
}

// kindOfRefusal is the first reason without the names in it.
func kindOfRefusal(err error) string {
	message := err.Error()
	if vs, ok := err.(schemas.Violations); ok {
		message = vs[0].Message
	}
	return quotedText.ReplaceAllString(message, "…")
}

package planner_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"rlam/activities/planner"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("long.", 20)
	actions := []string{"fit.nonlinear", "a.b", "a_b", "finish", "give.up", "give_up", "größe", "-", long + "1", long + "2"}
	n := planner.NewNames(actions)
	slices.Reverse(actions)
	reversed := planner.NewNames(actions)
	valid := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	seen := map[string]string{planner.FinishTool: "the end", planner.GiveUpTool: "the end"}
	for _, a := range actions {
		tool := n.Tool(a)
		if !valid.MatchString(tool) {
			t.Errorf("the tool of %q is %q", a, tool)
		}
		if other, ok := seen[tool]; ok {
			t.Errorf("%q and %q are both %q", a, other, tool)
		}
		seen[tool] = a
		if back := n.Action(tool); back != a {
			t.Errorf("%q is %q, and that is %q", a, tool, back)
		}
		if reversed.Tool(a) != tool {
			t.Errorf("%q is %q or %q by the order of the actions", a, tool, reversed.Tool(a))
		}
	}
	if got := n.Tool("fit.nonlinear"); got != "fit_nonlinear" {
		t.Errorf("a name that is free becomes %q", got)
	}
	for _, unknown := range []string{"", "rm -rf /", long, "日本"} {
		if tool := n.Tool(unknown); !valid.MatchString(tool) {
			t.Errorf("the unknown %q becomes %q", unknown, tool)
		}
		if action := n.Action(unknown); action != unknown {
			t.Errorf("the unknown tool %q becomes %q", unknown, action)
		}
	}
}

// A schema's local references still hold where it stands inside another.
func TestSchemasKeepTheirReferences(t *testing.T) {
	tools := planner.Tools([]planner.ToolSpec{{Action: "a.b", Parameters: json.RawMessage(`{}`)}}, json.RawMessage(`{"type":"object","required":["result"],
		"definitions":{"n/t":{"type":"object","required":["v"],
			"properties":{"v":{"type":"number"},"next":{"$ref":"#/definitions/n~1t"},"$ref":{"type":"string"}}}},
		"properties":{"result":{"type":"object","required":["tree"],"properties":{
			"tree":{"$ref":"#/definitions/n~1t"},"literal":{"enum":[{"$ref":"#/definitions/n~1t"}]}}}}}`))
	asText := body(t, planner.Request{Model: "m", Mode: planner.ModeResponseFormat, Tools: tools})
	var sent struct {
		Format struct {
			Schema struct {
				Name   string          `json:"name"`
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.Unmarshal(asText, &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Format.Schema.Name != "proposal" {
		t.Errorf("the schema's name is %q", sent.Format.Schema.Name)
	}
	const (
		good    = `{"result":{"tree":{"v":1,"next":{"v":2,"$ref":"x"}}}}`
		literal = `{"result":{"tree":{"v":1},"literal":{"$ref":"#/definitions/n~1t"}}}`
		bad     = `{"result":{"tree":{"v":1,"next":{"v":"two"}}}}`
		worse   = `{"result":{"tree":{"v":1,"$ref":3}}}`
	)
	check := func(where string, schema json.RawMessage, instance string, want bool) {
		t.Helper()
		result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(schema), gojsonschema.NewStringLoader(instance))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if result.Valid() != want {
			t.Errorf("%s: %s is valid: %t (%v)", where, instance, result.Valid(), result.Errors())
		}
	}
	for instance, want := range map[string]bool{good: true, literal: true, bad: false, worse: false, `{}`: false} {
		check("finish", tools[1].Parameters, instance, want)
		check("response_format", sent.Format.Schema.Schema, `{"finish":`+instance+`}`, want)
	}
	for instance, want := range map[string]bool{
		`{"calls":[{"id":"x","action":"a.b","params":{}}]}`: true,
		`{"calls":[{"id":"x","action":"a_b","params":{}}]}`: false,
		`{"calls":[]}`:                          false,
		`{"give_up":{"reason":"r"}}`:            true,
		`{"give_up":{}}`:                        false,
		`{"calls":[],"give_up":{"reason":"r"}}`: false,
	} {
		check("response_format", sent.Format.Schema.Schema, instance, want)
	}
}

package schemas_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rlam/schemas"
)

// of2020 is a schema of 2020-12.
func of2020(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"$schema":"https://json-schema.org/draft/2020-12/schema"` + members + `}`
}

// The limits of the other drafts hold for 2020-12 too.
func TestHostileSchemas2020(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"$ref":"#"`:               "validation would never end",
		`"$ref":"#","minLength":1`: "validation would never end",
		`"$defs":{"a":{"dependentSchemas":{"x":{"$ref":"#/$defs/a"}}}}`: "validation would never end",
		`"$dynamicRef":"#a"`:                              "is no keyword of draft 2020-12",
		`"$ref":"#a","$defs":{"a":{"$anchor":"a"}}`:       "is no keyword of draft 2020-12",
		`"$ref":"https://192.0.2.1/x"`:                    "nothing is ever fetched",
		`"$ref":"file:///etc/passwd"`:                     "nothing is ever fetched",
		`"properties":{"a":{"$id":"https://192.0.2.1/"}}`: "stands below the top",
		`"items":[{}]`:                                    "is",
		`"additionalItems":false`:                         `did you mean "items"`,
		`"dependencies":{}`:                               `did you mean "dependentSchemas"`,
		`"requried":["a"]`:                                `did you mean "required"`,
		`"format":"dtae"`:                                 `did you mean "date"`,
		`"pattern":"((a{0,30}){0,30}){0,1}b"`:             "too many repetitions",
		`"type":"strnig"`:                                 "is",
		`"minContains":-1`:                                "is",
	} {
		soon(t, func() {
			if _, err := schemas.Compile([]byte(of2020(members))); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is refused with %v; want %q", members, err, want)
			}
		})
	}
	var chain strings.Builder
	for i := range 30 {
		fmt.Fprintf(&chain, `"a%d":{"anyOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	doubling := compile(t, of2020(`"$ref":"#/$defs/a0","$defs":{`+chain.String()+`"a30":{"type":"string"}}`))
	soon(t, func() {
		if vs := doubling.Validate([]byte(`1`)); !strings.Contains(words(vs), "too long") {
			t.Errorf("a doubling chain: %s", words(vs))
		}
	})
	deep := compile(t, of2020(`"unevaluatedItems":{"$ref":"#"},"uniqueItems":true`))
	soon(t, func() { deep.Validate([]byte(strings.Repeat("[", 60) + strings.Repeat("]", 60))) })
	soon(t, func() { deep.Validate([]byte("[" + strings.Repeat(`"x",`, 4_000) + "1]")) })
}

func TestViolations2020(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, value, want string }{
		{`"type":"object","required":["a"],"properties":{"a":{"type":"number","minimum":2}}`, `{}`, `"a" is missing, a number`},
		{`"properties":{"a":{"type":"number","minimum":2}}`, `{"a":1}`, "/a: is 1, at least 2"},
		{`"properties":{"alpha":{}},"additionalProperties":false`, `{"alhpa":1}`, `did you mean "alpha"`},
		{`"properties":{"a":{}},"unevaluatedProperties":false`, `{"b":1}`, "/b: is not allowed here"},
		{`"prefixItems":[{"type":"number"},{"enum":["x","y"]}],"items":false`, `[1,"z"]`, `/1: is "z", one of "x", "y"`},
		{`"prefixItems":[{}],"items":false`, `[1,2]`, "/1"},
		{`"dependentRequired":{"a":["b"]}`, `{"a":1}`, `"b" is missing`},
		{`"contains":{"const":1},"minContains":2`, `[1]`, "too few"},
		{`"$ref":"#/$defs/h","$defs":{"h":{"type":"string","format":"artifact"}}`, `"x"`, "handle"},
		{`"type":"string","format":"idn-email"`, `"x"`, "x"},
	} {
		vs := compile(t, of2020(c.schema)).Validate([]byte(c.value))
		text := strings.ReplaceAll(words(vs), "; expected ", ", ")
		if len(vs) == 0 || !strings.Contains(text, c.want) {
			t.Errorf("%s of %s: %q; want %q", c.value, c.schema, words(vs), c.want)
		}
	}
}

// An action may have parameters of 2020-12, references and conditions included.
func TestActionOf2020(t *testing.T) {
	t.Parallel()
	b, ps := schemas.ParseAction("t.yaml", []byte(`
name: t
version: "1"
summary: A tool.
params:
  $schema: https://json-schema.org/draft/2020-12/schema
  type: object
  properties:
    point: {$ref: "#/$defs/point"}
    n: {type: integer}
  dependentRequired: {n: [point]}
  unevaluatedProperties: false
  $defs:
    point: {type: array, prefixItems: [{type: number}, {type: number}], items: false}
returns: {type: object}
preconditions: [{expr: "!has(params.n) || params.n > 0.0"}]
reproducibility: {default: unrepeatable}
effects: none
run: {builtin: t}
`), nil)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	var tool struct {
		Properties struct {
			Params struct {
				Properties map[string]json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(schemas.ToolSchema(b), &tool); err != nil {
		t.Fatal(err)
	}
	if got := string(tool.Properties.Params.Properties["point"]); !strings.Contains(got, `"#/properties/params/$defs/point"`) || !strings.Contains(got, `"#/definitions/reference"`) {
		t.Errorf("the model is told of point as %s", got)
	}
}

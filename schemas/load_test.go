package schemas_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rlam/internal/canon"
	"rlam/schemas"
)

const soundStudy = `title: A study
goal: Find it
actions: [table.describe]
planner: {model: some-model}
result: {type: object, properties: {rss: {type: number}}, additionalProperties: false}
`

const soundAction = `name: lab.scale
version: 1.0.0
summary: Multiplies.
params: {type: object, properties: {x: {type: number}, by: {type: number}}, required: [x], additionalProperties: false}
returns: {type: object, properties: {y: {type: number}}, required: [y], additionalProperties: false}
reproducibility: {default: bitwise}
effects: none
run: {builtin: lab.scale}
`

// messages are problems as text, without the file's name.
func messages(ps schemas.Problems) []string {
	var out []string
	for _, p := range ps {
		out = append(out, strings.TrimPrefix(p.Error(), p.File+":"))
	}
	return out
}

func TestStudyProblems(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"sound": {soundStudy, nil},
		"every problem is reported, in the order of the text": {`titel: A study
title: 3
goal: x
actions: [table.describe]
planner: {model: m, contxt: 10, temperature: hot}
limits: {steps: 0, wall_time: 3 days}
result: {type: object, required: rss}
accept:
  - exp: result.rss < 1.0
`, []string{
			`1:1: /titel: there is no such property; expected one of "accept", "actions", "authors", "goal", "inputs", "isolation", "keywords", "license", "limits", "planner", "policy", "result", "reuse", "seed", "seeds", "title" (did you mean "title"?)`,
			`2:8: /title: is 3; expected a string, in quotes: "3"`,
			`5:21: /planner/contxt: there is no such property; expected one of "attempts", "base_url", "calls", "context", "fallbacks", "instructions", "max_tokens", "model", "plan", "prices", "scripted", "temperature" (did you mean "context"?)`,
			`5:46: /planner/temperature: is "hot"; expected a number`,
			`6:17: /limits/steps: is 0; expected at least 1`,
			`6:31: /limits/wall_time: is "3 days"; expected a duration such as "90s" or "1h30m"`,
			`7:34: /result/required: is "rss"; expected an array`,
			`9:5: /accept/0: "expr" is missing; expected a string`,
			`9:5: /accept/0/exp: there is no such property; expected one of "expr", "message" (did you mean "expr"?)`,
		}},
		"duplicate keys": {soundStudy + "goal: Find it again\n", []string{`6:1: /goal: the key "goal" is written twice, first in line 2`}},
		"a schema's own problems": {strings.Replace(soundStudy, "{rss: {type: number}}", "{rss: {tpye: number, $ref: 'file:///etc/passwd'}}", 1), []string{
			`5:43: /result/properties/rss/tpye: "tpye" is no keyword of draft 7, and would be ignored (did you mean "type"?)`,
			`5:63: /result/properties/rss/$ref: the reference "file:///etc/passwd" is not local; only "#/…" is, and nothing is ever fetched`,
		}},
		"result is no object":     {strings.Replace(soundStudy, "type: object,", "", 1), []string{`5:9: /result: the schema doesn't say that the value is an object; expected "type": "object" at the top`}},
		"two planners":            {strings.Replace(soundStudy, "model: some-model", "model: m, plan: p.yaml", 1), []string{`4:10: /planner: "model", "plan" are given together; expected one of them`}},
		"a number out of range":   {soundStudy + "seed: 1e400\n", []string{`6:7: /seed: number is not held by a double: "1e400" is beyond ±1.8e308`}},
		"an inexact integer":      {soundStudy + "seed: 9007199254740993\n", []string{`6:7: /seed: number is not held by a double: the integer "9007199254740993" is not exact (9.007199254740992e+15 would be kept); send it as a string`}},
		"octal":                   {soundStudy + "seed: 010\n", []string{`6:7: /seed: "010" is not a decimal number; expected a number such as 10 or 1.5e-3, or a string in quotes: "010"`}},
		"an alias":                {soundStudy + "license: &l MIT\nseed: *l\n", []string{`6:10: /license: the anchor &l is not read; expected the value itself, where it is needed`, `7:7: /seed: the alias *l is not read; expected the value itself`}},
		"a key that is no string": {soundStudy + "inputs: {1: {file: a}}\n", []string{`6:10: /inputs: the key "1" is read as int; expected a string, written "1"`}},
		"not YAML":                {"title: [", []string{`2:1: YAML: did not find expected node content`}},
		"empty":                   {" \n", []string{`1:1: YAML: the file is empty`}},
		"two documents":           {soundStudy + "---\n" + soundStudy, []string{`1:1: YAML: expected single document, found multiple`}},
	} {
		t.Run(name, func(t *testing.T) {
			l, ps := schemas.ParseStudy("study.yaml", []byte(c.text))
			if got := messages(ps); !slices.Equal(got, c.want) {
				t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if (l == nil) != (len(ps) > 0) {
				t.Errorf("study %v with %d problems", l, len(ps))
			}
		})
	}
}

func TestJSONProblemsHavePlaces(t *testing.T) {
	text := "{\n  \"title\": \"t\", \"goal\": \"g\",\n  \"goal\": \"h\", \"actions\": [\"a\", 7],\n  \"result\": {\"type\": \"object\"}, \"seed\": 1e1000001\n}"
	_, ps := schemas.ParseStudy("study.json", []byte(text))
	want := []string{
		`3:3: /goal: the key "goal" is written twice, first in line 2`,
		`3:33: /actions/1: is 7; expected a string or an object`,
		`4:41: /seed: number is not held by a double: "1e1000001" is beyond ±1.8e308`,
	}
	if got := messages(ps); !slices.Equal(got, want) {
		t.Errorf("problems:\n%s", strings.Join(got, "\n"))
	}
	for _, broken := range []string{"", "{", `{"a":1}{}`, `{"a":NaN}`, "\xff"} {
		if _, ps := schemas.ParseStudy("study.json", []byte(broken)); len(ps) == 0 || ps[0].Line == 0 {
			t.Errorf("%q: %v", broken, ps)
		}
	}
}

func TestYAMLIsReadAsJSONWouldSayIt(t *testing.T) {
	for spelled, want := range map[string]string{
		"1e-8": "1e-8", "-1E+3": "-1000", ".5": "0.5", "5.": "5", "+7": "7", "0.10000000000000001": "0.1",
		"y": `"y"`, "no": `"no"`, "on": `"on"`, "2024-01-02": `"2024-01-02"`, "12:30": `"12:30"`, "1.2.3": `"1.2.3"`,
		"true": "true", "~": "null", "null": "null", `"1"`: `"1"`, "'y'": `"y"`, "!!str 1": `"1"`, "[1, {a: b}]": `[1,{"a":"b"}]`,
		`"\u00e9\n"`: `"é\n"`, "1e308": "1e+308",
	} {
		_, ps := schemas.ParseStudy("study.yaml", []byte(soundStudy))
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		text := strings.Replace(soundStudy, "{type: number}", "{type: number, default: "+spelled+"}", 1)
		l, ps := schemas.ParseStudy("study.yaml", []byte(text))
		if len(ps) > 0 {
			t.Errorf("%s: %v", spelled, ps)
			continue
		}
		var result struct {
			Properties map[string]struct{ Default json.RawMessage }
		}
		if err := json.Unmarshal(l.Study.Result, &result); err != nil {
			t.Fatal(err)
		}
		if got, err := canon.Transform(result.Properties["rss"].Default); err != nil || string(got) != want {
			t.Errorf("%s is read as %s, %v; want %s", spelled, got, err, want)
		}
	}
	for _, bad := range []string{".nan", ".inf", "0x1F", "0o17", "1_000", "!!binary aGk=", "!x y", "1e400", "007"} {
		text := strings.Replace(soundStudy, "{type: number}", "{type: number, default: "+bad+"}", 1)
		if _, ps := schemas.ParseStudy("study.yaml", []byte(text)); len(ps) != 1 || ps[0].Pointer != "/result/properties/rss/default" {
			t.Errorf("%s: %v", bad, ps)
		}
	}
}

func TestDefaults(t *testing.T) {
	l, ps := schemas.ParseStudy("study.yaml", []byte(soundStudy))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	minute, second := schemas.Duration(time.Minute), schemas.Duration(time.Second)
	backoff := schemas.Backoff{Initial: second, Coefficient: 2, Max: minute}
	if want := (schemas.Limits{Steps: 50, Calls: 200, Attempts: 400, Repairs: 5, Losses: 5, Tokens: 2_000_000, WallTime: schemas.Duration(24 * time.Hour)}); !reflect.DeepEqual(l.Study.Limits, want) {
		t.Errorf("limits %+v", l.Study.Limits)
	}
	want := schemas.Planner{Model: "some-model", Calls: "tools", Context: 32_000, MaxTokens: 4_096, Attempts: schemas.Attempts{Max: 4, Backoff: backoff}}
	if !reflect.DeepEqual(l.Study.Planner, want) {
		t.Errorf("planner %+v", l.Study.Planner)
	}
	back, err := schemas.ReadStudy(l.JSON)
	if err != nil || back.Digest != l.Digest {
		t.Errorf("a recorded study reads back as %v, %v", back, err)
	}
	for effects, idempotent := range map[string]bool{"none": true, "workspace": true, "external": false, "none\nidempotent: false": false, "external\nidempotent: true": true} {
		b, ps := schemas.ParseAction("a.yaml", []byte(strings.Replace(soundAction, "effects: none", "effects: "+effects, 1)), nil)
		if len(ps) > 0 || b.Action.Idempotent != idempotent || !reflect.DeepEqual(b.Action.Attempts, schemas.Attempts{Max: 1, Backoff: backoff}) {
			t.Errorf("effects %q: %+v, %v", effects, b, ps)
		}
	}
}

// A member that a file doesn't have changes nothing: what was loaded before the
// member existed has the digest it had.
func TestDigestsStay(t *testing.T) {
	for text, want := range map[string]string{
		soundStudy: "sha256:7a1daa9dd3a20a819afa6ffa06bfd540ca364f76e86d7a9e6ed1ae17909a5cf6",
		gateStudy:  "sha256:dc2fb83537607c75e15dc5cfcd603d727199bb67ebb49f06c822f73d71ce659a",
	} {
		if l, ps := schemas.ParseStudy("study.yaml", []byte(text)); len(ps) > 0 || l.Digest.String() != want {
			t.Errorf("%v, %v; want %s", l, ps, want)
		}
	}
	for text, want := range map[string]string{
		soundAction: "sha256:457c90541b14ab07e38b381f9381ded0aea81422809679b8285be08852bde02a",
		fitAction:   "sha256:113774d86da1dd67ceb2b5019a9e285f3b54d61ed01013cba0f9537e6d92095a",
	} {
		if b, ps := schemas.ParseAction("action.yaml", []byte(text), nil); len(ps) > 0 || b.Spec.String() != want {
			t.Errorf("%v, %v; want %s", b, ps, want)
		}
	}
}

func TestActionProblems(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(soundAction, old, new, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"a name with a slash": {replace("name: lab.scale", "name: lab/scale"), `1:7: /name: is "lab/scale"; expected 1 to 128 letters, digits, dots, underscores and hyphens`},
		"a reserved name":     {replace("name: lab.scale", "name: finish"), `1:7: /name: "finish" is reserved; expected another name`},
		"look-alike letters":  {replace("name: lab.scale", "name: lаb.scale"), `1:7: /name: is "lаb.scale"; expected 1 to 128 letters, digits, dots, underscores and hyphens`},
		"a misspelt effect":   {replace("effects: none", "effects: nome"), `7:10: /effects: is "nome"; expected one of "none", "workspace", "external" (did you mean "none"?)`},
		"no binding":          {replace("{builtin: lab.scale}", "{}"), `8:6: /run: is an empty object; expected at least 1 properties`},
		"two bindings":        {replace("{builtin: lab.scale}", "{builtin: b, command: {argv: [x]}}"), `8:6: /run: is an object with "builtin", "command"; expected at most 1 properties`},
		"a file elsewhere":    {replace("{builtin: lab.scale}", "{command: {argv: [sh], files: [../x.sh]}}"), `8:37: /run/command/files/0: "../x.sh" leads elsewhere; expected a path below the folder of the action file, with /`},
		"a missing file":      {replace("{builtin: lab.scale}", "{command: {argv: [sh], files: [x.sh]}}"), `8:37: /run/command/files/0: reading "x.sh": there is no folder to read it from`},
		"a stray tolerance":   {replace("{default: bitwise}", "{default: bitwise, fields: {/y: {class: bitwise, relative: 1e-9}}}"), `6:50: /reproducibility/fields/~1y: tolerances and class "bitwise" don't go together; expected "relative" or "absolute" with class "tolerance", and with no other`},
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := schemas.ParseAction("a.yaml", []byte(c.text), nil)
			if got := strings.Join(messages(ps), "\n"); got != c.want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestSpecAndBindingHaveDigestsOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	load := func(path string) *schemas.Bound {
		b, ps := schemas.LoadAction(path)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		return b
	}
	command := strings.Replace(soundAction, "{builtin: lab.scale}", "{command: {argv: [python3, scale.py], files: [scale.py]}}", 1)
	write("scale.py", "print(1)\n")
	first := load(write("a.yaml", command))
	spaced := load(write("b.yaml", "# a comment\n"+strings.Replace(command, "summary: Multiplies.", "summary:   'Multiplies.'", 1)))
	if first.Spec != spaced.Spec || first.Binding != spaced.Binding {
		t.Error("spelling changes a digest")
	}
	if got := first.Pinned.Digests["scale.py"]; got != canon.Sum([]byte("print(1)\n")) || string(first.Content["scale.py"]) != "print(1)\n" {
		t.Errorf("the script enters as %v", got)
	}
	if other := load(write("c.yaml", strings.Replace(command, "Multiplies.", "Multiplies numbers.", 1))); other.Spec == first.Spec || other.Binding != first.Binding {
		t.Error("a change of the spec must change its digest, and no other")
	}
	write("scale.py", "print(2)\n")
	if other := load(filepath.Join(dir, "a.yaml")); other.Spec != first.Spec || other.Binding == first.Binding {
		t.Error("a change of a script must change the binding's digest, and no other")
	}
	back, err := schemas.ReadBound(first.SpecJSON, first.BindingJSON)
	if err != nil || back.Spec != first.Spec || back.Binding != first.Binding {
		t.Errorf("a recorded action reads back as %v, %v", back, err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out.py")); err != nil {
		t.Skip(err)
	}
	if _, ps := schemas.LoadAction(write("d.yaml", strings.Replace(command, "[scale.py]", "[out.py]", 1))); len(ps) != 1 {
		t.Errorf("a link out of the folder: %v", ps)
	}
}

func TestPlanProblems(t *testing.T) {
	text := `calls:
  - {id: one, action: table.describe, params: {data: {$from: input, pointer: /data}}}
  - {id: one, action: fit.nonlinear, params: {x: {$from: oen}, y: {$each: true}}}
  - {id: two, action: fit.nonlinear, after: [three], params: {}}
  - {id: three, action: fit.nonlinear, each: [1, 2], params: {a: {$from: two}, b: {$each: true}}}
result: {a: {$from: two, pointer: a}, b: {$from: two, extra: 1}}
`
	_, ps := schemas.ParsePlan("plan.yaml", []byte(text))
	want := []string{
		`3:10: /calls/1/id: the id "one" is used by an earlier call`,
		`3:58: /calls/1/params/x/$from: no call has the id "oen" (did you mean "one"?)`,
		`3:67: /calls/1/params/y: stands for a loop's value, and the call has no "each"`,
		`4:5: /calls/2: the call waits for itself: "two", "three", "two"`,
		`6:13: /result/a: "a" is no JSON pointer: it is empty or begins with "/"`,
		`6:42: /result/b: a reference has only "$from" and "pointer", and no "extra"`,
	}
	if got := messages(ps); !slices.Equal(got, want) {
		t.Errorf("problems:\n%s", strings.Join(got, "\n"))
	}
}

// The files that ship, and the examples, are read without a problem.
func TestExamplesLoad(t *testing.T) {
	registry, err := schemas.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	studies, _ := filepath.Glob("../examples/*/study.yaml")
	for _, path := range studies {
		l, ps := schemas.LoadStudy(path)
		if len(ps) > 0 {
			t.Error(ps)
			continue
		}
		if _, ps := registry.Resolve(l); len(ps) > 0 {
			t.Error(ps)
		}
	}
	plans, _ := filepath.Glob("../examples/*/plan.yaml")
	for _, path := range plans {
		if _, ps := schemas.LoadPlan(path); len(ps) > 0 {
			t.Error(ps)
		}
	}
	if len(registry.All()) == 0 {
		t.Error("no action ships")
	}
}

// meta/*.schema.json names exactly the keys that the Go types have.
func TestMetaSchemasAgreeWithTheTypes(t *testing.T) {
	for kind, types := range map[string][]any{
		"study":  {schemas.Study{}},
		"action": {schemas.Action{}, struct{ Run schemas.Binding }{}, struct{ Run schemas.Bindings }{}},
		"plan":   {schemas.Plan{}},
		"call":   {schemas.Supposition{}},
	} {
		raw, err := schemas.MetaSchema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(raw, &root); err != nil {
			t.Fatal(err)
		}
		got, want := map[string]bool{}, map[string]bool{}
		schemaKeys(root, root, "", got)
		for _, v := range types {
			typeKeys(reflect.TypeOf(v), "", want)
		}
		for path := range want {
			if !got[path] {
				t.Errorf("%s.schema.json lacks %s", kind, path)
			}
		}
		for path := range got {
			if !want[path] {
				t.Errorf("%s.schema.json has %s, which no Go type has", kind, path)
			}
		}
	}
}

func schemaKeys(root, s map[string]any, at string, out map[string]bool) {
	if ref, ok := s["$ref"].(string); ok {
		s = root
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			s = s[part].(map[string]any)
		}
	}
	props, _ := s["properties"].(map[string]any)
	for name, sub := range props {
		out[at+"/"+name] = true
		schemaKeys(root, sub.(map[string]any), at+"/"+name, out)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if sub, ok := s[inner].(map[string]any); ok {
			schemaKeys(root, sub, at+"/*", out)
		}
	}
}

func typeKeys(t reflect.Type, at string, out map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer:
		typeKeys(t.Elem(), at, out)
	case reflect.Slice, reflect.Map:
		if t != reflect.TypeFor[json.RawMessage]() {
			typeKeys(t.Elem(), at+"/*", out)
		}
	case reflect.Struct:
		if t == reflect.TypeFor[schemas.Place]() {
			return // spelled as a string or a number
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			out[at+"/"+name] = true
			typeKeys(f.Type, at+"/"+name, out)
		}
	}
}

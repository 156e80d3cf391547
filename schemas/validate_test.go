package schemas_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rlam/schemas"
)

func compile(t testing.TB, schema string) *schemas.Schema {
	t.Helper()
	s, err := schemas.Compile([]byte(schema))
	if err != nil {
		t.Fatalf("compiling %s: %v", schema, err)
	}
	return s
}

func words(vs []schemas.Violation) string { return schemas.Violations(vs).Error() }

// soon fails a test whose work takes longer than what a hostile input may cost: 50 ms
// of the processor, and more where ordinary validations right before it need more than
// the usual 40 µs, as on a slow machine or under the race detector. One try of five
// that keeps to it is enough: what the machine does besides can only add to it.
func soon(t *testing.T, work func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ordinary := compile(t, `{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}},"b":{"enum":["x","y"]}},"required":["a"],"additionalProperties":false}`)
	spent := func(f func()) time.Duration {
		start := processorTime()
		f()
		return processorTime() - start
	}
	usual := func() time.Duration {
		return spent(func() {
			for range 50 {
				ordinary.Validate([]byte(`{"a":[1,2,3,4,5,6],"b":"x"}`))
			}
		})
	}
	var took, allowed time.Duration
	for range 5 {
		slowness := max(1, float64(min(usual(), usual(), usual()))/float64(50*40*time.Microsecond))
		allowed = time.Duration(slowness * float64(50*time.Millisecond))
		if took = spent(work); took <= allowed {
			return
		}
	}
	t.Errorf("took %v of the processor; %v is allowed", took, allowed)
}

// Left to itself, the validator overflows the stack on these, panics, takes
// seconds, fetches, or ignores what it was told. The numbers are those of the list
// of what was measured.
func TestHostileSchemasAreRefused(t *testing.T) {
	doubling := func(depth int) string {
		var b strings.Builder
		b.WriteString(`{"$ref":"#/definitions/a0","definitions":{`)
		for i := range depth {
			fmt.Fprintf(&b, `"a%d":{"anyOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]},`, i, i+1, i+1)
		}
		fmt.Fprintf(&b, `"a%d":{"type":"string"}}}`, depth)
		return b.String()
	}
	for name, c := range map[string]struct{ schema, want string }{
		"1 a reference to itself":          {`{"$ref":"#"}`, "validation would never end"},
		"1 through allOf":                  {`{"allOf":[{"$ref":"#"}]}`, "validation would never end"},
		"1 through two definitions":        {`{"$ref":"#/definitions/a","definitions":{"a":{"anyOf":[{"$ref":"#/definitions/b"}]},"b":{"not":{"$ref":"#/definitions/a"}}}}`, "validation would never end"},
		"1 through dependencies":           {`{"dependencies":{"a":{"$ref":"#"}}}`, "validation would never end"},
		"2 a number no double holds":       {`{"maximum":1e1000001}`, "beyond"},
		"4 definitions that are no object": {`{"definitions":true}`, "expected an object"},
		"6 trailing data":                  {`{} {}`, "data after the document"},
		"7 duplicate keys":                 {`{"type":"string","type":"number"}`, "duplicate"},
		"8 an inexact const":               {`{"const":9007199254740993}`, "not exact"},
		"9 a later dialect":                {`{"$schema":"https://json-schema.org/draft/2019-09/schema"}`, "not supported"},
		"9 unevaluatedProperties":          {`{"unevaluatedProperties":false}`, `did you mean "additionalProperties"`},
		"9 dependentRequired":              {`{"dependentRequired":{"a":["b"]}}`, `did you mean "dependencies"`},
		"9 prefixItems":                    {`{"prefixItems":[{}]}`, `did you mean "items"`},
		"9 a misspelt keyword":             {`{"requried":["a"]}`, `did you mean "required"`},
		"9 an unknown format":              {`{"format":"duraton"}`, "not known"},
		"9 a keyword of a later draft":     {`{"$schema":"http://json-schema.org/draft-04/schema#","const":1}`, "it came with draft 6"},
		"9 a keyword beside $ref":          {`{"$ref":"#/definitions/a","minimum":3,"definitions":{"a":{}}}`, `stands beside "$ref"`},
		"10 repetitions of repetitions":    {`{"pattern":"((a{0,30}){0,30}){0,1}b"}`, "too many repetitions"},
		"10 a pattern Go can't run":        {`{"pattern":"(?=a)b"}`, "no look-around and"},
		"10 as a property":                 {`{"patternProperties":{"((a{0,30}){0,30}){0,1}b":{}}}`, "too many repetitions"},
		"12 http":                          {`{"$ref":"http://127.0.0.1:1/x"}`, "nothing is ever fetched"},
		"12 from a definition nobody uses": {`{"definitions":{"a":{"$ref":"http://127.0.0.1:1/x"}}}`, "nothing is ever fetched"},
		"12 file":                          {`{"$ref":"file:///etc/passwd"}`, "nothing is ever fetched"},
		"12 relative to an id":             {`{"$id":"http://127.0.0.1:1/x","properties":{"a":{"$ref":"y"}}}`, "nothing is ever fetched"},
		"12 an id below the top":           {`{"properties":{"a":{"$id":"http://127.0.0.1:1/x","$ref":"#/definitions/b"}}}`, "stands below the top"},
		"a reference to what is no schema": {`{"enum":[{}],"properties":{"a":{"$ref":"#/enum/0"}}}`, "leads to no schema"},
		"a misspelt reference":             {`{"properties":{"a":{"$ref":"#/definitions/pint"}},"definitions":{"point":{}}}`, `did you mean "#/definitions/point"`},
		"no schema":                        {`[]`, "where a schema is expected"},
		"nothing":                          {``, "empty document"},
		"too deep":                         {strings.Repeat(`{"not":`, 70) + "{}" + strings.Repeat("}", 70), "nested deeper"},
		"too large":                        {`{"description":"` + strings.Repeat("x", 300_000) + `"}`, "bytes"},
		"too many subschemas":              {`{"allOf":[{}` + strings.Repeat(",{}", 6000) + `]}`, "subschemas"},
		"a unit that is no string":         {`{"unit":1}`, "a unit is a string"},
		"several problems at once, first":  {`{"tpye":"string","properties":{"a":{"formt":"date"}}}`, `"tpye" is no keyword`},
		"several problems at once, second": {`{"tpye":"string","properties":{"a":{"formt":"date"}}}`, `"formt" is no keyword`},
	} {
		t.Run(name, func(t *testing.T) {
			soon(t, func() {
				_, err := schemas.Compile([]byte(c.schema))
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("refused with %v; want %q", err, c.want)
				}
			})
		})
	}
	t.Run("5 a doubling chain", func(t *testing.T) {
		for _, depth := range []int{20, 30, 60} {
			soon(t, func() {
				s, err := schemas.Compile([]byte(doubling(depth)))
				if err == nil && len(s.Validate([]byte("1"))) != 1 {
					t.Error("a value was judged with a schema that doubles")
				}
			})
		}
	})
}

func TestHostileInstancesAreRefusedOrHandled(t *testing.T) {
	huge := "[1e1000000" + strings.Repeat(",1e1000000", 99) + "]"
	for name, c := range map[string]struct{ schema, instance, want string }{
		"2 maximum":            {`{"maximum":1}`, "1e1000001", "beyond"},
		"2 enum":               {`{"enum":[1]}`, "1e1000001", "beyond"},
		"2 multipleOf":         {`{"multipleOf":2}`, "1e1000001", "beyond"},
		"2 uniqueItems":        {`{"uniqueItems":true}`, "[1e1000001,1e1000001]", "beyond"},
		"3 a hundred of them":  {`{"items":{"type":"number"}}`, huge, "beyond"},
		"6 trailing data":      {`{}`, "1 2", "data after the document"},
		"7 duplicate keys":     {`{"properties":{"a":{"type":"string"}}}`, `{"a":1,"a":"x"}`, "duplicate"},
		"8 another integer":    {`{"const":9007199254740992}`, "9007199254740993", "not exact"},
		"10 a long text":       {`{"pattern":"^(a|b|ab)*c$"}`, `"` + strings.Repeat("ab", 50_000) + `"`, "would take too long"},
		"10 many properties":   {`{"patternProperties":{"^(a|b|ab)*c$":{}}}`, manyProperties(5_000), "would take too long"},
		"a large instance":     {`{}`, `"` + strings.Repeat("x", 2<<20) + `"`, "bytes"},
		"a deep instance":      {`{}`, strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested deeper"},
		"a wide wrong array":   {`{"items":{"type":"string"}}`, "[" + strings.Repeat("1,", 2_000) + "1]", "and 1981 more"},
		"not a number":         {`{}`, "NaN", "invalid"},
		"recursion over depth": {`{"anyOf":[{"$ref":"#/definitions/n"},{"$ref":"#/definitions/n"}],"definitions":{"n":{"items":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}}}}`, strings.Repeat("[", 30) + strings.Repeat("]", 30), "would take too long"},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.schema)
			soon(t, func() {
				if got := words(s.Validate([]byte(c.instance))); !strings.Contains(got, c.want) {
					t.Errorf("refused with %.300q; want %q", got, c.want)
				}
			})
		})
	}
}

func manyProperties(n int) string {
	var b bytes.Buffer
	b.WriteString(`{"x":1`)
	for i := range n {
		fmt.Fprintf(&b, `,"ab%d":1`, i)
	}
	b.WriteByte('}')
	return b.String()
}

// Nothing is fetched, whatever a schema asks for.
func TestNothingIsFetched(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	if _, err := net.Dial("tcp", server.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{
		`{"$ref":"URL/a"}`, `{"$schema":"URL/a"}`, `{"$id":"URL/","$ref":"a"}`, `{"id":"URL/","allOf":[{"$ref":"a"}]}`,
		`{"$id":"URL/","$ref":"#/definitions/a","definitions":{"a":{}}}`, `{"examples":[{"$ref":"URL/a"}]}`,
		`{"default":{"$ref":"URL/a"}}`, `{"const":{"$ref":"URL/a"}}`, `{"enum":[{"$ref":"URL/a","$id":"URL/b"}]}`,
		`{"properties":{"$ref":{"type":"string"}}}`, `{"definitions":{"$ref":{"$ref":"URL/a"}}}`,
	} {
		if s, err := schemas.Compile([]byte(strings.ReplaceAll(schema, "URL", server.URL))); err == nil {
			s.Validate([]byte(`{"$ref":"` + server.URL + `/i"}`))
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestViolationsSayWhatWouldBeAccepted(t *testing.T) {
	s := compile(t, `{"type":"object","additionalProperties":false,"required":["algorithm","start"],"properties":{
		"algorithm":{"enum":["gauss-newton","levenberg-marquardt"]},
		"start":{"type":"object","additionalProperties":{"type":"number"},"minProperties":1},
		"max_iterations":{"type":"integer","minimum":1,"maximum":1000},
		"data":{"type":"string","format":"artifact"},
		"weights":{"anyOf":[{"type":"array","items":{"type":"number"},"maxItems":3},{"type":"null"}]},
		"a/b":{"type":"array","items":[{"type":"string"}],"additionalItems":false,"uniqueItems":true},
		"label":{"type":"string","pattern":"^[a-z]+$","maxLength":3,"not":{"const":"no"}}}}`)
	for instance, want := range map[string]string{
		`{"algorithm":"gauss-newton","start":{"a":1.0}}`:                    "",
		`{"algorithm":"gaus-newton","start":{"a":1}}`:                       `at /algorithm: is "gaus-newton"; expected one of "gauss-newton", "levenberg-marquardt" (did you mean "gauss-newton"?)`,
		`{"algoritm":"gauss-newton","start":{"a":1}}`:                       `at the top: "algorithm" is missing; expected one of "gauss-newton", "levenberg-marquardt"; at /algoritm: there is no such property; expected one of "a/b", "algorithm", "data", "label", "max_iterations", "start", "weights" (did you mean "algorithm"?)`,
		`{"algorithm":"gauss-newton","start":[25,39]}`:                      `at /start: is [25,39]; expected an object`,
		`{"algorithm":"gauss-newton","start":{"b/1":"25"}}`:                 `at /start/b~11: is "25"; expected a number`,
		`{"algorithm":"gauss-newton","start":{}}`:                           `at /start: is an empty object; expected at least 1 properties`,
		`{"algorithm":"gauss-newton","start":{"a":1},"max_iterations":0}`:   `at /max_iterations: is 0; expected at least 1`,
		`{"algorithm":"gauss-newton","start":{"a":1},"max_iterations":2.5}`: `at /max_iterations: is 2.5; expected an integer`,
		`{"algorithm":"gauss-newton","start":{"a":1},"max_iterations":2.0}`: "",
		`{"algorithm":"gauss-newton","start":{"a":1},"data":"table.csv"}`:   `at /data: is "table.csv"; expected an artifact's handle, "sha256:" and 64 hexadecimal digits`,
		`{"algorithm":"gauss-newton","start":{"a":1},"weights":"x"}`:        `at /weights: is "x"; expected an array or null`,
		`{"algorithm":"gauss-newton","start":{"a":1},"weights":[1,2,3,4]}`:  `at /weights: is [1,2,3,4]; expected at most 3 items; at /weights: is [1,2,3,4], which fits none of the alternatives; expected an array or null`,
		`{"algorithm":"gauss-newton","start":{"a":1},"a/b":["x","y"]}`:      `at /a~1b: has too many items`,
		`{"algorithm":"gauss-newton","start":{"a":1},"label":"LABEL"}`:      `at /label: is "LABEL"; expected a string that matches "^[a-z]+$"; at /label: is "LABEL"; expected at most 3 characters`,
		`{"algorithm":"gauss-newton","start":{"a":1},"label":"no"}`:         `at /label: is "no", which is excluded; expected anything but "no"`,
		`7`: `at the top: is 7; expected an object`,
	} {
		for range 3 { // the validator reports in map order
			if got := words(s.Validate([]byte(instance))); got != want {
				t.Errorf("%s:\n got %s\nwant %s", instance, got, want)
				break
			}
		}
	}
}

func TestDrafts(t *testing.T) {
	for _, c := range []struct {
		schema, instance string
		ok               bool
	}{
		{`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`, "1", false},
		{`{"$schema":"http://json-schema.org/draft-04/schema","minimum":1,"exclusiveMinimum":false}`, "1", true},
		{`{"$schema":"http://json-schema.org/draft-06/schema#","exclusiveMinimum":1}`, "1", false},
		{`{"if":{"const":1},"then":false}`, "1", false},
		{`{"$id":"http://example.org/s","properties":{"a":{"$ref":"#/definitions/n"}},"definitions":{"n":{"type":"number"}}}`, `{"a":"x"}`, false},
		{`{"type":"object","properties":{"next":{"$ref":"#"}},"required":["v"]}`, `{"v":1,"next":{"v":1,"next":{}}}`, false},
		{`{"enum":[1]}`, "1.0", true},
		{`{"const":{"a":[100]}}`, `{"a":[1e2]}`, true},
		{`{"properties":{"a":{"$ref":"#/definitions/a%20b"}},"definitions":{"a b":{"type":"string"}}}`, `{"a":1}`, false},
	} {
		if got := compile(t, c.schema).Validate([]byte(c.instance)); (len(got) == 0) != c.ok {
			t.Errorf("%s against %s: %v", c.instance, c.schema, got)
		}
	}
}

// Calls of the Berkeley Function Calling Leaderboard, labelled with another validator.
func TestToolCalls(t *testing.T) {
	shared := cmp.Or(os.Getenv("RLAM_SHARED"), "../../shared")
	gate, bound := schemas.NewGate(), map[string]*schemas.Bound{}
	for file, admit := range map[string]bool{"bfcl_valid.jsonl": true, "bfcl_mutated_invalid.jsonl": false} {
		t.Run(file, func(t *testing.T) {
			f, err := os.Open(filepath.Join(shared, "data", "toolcalls", file))
			if err != nil {
				t.Skip("the labelled calls are not here; RLAM_SHARED names their folder")
			}
			defer f.Close()
			lines := bufio.NewScanner(f)
			lines.Buffer(nil, 1<<20)
			n := 0
			for lines.Scan() {
				var c struct {
					ID     string
					Schema json.RawMessage
					Action struct {
						Tool string
						Args json.RawMessage
					}
					Tools []string
				}
				if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
					t.Fatal(err)
				}
				b, err := bound[string(c.Schema)], error(nil)
				if b == nil {
					b, err = schemas.Bind(schemas.Action{
						Name: "tool", Version: "1", Summary: "A tool.", Params: c.Schema, Returns: json.RawMessage(`{"type":"object"}`),
						Effects: schemas.EffectsNone, Reproducibility: schemas.Reproducibility{Default: schemas.Bitwise},
					}, schemas.Pinned{Binding: schemas.Binding{Builtin: "tool"}})
				}
				if err != nil {
					t.Errorf("%s: %v", c.ID, err)
					continue
				}
				bound[string(c.Schema)] = b
				n++
				facts := schemas.Facts{Actions: map[string]*schemas.Bound{}}
				for _, tool := range c.Tools {
					facts.Actions[tool] = b
				}
				j := gate.Judge([]schemas.Proposed{{ID: "1.1", Action: c.Action.Tool, Params: c.Action.Args}}, facts)[0]
				if (j.Decision == schemas.Admitted) != admit {
					t.Errorf("%s: %s %s", c.ID, j.Decision, j.Reason())
				}
			}
			if n < 1000 || lines.Err() != nil {
				t.Errorf("%d calls, %v", n, lines.Err())
			}
		})
	}
}

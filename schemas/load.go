package schemas

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed meta/*.schema.json
var metaFiles embed.FS

// MetaSchema is the JSON Schema of a kind of file: "study", "action", "plan" or "call".
// The loader validates against it, and so can an editor.
func MetaSchema(kind string) ([]byte, error) {
	b, err := metaFiles.ReadFile("meta/" + kind + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("no schema for files of kind %q; there are study, action, plan and call", kind)
	}
	return b, nil
}

// fileSchema is the compiled schema of a kind of file. Those are part of the
// program, so that one which doesn't compile is a bug.
var fileSchema = sync.OnceValue(func() map[string]*Schema {
	out := map[string]*Schema{}
	for _, kind := range []string{"study", "action", "plan", "call"} {
		raw, err := MetaSchema(kind)
		if err == nil {
			out[kind], err = Compile(raw)
		}
		if err != nil {
			panic(fmt.Sprintf("schema of %s files: %v", kind, err))
		}
	}
	return out
})

// document is a file that was parsed and compared with the schema of its kind.
type document struct {
	*source
	members map[string]json.RawMessage // top level
	value   any
	bad     map[string]bool // top-level members with problems of form
}

func readFile(path string) ([]byte, Problems) {
	fail := func(err error) Problems { return Problems{{File: path, Message: "reading: " + err.Error()}} }
	f, err := os.Open(path)
	if err != nil {
		return nil, fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fail(err)
	}
	if !info.Mode().IsRegular() {
		return nil, Problems{{File: path, Message: "is no regular file"}}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fail(err)
	}
	return text, nil
}

// open parses text and checks its form.
func open(kind, file string, text []byte) *document {
	d := &document{source: parse(file, text), bad: map[string]bool{}}
	for _, p := range d.problems {
		d.spoil(p.Pointer)
	}
	if d.json.Len() == 0 {
		return d
	}
	v, err := decode(d.json.Bytes())
	if err != nil {
		if len(d.problems) == 0 {
			d.report(position{1, 1}, "", err.Error(), "")
		}
		return d
	}
	d.value = v
	seen := map[string]bool{}
	for _, p := range d.problems {
		seen[p.Pointer] = true
	}
	vs := fileSchema()[kind].check(v)
	// A value that could not be read stands as null; its type is no second problem.
	vs = slices.DeleteFunc(vs, func(v Violation) bool { return seen[v.Pointer] })
	for i := range vs {
		d.spoil(vs[i].Pointer)
		// A version such as 1.10 is a number to YAML.
		if there, err := Lookup(v, vs[i].Pointer); err == nil && vs[i].Expected == "a string" {
			if n, is := there.(json.Number); is {
				vs[i].Expected = fmt.Sprintf("a string, in quotes: %q", n)
			}
		}
	}
	d.add("", vs)
	if _, ok := v.(map[string]any); ok {
		_ = json.Unmarshal(d.json.Bytes(), &d.members) // decoded once already
	}
	return d
}

func (d *document) spoil(pointer string) {
	if parts, err := tokens(pointer); err == nil && len(parts) > 0 {
		d.bad[parts[0]] = true
	}
}

// fill decodes what has no problems into v, a pointer to a struct, so that the
// rest of the checks can go on.
func (d *document) fill(v any) {
	sound := map[string]json.RawMessage{}
	for name, raw := range d.members {
		if !d.bad[name] {
			sound[name] = raw
		}
	}
	raw, err := json.Marshal(sound)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		d.report(position{1, 1}, "", err.Error(), "")
	}
}

// refuse reports a problem at a pointer.
func (d *document) refuse(pointer, near, expected, format string, args ...any) {
	d.add("", Violations{{Pointer: pointer, Message: fmt.Sprintf(format, args...), Expected: expected, Nearest: near}})
}

// schema compiles the member as a JSON Schema; nil if it has problems.
func (d *document) schema(member string) *Schema {
	raw, ok := d.members[member]
	if !ok || d.bad[member] {
		return nil
	}
	return d.compile("/"+member, raw)
}

// compile compiles the JSON Schema that stands at a pointer; nil if it has problems.
func (d *document) compile(at string, raw json.RawMessage) *Schema {
	s, err := Compile(raw)
	if err != nil {
		vs, ok := err.(Violations)
		if !ok {
			vs = Violations{{Message: err.Error()}}
		}
		d.add(at, vs)
		return nil
	}
	return s
}

// object refuses a schema that admits something else than objects at the top.
func (d *document) object(member string, s *Schema) {
	if s == nil {
		return
	}
	top := s.root
	for n := 0; top.ref != nil && n < 64; n++ {
		top = top.ref
	}
	if !slices.Equal(top.types, []string{"object"}) {
		d.refuse("/"+member, "", `"type": "object" at the top`, "the schema doesn't say that the value is an object")
	}
}

// LoadValue reads a file that holds one value, such as the parameters of a call. YAML
// and JSON are read as strictly as in other files.
func LoadValue(path string) (json.RawMessage, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	s := parse(path, text)
	if len(s.problems) > 0 {
		return nil, s.problems.sorted()
	}
	return slices.Clone(s.json.Bytes()), nil
}

// LoadPlan reads a plan file. The plan is nil if there are problems.
func LoadPlan(path string) (*Plan, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	return ParsePlan(path, text)
}

// ParsePlan is [LoadPlan] for a text that has been read; file names it in problems.
func ParsePlan(file string, text []byte) (*Plan, Problems) {
	d := open("plan", file, text)
	var p Plan
	d.fill(&p)
	for i := range p.Calls {
		if p.Calls[i].Params == nil {
			p.Calls[i].Params = json.RawMessage("{}")
		}
	}
	d.checkPlan(p)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return &p, nil
}

// reservedNames mean something else to a planner, and are no names of actions or calls.
var reservedNames = []string{"finish", "give_up", "input"}

// folder lists the action files in dir, sorted.
func folder(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".yaml", ".yml", ".json":
			if !e.IsDir() {
				out = append(out, filepath.Join(dir, e.Name()))
			}
		}
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

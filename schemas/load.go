package schemas

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed meta/*.schema.json
var metaFiles embed.FS

// MetaSchema is the JSON Schema of a kind of file: "study", "action", "plan" or "call",
// against which the loader validates, and an editor can; or "trace", as it is exported.
func MetaSchema(kind string) ([]byte, error) {
	b, err := metaFiles.ReadFile("meta/" + kind + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("no schema for files of kind %q; there are study, action, plan, call and trace", kind)
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
		out[kind].listed = maxProblems
	}
	return out
})

// maxProblems is how many problems of form are listed of a file: all, for a person.
const maxProblems = 1000

// document is a file that was parsed and compared with the schema of its kind.
type document struct {
	*source
	members map[string]json.RawMessage // top level
	value   any
	bad     map[string]bool // top-level members with problems of form
	unsound []string        // pointers of everything with problems of form
	cut     []string        // those of them that are left out of what is checked further
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
		d.spoil(p.Pointer, true)
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
		d.spoil(vs[i].Pointer, vs[i].missing == "")
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

// spoil remembers a problem of form. What only lacks something need not be cut.
func (d *document) spoil(pointer string, cut bool) {
	parts, err := tokens(pointer)
	if err != nil || len(parts) == 0 {
		return
	}
	d.bad[parts[0]] = true
	d.unsound = append(d.unsound, pointer)
	if cut {
		d.cut = append(d.cut, pointer)
	}
}

// spoiled says whether what stands at a pointer, or anything in it, has problems of
// form. What seems to be absent there may be what they are about.
func (d *document) spoiled(pointer string) bool {
	return slices.ContainsFunc(d.unsound, func(p string) bool { return p == pointer || strings.HasPrefix(p, pointer+"/") })
}

// fill decodes what has no problems into v, a pointer to a struct, so that the rest
// of the checks can go on. An item that is cut out of an array leaves a zero value.
func (d *document) fill(v any) {
	if len(d.unsound) == 0 && len(d.members) > 0 {
		if err := json.Unmarshal(d.json.Bytes(), v); err != nil {
			d.report(position{1, 1}, "", err.Error(), "")
		}
		return
	}
	sound, err := decode(d.json.Bytes())
	if err != nil || d.members == nil {
		return
	}
	for _, pointer := range d.cut {
		prune(sound, pointer)
	}
	if raw, err := json.Marshal(sound); err == nil {
		// A file with more problems than are listed may not be decoded to its end.
		_ = json.Unmarshal(raw, v)
	}
}

// prune removes what a pointer leads to; an array keeps null in its place.
func prune(v any, pointer string) {
	parts, err := tokens(pointer)
	if err != nil || len(parts) == 0 {
		return
	}
	last := len(parts) - 1
	for i, part := range parts {
		switch here := v.(type) {
		case map[string]any:
			if v = here[part]; i == last {
				delete(here, part)
			}
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(here) {
				return
			}
			if v = here[n]; i == last {
				here[n] = nil
			}
		default:
			return
		}
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
		return nil, s.problems.Sorted()
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

// CheckPlan reports what is wrong with a plan file of a study that lists these actions,
// by name. If they are nil nothing is said of them.
func CheckPlan(path string, actions map[string]*Bound) Problems {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return ps
	}
	return CheckPlanText(path, text, actions)
}

// CheckPlanText is [CheckPlan] for a text that has been read; file names it in problems.
func CheckPlanText(file string, text []byte, actions map[string]*Bound) Problems {
	_, ps := parsePlan(file, text, actions)
	return ps
}

// ParsePlan is [LoadPlan] for a text that has been read; file names it in problems.
func ParsePlan(file string, text []byte) (*Plan, Problems) { return parsePlan(file, text, nil) }

func parsePlan(file string, text []byte, actions map[string]*Bound) (*Plan, Problems) {
	d := open("plan", file, text)
	var p Plan
	d.fill(&p)
	for i := range p.Calls {
		if p.Calls[i].Params == nil {
			p.Calls[i].Params = json.RawMessage("{}")
		}
	}
	d.checkPlan(p)
	names := sortedKeys(actions)
	for i, c := range p.Calls {
		name, version, pinned := strings.Cut(c.Action, "@")
		if b := actions[name]; actions != nil && c.Action != "" && (b == nil || pinned && b.Action.Version != version) {
			d.refuse(joinIndex("/calls", i)+"/action", nearest(name, names), "one of "+quoted(names), "the study lists no action %q", c.Action)
		}
	}
	if len(d.problems) > 0 {
		return nil, d.problems.Sorted()
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

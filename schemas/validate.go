package schemas

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/xeipuuv/gojsonreference"
	"github.com/xeipuuv/gojsonschema"

	"rlam/internal/canon"
)

// maxInstance is the size at which a value is refused without a look inside.
const maxInstance = 1 << 20

// artifactFormat marks a string that is an artifact's handle: "sha256:" and 64 hexadecimal digits.
const artifactFormat = "artifact"

// formats are the values of "format" that are checked.
var formats = []string{
	artifactFormat, "date", "date-time", "email", "hostname", "idn-email", "ipv4", "ipv6", "iri", "iri-reference",
	"json-pointer", "regex", "relative-json-pointer", "time", "uri", "uri-reference", "uri-template", "uuid",
}

func knownFormat(name string) bool { return slices.Contains(formats, name) }

// Schema is a compiled JSON Schema of draft 4, 6, 7 or 2020-12. It is safe for concurrent use.
type Schema struct {
	root     *shape
	compiled *gojsonschema.Schema
	modern   *jsonschema.Schema // of 2020-12, instead: see validate2020.go
	listed   int                // how many violations of a value are listed; maxViolations if 0
}

// Compile reads a JSON Schema, draft 7 unless "$schema" says 4, 6 or 2020-12.
//
// It refuses what the validator would ignore, fetch or not survive: unknown
// keywords and formats, references out of the document, cycles, nested ids,
// patterns that repeat too much. The error is [Violations] that point into the
// schema.
func Compile(schema []byte) (*Schema, error) {
	if len(schema) > maxSchema {
		return nil, Violations{{Message: fmt.Sprintf("the schema has %d bytes; %d is the most", len(schema), maxSchema)}}
	}
	canonical, err := canon.Transform(schema)
	if err != nil {
		return nil, Violations{{Message: err.Error()}}
	}
	doc, err := decode(canonical)
	if err != nil {
		return nil, Violations{{Message: err.Error()}}
	}
	draft, wrong := dialect(doc)
	if wrong != nil {
		return nil, Violations{*wrong}
	}
	if _, ok := doc.(map[string]any); !ok {
		return nil, Violations{{Message: fmt.Sprintf("is %s, where a schema is expected", kindOf(doc)), Expected: "an object"}}
	}
	if size(doc) > maxShapes {
		return nil, Violations{{Message: fmt.Sprintf("the schema has more than %d subschemas", maxShapes)}}
	}
	meta, err := metaschema(draft)
	if err != nil {
		return nil, err
	}
	if vs := meta.check(doc); len(vs) > 0 {
		return nil, vs
	}
	return compile(doc, draft)
}

func compile(doc any, draft int) (*Schema, error) {
	g := &grammar{draft: draft, shapes: map[string]*shape{}}
	root := g.read(doc, "")
	g.link()
	if len(g.wrong) > 0 {
		return nil, g.wrong
	}
	if draft == draft2020 {
		modern, err := compile2020(bare(doc))
		if err != nil {
			return nil, Violations{{Message: err.Error()}}
		}
		return &Schema{root: root, modern: modern}, nil
	}
	compiled, err := offline(bare(doc), draft)
	if err != nil {
		return nil, Violations{{Message: err.Error()}}
	}
	return &Schema{root: root, compiled: compiled}, nil
}

// bare is a copy of a schema without what only people and models read: the
// validator looks for references even in examples. It also keeps the document
// that shapes point into from the validator, which rewrites references in place.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, sub := range v {
			switch word := keywords[name]; {
			case name == "enum" || name == "const":
				out[name] = sub
			case word.role == named || word.role == needs:
				members, _ := sub.(map[string]any)
				kept := make(map[string]any, len(members))
				for key, member := range members {
					kept[key] = bare(member)
				}
				out[name] = kept
			case !slices.Contains(annotations, name):
				out[name] = bare(sub)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = bare(item)
		}
		return out
	}
	return v
}

var registerArtifact sync.Once

type artifactChecker struct{}

func (artifactChecker) IsFormat(v any) bool {
	s, ok := v.(string)
	if !ok {
		return true
	}
	_, err := canon.Parse(s)
	return err == nil
}

// offline compiles with a loader that loads nothing. Validate must stay false:
// it would put the library's own loader back.
func offline(doc any, draft int) (_ *gojsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the schema can't be compiled: %v", r)
		}
	}()
	registerArtifact.Do(func() { gojsonschema.FormatCheckers.Add(artifactFormat, artifactChecker{}) })
	loader := gojsonschema.NewSchemaLoader()
	loader.AutoDetect, loader.Validate = false, false
	loader.Draft = map[int]gojsonschema.Draft{4: gojsonschema.Draft4, 6: gojsonschema.Draft6, 7: gojsonschema.Draft7}[draft]
	return loader.Compile(inMemory{doc})
}

var errFetch = errors.New("nothing outside of the document is loaded")

// inMemory loads the one document that it holds; as a factory it makes loaders that refuse.
type inMemory struct{ doc any }

func (l inMemory) JsonSource() any { return l.doc }
func (l inMemory) JsonReference() (gojsonreference.JsonReference, error) {
	return gojsonreference.NewJsonReference("#")
}
func (l inMemory) LoaderFactory() gojsonschema.JSONLoaderFactory { return inMemory{} }
func (l inMemory) New(string) gojsonschema.JSONLoader            { return inMemory{} }
func (l inMemory) LoadJSON() (any, error) {
	if l.doc == nil {
		return nil, errFetch
	}
	return l.doc, nil
}

var (
	metaMu      sync.Mutex
	metaschemas = map[int]*Schema{}
)

// metaschema is the schema of a draft's schemas, which the library carries with it.
func metaschema(draft int) (*Schema, error) {
	if draft == draft2020 {
		return metaschema2020()
	}
	metaMu.Lock()
	defer metaMu.Unlock()
	if s := metaschemas[draft]; s != nil {
		return s, nil
	}
	doc, err := gojsonschema.NewReferenceLoader(fmt.Sprintf("http://json-schema.org/draft-0%d/schema", draft)).LoadJSON()
	if err != nil {
		return nil, fmt.Errorf("loading the metaschema of draft %d: %w", draft, err)
	}
	s, err := compile(doc, draft)
	if err != nil {
		return nil, fmt.Errorf("compiling the metaschema of draft %d: %w", draft, err)
	}
	metaschemas[draft] = s
	return s, nil
}

// Validate says in which ways instance doesn't fit; nil when it fits.
func (s *Schema) Validate(instance []byte) []Violation {
	if len(instance) > maxInstance {
		return Violations{{Message: fmt.Sprintf("the value has %d bytes; %d is the most", len(instance), maxInstance)}}
	}
	canonical, err := canon.Transform(instance)
	if err != nil {
		return Violations{{Message: err.Error()}}
	}
	v, err := decode(canonical)
	if err != nil {
		return Violations{{Message: err.Error()}}
	}
	return s.check(v)
}

// check validates a value decoded from canonical JSON, so that a number has one spelling.
func (s *Schema) check(v any) (vs Violations) {
	if m := (&meter{left: maxSteps}); !m.run(s.root, v) {
		return Violations{{Message: "the value is too large for its schema: checking it would take too long", Expected: fmt.Sprintf("at most %d steps; pass large data as an artifact", maxSteps)}}
	}
	defer func() {
		if r := recover(); r != nil {
			vs = Violations{{Message: fmt.Sprintf("the value can't be checked: %v", r)}}
		}
	}()
	if s.modern != nil {
		return s.check2020(v)
	}
	result, err := s.compiled.Validate(gojsonschema.NewRawLoader(v))
	if err != nil {
		return Violations{{Message: err.Error()}}
	}
	if result.Valid() {
		return nil
	}
	return s.violations(v, result.Errors())
}

// maxViolations is how many are listed of a value that a planner or an action made.
const maxViolations = 20

// most is how many violations of a value are listed.
func (s *Schema) most() int { return cmp.Or(s.listed, maxViolations) }

// violations words the validator's errors, sorted by place: it reports them in map order.
func (s *Schema) violations(v any, errs []gojsonschema.ResultError) Violations {
	places := make(map[gojsonschema.ResultError]string, len(errs))
	for _, e := range errs {
		places[e] = e.Context().String("\x00")
	}
	most := 4 * s.most()
	if len(errs) > most { // wording costs more than finding
		slices.SortFunc(errs, func(a, b gojsonschema.ResultError) int {
			return cmp.Or(cmp.Compare(places[a], places[b]), cmp.Compare(a.Description(), b.Description()))
		})
	}
	var vs Violations
	for _, e := range errs[:min(len(errs), most)] {
		path := strings.Split(places[e], "\x00")[1:]
		f := finding{kind: e.Type(), path: path, value: e.Value(), shapes: s.root.at(path, v)}
		f.property, _ = e.Details()["property"].(string)
		if f.kind == "missing_dependency" {
			f.property, _ = e.Details()["dependency"].(string)
		}
		vs = append(vs, f.violation(e.Description()))
	}
	return s.inOrder(vs, max(0, len(errs)-most))
}

// inOrder sorts violations by place, and cuts what is too much to read; unworded says
// how many more there are.
func (s *Schema) inOrder(vs Violations, unworded int) Violations {
	slices.SortFunc(vs, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Expected, b.Expected))
	})
	vs = merged(withoutEchoes(slices.Compact(vs)))
	if more := len(vs) - s.most() + unworded; more > 0 {
		vs = append(vs[:min(len(vs), s.most()):s.most()], Violation{Message: fmt.Sprintf("and %d more", more)})
	}
	return vs
}

package schemas

import (
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"rlam/internal/canon"
)

// The validator of JSON Schema 2020-12, the dialect of the Model Context Protocol. It
// stands behind the same limits as the other: what it gets was read by the grammar, and
// metered.

const dialect2020 = "https://json-schema.org/draft/2020-12/schema"

// sealed loads nothing.
type sealed struct{}

func (sealed) Load(string) (any, error) { return nil, errFetch }

func compiler2020() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.UseLoader(sealed{})
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: artifactFormat, Validate: func(v any) error {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		_, err := canon.Parse(s)
		return err
	}})
	c.RegisterFormat(&jsonschema.Format{Name: "idn-email", Validate: func(v any) error {
		if s, ok := v.(string); ok {
			if _, err := mail.ParseAddress(s); err != nil {
				return err
			}
		}
		return nil
	}})
	return c
}

func compile2020(doc any) (_ *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the schema can't be compiled: %v", r)
		}
	}()
	const here = "rlam:schema"
	c := compiler2020()
	if err := c.AddResource(here, doc); err != nil {
		return nil, err
	}
	return c.Compile(here)
}

// metaschema2020 is the schema of 2020-12's schemas, which the library carries with it.
var metaschema2020 = sync.OnceValues(func() (*Schema, error) {
	s, err := compiler2020().Compile(dialect2020)
	if err != nil {
		return nil, fmt.Errorf("compiling the metaschema of draft 2020-12: %w", err)
	}
	return &Schema{root: &shape{}, modern: s}, nil
})

// check2020 validates and words what is wrong.
func (s *Schema) check2020(v any) Violations {
	err := s.modern.Validate(v)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return Violations{{Message: err.Error()}}
	}
	var found []*jsonschema.ValidationError
	leaves(invalid, &found)
	var vs Violations
	for _, e := range found[:min(len(found), 4*s.most())] {
		for _, f := range findings(e) {
			f.value, f.shapes = at(v, e.InstanceLocation), s.root.at(e.InstanceLocation, v)
			vs = append(vs, f.violation(fmt.Sprint(e.ErrorKind.KeywordPath())))
		}
	}
	return s.inOrder(vs, max(0, len(found)-4*s.most()))
}

// leaves are the errors that say something by themselves.
func leaves(e *jsonschema.ValidationError, out *[]*jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.PropertyNames:
		*out = append(*out, e)
		return
	}
	if len(e.Causes) == 0 {
		*out = append(*out, e)
	}
	for _, c := range e.Causes {
		leaves(c, out)
	}
}

// at is the value that a path leads to.
func at(v any, path []string) any {
	for _, part := range path {
		switch here := v.(type) {
		case map[string]any:
			v = here[part]
		case []any:
			if i, err := strconv.Atoi(part); err == nil && i < len(here) {
				v = here[i]
			}
		}
	}
	return v
}

// findings are an error in the words of the other validator, which [finding] knows.
func findings(e *jsonschema.ValidationError) []finding {
	one := func(name string) []finding { return []finding{{kind: name, path: e.InstanceLocation}} }
	of := func(name string, properties []string) []finding {
		all := make([]finding, len(properties))
		for i, p := range properties {
			all[i] = finding{kind: name, path: e.InstanceLocation, property: p}
		}
		return all
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return of("required", k.Missing)
	case *kind.DependentRequired:
		return of("missing_dependency", k.Missing)
	case *kind.AdditionalProperties:
		return of("additional_property_not_allowed", k.Properties)
	case *kind.PropertyNames:
		return of("property_name", []string{k.Property})
	case *kind.FalseSchema:
		return one("nothing")
	}
	for _, known := range []struct {
		is   bool
		name string
	}{
		{is[*kind.Type](e), "invalid_type"},
		{is[*kind.Enum](e), "enum"},
		{is[*kind.Const](e), "const"},
		{is[*kind.Format](e), "format"},
		{is[*kind.Minimum](e), "number_gte"},
		{is[*kind.ExclusiveMinimum](e), "number_gt"},
		{is[*kind.Maximum](e), "number_lte"},
		{is[*kind.ExclusiveMaximum](e), "number_lt"},
		{is[*kind.MultipleOf](e), "multiple_of"},
		{is[*kind.MinLength](e), "string_gte"},
		{is[*kind.MaxLength](e), "string_lte"},
		{is[*kind.Pattern](e), "pattern"},
		{is[*kind.MinItems](e), "array_min_items"},
		{is[*kind.MaxItems](e), "array_max_items"},
		{is[*kind.MinProperties](e), "array_min_properties"},
		{is[*kind.MaxProperties](e), "array_max_properties"},
		{is[*kind.UniqueItems](e), "unique"},
		{is[*kind.AnyOf](e), "number_any_of"},
		{is[*kind.OneOf](e), "number_one_of"},
		{is[*kind.Not](e), "number_not"},
		{is[*kind.Contains](e) || is[*kind.MinContains](e) || is[*kind.MaxContains](e), "contains"},
		{is[*kind.AdditionalItems](e), "array_no_additional_items"},
	} {
		if known.is {
			return one(known.name)
		}
	}
	return one(fmt.Sprintf("%T", e.ErrorKind))
}

func is[K jsonschema.ErrorKind](e *jsonschema.ValidationError) bool {
	_, ok := e.ErrorKind.(K)
	return ok
}

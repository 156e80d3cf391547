package schemas

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// jsonTypes gives CEL's checker the types that JSON Schemas promise: an object
// that admits no other properties is a type with these fields, so that a
// misspelt one is found when a file is loaded. At run time they are plain maps.
type jsonTypes struct {
	*types.Registry
	fields    map[string]map[string]*cel.Type
	variables []string
	misses    []miss
}

// miss is a field that an expression asked for in vain.
type miss struct {
	field string
	known []string
}

func newJSONTypes() (*jsonTypes, error) {
	base, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return &jsonTypes{Registry: base, fields: map[string]map[string]*cel.Type{}}, nil
}

// of is the type of what s is the schema of; name is the type's, if it needs one.
func (t *jsonTypes) of(s *shape, name string) *cel.Type {
	for n := 0; s.ref != nil; n++ {
		if n == 64 {
			return cel.DynType
		}
		s = s.ref
		name = "rlam.schema" + s.pointer // one type for each definition, so that recursion ends
	}
	if len(s.types) != 1 || len(s.any)+len(s.one) > 0 {
		return cel.DynType
	}
	switch s.types[0] {
	case "number", "integer":
		return cel.DoubleType
	case "string":
		return cel.StringType
	case "boolean":
		return cel.BoolType
	case "array":
		if s.items != nil && s.tuple == nil {
			return cel.ListType(t.of(s.items, name+".items"))
		}
		return cel.ListType(cel.DynType)
	case "object":
		return t.object(s, name)
	}
	return cel.DynType
}

func (t *jsonTypes) object(s *shape, name string) *cel.Type {
	switch {
	case len(s.patterns) > 0 || len(s.all) > 0:
	case s.closed:
		if t.fields[name] == nil {
			t.fields[name] = map[string]*cel.Type{}
			for _, field := range sortedKeys(s.props) {
				t.fields[name][field] = t.of(s.props[field], name+"."+field)
			}
		}
		return cel.ObjectType(name)
	case s.rest != nil && s.rest.always == nil && len(s.props) == 0:
		return cel.MapType(cel.StringType, t.of(s.rest, name+".values"))
	}
	return cel.MapType(cel.StringType, cel.DynType)
}

// FindStructType knows the objects of the schemas, and CEL's own types.
func (t *jsonTypes) FindStructType(name string) (*types.Type, bool) {
	if _, ok := t.fields[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return t.Registry.FindStructType(name)
}

// FindStructFieldNames lists the fields of an object.
func (t *jsonTypes) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := t.fields[name]; ok {
		return sortedKeys(fields), true
	}
	return t.Registry.FindStructFieldNames(name)
}

// FindStructFieldType is a field's type, without accessors: the interpreter reads a map.
func (t *jsonTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	fields, ok := t.fields[name]
	if !ok {
		return t.Registry.FindStructFieldType(name, field)
	}
	if found := fields[field]; found != nil {
		return &types.FieldType{Type: found}, true
	}
	if known := sortedKeys(fields); !slices.ContainsFunc(t.misses, func(m miss) bool { return m.field == field }) {
		t.misses = append(t.misses, miss{field, known})
	}
	return nil, false
}

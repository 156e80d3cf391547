package schemas

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"
)

// Limits of an expression: characters, and the units of work that CEL counts.
const (
	maxExpression = 4096
	maxCost       = 200_000
)

// Expression is a compiled condition. All numbers are doubles, whether JSON
// spells them 4 or 4.0: an expression that multiplies a parameter by 2 is refused
// when it is loaded, and told to write 2.0. Comparisons with integers, and
// integers that CEL makes itself, such as size(list), are as CEL has them.
type Expression struct {
	Condition
	metered   cel.Program // stops at maxCost
	quick     cel.Program // doesn't count, which takes most of the time of a short one; nil if it could be long
	loops     bool        // quick is short with few values only
	reads     [][]string  // paths that the expression selects, for saying what values they had
	variables []string    // that it reads, in part or as a whole
}

// variables are what expressions may read, with the schema of each; one without a
// schema is an object of anything.
type variables map[string]*shape

func rootOf(s *Schema) *shape {
	if s == nil {
		return nil
	}
	return s.root
}

// conditions compiles the member's expressions.
func (d *document) conditions(member string, conditions []Condition, known variables) []*Expression {
	if len(conditions) == 0 {
		return nil
	}
	env, types, err := environment(known)
	if err != nil {
		d.refuse("/"+member, "", "", "preparing expressions: %v", err)
		return nil
	}
	var out []*Expression
	for i, c := range conditions {
		if c.Expr == "" {
			continue // it has problems of form
		}
		e, vs := compileExpression(env, types, c)
		if vs != nil {
			d.add(joinIndex("/"+member, i)+"/expr", vs)
			continue
		}
		out = append(out, e)
	}
	return out
}

// language is CEL with the functions that expressions have.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(ext.Math(), ext.Strings(), cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(64), cel.ParserExpressionSizeLimit(maxExpression))
})

func environment(known variables) (*cel.Env, *jsonTypes, error) {
	types, err := newJSONTypes()
	if err != nil {
		return nil, nil, err
	}
	options := []cel.EnvOption{cel.CustomTypeProvider(types)}
	for _, name := range sortedKeys(known) {
		t := cel.MapType(cel.StringType, cel.DynType)
		if s := known[name]; s != nil {
			t = types.of(s, "rlam."+name)
		}
		options = append(options, cel.Variable(name, t))
		types.variables = append(types.variables, name)
	}
	base, err := language()
	if err != nil {
		return nil, nil, err
	}
	env, err := base.Extend(options...)
	return env, types, err
}

func compileExpression(env *cel.Env, types *jsonTypes, c Condition) (e *Expression, vs Violations) {
	defer func() {
		if r := recover(); r != nil {
			vs = Violations{{Message: fmt.Sprintf("the expression can't be compiled: %v", r)}}
		}
	}()
	types.misses = nil
	ast, issues := env.Compile(c.Expr)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			at := e.Location
			v := Violation{Message: fmt.Sprintf("column %d of the expression: %s", at.Column()+1, e.Message)}
			if strings.Contains(e.Message, "double") && strings.Contains(e.Message, "int") {
				v.Expected = "numbers are doubles: write 4.0, not 4"
			}
			vs = append(vs, v)
		}
		if m := types.misses; len(m) > 0 && len(vs) > 0 {
			vs[0].Nearest = nearest(m[0].field, m[0].known)
			vs[0].Expected = "one of " + quoted(m[0].known)
		}
		return nil, vs
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, Violations{{Message: fmt.Sprintf("the expression gives a %s", t), Expected: "true or false"}}
	}
	e = &Expression{Condition: c, reads: selections(ast, types.variables), variables: identifiers(ast, types.variables)}
	var err error
	if e.metered, err = env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost)); err != nil {
		return nil, Violations{{Message: fmt.Sprintf("the expression can't be prepared: %v", err)}}
	}
	var short bool
	if short, e.loops = brief(ast); short {
		e.quick, err = env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	}
	if err != nil {
		return nil, Violations{{Message: fmt.Sprintf("the expression can't be prepared: %v", err)}}
	}
	return e, nil
}

// fewValues is up to which number of values a loop over them is short: an expression
// has hardly a thousand nodes, and maxCost is two hundred thousand.
const fewValues = 200

// brief says that an expression does no more work than its length allows, once for
// each value where it loops: it has no functions but operators that make nothing
// longer, and no loops in loops.
func brief(ast *cel.Ast) (short, loops bool) {
	short = true
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.ComprehensionKind:
			short, loops = short && !loops, true
		case celast.CallKind:
			name := e.AsCall().FunctionName()
			short = short && (strings.HasPrefix(name, "math.") || name == "size" || !strings.ContainsAny(name[:1], letters) && name != "_+_")
		}
	}))
	return short, loops
}

// few says whether what the expression reads has few values in it.
func (e *Expression) few(values map[string]any) bool {
	left := fewValues
	var count func(v any) bool
	count = func(v any) bool {
		left--
		switch v := v.(type) {
		case string:
			left -= len(v) / 64
		case []any:
			for _, item := range v {
				if left < 0 || !count(item) {
					return false
				}
			}
		case map[string]any:
			for _, item := range v {
				if left < 0 || !count(item) {
					return false
				}
			}
		}
		return left >= 0
	}
	for _, name := range e.variables {
		if !count(values[name]) {
			return false
		}
	}
	return true
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// identifiers are the variables that an expression reads.
func identifiers(ast *cel.Ast, variables []string) []string {
	var out []string
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() == celast.IdentKind && slices.Contains(variables, e.AsIdent()) && !slices.Contains(out, e.AsIdent()) {
			out = append(out, e.AsIdent())
		}
	}))
	return out
}

// read says whether the expression reads one of the variables.
func (e *Expression) read(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(e.variables, name) })
}

// eval is whether the expression is true of the values.
func (e *Expression) eval(values map[string]any) (is bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			is, err = false, fmt.Errorf("%v", r)
		}
	}()
	program := e.metered
	if e.quick != nil && (!e.loops || e.few(values)) {
		program = e.quick
	}
	out, _, err := program.Eval(values)
	if err != nil {
		return false, err
	}
	is, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it gives a %s, neither true nor false", out.Type().TypeName())
	}
	return is, nil
}

// values says what the expression read: "params.from is 4, params.to is 9.5".
func (e *Expression) values(of map[string]any) string {
	var out []string
	for _, path := range e.reads {
		if v, found := follow(of, path); found {
			out = append(out, strings.Join(path, ".")+" is "+show(v))
		}
	}
	return strings.Join(out, ", ")
}

// holds says whether the condition holds for the values, and if not, why.
func (e *Expression) holds(values map[string]any) (reason string, ok bool) {
	said := ""
	if e.Message != "" {
		said = ": " + e.Message
	}
	is, err := e.eval(values)
	if err != nil {
		return fmt.Sprintf("%q can't be evaluated (%v)%s", e.Expr, err, said), false
	}
	if is {
		return "", true
	}
	if read := e.values(values); read != "" {
		said += " (" + read + ")"
	}
	return fmt.Sprintf("%q does not hold%s", e.Expr, said), false
}

// failing are the reasons of all conditions that don't hold.
func failing(conditions []*Expression, variables map[string]any) []string {
	var out []string
	for _, c := range conditions {
		if reason, ok := c.holds(variables); !ok {
			out = append(out, reason)
		}
	}
	return out
}

func follow(v any, path []string) (any, bool) {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

// selections are the paths below variables that an expression reads, such as params.start.b1.
func selections(ast *cel.Ast, variables []string) [][]string {
	var out [][]string
	seen := map[string]bool{}
	var path func(e celast.Expr) []string
	path = func(e celast.Expr) []string {
		switch e.Kind() {
		case celast.IdentKind:
			if slices.Contains(variables, e.AsIdent()) {
				return []string{e.AsIdent()}
			}
		case celast.SelectKind:
			if before := path(e.AsSelect().Operand()); before != nil {
				return append(before, e.AsSelect().FieldName())
			}
		}
		return nil
	}
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if p := path(e); len(p) > 1 && !seen[strings.Join(p, ".")] {
			seen[strings.Join(p, ".")] = true
			out = append(out, p)
		}
	}))
	// A path that only leads to a longer one says nothing of its own.
	return slices.DeleteFunc(out, func(p []string) bool {
		prefix := strings.Join(p, ".") + "."
		for other := range seen {
			if strings.HasPrefix(other, prefix) {
				return true
			}
		}
		return false
	})
}

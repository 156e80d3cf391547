// Package expression reads the formula of a model, such as
//
//	b1*(x^2 + x*b2) / (x^2 + x*b3 + b4)
//
// and evaluates it together with its exact derivative, by forward-mode
// automatic differentiation on dual numbers (Clifford 1871; Fike and Alonso,
// AIAA 2011-886, whose elementary functions gonum's num/dual has).
//
// The language is arithmetic and nothing else:
//
//   - - * /      the usual precedence, left to right
//     -x           binds looser than ^, so -x^2 is -(x^2)
//     ^            right to left, so 2^3^2 is 2^(3^2)
//     ( )          grouping
//     1.5e-3       numbers
//     b1, `dose 2` names; between back quotes a name may hold anything but a back quote
//     pi           3.14159…
//     exp(x) …     the functions that [Functions] lists
//
// There is no implicit product (2x), no comparison, no assignment.
package expression

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/num/dual"
)

// Limits of an expression, so that a hostile one costs no more than its refusal.
const (
	MaxLength = 4096
	MaxDepth  = 100
)

// Error is a fault of an expression: what is wrong, and where.
type Error struct {
	Source  string
	Column  int // of the first character concerned, counted from 1
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("expression %q, column %d: %s", e.Source, e.Column, e.Message)
}

// Expression is a formula that was read.
type Expression struct {
	source string
	root   node
	names  []Name
}

// Name is a name in an expression, and the column where it first stands.
type Name struct {
	Text   string
	Column int
}

// String is the formula as it was written.
func (e *Expression) String() string { return e.source }

// Names lists every name once, sorted.
func (e *Expression) Names() []Name { return slices.Clone(e.names) }

// Function is a formula with its names bound: it takes their values in the order of [Expression.Bind].
// Values with Emag = 1 for one name and 0 for all others give the partial derivative by that name.
// A value outside of a function's domain gives NaN or an infinity.
type Function func(values []dual.Number) dual.Number

// Bind fixes the order in which the values of the names are passed.
// Every name of the expression must be among names; the nearest is proposed for one that isn't.
func (e *Expression) Bind(names []string) (Function, error) {
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
	}
	for _, name := range e.names {
		if _, ok := index[name.Text]; !ok {
			return nil, e.Unknown(name, names)
		}
	}
	return e.root.bind(index), nil
}

// Unknown says that a name stands for nothing, and which of the known ones may have been meant.
func (e *Expression) Unknown(name Name, known []string) error {
	return &Error{e.source, name.Column, fmt.Sprintf("unknown name %q%s", name.Text, Suggest(name.Text, known))}
}

// node is a part of the formula's tree.
type node interface {
	bind(index map[string]int) Function
}

type number float64

func (n number) bind(map[string]int) Function {
	value := dual.Number{Real: float64(n)}
	return func([]dual.Number) dual.Number { return value }
}

type variable string

func (v variable) bind(index map[string]int) Function {
	i := index[string(v)]
	return func(values []dual.Number) dual.Number { return values[i] }
}

type unary struct {
	op func(dual.Number) dual.Number
	x  node
}

func (u unary) bind(index map[string]int) Function {
	op, x := u.op, u.x.bind(index)
	return func(values []dual.Number) dual.Number { return op(x(values)) }
}

type binary struct {
	op   func(x, y dual.Number) dual.Number
	x, y node
}

func (b binary) bind(index map[string]int) Function {
	op, x, y := b.op, b.x.bind(index), b.y.bind(index)
	return func(values []dual.Number) dual.Number { return op(x(values), y(values)) }
}

package expression

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gonum.org/v1/gonum/num/dual"
)

// Binding powers, loosest first. A right operand is read at the operator's own
// power if the operator groups from right to left, else one above it.
const (
	powerSum = iota + 1
	powerProduct
	powerSign
	powerPower
)

type operator struct {
	power int
	right bool
	op    func(x, y dual.Number) dual.Number
}

var operators = map[string]operator{
	"+": {powerSum, false, dual.Add},
	"-": {powerSum, false, dual.Sub},
	"*": {powerProduct, false, dual.Mul},
	"/": {powerProduct, false, divide},
	"^": {powerPower, true, power},
}

// Parse reads a formula by operator precedence (Pratt, POPL 1973). Its errors are [*Error]s.
func Parse(source string) (*Expression, error) {
	if len(source) > MaxLength {
		return nil, &Error{source[:40] + "…", MaxLength + 1, fmt.Sprintf("%d bytes are too long, %d is the most", len(source), MaxLength)}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{source, 1, "invalid UTF-8"}
	}
	p := &parser{source: source, first: map[string]int{}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.token.kind != end {
		return nil, p.fault("want an operator (+ - * / ^) or the end, found %q", p.token.text)
	}
	names := make([]Name, 0, len(p.first))
	for text, column := range p.first {
		names = append(names, Name{text, column})
	}
	slices.SortFunc(names, func(a, b Name) int { return strings.Compare(a.Text, b.Text) })
	return &Expression{source: source, root: root, names: names}, nil
}

type kind int

const (
	end kind = iota
	literal
	name
	quoted
	symbol
)

type token struct {
	kind   kind
	text   string
	offset int
}

type parser struct {
	source string
	offset int
	depth  int
	token  token
	first  map[string]int // column of each name's first use
}

func (p *parser) column(offset int) int { return utf8.RuneCountInString(p.source[:offset]) + 1 }

func (p *parser) fault(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if p.token.kind == end {
		message = strings.Replace(message, `found ""`, "found the end", 1)
	}
	return &Error{p.source, p.column(p.token.offset), message}
}

// expression reads an operand and every operator after it that binds at least as tightly as power.
func (p *parser) expression(power int) (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > MaxDepth {
		return nil, p.fault("nested deeper than %d", MaxDepth)
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for p.token.kind == symbol {
		op, ok := operators[p.token.text]
		if !ok || op.power < power {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		next := op.power + 1
		if op.right {
			next = op.power
		}
		right, err := p.expression(next)
		if err != nil {
			return nil, err
		}
		left = binary{op.op, left, right}
	}
	return left, nil
}

// operand reads what may stand before an operator: a value, a sign with its operand, a group or a call.
func (p *parser) operand() (node, error) {
	t := p.token
	switch {
	case t.kind == literal:
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil || math.IsInf(v, 0) {
			return nil, p.fault("%q is not a number that a double holds", t.text)
		}
		return number(v), p.advance()
	case t.kind == quoted:
		return p.variable()
	case t.kind == name:
		if p.call() {
			return p.function()
		}
		if t.text == "pi" {
			return number(math.Pi), p.advance()
		}
		return p.variable()
	case t.kind == symbol && t.text == "(":
		if err := p.advance(); err != nil {
			return nil, err
		}
		inner, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return inner, p.closing(t)
	case t.kind == symbol && (t.text == "-" || t.text == "+"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.expression(powerSign)
		if err != nil || t.text == "+" {
			return x, err
		}
		return unary{negate, x}, nil
	}
	return nil, p.fault("want a number, a name, a function or \"(\", found %q", t.text)
}

func (p *parser) variable() (node, error) {
	t := p.token
	if _, seen := p.first[t.text]; !seen {
		p.first[t.text] = p.column(t.offset)
	}
	return variable(t.text), p.advance()
}

// call says whether the name at hand is followed by an opening parenthesis.
func (p *parser) call() bool {
	return strings.HasPrefix(strings.TrimLeftFunc(p.source[p.offset:], unicode.IsSpace), "(")
}

func (p *parser) function() (node, error) {
	t := p.token
	f, known := functions[t.text]
	if !known {
		return nil, p.fault("unknown function %q%s", t.text, Suggest(t.text, Functions()))
	}
	if err := p.advance(); err != nil { // now at the parenthesis
		return nil, err
	}
	var arguments []node
	for more := true; more; more = p.token.kind == symbol && p.token.text == "," {
		if err := p.advance(); err != nil {
			return nil, err
		}
		argument, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, argument)
	}
	if err := p.closing(t); err != nil {
		return nil, err
	}
	if want := f.arity(); len(arguments) != want {
		p.token = t
		return nil, p.fault("%s takes %d argument(s), found %d", t.text, want, len(arguments))
	}
	if f.two != nil {
		return binary{f.two, arguments[0], arguments[1]}, nil
	}
	return unary{f.one, arguments[0]}, nil
}

func (p *parser) closing(opened token) error {
	if p.token.kind != symbol || p.token.text != ")" {
		return p.fault("want \")\" for the %q of column %d, found %q", opened.text, p.column(opened.offset), p.token.text)
	}
	return p.advance()
}

// advance reads the next token.
func (p *parser) advance() error {
	rest := strings.TrimLeftFunc(p.source[p.offset:], unicode.IsSpace)
	start := len(p.source) - len(rest)
	p.token = token{end, "", start}
	if rest == "" {
		p.offset = start
		return nil
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case unicode.IsLetter(r) || r == '_':
		size = len(rest) - len(strings.TrimLeftFunc(rest, nameRune))
		p.token.kind = name
	case '0' <= r && r <= '9' || r == '.':
		size = numberLength(rest)
		p.token.kind = literal
	case r == '`':
		length := strings.IndexByte(rest[1:], '`')
		if length <= 0 {
			return p.fault("a back quote that opens no name: want `name`")
		}
		p.token = token{quoted, rest[1 : 1+length], start}
		p.offset = start + length + 2
		return nil
	case strings.HasPrefix(rest, "**"):
		return p.fault("a power is written ^, not **")
	case strings.ContainsRune("+-*/^(),", r):
		p.token.kind = symbol
	default:
		return p.fault("unexpected %q: an expression holds numbers, names, + - * / ^ ( ) and the functions %s", r, strings.Join(Functions(), ", "))
	}
	p.token.text = rest[:size]
	p.offset = start + size
	return nil
}

func nameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '.'
}

// numberLength is the length of the decimal number that s begins with.
func numberLength(s string) int {
	digits := func(i int) int {
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i
	}
	i := digits(0)
	if i < len(s) && s[i] == '.' {
		i = digits(i + 1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if k := digits(j); k > j {
			i = k
		}
	}
	return i
}

package executor

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"rlam/internal/canon"
	"rlam/schemas"
)

const (
	maxDocument = 16 << 20 // bytes of JSON that a pointer leads into
	maxRecord   = 1 << 20  // bytes of one row of a table
)

// extractor reads the members of the output that a binding's result tells of.
type extractor struct {
	*outputs
	readings *readings
	returns  marks
	streams  map[string]string // where the whole of a stream was kept, by its name
}

// member is one member; nil if it is optional and not there.
func (x extractor) member(name string, e schemas.Extract) (any, error) {
	typ, _, _ := x.returns.member(name)
	var value any
	var err error
	switch {
	case e.Pattern != "":
		value, err = x.matched(name, e, typ)
	case e.CSV != nil:
		value, err = x.tabled(e, typ)
	default:
		value, err = x.pointed(e)
	}
	failure := (*Failure)(nil)
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, errNotThere) && e.Optional:
		return nil, nil
	case errors.As(err, &failure), errors.Is(err, errTrouble):
		return nil, err
	}
	return nil, invalid("reading %q of the output from %s: %v", name, e.Source(), err)
}

// errTrouble marks what is the worker's to blame.
var errTrouble = errors.New("reading what the program left")

// matched is what a pattern found.
func (x extractor) matched(name string, e schemas.Extract, typ string) (any, error) {
	s := x.readings.result[name]
	switch {
	case typ == "boolean" && s.pattern.NumSubexp() == 0:
		return s.found != nil, nil
	case s.found == nil && e.Optional:
		return nil, errNotThere
	case s.found == nil:
		return nil, missing(name, e, x.outputs)
	case !e.All:
		return typed(s.found[1], typ)
	case s.size > maxResult:
		return nil, fmt.Errorf("the pattern %q matches more than %d bytes; large data is for artifacts", e.Pattern, maxResult)
	}
	return everyTyped(s.list, typ)
}

func everyTyped(texts []string, typ string) ([]any, error) {
	all := make([]any, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = typed(text, typ); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// decimal is a number as programs print it: in C, in Fortran (1.5D-03), with a sign.
var decimal = regexp.MustCompile(`^([-+]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD]([-+]?[0-9]+)|([-+][0-9]+))?$`)

// typed reads a text as a value of a type. No number is rounded but to the double that
// is nearest to what is printed.
func typed(text, typ string) (any, error) {
	text = strings.TrimSpace(text)
	switch typ {
	case "string":
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("%q is no text in UTF-8", head(text, 80))
		}
		return text, nil
	case "boolean":
		switch strings.ToLower(strings.Trim(text, ".")) {
		case "true", "t", "yes":
			return true, nil
		case "false", "f", "no":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", head(text, 80))
	case "integer", "number":
		number, ok := spelled(text)
		if !ok {
			return nil, fmt.Errorf("%q is no %s", head(text, 80), typ)
		}
		if err := canon.CheckNumber(number.String()); err != nil {
			return nil, err
		}
		return number, nil
	}
	return nil, fmt.Errorf("the action's returns doesn't say of what type it is")
}

// spelled is a printed number as JSON spells it.
func spelled(text string) (json.Number, bool) {
	m := decimal.FindStringSubmatch(text)
	if m == nil || len(text) > 400 {
		return "", false
	}
	whole, fraction, _ := strings.Cut(m[2], ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	number := strings.TrimPrefix(m[1], "+") + whole
	if fraction != "" {
		number += "." + fraction
	}
	if exponent := m[3] + m[4]; exponent != "" {
		number += "e" + exponent
	}
	return json.Number(number), true
}

// source opens what an entry reads from, whole.
func (x extractor) source(from string) (io.ReadCloser, error) {
	if file, ok := x.streams[from]; ok {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errTrouble, err)
		}
		return f, nil
	}
	if !x.has(from) {
		return nil, fmt.Errorf("the program left no such file: %w", errNotThere)
	}
	return x.open(from)
}

// pointed is what a JSON pointer leads to.
func (x extractor) pointed(e schemas.Extract) (any, error) {
	r, err := x.source(e.Source())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errTrouble, err)
	case len(raw) > maxDocument:
		return nil, fmt.Errorf("it has more than %d bytes of JSON", maxDocument)
	}
	if raw, err = canon.Transform(raw); err != nil {
		return nil, err
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	v, err = schemas.Lookup(v, e.Pointer)
	if err != nil {
		return nil, fmt.Errorf("%w: the pointer %q: %w", errNotThere, e.Pointer, err)
	}
	return v, nil
}

// tabled is a cell of a table, or a column.
func (x extractor) tabled(e schemas.Extract, typ string) (any, error) {
	r, err := x.source(e.Source())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rows := newTable(r, e.CSV.Separator)
	column, err := rows.column(e.CSV.Column)
	if err != nil {
		return nil, err
	}
	var found string
	var list []string
	size, n := 0, 0
	for n == 0 || n != e.CSV.Row.Number {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		n++
		if column >= len(row) {
			return nil, fmt.Errorf("row %d has %d cells, and column %d is asked for", n, len(row), column+1)
		}
		found = strings.Clone(row[column])
		if !e.All {
			continue
		}
		list = append(list, found)
		if size += len(found) + 2; size > maxResult {
			return nil, fmt.Errorf("the column has more than %d bytes; large data is for artifacts", maxResult)
		}
	}
	switch {
	case e.All:
		return everyTyped(list, typ)
	case n == 0 || n < e.CSV.Row.Number:
		return nil, fmt.Errorf("%w: the table has %d rows", errNotThere, n)
	}
	return typed(found, typ)
}

// table reads rows one at a time.
type table struct {
	csv    *csv.Reader
	reader *recordReader
	words  *bufio.Scanner // of a table whose cells stand apart by white space
}

func newTable(r io.Reader, separator string) *table {
	if separator == "space" {
		words := bufio.NewScanner(r)
		words.Buffer(nil, maxRecord)
		return &table{words: words}
	}
	limited := &recordReader{r: r}
	t := &table{csv: csv.NewReader(limited), reader: limited}
	t.csv.FieldsPerRecord, t.csv.ReuseRecord, t.csv.TrimLeadingSpace = -1, true, true
	switch separator {
	case ";":
		t.csv.Comma = ';'
	case "tab":
		t.csv.Comma, t.csv.TrimLeadingSpace = '\t', false
	}
	return t
}

// column is the index of a column; one that has a name is looked for in the header.
func (t *table) column(p schemas.Place) (int, error) {
	if p.Name == "" {
		return p.Number - 1, nil
	}
	header, err := t.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	i := slices.Index(header, p.Name)
	if i < 0 {
		return 0, fmt.Errorf("%w: the header has no column %q: %q", errNotThere, p.Name, head(strings.Join(header, ", "), 200))
	}
	return i, nil
}

// next is the next row that isn't empty; io.EOF after the last.
func (t *table) next() ([]string, error) {
	if t.csv != nil {
		t.reader.since = 0
		row, err := t.csv.Read()
		if len(row) > 0 {
			row[0] = strings.TrimPrefix(row[0], "\ufeff")
		}
		return row, err
	}
	for t.words.Scan() {
		if fields := bytes.Fields(t.words.Bytes()); len(fields) > 0 {
			row := make([]string, len(fields))
			for i, f := range fields {
				row[i] = string(f)
			}
			return row, nil
		}
	}
	if err := t.words.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// recordReader refuses a row that would not end: a quote that is never closed makes all
// that follows one cell.
type recordReader struct {
	r     io.Reader
	since int
}

func (r *recordReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.since += n; r.since > maxRecord+len(p) {
		return n, fmt.Errorf("a row has more than %d bytes", maxRecord)
	}
	return n, err
}

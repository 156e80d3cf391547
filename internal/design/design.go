// Package design reads the design of an ensemble: which paths are varied, and which values
// they have at each of its points.
//
// A design is a grid, of all combinations of some values for each path, or a table with a
// path a column and a point a row (RFC 4180):
//
//	seed,limits.steps,fit/params/start/b1
//	1,20,0.25
//	2,20,0.30
//
// A value is JSON; what isn't JSON is a string, as in package change. Where a path leads,
// [Place] says; what is there, whoever carries it out.
package design

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"rlam/internal/change"
)

// Design is paths, and the values that they have at each point.
type Design struct {
	Paths  []string
	Points [][]json.RawMessage // by point, and by path

	name      string     // of the table, if it was read from one
	positions [][]string // LINE:COLUMN by row of the table, its header first, and by path
}

// Where says in words where the value of a path stands at a point; of the point -1, where
// the path itself stands; of the path -1, where the point does.
func (d *Design) Where(point, path int) string {
	switch {
	case d.positions != nil && path < 0:
		return d.name + ":" + d.positions[point+1][0]
	case d.positions != nil:
		return d.name + ":" + d.positions[point+1][path] + ": " + d.Paths[path]
	case path < 0:
		return fmt.Sprintf("point %d of the grid", point+1)
	}
	return fmt.Sprintf("--vary %q", d.Paths[path])
}

// Error says which argument or which place of a table can't be understood.
type Error struct {
	Where string // such as `--vary "seed"` or "points.csv:3:2"
	Why   string
}

func (e *Error) Error() string { return e.Where + ": " + e.Why }

// Grid is the full grid of several arguments PATH=VALUE,VALUE,…; the last path varies
// fastest. No arguments are one point at which nothing is varied. Its errors are of type
// *[Error].
func Grid(args []string, most int) (*Design, error) {
	d := &Design{Points: [][]json.RawMessage{{}}}
	for _, arg := range args {
		wrong := func(format string, args ...any) error {
			return &Error{fmt.Sprintf("--vary %q", arg), fmt.Sprintf(format, args...)}
		}
		path, text, ok := strings.Cut(arg, "=")
		if path = strings.TrimSpace(path); !ok || path == "" {
			return nil, wrong("want PATH=VALUE,VALUE,…, such as seed=1,2,3 or fit/params/start/b1=0.25,0.5")
		}
		if slices.Contains(d.Paths, path) {
			return nil, wrong("the path is varied twice: give all its values in one --vary")
		}
		values, why := split(text)
		if why != "" {
			return nil, wrong("%s", why)
		}
		for i, v := range values {
			if at := slices.IndexFunc(values[:i], func(o json.RawMessage) bool { return string(o) == string(v) }); at >= 0 {
				return nil, wrong("value %d is value %d again (%s): to repeat points with other seeds, use --runs", i+1, at+1, v)
			}
		}
		if n := len(d.Points) * len(values); n > most {
			return nil, wrong("the grid has at least %d points with it, and an ensemble has at most %d members", n, most)
		}
		d.Paths = append(d.Paths, path)
		grown := make([][]json.RawMessage, 0, len(d.Points)*len(values))
		for _, p := range d.Points {
			for _, v := range values {
				grown = append(grown, append(slices.Clone(p), v))
			}
		}
		d.Points = grown
	}
	return d, nil
}

// split reads values that are divided by commas. A comma within an array, an object or a
// string of JSON divides nothing.
func split(text string) ([]json.RawMessage, string) {
	var values []json.RawMessage
	for rest := text; ; {
		end := valueEnd(rest)
		v, why := change.Value(rest[:end])
		if why != "" {
			return nil, fmt.Sprintf("value %d: %s", len(values)+1, why)
		}
		values = append(values, v)
		if end == len(rest) {
			return values, ""
		}
		rest = rest[end+1:]
	}
}

// valueEnd is where the first of several values ends.
func valueEnd(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && (quoted || depth > 0 || strings.TrimSpace(text[:i]) == ""):
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth <= 0:
			return i
		}
	}
	return len(text)
}

// Read reads a table, at most so many points of it. name names it in errors, which are of
// type *[Error] unless they are the reader's.
func Read(name string, r io.Reader, most int) (*Design, error) {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" { // spreadsheets begin files with it
		text.Discard(3)
	}
	table := csv.NewReader(text)
	table.ReuseRecord = true
	table.TrimLeadingSpace = true
	table.FieldsPerRecord = -1 // the error of this package names the column
	d := &Design{name: name}
	rows := map[string]int{}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return nil, &Error{fmt.Sprintf("%s:%d:%d", name, bad.Line, bad.Column), bad.Err.Error()}
		}
		if err != nil {
			return nil, fmt.Errorf("reading the design %q: %w", name, err)
		}
		t := tableRow{name: name, csv: table, fields: row}
		if d.Paths == nil {
			if d.Paths, err = t.header(); err != nil {
				return nil, err
			}
			d.positions = append(d.positions, t.positions())
			continue
		}
		point, err := t.point(d.Paths)
		if err != nil {
			return nil, err
		}
		line, _ := table.FieldPos(0)
		key := fmt.Sprintf("%s", point)
		if before := rows[key]; before > 0 {
			return nil, t.wrong(0, "the row is that of line %d again: to repeat points with other seeds, use --runs or a column seed", before)
		}
		if rows[key] = line; len(d.Points) == most {
			return nil, t.wrong(0, "an ensemble has at most %d members", most)
		}
		d.Points, d.positions = append(d.Points, point), append(d.positions, t.positions())
	}
	switch {
	case d.Paths == nil:
		return nil, &Error{name, "the file is empty: its first line names the paths that are varied, such as seed,limits.steps"}
	case len(d.Points) == 0:
		return nil, &Error{name, "there is no row below the header: each is a member"}
	}
	return d, nil
}

// tableRow is a row that was just read.
type tableRow struct {
	name   string
	csv    *csv.Reader
	fields []string
}

// wrong is an error at a field.
func (t tableRow) wrong(field int, format string, args ...any) error {
	line, column := t.csv.FieldPos(field)
	return &Error{fmt.Sprintf("%s:%d:%d", t.name, line, column), fmt.Sprintf(format, args...)}
}

// positions are where the fields stand.
func (t tableRow) positions() []string {
	at := make([]string, len(t.fields))
	for i := range t.fields {
		line, column := t.csv.FieldPos(i)
		at[i] = fmt.Sprintf("%d:%d", line, column)
	}
	return at
}

func (t tableRow) header() ([]string, error) {
	paths := []string{}
	for i, f := range t.fields {
		path := strings.TrimSpace(f)
		if path == "" {
			return nil, t.wrong(i, "column %d has no name: want a path, such as seed or limits.steps", i+1)
		}
		if at := slices.Index(paths, path); at >= 0 {
			return nil, t.wrong(i, "column %d is named %q as column %d is", i+1, path, at+1)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (t tableRow) point(paths []string) ([]json.RawMessage, error) {
	if len(t.fields) != len(paths) {
		return nil, t.wrong(min(len(t.fields)-1, len(paths)), "fields: the row has %d, and the header %d", len(t.fields), len(paths))
	}
	point := make([]json.RawMessage, len(paths))
	for i, f := range t.fields {
		v, why := change.Value(f)
		if why != "" {
			return nil, t.wrong(i, "column %q: %s", paths[i], why)
		}
		point[i] = v
	}
	return point, nil
}

package builtin

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rlam/activities/builtin/expression"
	"rlam/activities/executor"
)

// Limits of a table.
const (
	maxTable   = 64 << 20 // bytes
	maxColumns = 1000
)

// table is a CSV file in memory. A cell's place in the file is kept, for messages.
type table struct {
	names []string
	rows  []row
}

type row struct {
	cells []string
	line  int
}

// openTable reads the CSV file (RFC 4180, comma separated, the first line naming
// the columns) that the handle stands for.
func openTable(ctx context.Context, handle string) (*table, error) {
	data, err := readAll(ctx, handle, maxTable)
	if errors.Is(err, errTooLarge) {
		return nil, executor.Fail(BadData, err.Error(), nil)
	}
	if err != nil {
		return nil, err
	}
	t, err := readTable(data)
	if err != nil {
		return nil, executor.Fail(BadData, err.Error(), nil)
	}
	return t, nil
}

// readAll reads an artifact of at most limit bytes.
func readAll(ctx context.Context, handle string, limit int64) ([]byte, error) {
	r, err := executor.Open(ctx, handle)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading artifact %q: %w", handle, err)
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, nil
}

func readTable(data []byte) (*table, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		line, column := firstInvalid(data)
		return nil, fmt.Errorf("line %d, byte %d: invalid UTF-8; the table must be text", line, column)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1 // counted below, with a better message
	header, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("line 1: the table is empty; the first line must name the columns")
	}
	if err != nil {
		return nil, csvFault(err)
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	t := &table{names: header}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, csvFault(err)
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(header) {
			return nil, fmt.Errorf("line %d: %d cells, but line 1 names %d columns (%s)", line, len(cells), len(header), brief(strings.Join(header, ","), 80))
		}
		t.rows = append(t.rows, row{cells, line})
	}
}

func checkHeader(header []string) error {
	if len(header) > maxColumns {
		return fmt.Errorf("line 1: %d columns, %d is the most", len(header), maxColumns)
	}
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		return fmt.Errorf("line 1: one column named %q: columns must be separated by commas", brief(header[0], 80))
	}
	seen := map[string]int{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		header[i] = name
		if name == "" {
			return fmt.Errorf("line 1, column %d: a column without a name", i+1)
		}
		if first, twice := seen[name]; twice {
			return fmt.Errorf("line 1, column %d: the name %q is that of column %d as well", i+1, brief(name, 80), first)
		}
		seen[name] = i + 1
	}
	return nil
}

func csvFault(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d, byte %d: %w", parse.Line, parse.Column, parse.Err)
	}
	return err
}

func firstInvalid(data []byte) (line, column int) {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	return bytes.Count(data[:at], []byte("\n")) + 1, at - bytes.LastIndexByte(data[:at], '\n')
}

// column is a column's index, or an error that proposes the nearest name.
func (t *table) column(name string) (int, error) {
	if i := slices.Index(t.names, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("the table has no column %q%s", brief(name, 80), expression.Suggest(name, t.names))
}

// missing says whether a cell holds no value.
func missing(cell string) bool {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "na", "n/a", "nan", "null":
		return true
	}
	return false
}

// number reads a finite decimal number. Go's other spellings (hexadecimal,
// underscores, "inf") are text in a table.
func number(cell string) (float64, bool) {
	cell = strings.TrimSpace(cell)
	if cell == "" || strings.Trim(cell, "0123456789+-.eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(cell, 64)
	return v, err == nil && !math.IsInf(v, 0)
}

// csvOf writes a table of numbers, with a line of names.
func csvOf(header []string, rows [][]float64) []byte {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write(header) // a bytes.Buffer takes everything
	cells := make([]string, len(header))
	for _, row := range rows {
		for i, v := range row {
			cells[i] = format(v)
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return file.Bytes()
}

// format writes a number so that reading it gives the same double.
func format(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// brief is text cut to at most n characters, for messages and previews.
func brief(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

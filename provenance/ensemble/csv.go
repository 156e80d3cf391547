package ensemble

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// WriteCSV writes a row for each member, in the order of their ids: who it is, how it
// ended, what was varied, and each field of the report that its result has.
//
// A cell that is JSON is the value; any other is text as it stands. Text that a spreadsheet
// would compute is a JSON string, and so is text that looks like JSON. A value of more than
// 200 bytes is shortened and has its digest behind it.
func (r *Report) WriteCSV(w io.Writer) error {
	header := []string{"member", "run_id", "seed", "status", "failure"}
	var paths []string
	for _, v := range r.Varied {
		paths = append(paths, v.Path)
	}
	header = append(header, paths...)
	for _, f := range r.Fields {
		header = append(header, f.Name())
	}
	out := csv.NewWriter(w)
	rows := [][]string{cells(header)}
	failures := map[string]string{}
	for _, a := range r.Absent {
		failures[a.ID] = a.Failure
	}
	for i, m := range r.members {
		row := cells([]string{m.ID, m.RunID, strconv.FormatUint(m.Seed, 10), m.Status, failures[m.ID]})
		row[2] = strconv.FormatUint(m.Seed, 10) // a number, and no text that looks like one
		for _, path := range paths {
			row = append(row, settingCell(m.Varied, path))
		}
		for _, f := range r.Fields {
			l, has := r.columns[f.Pointer][i]
			row = append(row, l.cell(has))
		}
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing the members of the ensemble as CSV: %w", err)
	}
	return nil
}

func settingCell(settings []Setting, path string) string {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Path == path })
	if i < 0 {
		return ""
	}
	return cell(string(settings[i].Value))
}

func (l leaf) cell(has bool) string {
	switch {
	case !has:
		return ""
	case l.is:
		return strconv.FormatFloat(l.number, 'g', -1, 64)
	}
	return cell(l.text)
}

// cell is a value's JSON, and text as it stands where nobody could take it for another value.
func cell(spelled string) string {
	var text string
	if json.Unmarshal([]byte(spelled), &text) != nil || text == "" || json.Valid([]byte(text)) || strings.ContainsAny(text[:1], "=+-@\t\r\"") {
		return spelled
	}
	return text
}

// cells are texts of our own and of a run, each as a cell.
func cells(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		if t != "" {
			spelled, _ := json.Marshal(t) // text always has a spelling
			out[i] = cell(string(spelled))
		}
	}
	return out
}

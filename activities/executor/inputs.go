package executor

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/tree"
	"rlam/schemas"
)

// maxTemplate bounds what is made from one template.
const maxTemplate = 64 << 20

// inputs are the files that a binding has made before a program starts.
type inputs struct {
	folder
	values         // with paths in place of handles
	handles values // as admitted
	digests map[string]canon.Digest
}

// make makes the file of one entry, read-only. An entry whose parameter isn't given,
// and has no default, makes none.
func (in inputs) make(ctx context.Context, e schemas.InFile) error {
	what := fmt.Sprintf("the file %q", e.Path)
	switch {
	case e.Template != "":
		return in.template(what, e.Path, e.Template)
	case e.TemplateFile != "":
		text, err := in.text(ctx, in.digests[e.TemplateFile], maxTemplate)
		if err != nil {
			return fmt.Errorf("making %s: %w", what, err)
		}
		return in.template(what, e.Path, string(text))
	case e.From != "", e.Tree != "":
		return in.artifact(ctx, what, e)
	case e.JSON != "":
		if raw, given := in.params[strings.TrimPrefix(e.JSON, "params.")]; given {
			return in.file(what, e.Path, raw)
		}
	case e.CSV != "":
		if raw, given := in.params[strings.TrimPrefix(e.CSV, "params.")]; given {
			text, err := asCSV(raw)
			if err != nil {
				return &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("making %s from %s: %v", what, e.CSV, err)}
			}
			return in.file(what, e.Path, text)
		}
	}
	return nil
}

func (in inputs) template(what, name, text string) error {
	filled, err := in.expand(what, text)
	if err != nil {
		return err
	}
	return in.file(what, name, []byte(filled))
}

func (in inputs) file(what, name string, text []byte) error {
	if err := in.copy(name, bytes.NewReader(text), 0o444); err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	return nil
}

// artifact places an artifact's bytes, or the files of one that was a folder.
//
// It copies; the store makes a clone of that where the file system can. A hard link would be
// cheaper, and would let a program that makes its file writable change the store. In a sandbox
// it couldn't, but then the blob would have a second name for as long as any attempt runs, its
// bytes would not be held against their digest, and a call would find other files by its level.
func (in inputs) artifact(ctx context.Context, what string, e schemas.InFile) error {
	param := strings.TrimPrefix(e.From+e.Tree, "params.")
	raw, given := in.handles.params[param]
	if !given {
		return nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	var d canon.Digest
	if err == nil {
		d, err = canon.Parse(text)
	}
	if err != nil {
		return &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("making %s from parameter %q, which is no artifact: %v", what, param, err)}
	}
	if e.From != "" {
		return in.write(ctx, e.Path, d, 0o444)
	}
	manifest, err := in.text(ctx, d, tree.MaxManifest)
	if err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	m, err := tree.Decode(manifest)
	if err != nil {
		return &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("making the folder %q from parameter %q: %v", e.Path, param, err)}
	}
	return in.tree(ctx, e.Path, m)
}

// tree places a folder. Its files can be written: a program that goes on from what
// another left in a folder changes it as a rule.
func (in inputs) tree(ctx context.Context, dir string, m tree.Manifest) error {
	if err := in.root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder %q: %w", dir, err)
	}
	for _, name := range m.Paths() {
		mode := os.FileMode(0o600)
		if m.Files[name].Executable {
			mode = 0o700
		}
		if err := in.write(ctx, path.Join(dir, name), m.Files[name].Digest, mode); err != nil {
			return err
		}
	}
	return nil
}

// text is a blob of at most limit bytes.
func (f folder) text(ctx context.Context, d canon.Digest, limit int64) ([]byte, error) {
	r, err := f.blobs.Get(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", d, limit)
	}
	return b, err
}

// asCSV writes an array as a table (RFC 4180, lines end with \n): of objects, whose
// names, sorted, are the header, or of arrays, without a header. A cell is a scalar; one
// that an object lacks, or null, is empty.
func asCSV(raw json.RawMessage) ([]byte, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, errors.New("it is no array")
	}
	var table [][]string
	cells := func(row json.RawMessage) (list []json.RawMessage, err error) {
		return list, json.Unmarshal(row, &list)
	}
	if len(rows) > 0 && rows[0][0] == '{' {
		header, err := headerOf(rows)
		if err != nil {
			return nil, err
		}
		table = append(table, header)
		cells = func(row json.RawMessage) ([]json.RawMessage, error) {
			var object map[string]json.RawMessage
			err := json.Unmarshal(row, &object)
			list := make([]json.RawMessage, len(header))
			for i, name := range header {
				list[i] = object[name]
			}
			return list, err
		}
	}
	for i, r := range rows {
		list, err := cells(r)
		if err != nil {
			return nil, fmt.Errorf("row %d is not like the first", i+1)
		}
		row, err := texts(list)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		table = append(table, row)
	}
	return encodeCSV(table)
}

// headerOf are the names of all rows, which are objects, sorted.
func headerOf(rows []json.RawMessage) ([]string, error) {
	all := map[string]bool{}
	for i, r := range rows {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(r, &object); err != nil {
			return nil, fmt.Errorf("row %d is no object, and the first is one", i+1)
		}
		for name := range object {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// texts are the cells of a row as a table spells them.
func texts(cells []json.RawMessage) ([]string, error) {
	row := make([]string, len(cells))
	for i, c := range cells {
		var err error
		if row[i], err = cell(c); err != nil {
			return nil, fmt.Errorf("column %d %w", i+1, err)
		}
	}
	return row, nil
}

// cell is a value as a table spells it.
func cell(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	return scalar(raw)
}

func encodeCSV(table [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.WriteAll(table)
	return b.Bytes(), err
}

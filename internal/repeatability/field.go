package repeatability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
	"rlam/internal/statistics"
	"rlam/schemas"
)

// samples are one field's or artifact's values, of the executions that have it.
type samples []sample

// sample is a value taken apart: its numbers, and all else.
type sample struct {
	digest  canon.Digest // of the bytes
	form    string       // everything but the numbers, with a mark where each of them stands
	numbers []float64
}

// mark stands for a number in a form. It is no valid JSON, and in no text that people read.
const mark = "\x00"

// judge says what the samples of one thing show, of how many executions.
func (s samples) judge(executions int, noise Bounds, declared schemas.Grade) Finding {
	f := Finding{Class: schemas.Bitwise, In: len(s), Numbers: len(s[0].numbers)}
	different := map[canon.Digest]bool{}
	alike := len(s) == executions
	for _, v := range s {
		different[v.digest] = true
		alike = alike && v.form == s[0].form && len(v.numbers) == len(s[0].numbers)
	}
	f.Distinct = len(different)
	switch {
	case !alike:
		f.Class = schemas.Unrepeatable
	case f.Distinct > 1:
		return s.compare(f, within(noise, declared), declared)
	}
	f.Proposed.Class = f.Class
	return f.against(declared, false)
}

// compare looks at numbers that differ in values that are otherwise the same.
func (s samples) compare(f Finding, noise Bounds, declared schemas.Grade) Finding {
	f.Class, f.Spread = schemas.Tolerance, &Spread{}
	var room Spread // of what is noise by its relative size, and of what is by its absolute
	beyond := false
	values := make([]float64, len(s))
	for i := range s[0].numbers {
		for n, v := range s {
			values[n] = v.numbers[i]
		}
		d := spreadOf(values)
		*f.Spread = f.Spread.union(d)
		switch {
		case d.Relative <= noise.Relative:
			room.Relative = max(room.Relative, d.Relative)
		case d.Absolute <= noise.Absolute:
			room.Absolute = max(room.Absolute, d.Absolute)
		default:
			f.Class = schemas.Statistical
		}
		beyond = beyond || declared.Class == schemas.Tolerance && d.Relative > declared.Relative && d.Absolute > declared.Absolute
	}
	if len(s[0].numbers) == 1 {
		mean, sd := statistics.Moments(values)
		f.Mean, f.SD = &mean, &sd
	}
	f.Proposed = schemas.Grade{Class: f.Class}
	if f.Class == schemas.Tolerance {
		f.Proposed.Relative, f.Proposed.Absolute = roomFor(room.Relative), roomFor(room.Absolute)
	}
	return f.against(declared, beyond)
}

// fieldsOf are the samples of each field of the outputs, by JSON pointer. A handle of an
// artifact that the execution left is judged as that artifact and not as a field.
func fieldsOf(a schemas.Action, outputs []Output) (map[string]samples, error) {
	var schema any
	if err := json.Unmarshal(a.Returns, &schema); err != nil {
		return nil, fmt.Errorf("reading what %q returns: %w", a.Name, err)
	}
	w := walker{root: schema, declared: slices.Collect(maps.Keys(a.Reproducibility.Fields)), fields: map[string]samples{}}
	for i, o := range outputs {
		d := json.NewDecoder(bytes.NewReader(o.Value))
		d.UseNumber()
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading output %d of %q: %w", i+1, a.Name, err)
		}
		w.left = map[string]bool{}
		for _, artifact := range o.Artifacts {
			w.left[artifact.Digest.String()] = true
		}
		if err := w.walk("", schema, value); err != nil {
			return nil, fmt.Errorf("reading output %d of %q: %w", i+1, a.Name, err)
		}
	}
	return w.fields, nil
}

// walker takes outputs apart.
type walker struct {
	root     any
	declared []string        // pointers that the action says something about
	left     map[string]bool // handles of the artifacts of the execution
	fields   map[string]samples
}

func (w *walker) walk(pointer string, schema, value any) error {
	if text, is := value.(string); is && w.left[text] {
		return nil
	}
	object, is := value.(map[string]any)
	properties := w.properties(schema)
	if !is || !w.open(pointer, object, properties) {
		s, err := take(value)
		w.fields[pointer] = append(w.fields[pointer], s)
		return err
	}
	var errs []error
	for _, name := range sorted(object) {
		errs = append(errs, w.walk(pointer+"/"+jsonpointer.Escape(name), properties[name], object[name]))
	}
	return errors.Join(errs...)
}

// open says whether the members of an object are fields of their own: the schema lists
// their names, or the action speaks of one of them.
func (w *walker) open(pointer string, object, properties map[string]any) bool {
	if slices.ContainsFunc(w.declared, func(p string) bool { return strings.HasPrefix(p, pointer+"/") }) {
		return true
	}
	for name := range object {
		if _, listed := properties[name]; !listed {
			return false
		}
	}
	return len(object) > 0
}

// properties are those of a schema, a reference within the document followed.
func (w *walker) properties(schema any) map[string]any {
	s, _ := schema.(map[string]any)
	for range 16 { // references in a circle lead nowhere
		ref, is := s["$ref"].(string)
		if !is {
			break
		}
		at := w.root
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			object, _ := at.(map[string]any)
			at = object[jsonpointer.Unescape(name)]
		}
		s, _ = at.(map[string]any)
	}
	properties, _ := s["properties"].(map[string]any)
	return properties
}

// take takes a JSON value apart.
func take(value any) (sample, error) {
	raw, err := canon.Marshal(value)
	if err != nil {
		return sample{}, err
	}
	s := sample{digest: canon.Sum(raw)}
	var form strings.Builder
	if err := s.add(&form, value); err != nil {
		return sample{}, err
	}
	s.form = form.String()
	return s, nil
}

func (s *sample) add(form *strings.Builder, value any) error {
	switch v := value.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		s.numbers = append(s.numbers, f)
		form.WriteString(mark)
		return err
	case []any:
		form.WriteByte('[')
		for _, e := range v {
			if err := s.add(form, e); err != nil {
				return err
			}
			form.WriteByte(',')
		}
	case map[string]any:
		form.WriteByte('{')
		for _, name := range sorted(v) {
			fmt.Fprintf(form, "%q:", name)
			if err := s.add(form, v[name]); err != nil {
				return err
			}
		}
	case string:
		fmt.Fprintf(form, "%q", v)
	default:
		fmt.Fprint(form, v)
	}
	return nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

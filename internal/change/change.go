// Package change is the one grammar of changes: how a person says in what a run made from
// another departs from it. It knows no run: what a change names is looked up by whoever
// carries it out.
//
//	--set CALL/params/path=JSON   parameters of a call, before it is judged and carried out
//	--set CALL/output/path=JSON   a call's output: a person's assertion, and no execution
//	--input NAME=FILE             other data
//	--model M                     the model that is asked from there on
//	--instruct TEXT               a person's message in the conversation
//	--seed S                      the study's seed
//	--limits k=v                  a limit of the study
//	--policy FILE                 the study's policy, as a file of its own
//	--drop ACTION                 an action that is no longer allowed
//
// CALL is a call's id ("3.1") or the planner's own name of it; path is a JSON pointer, and
// without one the whole is meant. A value that isn't JSON is a string, unless it begins as
// JSON does.
package change

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
)

// Arguments are changes as they are typed.
type Arguments struct {
	Set      []string
	Inputs   []string
	Model    string
	Instruct string
	Seed     string
	Limits   []string
	Policy   string
	Drop     []string
}

// Changes say in what a run departs from the one it is made from. The zero value changes
// nothing.
type Changes struct {
	Edits    []Edit
	Inputs   []Input // by name
	Model    string
	Instruct string
	Seed     *uint64
	Limits   []Limit // by member
	Policy   string  // a file
	Drop     []string
}

// Part is what of a call an edit changes.
type Part string

// The parts of a call.
const (
	Params Part = "params"
	Output Part = "output"
)

// Edit puts a value into the parameters or the output of a call.
type Edit struct {
	Call    string // its id, or the planner's name of it
	Part    Part
	Pointer string // a JSON pointer; empty for the whole
	Value   json.RawMessage
}

// Place is where the edit puts its value, as it is typed.
func (e Edit) Place() string { return e.Call + "/" + string(e.Part) + e.Pointer }

// Input is other data for an input of the study.
type Input struct{ Name, File string }

// Limit is another value of a limit: a member of limits in a study file, or a path below it.
type Limit struct {
	Member string // with "/" between the members of a path
	Value  json.RawMessage
}

// IsZero says whether nothing is changed.
func (c Changes) IsZero() bool {
	return len(c.Edits)+len(c.Inputs)+len(c.Limits)+len(c.Drop) == 0 &&
		c.Model == "" && c.Instruct == "" && c.Seed == nil && c.Policy == ""
}

// Error says which argument can't be understood.
type Error struct{ Flag, Value, Why string }

func (e *Error) Error() string { return fmt.Sprintf("--%s %q: %s", e.Flag, e.Value, e.Why) }

// Parse reads changes. Its errors are of type *[Error].
func Parse(a Arguments) (Changes, error) {
	c := Changes{Model: a.Model, Instruct: a.Instruct, Policy: a.Policy, Drop: a.Drop}
	for _, text := range a.Set {
		e, why := parseEdit(text)
		if why == "" && slices.ContainsFunc(c.Edits, func(o Edit) bool { return overlap(o.Place(), e.Place()) }) {
			why = "the place is changed twice: name it, or what holds it, once"
		}
		if why != "" {
			return Changes{}, &Error{"set", text, why}
		}
		c.Edits = append(c.Edits, e)
	}
	for _, text := range a.Inputs {
		name, file, ok := strings.Cut(text, "=")
		switch {
		case !ok || name == "" || file == "":
			return Changes{}, &Error{"input", text, "want NAME=FILE"}
		case slices.ContainsFunc(c.Inputs, func(o Input) bool { return o.Name == name }):
			return Changes{}, &Error{"input", text, "the input is given twice"}
		}
		c.Inputs = append(c.Inputs, Input{name, file})
	}
	if a.Seed != "" {
		n, err := strconv.ParseUint(a.Seed, 10, 64)
		if err != nil {
			return Changes{}, &Error{"seed", a.Seed, "want a whole number from 0 to 18446744073709551615"}
		}
		c.Seed = &n
	}
	for _, text := range a.Limits {
		l, why := parseLimit(text)
		if why == "" && slices.ContainsFunc(c.Limits, func(o Limit) bool { return overlap(o.Member, l.Member) }) {
			why = "the limit is given twice"
		}
		if why != "" {
			return Changes{}, &Error{"limits", text, why}
		}
		c.Limits = append(c.Limits, l)
	}
	for i, name := range a.Drop {
		if name == "" || slices.Contains(a.Drop[:i], name) {
			return Changes{}, &Error{"drop", name, "want the name of an action, once"}
		}
	}
	slices.SortFunc(c.Inputs, func(x, y Input) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(c.Limits, func(x, y Limit) int { return strings.Compare(x.Member, y.Member) })
	return c, nil
}

// overlap says whether one path holds the other.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

const wantSet = "want CALL/params/path=JSON or CALL/output/path=JSON, such as 3.1/params/start/b1=0.25"

func parseEdit(text string) (Edit, string) {
	place, value, ok := strings.Cut(text, "=")
	call, rest, _ := strings.Cut(place, "/")
	part, pointer, below := strings.Cut(rest, "/")
	e := Edit{Call: call, Part: Part(part)}
	if !ok || call == "" || e.Part != Params && e.Part != Output {
		return e, wantSet
	}
	if below && pointer != "" {
		e.Pointer = "/" + pointer
	}
	if why := checkPointer(e.Pointer); why != "" {
		return e, why
	}
	var why string
	e.Value, why = Value(value)
	return e, why
}

// checkPointer says what is wrong with a JSON pointer (RFC 6901).
func checkPointer(p string) string {
	for i := range len(p) {
		if p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1') {
			return `in a JSON pointer, "~" is followed by 0 (for "~") or 1 (for "/")`
		}
	}
	return ""
}

// Value reads what is typed as a value: JSON in canonical form, or else a string; or it says
// what is wrong. What begins as an object, an array or a string
// is meant to be one.
func Value(text string) (json.RawMessage, string) {
	value := json.RawMessage(strings.TrimSpace(text))
	if len(value) == 0 {
		return nil, `the value is missing; an empty string is '""'`
	}
	if !json.Valid(value) {
		if strings.ContainsRune(`{["`, rune(value[0])) {
			return nil, "the value begins as JSON does and is none; in a shell, put the argument in single quotes"
		}
		value, _ = json.Marshal(text) // a string always can be
	}
	one, err := canon.Transform(value)
	if err != nil {
		return nil, err.Error()
	}
	return one, ""
}

func parseLimit(text string) (Limit, string) {
	member, value, ok := strings.Cut(text, "=")
	member = strings.ReplaceAll(strings.Trim(member, "/"), ".", "/")
	if !ok || member == "" {
		return Limit{}, "want the name of a limit and its value, such as steps=40 or wall_time=2h"
	}
	v, why := Value(value)
	return Limit{Member: member, Value: v}, why
}

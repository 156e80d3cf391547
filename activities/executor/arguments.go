package executor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/schemas"
)

// values are what placeholders stand for, see [schemas.Expand].
type values struct {
	params map[string]json.RawMessage // with paths in place of handles
	seed   *uint64
	cpus   int
}

// newValues reads params, an object in canonical JSON. One that isn't given has the
// default that its schema states, if there is one.
func newValues(params json.RawMessage, t Task) (values, error) {
	v := values{seed: t.Seed, cpus: max(1, t.CPUs)}
	if err := json.Unmarshal(params, &v.params); err != nil {
		return v, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	m, err := readMarks(t.Takes)
	if err != nil {
		return v, err
	}
	for name, value := range m.defaults() {
		if _, given := v.params[name]; given {
			continue
		}
		if v.params[name], err = canon.Marshal(value); err != nil {
			return v, fmt.Errorf("reading the default of parameter %q: %w", name, err)
		}
	}
	return v, nil
}

// of is the text of one value, which has no control character and so no line break.
func (v values) of(name string) (string, error) {
	if param, ok := strings.CutPrefix(name, "params."); ok {
		text, err := scalar(v.params[param])
		if err != nil {
			return "", fmt.Errorf("parameter %q %w", param, err)
		}
		return text, nil
	}
	if name == "cpus" {
		return strconv.Itoa(v.cpus), nil
	}
	if v.seed == nil {
		return "", fmt.Errorf("the call has no seed: its action has to say seeded: true")
	}
	seed := *v.seed
	if by, ok := strings.CutPrefix(name, "seed%"); ok {
		n, err := strconv.ParseUint(by, 10, 64)
		if err != nil || n == 0 {
			return "", fmt.Errorf("{%s} divides by %q", name, by)
		}
		seed %= n
	}
	return strconv.FormatUint(seed, 10), nil
}

// expand fills a text's placeholders; what names the text in an error.
func (v values) expand(what, text string) (string, error) {
	filled, err := schemas.Expand(text, v.of)
	if err != nil {
		return "", &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("filling %s: %v", what, err)}
	}
	return filled, nil
}

// arguments fills a command line's placeholders. No shell ever sees the result, and an
// argument stays one argument; what is refused here is what a program itself could
// misread: a value that turns an argument into an option, and control characters.
func arguments(template []string, v values) ([]string, error) {
	if len(template) == 0 || template[0] == "" {
		return nil, &Failure{Type: TypeNotStarted, Message: "the binding's command line is empty"}
	}
	if len(schemas.Placeholders(template[0])) > 0 {
		return nil, &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("the program's name %q has a placeholder: a parameter may not choose the program", template[0])}
	}
	argv := make([]string, len(template))
	for i, arg := range template {
		if schemas.ChoosesOption(arg) {
			return nil, &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("argument %q lets a parameter choose an option", arg)}
		}
		filled, err := v.expand(fmt.Sprintf("argument %q", arg), arg)
		if err != nil {
			return nil, err
		}
		optional := strings.HasPrefix(filled, "-") && filled != arg && !strings.HasPrefix(arg, "-") && !v.isNumber(arg)
		if optional && !slices.Contains(template[:i], "--") {
			return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf(
				"the value %q in argument %d would be read as an option; the binding needs \"--\" before it, or --NAME=%s", head(filled, 80), i, arg)}
		}
		argv[i] = filled
	}
	return argv, nil
}

// isNumber says whether an argument is one placeholder for a parameter that is a
// number. A negative number begins with a hyphen, and the schema has it that it is one.
func (v values) isNumber(arg string) bool {
	name, ok := strings.CutPrefix(arg, "{params.")
	raw := v.params[strings.TrimSuffix(name, "}")]
	return ok && len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// scalar is a string, number or boolean as an argument spells it.
func scalar(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", fmt.Errorf("is not given")
	}
	switch raw[0] {
	case '{', '[', 'n':
		return "", fmt.Errorf("is no string, number or boolean")
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", err
		}
		if strings.ContainsFunc(s, isControl) {
			return "", fmt.Errorf("has a control character: %q", head(s, 80))
		}
		return s, nil
	}
	return string(raw), nil
}

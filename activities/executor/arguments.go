package executor

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var placeholder = regexp.MustCompile(`\{params\.([^{}]*)\}`)

// arguments fills a command line's placeholders. No shell ever sees the result, and an
// argument stays one argument; what is refused here is what a program itself could
// misread: a value that turns an argument into an option, and control characters.
// params is an object in canonical JSON.
func arguments(template []string, params json.RawMessage) ([]string, error) {
	if len(template) == 0 || template[0] == "" {
		return nil, &Failure{Type: TypeNotStarted, Message: "the binding's command line is empty"}
	}
	if placeholder.MatchString(template[0]) {
		return nil, &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("the program's name %q has a placeholder: a parameter may not choose the program", template[0])}
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(params, &values); err != nil {
		return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	argv := make([]string, len(template))
	for i, arg := range template {
		filled, err := fill(arg, values)
		if err != nil {
			return nil, err
		}
		optional := strings.HasPrefix(filled, "-") && placeholder.MatchString(arg) && !strings.HasPrefix(arg, "-")
		if optional && !slices.Contains(template[:i], "--") {
			return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf(
				"the value %q in argument %d would be read as an option; the binding needs \"--\" before it, or --NAME=%s", head(filled, 80), i, arg)}
		}
		argv[i] = filled
	}
	return argv, nil
}

func fill(arg string, values map[string]json.RawMessage) (string, error) {
	if loc := placeholder.FindStringIndex(arg); loc != nil && loc[0] > 0 && strings.Trim(arg[:loc[0]], "-") == "" {
		return "", &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("argument %q lets a parameter choose an option", arg)}
	}
	var failure error
	filled := placeholder.ReplaceAllStringFunc(arg, func(match string) string {
		name := placeholder.FindStringSubmatch(match)[1]
		text, err := scalar(values[name])
		if err != nil && failure == nil {
			failure = &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("filling argument %q: parameter %q %v", arg, name, err)}
		}
		return text
	})
	return filled, failure
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

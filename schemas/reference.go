package schemas

import (
	"fmt"
	"slices"
)

// reference stands in parameters for a part of another call's output:
// {"$from": "<call's id>", "pointer": "/path"}.
type reference struct{ From, Pointer string }

// asReference reads m as a reference, if it has "$from".
func asReference(m map[string]any) (ref reference, is bool, err error) {
	from, is := m["$from"]
	if !is {
		return ref, false, nil
	}
	ok := false
	if ref.From, ok = from.(string); !ok || ref.From == "" {
		return ref, true, fmt.Errorf(`"$from" is %s; it names a call by its id, or "input"`, show(from))
	}
	if p, has := m["pointer"]; has {
		if ref.Pointer, ok = p.(string); !ok {
			return ref, true, fmt.Errorf(`"pointer" is %s; it is a JSON pointer such as "/parameters/b1"`, show(p))
		}
	}
	for _, key := range sortedKeys(m) {
		if !slices.Contains([]string{"$from", "pointer"}, key) {
			return ref, true, fmt.Errorf(`a reference has only "$from" and "pointer", and no %.80q`, key)
		}
	}
	if _, err := tokens(ref.Pointer); err != nil {
		return ref, true, err
	}
	return ref, true, nil
}

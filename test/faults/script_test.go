//go:build linux || darwin

package faults_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// step is what the model proposes in one turn.
type step []proposed

// proposed is one call. A member of params may be a reference.
type proposed struct {
	id, action string
	params     map[string]any
}

// call is a proposed call whose id is its label.
func call(label, action string, more ...any) proposed {
	p := proposed{id: label, action: action, params: map[string]any{"label": label}}
	for i := 0; i+1 < len(more); i += 2 {
		p.params[more[i].(string)] = more[i+1]
	}
	return p
}

func held(label, action string) proposed { return call(label, action, "hold", true) }

// from is a reference to an output.
func from(id, pointer string) map[string]any {
	return map[string]any{"$from": id, "pointer": pointer}
}

// script is a model that proposes the steps, one after the other, whatever comes of them,
// and then finishes with the digits of the labels. faults are by turn: YAML of a fault.
func script(steps []step, faults map[int]string, labels ...string) string {
	var b strings.Builder
	b.WriteString("model: scripted/faults\nrules:\n")
	rule := func(turn int, reply string) {
		fmt.Fprintf(&b, "  - when: {turn: %d}\n    reply: %s\n", turn, reply)
		if f := faults[turn]; f != "" {
			fmt.Fprintf(&b, "    fault: %s\n", f)
		}
	}
	for i, s := range steps {
		var calls []map[string]any
		for _, p := range s {
			calls = append(calls, map[string]any{"id": p.id, "action": p.action, "params": p.params})
		}
		rule(i, mustJSON(map[string]any{"calls": calls}))
	}
	result := map[string]any{}
	for _, l := range labels {
		result[l] = from(l, "/digits")
	}
	rule(len(steps), mustJSON(map[string]any{"finish": result}))
	return b.String()
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

package activities

import (
	"fmt"

	"rlam/internal/canon"
)

// chosen is the binding's digest as it is recorded: where there was a choice.
func (w *work) chosen() canon.Digest {
	if len(w.all.Others) == 0 {
		return canon.Digest{}
	}
	return w.bound.Binding
}

// begunBy is the work with the binding by which an execution of it began; none is
// recorded where there was no choice.
func (w *work) begunBy(binding canon.Digest) (*work, error) {
	if binding.IsZero() {
		return w, nil
	}
	for _, one := range w.all.Bindings() {
		if one.Digest == binding {
			begun := *w
			begun.bound = w.all.By(one)
			return &begun, nil
		}
	}
	return nil, fmt.Errorf("an execution of call %s began by binding %s, which the run doesn't pin for %s", w.in.Call, binding, w.call.Action)
}

package schemas

import "slices"

// Isolation is what keeps an attempt from the rest of the machine.
type Isolation string

// The levels, weakest first. docs/isolation.md says what each does and doesn't keep apart.
const (
	IsolationNone    Isolation = "none"    // nothing
	IsolationProcess Isolation = "process" // a folder and an environment of its own, limits, no new privileges
	IsolationSandbox Isolation = "sandbox" // besides, namespaces: it sees the system read-only, its folder, and no network
)

// Isolations are the levels, weakest first.
func Isolations() []Isolation {
	return []Isolation{IsolationNone, IsolationProcess, IsolationSandbox}
}

// AtLeast says whether i keeps apart all that other does. No level at all is none.
func (i Isolation) AtLeast(other Isolation) bool { return i.rank() >= other.rank() }

// Stronger is the stronger of two levels.
func (i Isolation) Stronger(other Isolation) Isolation {
	if i.AtLeast(other) {
		return i
	}
	return other
}

func (i Isolation) rank() int { return max(0, slices.Index(Isolations(), i)) }

// checkIsolation refuses what only a command can be given.
func (d *document) checkIsolation(a Action, bindings []Alternative) {
	if d.bad["run"] || slices.ContainsFunc(bindings, func(one Alternative) bool { return one.Pinned.Command != nil }) {
		return
	}
	for _, m := range []struct {
		name string
		set  bool
	}{
		{"isolation", a.Isolation.rank() > 0}, {"network", a.Network}, {"resources/file_size", a.Resources.FileSize > 0},
	} {
		if m.set {
			d.refuse("/"+m.name, "", `"run": {"command": …}`, "only a command can be kept apart: what else carries the action out lives in the worker")
		}
	}
}

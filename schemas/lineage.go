package schemas

import (
	"slices"
	"strings"
)

// ancestry is what a value comes from.
type ancestry struct {
	actions  []string // names, sorted
	external bool     // one of them has external effects
}

func (a *ancestry) join(other ancestry) {
	a.external = a.external || other.external
	for _, name := range other.actions {
		if at, found := slices.BinarySearch(a.actions, name); !found {
			a.actions = slices.Insert(slices.Clone(a.actions), at, name)
		}
	}
}

// ancestors follows the data edges from a call back to the inputs. A source that is
// not known, or whose action the study doesn't list any more, counts as external:
// what can't be told apart from the network is treated as such.
func (p *step) ancestors(id string) ancestry {
	if found, ok := p.lines[id]; ok {
		return found
	}
	p.lines[id] = ancestry{} // edges lead back in time; a circle in damaged facts ends here
	var out ancestry
	source, ok := p.facts.Sources[id]
	switch {
	case id == InputSource:
	case !ok:
		out.external = true
	default:
		b := p.facts.Actions[source.Action]
		out = ancestry{actions: []string{source.Action}, external: b == nil || b.Action.Effects == EffectsExternal}
		for _, from := range source.From {
			out.join(p.ancestors(from))
		}
	}
	p.lines[id] = out
	return out
}

// lineage is the variable lineage: where each parameter comes from.
func (p *step) lineage(c *trial) map[string]any {
	var all ancestry
	params := map[string]any{}
	typed := false
	written, _ := c.written.(map[string]any)
	_, whole := written["$from"]
	values, _ := c.value.(map[string]any)
	for name := range values {
		var line ancestry
		var calls []string
		for _, use := range c.Uses {
			if whole || below(use.At, name) {
				line.join(p.ancestors(use.From))
				if !slices.Contains(calls, use.From) {
					calls = append(calls, use.From)
				}
			}
		}
		byHand := !whole && literal(written[name])
		typed = typed || byHand
		all.join(line)
		params[name] = map[string]any{"typed": byHand, "external": line.external, "actions": asList(line.actions), "calls": asList(calls)}
	}
	return map[string]any{"typed": typed, "external": all.external, "actions": asList(all.actions), "params": params}
}

// below says whether a pointer leads into the member of that name.
func below(pointer, name string) bool {
	rest, ok := strings.CutPrefix(pointer, join("", name))
	return ok && (rest == "" || rest[0] == '/')
}

// literal says whether a value holds anything that is no reference.
func literal(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0 || slices.ContainsFunc(v, literal)
	case map[string]any:
		if _, is := v["$from"]; is {
			return false
		}
		for _, item := range v {
			if literal(item) {
				return true
			}
		}
		return len(v) == 0
	}
	return true
}

// asList is names as decoded JSON has them.
func asList(names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out
}

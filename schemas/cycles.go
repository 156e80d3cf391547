package schemas

import (
	"net/url"
	"slices"
	"strings"
)

// besideRef are the keywords beside a reference that judge values.
func besideRef(schema map[string]any) []string {
	return slices.DeleteFunc(sortedKeys(schema), func(key string) bool {
		_, known := keywords[key]
		return !known || key == "$ref" || key == "definitions" || key == "$defs" || slices.Contains(annotations, key)
	})
}

// link resolves local references, and refuses those that lead back to where they
// stand without going deeper into the instance: validation would never end.
func (g *grammar) link() {
	for _, s := range g.order {
		ref, ok := s.raw["$ref"].(string)
		if !ok || !strings.HasPrefix(ref, "#") {
			continue
		}
		pointer, err := url.PathUnescape(ref[1:])
		target := g.shapes[pointer]
		if err != nil || target == nil {
			var at []string
			for p := range g.shapes {
				if strings.HasPrefix(p, "/definitions/") || strings.HasPrefix(p, "/$defs/") {
					at = append(at, "#"+p)
				}
			}
			g.refuse(join(s.pointer, "$ref"), nearest(ref, at), "the reference %.80q leads to no schema in this document", ref)
			continue
		}
		if g.draft == draft2020 && len(besideRef(s.raw)) > 0 {
			s.all = append(s.all, target) // counts beside the others
			continue
		}
		s.ref = target
	}
	const open, done = 1, 2
	state := map[*shape]int{}
	var visit func(s *shape) bool
	visit = func(s *shape) bool {
		switch state[s] {
		case open:
			return false
		case done:
			return true
		}
		state[s] = open
		defer func() { state[s] = done }()
		for _, next := range s.here() {
			if !visit(next) {
				g.refuse(s.pointer, "", "the reference leads back to itself at one location: validation would never end")
				return true
			}
		}
		return true
	}
	for _, s := range g.order {
		visit(s)
	}
}

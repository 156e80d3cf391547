package executor

import (
	"path/filepath"
	"slices"
	"strings"

	"rlam/schemas"
)

// Choose is the action with the first of its bindings that this worker can carry out;
// nil if there is none. An action with one binding is taken without looking for its
// program: that it is missing is a failure which the planner hears of, where a list says
// that other workers may have it.
func (s *Set) Choose(b *schemas.Bound) *schemas.Bound {
	if len(b.Others) == 0 {
		if s.Has(b.Pinned.Binding) {
			return b
		}
		return nil
	}
	for _, one := range b.Bindings() {
		if s.Finds(one.Pinned) {
			return b.By(one)
		}
	}
	return nil
}

// Finds says whether this worker can carry b out, as far as that shows before a start: it
// has the handler, or finds the program. [Set.Has] doesn't look for programs. What stands
// behind a prefix may be found only by the prefix, and isn't looked for.
func (s *Set) Finds(b schemas.Pinned) bool {
	c := commandOf(b.Binding)
	if c == nil || !s.Has(b.Binding) {
		return s.Has(b.Binding)
	}
	line := append(slices.Clone(c.Prefix), c.Argv...)
	if len(line) == 0 {
		return false
	}
	if strings.ContainsRune(line[0], '/') && !filepath.IsAbs(line[0]) {
		return slices.Contains(c.Files, filepath.ToSlash(filepath.Clean(line[0])))
	}
	_, err := findProgram(line[0], "/", searchPath(c, s.path))
	return err == nil
}

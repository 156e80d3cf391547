package schemas

import (
	"slices"
	"strings"
)

// promise refuses a reference into the output of a call that has not run, where
// the schemas already show that it can't come out well.
func (r *resolving) promise(source *Bound, ref reference, at string) {
	parts, _ := tokens(ref.Pointer)
	s := source.returns.root
	walked := ""
	for _, part := range parts {
		next, closed := s.child(part)
		if closed {
			r.refuse("path", at, "the output of %s will have no %s: %v", source.ID(), ref.Pointer, missing(walked, part, sortedKeys(s.target().props)))
			return
		}
		if next == nil {
			return
		}
		s, walked = next, join(walked, part)
	}
	want := r.demanded(at)
	if want == nil {
		return
	}
	given := s.target()
	if len(given.types) > 0 && len(want.types) > 0 && !slices.ContainsFunc(given.types, func(t string) bool {
		return slices.Contains(want.types, t) || t == "integer" && slices.Contains(want.types, "number") || t == "number" && slices.Contains(want.types, "integer")
	}) {
		r.refuse("type", at, "the output of %s will be %s at %s; expected %s", source.ID(), strings.Join(articles(given.types), " or "), place(ref.Pointer), want.describe())
	}
	r.sameUnit(given, want, source, ref, at)
}

// units refuses a value whose schema says that it is in another unit.
func (r *resolving) units(source *Bound, ref reference, at string) {
	parts, _ := tokens(ref.Pointer)
	s := source.returns.root
	for _, part := range parts {
		if s, _ = s.child(part); s == nil {
			return
		}
	}
	if want := r.demanded(at); want != nil {
		r.sameUnit(s.target(), want, source, ref, at)
	}
}

func (r *resolving) sameUnit(given, want *shape, source *Bound, ref reference, at string) {
	if given.unit != "" && want.unit != "" && given.unit != want.unit {
		r.refuse("unit", at, "the output of %s is in %q at %s; expected %q", source.ID(), given.unit, place(ref.Pointer), want.unit)
	}
}

// demanded is the one schema that certainly holds at a place in the parameters, if there is one.
func (r *resolving) demanded(at string) *shape {
	if r.trial.action == nil {
		return nil
	}
	parts, _ := tokens(at)
	s := r.trial.action.params.root
	for _, part := range parts {
		if s, _ = s.child(part); s == nil {
			return nil
		}
	}
	return s.target()
}

// target follows references of the schema.
func (s *shape) target() *shape {
	for n := 0; s.ref != nil && n < 64; n++ {
		s = s.ref
	}
	return s
}

// child is the schema of a member, if it is the only one that matters; closed says
// that there can be no such member.
func (s *shape) child(part string) (next *shape, closed bool) {
	s = s.target()
	if len(s.all)+len(s.any)+len(s.one)+len(s.cond)+len(s.deps)+len(s.patterns) > 0 {
		return nil, false
	}
	if sub := s.props[part]; sub != nil {
		return sub, false
	}
	if slices.Equal(s.types, []string{"object"}) && s.closed {
		return nil, true
	}
	if slices.Equal(s.types, []string{"array"}) {
		return s.items, false
	}
	if s.rest != nil && s.rest.always == nil && slices.Equal(s.types, []string{"object"}) {
		return s.rest, false
	}
	return nil, false
}

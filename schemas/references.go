package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// maxReferences bounds the references of one call.
const maxReferences = 1000

// origin is what the references gate knew of one source.
type origin struct {
	From   string       `json:"from"`
	Status Status       `json:"status"`
	Output canon.Digest `json:"output,omitzero"` // of the bytes
}

type referenceFacts struct {
	Sources []origin `json:"sources,omitempty"`
	Uses    []Use    `json:"uses,omitempty"`
	Handles []string `json:"handles,omitempty"` // artifacts that were asked for
}

// references replaces references by values, and finds what has none.
func (p *step) references(c *trial) {
	if c.refused() || !c.parsed {
		return
	}
	r := &resolving{step: p, trial: c}
	resolved, _ := r.resolve(c.value, "")
	for _, id := range c.Proposed.After {
		r.after(id)
	}
	r.handles(c.action.params.root, resolved)
	basis := referenceFacts{Sources: r.origins, Uses: r.uses, Handles: r.asked}
	c.Uses = r.uses
	if r.wrong != nil {
		c.say(GateReferences, Refused, r.rule, strings.Join(r.wrong, "; "), basis)
		return
	}
	c.value = resolved
	decision := Admitted
	if c.pending {
		decision = Deferred
	}
	c.say(GateReferences, decision, "", "", basis)
}

// resolving is the references gate at work on one value.
type resolving struct {
	*step
	*trial
	origins []origin
	uses    []Use
	asked   []string
	wrong   []string
	rule    string
}

func (r *resolving) refuse(rule, at, format string, args ...any) {
	if r.rule == "" {
		r.rule = rule
	}
	r.wrong = append(r.wrong, fmt.Sprintf("at %s: ", spot(at))+fmt.Sprintf(format, args...))
}

// resolve is v with the references whose values are known replaced. It builds a
// new value and leaves v as it was. What comes out of a source is data: a
// reference in it is not followed.
func (r *resolving) resolve(v any, at string) (out any, ok bool) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i], _ = r.resolve(item, joinIndex(at, i))
		}
		return out, true
	case map[string]any:
		ref, is, err := asReference(v)
		switch {
		case err != nil:
			r.refuse("form", at, "%v", err)
			return v, false
		case is:
			return r.value(ref, v, at)
		}
		out := make(map[string]any, len(v))
		for _, name := range sortedKeys(v) {
			out[name], _ = r.resolve(v[name], join(at, name))
		}
		return out, true
	}
	return v, true
}

// value is what a reference stands for, or the reference itself if that is not known yet.
func (r *resolving) value(ref reference, as any, at string) (any, bool) {
	if len(r.uses) == maxReferences {
		r.refuse("number", at, "more than %d references in one call", maxReferences)
		return as, false
	}
	if sibling := r.byID[ref.From]; sibling != nil {
		r.uses = append(r.uses, Use{From: sibling.ID, Pointer: ref.Pointer, At: at})
		r.wait(sibling)
		r.pending = true
		if sibling.action != nil {
			r.promise(sibling.action, ref, at)
		}
		return as, false
	}
	source, ok := r.facts.Sources[ref.From]
	if !ok {
		r.unknown(ref.From, at)
		return as, false
	}
	id := ref.From
	if source.Call != "" {
		id = source.Call
	}
	r.uses = append(r.uses, Use{From: id, Pointer: ref.Pointer, At: at})
	r.origin(id, source)
	switch source.Status {
	case StatusCompleted:
	case StatusPending:
		r.pending = true
		r.Judged.After = append(r.Judged.After, id)
		return as, false
	default:
		r.refuse("source", at, "the call %.80q is %s, and has no output", ref.From, source.Status)
		return as, false
	}
	output, err := r.output(ref.From)
	if err == nil {
		var v any
		if v, err = lookup(output, ref.Pointer); err == nil {
			if b := r.facts.Actions[source.Action]; b != nil && ref.From != InputSource {
				r.units(b, ref, at)
			}
			return v, true
		}
	}
	r.refuse("path", at, "in the output of %.80q, %v", ref.From, err)
	return as, false
}

func (r *resolving) origin(id string, s Source) {
	if slices.ContainsFunc(r.origins, func(o origin) bool { return o.From == id }) {
		return
	}
	o := origin{From: id, Status: s.Status}
	if s.Status == StatusCompleted {
		o.Output = canon.Sum(s.Output)
	}
	r.origins = append(r.origins, o)
}

// output is a source's output, decoded and hashed once for the step.
type output struct {
	value  any
	digest canon.Digest
	err    error
}

func (p *step) output(key string) (any, error) {
	o := p.read(key)
	return o.value, o.err
}

func (p *step) read(key string) output {
	if found, ok := p.decoded[key]; ok {
		return found
	}
	s := p.facts.Sources[key]
	o := output{digest: canon.Sum(s.Output)}
	if len(s.Output) == 0 {
		o.err = errors.New("there is nothing")
	} else {
		o.value, o.err = canon.Decode(s.Output)
	}
	p.decoded[key] = o
	return o
}

func (r *resolving) unknown(id, at string) {
	if id == InputSource {
		r.refuse("unknown", at, `"input" names the study's inputs, and it has none`)
		return
	}
	var ids []string
	for key, s := range r.facts.Sources {
		if s.Status != StatusRefused {
			ids = append(ids, key)
		}
	}
	for key := range r.byID {
		ids = append(ids, key)
	}
	slices.Sort(ids)
	if n := nearest(id, ids); n != "" {
		r.refuse("unknown", at, "no call has the id %.80q (did you mean %q?)", id, n)
		return
	}
	r.refuse("unknown", at, "no call has the id %.80q; there are %s", id, quoted(ids))
}

// wait notes that the call comes after another one of the step.
func (r *resolving) wait(sibling *trial) {
	if !slices.Contains(r.waits, sibling) {
		r.waits = append(r.waits, sibling)
		r.Judged.After = append(r.Judged.After, sibling.ID)
	}
}

func (r *resolving) after(id string) {
	if sibling := r.byID[id]; sibling != nil {
		r.wait(sibling)
		return
	}
	if s, ok := r.facts.Sources[id]; !ok {
		r.unknown(id, "/after")
	} else if s.Status == StatusPending {
		if s.Call != "" {
			id = s.Call
		}
		r.Judged.After = append(r.Judged.After, id)
	}
}

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

// handles asks for every artifact that stands where the schema expects one.
func (r *resolving) handles(root *shape, whole any) {
	walk(whole, "", func(v any, at string) bool {
		if m, ok := v.(map[string]any); ok && m["$from"] != nil {
			return false
		}
		handle, ok := v.(string)
		if !ok {
			return true
		}
		if _, err := canon.Parse(handle); err != nil {
			return true // the schema gate says so where a handle is a must
		}
		parts, _ := tokens(at)
		if !slices.ContainsFunc(root.at(parts, whole), func(s *shape) bool { return s.isArtifact }) {
			return true
		}
		if !slices.Contains(r.asked, handle) {
			r.asked = append(r.asked, handle)
		}
		if r.facts.HasArtifact == nil || !r.facts.HasArtifact(handle) {
			r.refuse("artifact", at, `this run has no artifact %s; refer to an input, {"$from":"input","pointer":"/NAME"}, or to the handle in an earlier output`, handle)
		}
		return true
	})
}

// circles refuses calls of the step that wait for each other.
func (p *step) circles() {
	edges := map[string][]string{}
	for _, c := range p.cases {
		for _, other := range c.waits {
			edges[c.ID] = append(edges[c.ID], other.ID)
		}
	}
	for _, c := range p.cases {
		circle := circleFrom(c.ID, edges)
		if circle == nil || c.refused() {
			continue
		}
		names := make([]string, len(circle))
		for i, id := range circle {
			names[i] = p.byID[id].called()
		}
		c.Verdicts = c.Verdicts[:len(c.Verdicts)-1] // the same gate's, which had not seen the others
		c.say(GateReferences, Refused, "circle", "the calls wait for each other: "+strings.Join(names, " → ")+"; a call can only use outputs of calls that don't need its own", map[string][]string{"circle": circle})
	}
}

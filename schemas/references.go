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
	basis := r.basis()
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
	origins []any // what was known of each source
	uses    []Use
	asked   []string
	wrong   []string
	rule    string
}

// basis is what the gate judged: sources, references, and artifacts that were asked for.
func (r *resolving) basis() map[string]any {
	out := map[string]any{}
	if len(r.origins) > 0 {
		out["sources"] = r.origins
	}
	if len(r.asked) > 0 {
		out["handles"] = asList(r.asked)
	}
	if len(r.uses) > 0 {
		uses := make([]any, len(r.uses))
		for i, u := range r.uses {
			uses[i] = map[string]any{"from": u.From, "pointer": u.Pointer, "at": u.At}
		}
		out["uses"] = uses
	}
	return out
}

func (r *resolving) refuse(rule, at, format string, args ...any) {
	if r.rule == "" {
		r.rule = rule
	}
	r.wrong = append(r.wrong, fmt.Sprintf("at %s: ", spot(at))+fmt.Sprintf(format, args...))
}

// resolve is v with the references whose values are known replaced. It leaves v as
// it was, and shares what holds no reference. What comes out of a source is data: a
// reference in it is not followed.
func (r *resolving) resolve(v any, at string) (out any, ok bool) {
	if !holds(v, isReference) {
		return v, true
	}
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
	r.origin(id, ref.From, source.Status)
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
		if v, err = Lookup(output, ref.Pointer); err == nil {
			if b := r.facts.Actions[source.Action]; b != nil && ref.From != InputSource {
				r.units(b, ref, at)
			}
			return v, true
		}
	}
	r.refuse("path", at, "in the output of %.80q, %v", ref.From, err)
	return as, false
}

func (r *resolving) origin(id, key string, status Status) {
	if slices.ContainsFunc(r.origins, func(o any) bool { return o.(map[string]any)["from"] == id }) {
		return
	}
	o := map[string]any{"from": id, "status": string(status)}
	if status == StatusCompleted {
		o["output"] = r.read(key).digest // of the bytes
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
	// The planner's own ids say more than the engine's, where there are any.
	if named := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return standingOf(id).step > 0 }); len(named) > 0 {
		ids = named
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

// isReference and isHandle are asked of every value that may have to be looked at.
func isReference(v any) bool {
	m, _ := v.(map[string]any)
	_, is := m["$from"]
	return is
}

func isHandle(v any) bool {
	text, ok := v.(string)
	return ok && strings.HasPrefix(text, "sha256:")
}

// holds says whether v is, or has in it, a value of that kind.
func holds(v any, kind func(any) bool) bool {
	if kind(v) {
		return true
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if holds(item, kind) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if holds(item, kind) {
				return true
			}
		}
	}
	return false
}

// handles asks for every artifact that stands where the schema expects one.
func (r *resolving) handles(root *shape, whole any) {
	if !holds(whole, isHandle) {
		return
	}
	walk(whole, "", func(v any, at string) bool {
		if isReference(v) {
			return false
		}
		handle, ok := v.(string)
		if !ok || !isHandle(v) {
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
		c.say(GateReferences, Refused, "circle", "the calls wait for each other: "+strings.Join(names, " → ")+"; a call can only use outputs of calls that don't need its own", map[string]any{"circle": asList(circle)})
	}
}

package schemas

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// checkPlan names calls that are written twice, references and "after" that lead
// nowhere, and circles.
func (d *document) checkPlan(p Plan) {
	var ids []string
	unsound := p.Calls == nil // then nothing can be said of ids that are not there
	for i, c := range p.Calls {
		at := joinIndex("/calls", i)
		switch {
		case c.ID == "": // it has problems of form
			unsound = true
		case slices.Contains(reservedNames, c.ID):
			d.refuse(at+"/id", "", "", "%q is reserved", c.ID)
		case slices.Contains(ids, c.ID):
			d.refuse(at+"/id", "", "", "the id %q is used by an earlier call", c.ID)
		}
		ids = append(ids, c.ID)
		var values []json.RawMessage
		if json.Unmarshal(c.Each, &values) == nil {
			for j := range values {
				ids = append(ids, c.ID+"."+strconv.Itoa(j))
			}
		}
	}
	sources := append(slices.Clone(ids), InputSource)
	if unsound {
		sources = nil
	}
	edges := map[string][]string{}
	for _, id := range ids { // a loop's single call stands for the loop
		if i := strings.LastIndexByte(id, '.'); i > 0 && slices.Contains(ids, id[:i]) {
			edges[id] = append(edges[id], id[:i])
		}
	}
	for i, c := range p.Calls {
		at := joinIndex("/calls", i)
		for j, id := range c.After {
			if !slices.Contains(ids, id) && !unsound {
				d.refuse(joinIndex(at+"/after", j), nearest(id, ids), "", "no call has the id %q", id)
				continue
			}
			edges[c.ID] = append(edges[c.ID], id)
		}
		edges[c.ID] = append(edges[c.ID], d.planReferences(c.Params, at+"/params", sources, c.Each != nil || d.spoiled(at))...)
	}
	d.planReferences(p.Result, "/result", sources, false)
	for i, c := range p.Calls {
		if circle := circleFrom(c.ID, edges); circle != nil {
			d.refuse(joinIndex("/calls", i), "", "", "the call waits for itself: %s", quoted(circle))
			return
		}
	}
}

// planReferences checks the references in a value, and says which calls they lead to.
// Without ids nothing is said of a call that isn't among them.
func (d *document) planReferences(raw json.RawMessage, at string, ids []string, loop bool) (to []string) {
	if raw == nil {
		return nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil
	}
	walk(v, at, func(v any, at string) bool {
		m, ok := v.(map[string]any)
		if !ok {
			return true
		}
		if each, ok := m["$each"]; ok {
			if each != true || len(m) != 1 {
				d.refuse(at, "", `{"$each": true}`, "is not the loop's value")
			} else if !loop {
				d.refuse(at, "", "", "stands for a loop's value, and the call has no \"each\"")
			}
			return false
		}
		ref, is, err := asReference(m)
		switch {
		case err != nil:
			d.refuse(at, "", "", "%v", err)
		case is && ids != nil && !slices.Contains(ids, ref.From):
			d.refuse(at+"/$from", nearest(ref.From, ids), "", "no call has the id %q", ref.From)
		case is:
			to = append(to, ref.From)
		}
		return !is && err == nil
	})
	return to
}

// walk visits v and, where visit says so, what is in it, in the order of sorted keys.
func walk(v any, at string, visit func(v any, at string) bool) {
	if !visit(v, at) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			walk(v[k], join(at, k), visit)
		}
	case []any:
		for i, item := range v {
			walk(item, joinIndex(at, i), visit)
		}
	}
}

// circleFrom is a path along edges from id back to id, or nil.
func circleFrom(id string, edges map[string][]string) []string {
	seen := map[string]bool{}
	var follow func(at string, path []string) []string
	follow = func(at string, path []string) []string {
		for _, next := range edges[at] {
			if next == id {
				return append(path, next)
			}
			if !seen[next] {
				seen[next] = true
				if circle := follow(next, append(slices.Clone(path), next)); circle != nil {
					return circle
				}
			}
		}
		return nil
	}
	return follow(id, []string{id})
}

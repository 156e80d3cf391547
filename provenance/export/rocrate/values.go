package rocrate

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
	"rlam/provenance/export"
	graphs "rlam/provenance/graph"
)

// Values that are longer than this, spelled as JSON, stand in a file and not in the
// metadata.
const maxValue = 2048

// maxList is how many members a list may have to stand in the metadata as such.
const maxList = 64

// file is a value that is a file's handle.
type file struct{ ref }

// fragment is the id of a contextual entity made from a node's: "#output/4.1/2".
func fragment(id string) string {
	return "#" + fileID(strings.NewReplacer(":", "/", "#", "/").Replace(id))
}

// values adds a node's value, a member an entity, and returns them: PropertyValues, and
// the files that it names. A value that can't be read is one entity that says so.
func (c *crate) values(n *graphs.Node, t *tool, side, what string) ([]ref, error) {
	content, err := c.run.Content(c.ctx, n.Digest)
	if err != nil {
		return nil, err
	}
	if content.State != export.Present {
		return []ref{{c.unread(n, what, string(content.State)).id()}}, nil
	}
	c.producers[n.ID] = t
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(content.Value, &fields) != nil {
		fields = map[string]json.RawMessage{"value": content.Value} // no object: a gate refused it
	}
	if len(fields) == 0 {
		return []ref{{c.add(fragment(n.ID), []string{"PropertyValue"}, entity{"name": what, "value": "{}"}).id()}}, nil
	}
	var all []ref
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v, named := c.value(n, name, fields[name])
		if f, ok := v.(file); ok {
			// One that isn't in the crate is no data, so a parameter finds no example in it.
			if e := c.byID[f.ID]; e["sha256"] != nil && e["@type"] != creativeWork {
				e.link("exampleOfWork", c.parameter(t, side, name, v).id())
			}
			all = append(all, f.ref)
			continue
		}
		p := c.property(n, name, v, fields[name])
		p.link("exampleOfWork", c.parameter(t, side, name, v).id())
		all = append(append(all, ref{p.id()}), named...)
	}
	return unique(all), nil
}

// unread is a value that is not here.
func (c *crate) unread(n *graphs.Node, what, state string) entity {
	return c.add(fragment(n.ID), []string{creativeWork}, entity{
		"name": what, "identifier": n.Digest.String(), "description": "This content is " + state + "; its digest is what is left of it.",
	})
}

// property adds one member of a value.
func (c *crate) property(n *graphs.Node, name string, v any, raw json.RawMessage) entity {
	p := c.add(fragment(n.ID)+"/"+fileID(name), []string{"PropertyValue"}, entity{"name": name})
	if len(raw) > maxValue {
		text := strconv.Itoa(len(raw)) + " bytes of JSON, too many to stand here"
		if f := c.fileOf(placeOf(n), n.Digest); f != nil {
			text += "; see " + f.Path
			p.set("subjectOf", ref{fileID(f.Path)})
		}
		p["value"] = text
		return p
	}
	if list, ok := v.([]any); ok && !plain(list) {
		v = string(raw)
	}
	p["value"] = v
	return p
}

// placeOf is where the file of a node's value belongs.
func placeOf(n *graphs.Node) place {
	switch n.Role {
	case "params":
		at := place{role: RoleParams, call: n.Call + branch(n.ID)}
		if strings.Contains(n.ID, "/judged") {
			at.name = Resolved
		}
		return at
	case "output":
		return place{role: RoleOutput, call: n.Call + branch(n.ID), attempt: attemptOf(n.ID)}
	case "prompt", "answer":
		return place{role: Role(n.Role), call: strconv.Itoa(n.Step) + branch(n.ID)}
	case "result":
		return place{role: RoleResult}
	}
	return place{}
}

// branch is the end of a node's id that says which reset left it behind: "~abcd1234".
func branch(id string) string {
	if i := strings.LastIndexByte(id, '~'); i >= 0 {
		return id[i:]
	}
	return ""
}

// attemptOf is the number in the id of an attempt's output or artifact: "output:4.1#2".
func attemptOf(id string) int {
	_, after, _ := strings.Cut(id, "#")
	digits := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		after = after[:digits]
	}
	n, _ := strconv.Atoi(after) // 0 where there is none
	return n
}

// value is a member as JSON-LD has it: a string, number, boolean, a list of those, or a
// file; and of anything else its JSON. The files that it names deeper down come with it.
func (c *crate) value(n *graphs.Node, name string, raw json.RawMessage) (any, []ref) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return string(raw), nil
	}
	switch v := v.(type) {
	case string:
		if f, ok := c.named(n, "/"+escape(name), v); ok {
			return f, nil
		}
		return v, nil
	case bool, json.Number:
		return v, nil
	case []any:
		return v, c.namedIn(n, "/"+escape(name), v)
	case map[string]any:
		return string(raw), c.namedIn(n, "/"+escape(name), v)
	}
	return string(raw), nil
}

// plain says whether a list can stand as such: JSON-LD knows no lists of lists, nor empty
// ones.
func plain(list []any) bool {
	if len(list) == 0 || len(list) > maxList {
		return false
	}
	for _, v := range list {
		switch v.(type) {
		case string, bool, json.Number:
		default:
			return false
		}
	}
	return true
}

// namedIn finds the files whose handles stand in a value.
func (c *crate) namedIn(n *graphs.Node, at string, v any) []ref {
	var all []ref
	switch v := v.(type) {
	case string:
		if f, ok := c.named(n, at, v); ok {
			all = append(all, f.ref)
		}
	case []any:
		for i, x := range v {
			all = append(all, c.namedIn(n, at+"/"+strconv.Itoa(i), x)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, c.namedIn(n, at+"/"+escape(name), v[name])...)
		}
	}
	return all
}

// escape spells a member's name in a JSON pointer.
func escape(name string) string { return jsonpointer.Escape(name) }

// named is the file whose handle s is, where it stands at a place of a node's value. Which
// of several artifacts with the same bytes is meant, the graph's data edges say.
func (c *crate) named(n *graphs.Node, at, s string) (file, bool) {
	d, err := canon.Parse(s)
	if err != nil {
		return file{}, false
	}
	for _, e := range c.edges[n.ID] {
		to := c.trace.Graph.Node(e.To)
		if e.Kind == graphs.Derived && to.Kind == graphs.Artifact && to.Digest == d && (e.At == at || e.At == "") {
			return file{ref{c.artifact(to).id()}}, true
		}
	}
	attempt, isOutput := strings.CutPrefix(n.ID, "output:")
	if isOutput {
		for _, e := range c.edges["attempt:"+attempt] {
			if to := c.trace.Graph.Node(e.To); e.Kind == graphs.Generated && to.Kind == graphs.Artifact && to.Digest == d {
				return file{ref{c.artifact(to).id()}}, true
			}
		}
	}
	if f := c.byDigest[d]; f != nil {
		return file{ref{fileID(f.Path)}}, true
	}
	return file{}, false
}

// artifact is the entity of an artifact: a file of the crate, or, of one that isn't in it,
// what is known of it.
func (c *crate) artifact(n *graphs.Node) entity {
	at := place{role: RoleArtifact, call: n.Call + branch(n.ID), attempt: attemptOf(n.ID), name: n.Name}
	switch {
	case n.Role == "input":
		at = place{role: RoleInput, name: n.Name}
	case n.Name == "log":
		at.role = RoleLog
	}
	if f := c.byPlace[at]; f != nil {
		return c.byID[fileID(f.Path)]
	}
	if f := c.byDigest[n.Digest]; f != nil {
		return c.byID[fileID(f.Path)]
	}
	about := "A file that is not in this crate: its digest is what is known of it here."
	if n.Source != "" {
		about += " It came from " + n.Source + "."
	}
	e := c.add(fragment(n.ID), []string{creativeWork}, entity{
		"name": n.Name, "encodingFormat": n.MediaType, "sha256": n.Digest.Hex(), "description": about,
	})
	if n.Size > 0 {
		e["contentSize"] = strconv.FormatInt(n.Size, 10)
	}
	return e
}

// unique leaves out what was there before.
func unique(all []ref) []ref {
	seen := map[ref]bool{}
	return slices.DeleteFunc(all, func(r ref) bool {
		was := seen[r]
		seen[r] = true
		return was
	})
}

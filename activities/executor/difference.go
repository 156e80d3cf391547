package executor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one piece of an environment that another has differently. A piece that
// one of them lacks is "" there.
type Difference struct {
	Piece string `json:"piece"` // its place in the environment: "program", "variables TZ"
	A     string `json:"a"`
	B     string `json:"b"`
}

// Differences are what tells two environments apart.
type Differences struct {
	Identity      []Difference `json:"identity"`      // each can change a result
	Circumstances []Difference `json:"circumstances"` // these shouldn't
}

// Same says whether the identities are the same.
func (d Differences) Same() bool { return len(d.Identity) == 0 }

// Compare says in which pieces two environments differ, in alphabetical order. The
// isolation counts as a circumstance. Of a text of several lines, such as a list of
// packages, each line that only one of them has is a piece.
func Compare(a, b Env) (Differences, error) {
	d := Differences{Identity: []Difference{}, Circumstances: []Difference{}}
	var err error
	if d.Identity, err = Differing(a.Identity, b.Identity); err != nil {
		return d, err
	}
	if d.Circumstances, err = Differing(a.Circumstances, b.Circumstances); err != nil {
		return d, err
	}
	if a.Isolation != b.Isolation {
		d.Circumstances = append(d.Circumstances, Difference{"isolation", string(a.Isolation), string(b.Isolation)})
	}
	return d, nil
}

// Pieces are the pieces of an identity, or of circumstances, by name.
func Pieces(part any) (map[string]string, error) {
	raw, err := json.Marshal(part)
	if err != nil {
		return nil, err
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	pieces := map[string]string{}
	flatten(pieces, "", v)
	return pieces, nil
}

// Differing says in which pieces two values differ that JSON can spell, as [Compare] does.
func Differing(a, b any) ([]Difference, error) {
	to := []Difference{}
	in, err := Pieces(a)
	if err != nil {
		return nil, err
	}
	out, err := Pieces(b)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(in)
	maps.Copy(names, out)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if in[name] != out[name] {
			to = append(to, linesOf(name, in[name], out[name])...)
		}
	}
	return to, nil
}

// flatten names the scalars in a JSON value by the members that lead to them. An array
// is one piece.
func flatten(to map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(to, strings.TrimSpace(at+" "+name), inner)
		}
	case []any:
		var items []string
		for _, item := range v {
			if _, scalar := item.(string); !scalar {
				raw, err := json.Marshal(item)
				if err != nil {
					raw = fmt.Append(nil, item)
				}
				item = string(raw)
			}
			items = append(items, fmt.Sprint(item))
		}
		to[at] = strings.Join(items, ", ")
	case nil:
	default:
		to[at] = fmt.Sprint(v)
	}
}

// linesOf is the difference of one piece, or of its lines.
func linesOf(piece, a, b string) []Difference {
	if !strings.Contains(strings.TrimSpace(a), "\n") || !strings.Contains(strings.TrimSpace(b), "\n") {
		return []Difference{{piece, a, b}}
	}
	only := func(text, other string) []string {
		theirs := strings.Split(other, "\n")
		return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return slices.Contains(theirs, line) })
	}
	var all []Difference
	for _, line := range only(a, b) {
		all = append(all, Difference{piece, line, ""})
	}
	for _, line := range only(b, a) {
		all = append(all, Difference{piece, "", line})
	}
	if all == nil { // the same lines in another order, or another number of times
		all = []Difference{{piece, a, b}}
	}
	return all
}

package schemas

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// groupPlace is where a message has a pattern's group: {1}.
var groupPlace = regexp.MustCompile(`\{([0-9]+)\}`)

// FillGroups replaces {0}, {1}, … of a message by a match and its groups.
func FillGroups(message string, groups []string) string {
	return groupPlace.ReplaceAllStringFunc(message, func(m string) string {
		n := 0
		if _, err := fmt.Sscanf(m, "{%d}", &n); err != nil || n >= len(groups) {
			return m
		}
		return groups[n]
	})
}

// extract checks a member of a command's result.
func (k *commandCheck) extract(at, name string, e Extract) {
	k.source(at+"/from", e.From)
	field := k.field(at, name)
	var ways []string
	if e.Pattern != "" {
		ways = append(ways, "pattern")
		groups := k.pattern(at+"/pattern", e.Pattern)
		switch {
		case groups == 0 && field.is("boolean"):
			// Whether it occurs is the value.
		case groups >= 0 && groups != 1:
			k.refuse(at+"/pattern", "", "one group, in parentheses, around the value; (?:…) is none", "the pattern has %d groups", groups)
		}
	}
	if e.CSV != nil {
		ways = append(ways, "csv")
		if n := e.CSV.Row; n.Name != "" && n.Name != "last" || n.Name == "" && n.Number < 0 {
			k.refuse(at+"/csv/row", "last", `a number from 1, or "last"`, "there is no such row")
		}
		if n := e.CSV.Column; n.Name == "" && n.Number < 1 {
			k.refuse(at+"/csv/column", "", "a name of the header, or a number from 1", "there is no such column")
		}
		if e.All && e.CSV.Row != (Place{}) {
			k.refuse(at+"/csv/row", "", "", "all takes every row")
		}
	}
	if e.Pointer != "" {
		ways = append(ways, "pointer")
		if _, err := tokens(e.Pointer); err != nil {
			k.refuse(at+"/pointer", "", "", "%v", err)
		}
	}
	if len(ways) != 1 {
		k.refuse(at, "", "exactly one of pattern, pointer and csv", "there are %d of them", len(ways))
		return
	}
	k.typed(at, ways[0], e, field)
}

// field is what the returns schema says of a member of the output.
type field struct{ *shape }

func (f field) is(typ string) bool {
	return f.shape != nil && slices.Equal(f.types, []string{typ})
}

func (k *commandCheck) field(at, name string) field {
	if k.returns == nil {
		return field{}
	}
	s, _ := k.returns.child(name)
	if s == nil {
		if known := sortedKeys(k.returns.target().props); !slices.Contains(known, name) {
			k.document.add("", Violations{{
				Pointer: at, Message: fmt.Sprintf("returns has no property %q", name),
				Expected: "one of " + quoted(known), Nearest: nearest(name, known), name: true,
			}})
		}
		return field{}
	}
	return field{s.target()}
}

// scalarTypes are those that a text can be read as.
var scalarTypes = []string{"boolean", "integer", "number", "string"}

// typed refuses a value whose type the returns schema leaves open: text from a file is
// read as what is stated there.
func (k *commandCheck) typed(at, way string, e Extract, f field) {
	if f.shape != nil && f.isArtifact {
		k.refuse(at, "", "an entry of out with its name", "an artifact's handle comes from the file that out names")
		return
	}
	if f.shape == nil || way == "pointer" {
		if e.All {
			k.refuse(at+"/all", "", "", "a pointer leads to one value")
		}
		return
	}
	if e.Match != "" && (e.All || way != "pattern") {
		k.refuse(at+"/match", "", "", "it chooses one match of a pattern")
	}
	if e.All {
		items := followed(f.items)
		if !f.is("array") || items == nil {
			k.refuse(at+"/all", "", "an array with items", "returns says that it is %s", f.describe())
			return
		}
		f = field{items}
	}
	if !slices.ContainsFunc(scalarTypes, f.is) {
		k.refuse(at, "", "one type of "+strings.Join(scalarTypes, ", "), "returns says that it is %s, which can't be read from text", cmp.Or(f.describe(), "of any type"))
	}
}

// complete refuses a result that leaves out what the returns schema requires.
func (k *commandCheck) complete() {
	if k.c.Result == nil || k.returns == nil {
		return
	}
	required, _ := k.returns.target().raw["required"].([]any)
	given := map[string]bool{k.c.Stdout: true}
	for name, e := range k.c.Result {
		given[name] = !e.Optional
	}
	for _, o := range k.c.Out {
		given[o.Name] = !o.Optional
	}
	for _, r := range required {
		if name, _ := r.(string); !given[name] {
			k.refuse(k.at+"/result", "", "", "nothing gives %q, which returns requires", name)
		}
	}
}

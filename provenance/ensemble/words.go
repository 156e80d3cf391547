package ensemble

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/quantity"
)

// Name is a field's pointer, or a word for the whole.
func (f Field) Name() string {
	if f.Pointer == "" {
		return "the result"
	}
	return f.Pointer
}

// Spell is a number with as many digits as the mean has a meaning for: two of its standard
// error. All numbers of one size have the same number of decimals.
func (n *Numbers) Spell(v float64) string {
	if n.SE == nil || *n.SE == 0 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	size := max(math.Abs(n.Mean), math.Abs(v), *n.SE)
	decimals := 1 - int(math.Floor(math.Log10(*n.SE)))
	if decimals > 12 || size >= 1e12 || size >= 1e7 && decimals < 0 || size < 1e-3 {
		digits := decimals + int(math.Floor(math.Log10(size)))
		return strconv.FormatFloat(v, 'e', min(max(digits, 1), 16), 64)
	}
	return strconv.FormatFloat(v, 'f', max(decimals, 0), 64)
}

// Short is a number with four digits, for what has no digits to spare: deviations.
func Short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// Plain is a value's JSON for people: text without its quotation marks, unless it would be
// taken for something else then.
func Plain(spelled string) string {
	var text string
	if json.Unmarshal([]byte(spelled), &text) != nil || text == "" || text != strings.TrimSpace(text) || json.Valid([]byte(text)) {
		return spelled
	}
	return text
}

// String is a setting for people: "model = small".
func (s Setting) String() string { return s.Path + " = " + Plain(string(s.Value)) }

// Label is settings on one line.
func Label(settings []Setting) string {
	if len(settings) == 0 {
		return "as the study has it"
	}
	all := make([]string, len(settings))
	for i, s := range settings {
		all[i] = s.String()
	}
	return strings.Join(all, ", ")
}

// GroupLabel names a group by its settings. Of a path it has the last part, where that tells
// the paths apart.
func (r *Report) GroupLabel(i int) string {
	settings := slices.Clone(r.Groups[i].Settings)
	for j, s := range settings {
		settings[j].Path = r.shortPath(s.Path)
	}
	return Label(settings)
}

// shortPath is the last part of a path that was varied, if no other ends with it.
func (r *Report) shortPath(path string) string {
	last := lastPart(path)
	for _, v := range r.Varied {
		if v.Path != path && lastPart(v.Path) == last {
			return path
		}
	}
	return last
}

func lastPart(path string) string { return path[strings.LastIndexAny(path, "/.")+1:] }

// Words say how values agree: "18 of 20 are true".
func (a *Agreement) Words() string {
	if a.N == 1 {
		return Plain(a.Values[0].Value) + " in one result"
	}
	if a.Distinct == 1 {
		return fmt.Sprintf("all %d are %s", a.N, Plain(a.Values[0].Value))
	}
	if a.Values[0].N == 1 {
		return fmt.Sprintf("all %d are different", a.N)
	}
	return fmt.Sprintf("%d of %d (%s %%) are %s", a.Values[0].N, a.N, strconv.FormatFloat(100*a.Share, 'f', 1, 64), Plain(a.Values[0].Value))
}

// Reason is why some members are in no statistic.
type Reason struct {
	Status, Failure string
	Partial         bool
	Members         []Absent
}

// Reasons are the report's absent members, those with the same status and the same failure
// together, in the order of the first of each.
func (r *Report) Reasons() []Reason {
	var all []Reason
	index := map[[3]string]int{}
	for _, a := range r.Absent {
		same := [3]string{a.Status, a.Failure, strconv.FormatBool(a.Partial)}
		i, known := index[same]
		if !known {
			i = len(all)
			index[same], all = i, append(all, Reason{Status: a.Status, Failure: a.Failure, Partial: a.Partial})
		}
		all[i].Members = append(all[i].Members, a)
	}
	return all
}

// Words say why, in a sentence or two.
func (r Reason) Words() string {
	if !r.Partial {
		return r.Failure
	}
	return strings.TrimSuffix(r.Failure, ".") + ". A partial result isn't counted."
}

// Who are the members of a reason by their ids, of one with what was varied in it.
func (r Reason) Who() string {
	if len(r.Members) == 1 && len(r.Members[0].Varied) > 0 {
		return r.Members[0].ID + " (" + Label(r.Members[0].Varied) + ")"
	}
	var ids []string
	for _, a := range r.Members[:min(len(r.Members), listedIDs)] {
		ids = append(ids, a.ID)
	}
	return Who(ids, len(r.Members))
}

// Agreed says how values of the field agree: artifacts by how many there are, since their
// digests say nothing themselves.
func (f Field) Agreed(a *Agreement) string {
	if f.Kind != Artifact {
		return a.Words()
	}
	if a.Distinct == 1 {
		return fmt.Sprintf("the same artifact in %d of %d", a.N, a.N)
	}
	return fmt.Sprintf("%d different artifacts in %d", a.Distinct, a.N)
}

// Words say what was cut.
func (c Cut) Words() string {
	where := "the result"
	if c.Pointer != "" {
		where = c.Pointer
	}
	switch c.What {
	case "items":
		return fmt.Sprintf("%s: the first %d items have statistics, and %d more have none (the longest of %s)", where, c.Kept, c.Of-c.Kept, quantity.Of(c.Members, "result"))
	case "depth":
		return fmt.Sprintf("%s: what is below is compared as a whole (in %s)", where, quantity.Of(c.Members, "result"))
	case "groups":
		return fmt.Sprintf("the design has %d points, and at most %d have statistics of their own: the CSV has every member", c.Of, mostGroups)
	}
	return fmt.Sprintf("%d of %d fields have statistics, those that most results have; %d more have none", c.Kept, c.Of, c.Of-c.Kept)
}

// Sequence is a plan on one line.
func Sequence(steps []Step, more int) string {
	all := make([]string, len(steps))
	for i, s := range steps {
		all[i] = s.Action
	}
	line := strings.Join(all, " → ")
	if more > 0 {
		line += fmt.Sprintf(" → … and %d more", more)
	}
	return line
}

// Words say what the members of a branch have in common, from which step on, and by which
// parameters their first call differs from those of other branches.
func (b Branch) Words() string {
	if len(b.Calls) == 0 {
		return "from the first call on"
	}
	line := fmt.Sprintf("step %d: %s", b.Calls[0].Step, Sequence(b.Calls, b.MoreCalls))
	switch first := b.Calls[0]; {
	case len(b.Differs) > 0:
		line += " (" + Label(b.Differs) + ")"
	case b.ByParams:
		line += " (parameters " + first.Params.Short() + ")"
	}
	return line
}

// Words say how many plans there are.
func (p *Plans) Words() string {
	words := ""
	switch {
	case p.ByCall.Distinct == 1:
		words = fmt.Sprintf("the same plan in %d of %d", p.Members, p.Members)
	case p.ByAction.Distinct == 1:
		words = fmt.Sprintf("the same actions in the same order in %d of %d, with %d different sets of parameters", p.Members, p.Members, p.ByCall.Distinct)
	default:
		words = fmt.Sprintf("%d distinct by their actions, %d with parameters, of %d", p.ByAction.Distinct, p.ByCall.Distinct, p.Members)
	}
	if p.Without > 0 {
		words += fmt.Sprintf("; %d have no plan", p.Without)
	}
	return words
}

// Who are the members of a plan or a branch: those that are named, and how many more.
func Who(ids []string, n int) string {
	line := strings.Join(ids, ", ")
	if n > len(ids) {
		line += fmt.Sprintf(" and %d more", n-len(ids))
	}
	return line
}

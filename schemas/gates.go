package schemas

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rlam/internal/canon"
)

// callNamePattern keeps a planner's ids apart from the engine's, which are numbers.
const callNamePattern = `^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`

var callName = regexp.MustCompile(callNamePattern)

// parse refuses what has no single meaning: ids, the action's name, the JSON.
func (p *step) parse(c *trial) {
	basis := map[string]any{"action": c.Action, "params": canon.Sum(c.Params)} // of the bytes as written
	if c.Name != "" {
		basis["id"] = c.Name
	}
	var wrong []string
	rule := ""
	note := func(r, format string, args ...any) {
		if rule == "" {
			rule = r
		}
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	if r := p.nameProblem(c); r != "" {
		note("id", "%s", r)
	}
	if r := p.bind(c); r != "" {
		note("action", "%s", r)
	}
	v, err := strict(c.Params)
	if err != nil {
		note("json", "params: %v", err)
	}
	if wrong != nil {
		c.say(GateParse, Refused, rule, strings.Join(wrong, "; "), basis)
		return
	}
	c.written, c.value, c.parsed = v, v, true
	c.say(GateParse, Admitted, "", "", basis)
}

func (p *step) nameProblem(c *trial) string {
	switch {
	case c.Name == "":
		return ""
	case !callName.MatchString(c.Name):
		return fmt.Sprintf("the id %.80q is no id; it begins with a letter and has at most 64 letters, digits, dots, underscores and hyphens", c.Name)
	case slices.Contains(reservedNames, c.Name):
		return fmt.Sprintf("the id %q is reserved; choose another", c.Name)
	case p.names[c.Name] > 1:
		return fmt.Sprintf("the id %q is used by two calls of this step; give each its own", c.Name)
	}
	if s, ok := p.facts.Sources[c.Name]; ok && s.Call != c.ID && s.Status != StatusRefused {
		return fmt.Sprintf("the id %q is used by the earlier call %s, which is %s; choose a new one", c.Name, s.Call, s.Status)
	}
	return ""
}

// bind finds the action among those of the study.
func (p *step) bind(c *trial) string {
	name, version, pinned := strings.Cut(c.Action, "@")
	b := p.facts.Actions[name]
	if b == nil {
		names := sortedKeys(p.facts.Actions)
		hint := ""
		if n := nearest(name, names); n != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", n)
		}
		if len(names) == 0 {
			return fmt.Sprintf("the action %.140q is not among those of the study, which has none", c.Action)
		}
		return fmt.Sprintf("the action %.140q is not among those of the study: %s%s", c.Action, quoted(names), hint)
	}
	if pinned && version != b.Action.Version {
		return fmt.Sprintf("the study has %q in version %q, not %q", name, b.Action.Version, version)
	}
	c.action, c.Spec, c.Binding = b, b.Spec, b.Binding
	return ""
}

// strict reads JSON that has one meaning for every reader.
func strict(raw []byte) (any, error) {
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	if len(raw) > maxInstance {
		return nil, fmt.Errorf("%d bytes are too many; %d is the most, pass large data as an artifact", len(raw), maxInstance)
	}
	v, err := canon.Decode(raw)
	if err != nil || !alike(v) {
		return v, err
	}
	walk(v, "", func(v any, at string) bool {
		m, _ := v.(map[string]any)
		seen := make(map[string]string, len(m))
		for _, name := range sortedKeys(m) {
			folded := fold(name)
			if other, ok := seen[folded]; ok && err == nil {
				err = fmt.Errorf("at %s: %.80q and %.80q differ only by case, and some programs take one for the other; rename one", spot(at), other, name)
			}
			seen[folded] = name
		}
		return err == nil
	})
	return v, err
}

// alike says whether an object in v has two names that differ only by case.
func alike(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, alike)
	case map[string]any:
		var seen map[string]bool
		if len(v) > 1 && !allSmall(v) {
			seen = make(map[string]bool, len(v))
		}
		for name, item := range v {
			if alike(item) {
				return true
			}
			if seen != nil {
				seen[fold(name)] = true
			}
		}
		return seen != nil && len(seen) < len(v)
	}
	return false
}

func allSmall(m map[string]any) bool {
	for name := range m {
		if !small(name) {
			return false
		}
	}
	return true
}

// small says that a name has no letters but small ones of ASCII.
func small(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// fold maps names that differ only by case, as Unicode has it, to one. A name in
// small letters of ASCII is that one.
func fold(name string) string {
	if small(name) {
		return name
	}
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		return least
	}, name)
}

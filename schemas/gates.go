package schemas

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rlam/internal/canon"
)

// callNamePattern keeps a planner's ids apart from the engine's, which are numbers.
const callNamePattern = `^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`

var callName = regexp.MustCompile(callNamePattern)

// parse refuses what has no single meaning: ids, the action's name, the JSON.
func (p *step) parse(c *trial) {
	basis := struct {
		Action string       `json:"action"`
		Name   string       `json:"id,omitempty"`
		Params canon.Digest `json:"params"` // of the bytes as written
	}{c.Action, c.Name, canon.Sum(c.Params)}
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
	c.value, c.parsed = v, true
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
	if err := canon.Check(raw); err != nil {
		return nil, err
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
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

// fold maps names that differ only by case, as Unicode has it, to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

// schema compares the parameters with the action's schema; parameters that are
// not all known yet are compared as far as they are.
func (p *step) schema(c *trial) {
	if c.refused() {
		return
	}
	basis := callFacts{Spec: c.Spec}
	canonical, err := canon.Marshal(c.value)
	if err != nil {
		c.say(GateSchema, Refused, "json", "params: "+err.Error(), basis)
		return
	}
	basis.Params = canon.Sum(canonical)
	if len(canonical) > maxInstance {
		c.say(GateSchema, Refused, "size", fmt.Sprintf("with references replaced, params have %d bytes; %d is the most: pass large data as an artifact", len(canonical), maxInstance), basis)
		return
	}
	// Canonical JSON has one spelling for each number, which the validator compares.
	if c.value, err = decode(canonical); err != nil {
		c.say(GateSchema, Refused, "json", "params: "+err.Error(), basis)
		return
	}
	schema := c.action.params
	if c.pending {
		schema = c.action.loose
		if m, ok := c.value.(map[string]any); ok && m["$from"] != nil {
			c.say(GateSchema, Deferred, "", "", basis)
			return
		}
	}
	if vs := schema.check(c.value); len(vs) > 0 {
		c.say(GateSchema, Refused, "", fmt.Sprintf("params don't fit %s: %v", c.action.ID(), vs), basis)
		return
	}
	if c.pending {
		c.say(GateSchema, Deferred, "", "", basis)
		return
	}
	c.Resolved = canonical
	c.say(GateSchema, Admitted, "", "", basis)
}

func (p *step) preconditions(c *trial) {
	if c.refused() {
		return
	}
	basis := callFacts{Spec: c.Spec}
	if c.Resolved != nil {
		basis.Params = canon.Sum(c.Resolved)
	}
	if len(c.action.pre) == 0 {
		c.say(GatePreconditions, Admitted, "", "", basis)
		return
	}
	basis.Inputs = canon.Sum(p.facts.Sources[InputSource].Output)
	if c.pending {
		c.say(GatePreconditions, Deferred, "", "", basis)
		return
	}
	if reasons := failing(c.action.pre, map[string]any{"params": doubles(c.value), "inputs": p.inputs()}); reasons != nil {
		c.say(GatePreconditions, Refused, "", fmt.Sprintf("a precondition of %s is not met: %s", c.action.ID(), strings.Join(reasons, "; ")), basis)
		return
	}
	c.say(GatePreconditions, Admitted, "", "", basis)
}

func (p *step) inputs() any {
	if v, err := p.output(InputSource); err == nil {
		if m, ok := v.(map[string]any); ok {
			return m
		}
	}
	return map[string]any{}
}

// policy asks the configured policy. Without one, every action that the study
// lists is allowed; others have been refused by name.
func (p *step) policy(c *trial, policy Policy) {
	if c.refused() {
		return
	}
	basis := callFacts{Spec: c.Spec, Effects: c.action.Action.Effects}
	if policy == nil {
		c.say(GatePolicy, Admitted, "listed", "", basis)
		return
	}
	if c.pending {
		c.say(GatePolicy, Deferred, "", "", basis)
		return
	}
	basis.Params = canon.Sum(c.Resolved)
	decision, rule, reason := policy.Decide(c.Proposed, c.action, slices.Clone(c.Resolved), p.facts)
	c.say(GatePolicy, decision, rule, reason, basis)
}

// limits refuses calls for which the run has nothing left. The calls of a step
// are granted in their order, each reserving what it needs.
func (p *step) limits(c *trial) {
	if c.refused() {
		return
	}
	var bounds Limits
	if p.facts.Study != nil {
		bounds = p.facts.Study.Study.Limits
	}
	basis := limitFacts{
		Attempts: p.facts.Counters.Attempts, Calls: p.facts.Counters.Calls, Granted: p.granted,
		MaxAttempts: bounds.Attempts, MaxCalls: bounds.Calls,
	}
	switch {
	case bounds.Calls > 0 && basis.Calls+basis.Granted >= bounds.Calls:
		c.say(GateLimits, Refused, "calls", fmt.Sprintf("the run has used %d of its %d calls, and this step's earlier calls take %d: none is left", basis.Calls, bounds.Calls, basis.Granted), basis)
	case bounds.Attempts > 0 && basis.Attempts+basis.Granted >= bounds.Attempts:
		c.say(GateLimits, Refused, "attempts", fmt.Sprintf("the run has used %d of its %d attempts, and this step's earlier calls need %d: none is left", basis.Attempts, bounds.Attempts, basis.Granted), basis)
	default:
		p.granted++
		c.say(GateLimits, Admitted, "", "", basis)
	}
}

// link refuses the calls that are linked, by references or order, with one that was refused.
func (p *step) link() {
	linked := map[*trial][]*trial{}
	for _, c := range p.cases {
		for _, other := range c.waits {
			linked[c] = append(linked[c], other)
			linked[other] = append(linked[other], c)
		}
	}
	var queue []*trial
	cause := map[*trial]*trial{}
	for _, c := range p.cases {
		if c.refused() && cause[c] == nil {
			queue, cause[c] = append(queue, c), c
		}
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, other := range linked[c] {
			if cause[other] != nil {
				continue
			}
			cause[other] = cause[c]
			queue = append(queue, other)
			bad := cause[c]
			other.say(GatePlan, Refused, "linked", fmt.Sprintf("nothing of this runs, since it is linked by references with call %s, which is refused: correct that one and propose them together again", bad.called()),
				map[string]string{"call": bad.ID})
		}
	}
}

// called is how people and planners know the call.
func (c *trial) called() string {
	if c.Name != "" {
		return fmt.Sprintf("%q (%s)", c.Name, c.ID)
	}
	return c.ID
}

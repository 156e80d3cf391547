package schemas

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FactsSchema is the JSON Schema of what expressions read, besides params and
// inputs: their variables are its properties.
func FactsSchema() ([]byte, error) { return MetaSchema("facts") }

var factShapes = sync.OnceValue(func() map[string]*shape {
	raw, err := FactsSchema()
	var s *Schema
	if err == nil {
		s, err = Compile(raw)
	}
	if err != nil {
		panic("schema of facts: " + err.Error()) // it is part of the program
	}
	return s.root.props
})

// fact is the schema of a variable.
func fact(name string) *shape { return factShapes()[name] }

// actionFacts are the action as the variable action: its schema, and whom its bindings
// may ask.
func (b *Bound) actionFacts() map[string]any {
	a := &b.Action
	classes := []any{}
	add := func(c Class) {
		if c != "" && !slices.Contains(classes, any(string(c))) {
			classes = append(classes, string(c))
		}
	}
	add(a.Reproducibility.Default)
	for _, grades := range []map[string]Grade{a.Reproducibility.Fields, a.Reproducibility.Artifacts} {
		for _, name := range sortedKeys(grades) {
			add(grades[name].Class)
		}
	}
	bindings, hosts, network := []any{}, []any{}, a.Network
	for _, one := range b.Bindings() {
		kind, asked := one.Pinned.reach()
		if kind != "" && !slices.Contains(bindings, any(kind)) {
			bindings = append(bindings, kind)
		}
		for _, host := range asked {
			if network = true; !slices.Contains(hosts, any(host)) {
				hosts = append(hosts, host)
			}
		}
	}
	return map[string]any{
		"bindings": bindings, "hosts": hosts, "network": network, "name": a.Name, "version": a.Version, "effects": string(a.Effects), "classes": classes, "idempotent": a.Idempotent, "seeded": a.Seeded,
	}
}

// reach is the binding's kind, as its member is called, and the hosts that it asks by
// itself, as HOST or HOST:PORT in small letters.
func (b Binding) reach() (kind string, hosts []string) {
	host := func(address string) {
		if origin, _, _, err := SplitURL(address); err == nil {
			_, at, _ := strings.Cut(origin, "://")
			hosts = append(hosts, at)
		}
	}
	switch {
	case b.Builtin != "":
		kind = "builtin"
	case b.Command != nil:
		kind = "command"
	case b.HTTP != nil:
		if kind, hosts = "http", slices.Clone(b.HTTP.Hosts); len(hosts) == 0 {
			host(b.HTTP.URL)
		}
	case b.MCP != nil:
		if kind = "mcp"; b.MCP.URL != "" {
			host(b.MCP.URL)
		}
	}
	for i, name := range hosts {
		hosts[i] = strings.ToLower(name)
	}
	return kind, hosts
}

// facts are the study as the variable of that name.
func (s *Study) facts() map[string]any {
	limits := map[string]any{}
	for name, n := range map[string]float64{
		"steps": float64(s.Limits.Steps), "calls": float64(s.Limits.Calls), "attempts": float64(s.Limits.Attempts), "tokens": float64(s.Limits.Tokens),
		"seconds": time.Duration(s.Limits.WallTime).Seconds(), "money": s.Limits.Money, "bytes": float64(s.Limits.Bytes),
	} {
		if n > 0 {
			limits[name] = n
		}
	}
	return map[string]any{"title": s.Title, "limits": limits}
}

// standing is where a call stands in its run: "4.1" is the first of step 4.
type standing struct{ step, position int }

func standingOf(id string) standing {
	before, after, _ := strings.Cut(id, ".")
	step, err := strconv.Atoi(before)
	position, errPosition := strconv.Atoi(after)
	if err != nil || errPosition != nil {
		return standing{}
	}
	return standing{step, position}
}

// past is an earlier call of the run.
type past struct {
	standing
	key string
	Source
}

// history lists the calls that come before a call of the step, in their order:
// those of earlier steps, and those of its own that have been dispatched already
// and stand before it. Calls that were refused never came to be.
func (p *step) history(c *trial) []past {
	if p.past == nil {
		p.past = []past{}
		for key, s := range p.facts.Sources {
			if key == InputSource || s.Call != "" && s.Call != key || s.Status == StatusRefused || p.byID[key] != nil {
				continue
			}
			p.past = append(p.past, past{standing: standingOf(key), key: key, Source: s})
		}
		slices.SortFunc(p.past, func(a, b past) int {
			return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.position, b.position), cmp.Compare(a.key, b.key))
		})
	}
	at := standingOf(c.ID)
	n := len(p.past)
	for n > 0 && at.step > 0 && p.past[n-1].step >= at.step && (p.past[n-1].step > at.step || p.past[n-1].position > at.position) {
		n--
	}
	return p.past[:n]
}

// outcomes are the variable calls: what came of each action's calls.
func (p *step) outcomes(c *trial) map[string]any {
	out := make(map[string]any, len(p.facts.Actions))
	for name := range p.facts.Actions {
		completed, failed := 0, 0
		entry := map[string]any{}
		for _, call := range p.history(c) {
			if call.Action != name {
				continue
			}
			switch call.Status {
			case StatusCompleted:
				completed++
				if v, err := p.output(call.key); err == nil {
					entry["last"] = doubles(v)
				}
			case StatusFailed:
				failed++
			}
		}
		entry["completed"], entry["failed"] = float64(completed), float64(failed)
		out[name] = entry
	}
	return out
}

// counters are the variable counters. The calls of the step that stand before c
// count, whether they have run or not: each holds what it needs.
func (p *step) counters(c *trial) map[string]any {
	own, same := 0, p.held.of(c.action)
	at := standingOf(c.ID)
	for _, call := range p.history(c) {
		if at.step > 0 && call.step == at.step {
			own++
		}
		if call.Action == c.action.Action.Name {
			same++
		}
	}
	used := p.facts.Counters
	own += len(p.held)
	return map[string]any{
		"steps": float64(used.Steps), "calls": float64(used.Calls + own), "attempts": float64(used.Attempts + own), "tokens": float64(used.Tokens),
		"seconds": time.Duration(used.Elapsed).Seconds(), "money": used.Money, "bytes": float64(used.Bytes), "of_action": float64(same),
	}
}

package schemas

import (
	"fmt"
	"strings"
	"sync"
)

// rulebook is a policy, compiled.
type rulebook struct {
	rules    []*rule
	fallback Then
	byAction sync.Map // *Bound → []*rule: those that can match its calls, typed by its parameters
}

// rule is one rule, compiled for calls of any action or of one.
type rule struct {
	*Rule
	index int
	when  *Expression // nil: always
	wrong Violations  // why it can't be compiled for the action
}

// policy compiles a study's rules with parameters of any type; nil if there are none.
// The schemas of the actions that a rule names are not known before they are found.
func (d *document) policy(p Policy) *rulebook {
	if p.Default == "" && len(p.Rules) == 0 {
		return nil
	}
	book := &rulebook{fallback: p.Default}
	orElse(&book.fallback, Allow)
	seen := map[string]bool{"default": true, "listed": true}
	compile := compiler(nil)
	for i := range p.Rules {
		r, at := &p.Rules[i], joinIndex("/policy/rules", i)
		if seen[r.Name] && r.Name != "" {
			d.refuse(at+"/name", "", "a name of its own", "the name %q is taken", r.Name)
		}
		seen[r.Name] = true
		switch limited := r.Limit != (RuleLimit{}); {
		case d.spoiled(at): // what seems to be absent may be misspelt
		case r.Then == LimitCalls && !limited:
			d.refuse(at, "", `"limit": {"calls": N}`, `"then" is "limit", and nothing says how many`)
		case r.Then != LimitCalls && limited:
			d.refuse(at+"/limit", "", "none", `"then" is %q, which has no limit`, r.Then)
		}
		c := compile(r, i)
		if len(c.wrong) > 0 {
			d.add(at+"/when", c.wrong)
		}
		book.rules = append(book.rules, c)
	}
	return book
}

// compiler compiles rules for calls whose parameters have a schema, or none that is known.
func compiler(params *shape) func(*Rule, int) *rule {
	env, types, err := environment(variables{
		"params": params, "action": fact("action"), "study": fact("study"), "counters": fact("counters"), "lineage": fact("lineage"),
	})
	return func(r *Rule, index int) *rule {
		c := &rule{Rule: r, index: index}
		switch {
		case err != nil:
			c.wrong = Violations{{Message: fmt.Sprintf("preparing expressions: %v", err)}}
		case r.When != "":
			c.when, c.wrong = compileExpression(env, types, Condition{Expr: r.When, Message: r.Reason})
		}
		return c
	}
}

// of are the rules that can match calls of an action, compiled once.
func (book *rulebook) of(b *Bound) []*rule {
	if book == nil {
		return nil
	}
	if found, ok := book.byAction.Load(b); ok {
		return found.([]*rule)
	}
	var out []*rule
	var typed func(*Rule, int) *rule
	for _, r := range book.rules {
		switch {
		case len(r.Actions) == 0, r.When == "" && r.names(b):
			out = append(out, r)
		case r.names(b):
			if typed == nil {
				typed = compiler(b.params.root)
			}
			out = append(out, typed(r.Rule, r.index))
		}
	}
	found, _ := book.byAction.LoadOrStore(b, out)
	return found.([]*rule)
}

func (r *Rule) names(b *Bound) bool {
	for _, name := range r.Actions {
		if name == b.Action.Name {
			return true
		}
	}
	return false
}

// ruling is what a policy says of a call, and why.
type ruling struct {
	then   Then
	rule   string   // that decided; "default" if none did
	reason string   // of anything but allow
	open   bool     // an earlier rule could decide otherwise, and reads what is not known yet
	limits []string // rules whose limit the call counts against, or could
}

// decide finds the first rule that matches. values are the variables; without them
// the parameters are not known yet, and rules that read them stay open. used says
// how many calls of the run count against a rule's limit.
func (book *rulebook) decide(b *Bound, values map[string]any, known bool, used func(rule string) int) ruling {
	out := ruling{then: book.fallback, rule: "default"}
	rules := book.of(b)
	for _, r := range rules {
		if r.wrong != nil {
			return out.by(r, Deny, fmt.Sprintf("the rule %q of the study's policy can't be asked about %s: %v", r.Name, b.ID(), r.wrong))
		}
		if r.when != nil {
			if !known && r.when.read("params", "lineage") {
				out.open = true
				if r.Then != LimitCalls {
					continue
				}
				// Calls that are judged one by one later must not be more than the rule allows together.
				if used(r.Name) >= r.Limit.Calls {
					out.open = false
					return out.by(r, Deny, fmt.Sprintf("the rule %q of the study's policy allows %s in a run, and none is left; this call could be one of them: propose it again when what it refers to has run%s",
						r.Name, number(r.Limit.Calls, "call"), said(r, nil)))
				}
				out.limits = append(out.limits, r.Name)
				continue
			}
			is, err := r.when.eval(values)
			if err != nil {
				return out.by(r, Deny, fmt.Sprintf("the rule %q of the study's policy can't be evaluated for this call, which is refused therefore: %v (%s)", r.Name, err, r.When))
			}
			if !is {
				continue
			}
		}
		switch r.Then {
		case Deny:
			return out.by(r, Deny, fmt.Sprintf("the study's policy denies it by its rule %q%s", r.Name, said(r, values)))
		case RequireApproval:
			return out.by(r, RequireApproval, fmt.Sprintf("the study's policy asks for a person's approval by its rule %q%s", r.Name, said(r, values)))
		case LimitCalls:
			if n := used(r.Name); n >= r.Limit.Calls {
				return out.by(r, Deny, fmt.Sprintf("the rule %q of the study's policy allows %s in a run, and none is left%s", r.Name, number(r.Limit.Calls, "call"), said(r, values)))
			}
			out.limits = append(out.limits, r.Name)
		}
		return out.by(r, Allow, "")
	}
	if out.then == Deny {
		out.reason = "no rule of the study's policy allows it" + allowed(rules)
	}
	return out
}

// by is the ruling of a rule. What an earlier rule left open stays open.
func (out ruling) by(r *rule, then Then, reason string) ruling {
	out.then, out.rule, out.reason = then, r.Name, reason
	return out
}

// said is a rule's own reason, or else its condition, with what it read.
func said(r *rule, values map[string]any) string {
	var b strings.Builder
	switch {
	case r.Reason != "":
		b.WriteString(": " + r.Reason)
	case r.when != nil:
		b.WriteString(": it matches where " + r.When)
	}
	if r.when != nil && values != nil {
		if read := r.when.values(values); read != "" {
			b.WriteString(" (" + read + ")")
		}
	}
	return b.String()
}

// allowed lists what would be allowed where the default is to deny.
func allowed(rules []*rule) string {
	var out []string
	for _, r := range rules {
		if r.Then == Deny {
			continue
		}
		what := r.Reason
		if what == "" {
			what = r.When
		}
		out = append(out, fmt.Sprintf("%q: %s", r.Name, what))
	}
	if len(out) == 0 {
		return ", and none would allow another call of this action"
	}
	return "; those that could are " + strings.Join(out, "; ")
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

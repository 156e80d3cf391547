package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/schemas"
	"rlam/starter/follow"
)

// explained says what the gates would do with a call: a line a gate, and under it what
// it went by.
func (p *textPrinter) explained(m explained) {
	name := "result"
	if m.Action != "" {
		name = fmt.Sprintf("call %s %s", m.Call, m.Action)
	}
	if m.ID != "" {
		name += fmt.Sprintf(" (%s)", m.ID)
	}
	p.printf("%s: %s\n", p.bold.Render(printable(name)), p.decided(m.Decision))
	p.gates(m)
	if m.Again != nil {
		p.printf("%s%s: %s\n", callColumn, p.bold.Render("once "+enumerated(m.After)+" had given what is supposed"), p.decided(m.Again.Decision))
		p.gates(*m.Again)
	}
	p.printf("\n")
}

func (p *textPrinter) gates(m explained) {
	p.block(callColumn, brief(follow.Value{Value: m.Params}, nil), p.dim)
	for _, u := range m.Uses {
		p.block(callColumn, fmt.Sprintf("%s comes from %s of %s", whole(u.At), whole(u.Pointer), u.From), p.dim)
	}
	for _, g := range m.Gates {
		p.gate(g)
	}
}

// decided is a decision in its colour, in words.
func (p *textPrinter) decided(d schemas.Decision) string {
	switch d {
	case schemas.Refused:
		return p.warn.Render("refused")
	case schemas.Deferred:
		return p.dim.Render("deferred, until what it waits for has run")
	case schemas.NeedsApproval:
		return p.warn.Render("needs a person's approval")
	case "":
		return p.dim.Render("not asked")
	}
	return p.good.Render(string(d))
}

func (p *textPrinter) gate(g schemas.Explanation) {
	mark := map[schemas.Decision]string{
		schemas.Admitted: p.good.Render("✓"), schemas.Refused: p.warn.Render("⊘"), schemas.NeedsApproval: p.warn.Render("⊘"), schemas.Deferred: p.dim.Render("…"), "": " ",
	}[g.Decision]
	by := ""
	if g.Rule != "" && (g.At != "" || g.Decision != schemas.Admitted) {
		by = " by rule " + g.Rule
	}
	p.printf("%s%s %-13s %s %s%s\n", callColumn, mark, g.Gate, p.dim.Render(fmt.Sprintf("version %d", g.Version)), p.decided(g.Decision), printable(by))
	if g.Reason != "" {
		p.block(moreColumn, g.Reason, unstyled)
	}
	if g.Then != "" {
		p.block(moreColumn+"rule      ", ruleWords(g), p.dim)
	}
	for i, one := range g.Accepted {
		head := "accepted  "
		if i > 0 {
			head = "or        "
		}
		p.block(moreColumn+head, one, unstyled)
	}
	if facts := factWords(g); facts != "" {
		p.block(moreColumn+"facts     ", facts, p.dim)
	}
}

func ruleWords(g schemas.Explanation) string {
	when := g.When
	if when == "" {
		when = "always"
	}
	if g.At == "/policy/default" {
		when = "no rule matched"
	}
	return fmt.Sprintf("%s → %s (%s of the study)", when, g.Then, g.At)
}

// factWords are a gate's facts without what stands above it: the call with its
// parameters, action and study.
func factWords(g schemas.Explanation) string {
	var members []member
	if json.Unmarshal(g.Facts, (*object)(&members)) != nil {
		return ""
	}
	above := []string{"params", "spec", "study", "action", "id", "uses", "result"}
	if g.Gate == schemas.GateLimits {
		above = []string{"action"}
	}
	members = slices.DeleteFunc(members, func(m member) bool { return slices.Contains(above, m.name) })
	if g.Gate == schemas.GatePolicy {
		members = used(members)
	}
	return strings.Join(glued(briefMembers(members)), ", ")
}

// used are members without those that say zero, no or nothing, at any depth.
func used(members []member) []member {
	var out []member
	for _, m := range members {
		var inner []member
		if json.Unmarshal(m.value, (*object)(&inner)) == nil {
			inner = used(inner)
			m.value = []byte("{")
			for i, one := range inner {
				if i > 0 {
					m.value = append(m.value, ',')
				}
				m.value = append(append(strconv.AppendQuote(m.value, one.name), ':'), one.value...)
			}
			m.value = append(m.value, '}')
		}
		if !slices.Contains([]string{"0", "false", "[]", "{}", `""`}, string(m.value)) {
			out = append(out, m)
		}
	}
	return out
}

func enumerated(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// askEnd sums up what was asked.
func (p *textPrinter) askEnd(m askEnd) {
	switch {
	case m.Calls == 1 && m.Refused == 1:
		p.printf("It would be refused, and nothing of it scheduled.\n")
	case m.Refused > 0:
		p.printf("%d of %d would be refused, and nothing of them scheduled.\n", m.Refused, m.Calls)
	case m.Calls == 1:
		p.printf("No gate refuses it.\n")
	default:
		p.printf("No gate refuses any of the %s.\n", count(m.Calls, "call"))
	}
	if m.Deferred > 0 {
		p.block("", fmt.Sprintf("%s would be judged again later. To see how, give the calls that are waited for an \"output\".", count(m.Deferred, "call")), p.dim)
	}
}

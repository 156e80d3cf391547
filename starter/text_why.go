package main

import (
	"fmt"
	"strings"

	"rlam/activities/executor"
	"rlam/internal/quantity"
	"rlam/internal/record"
	"rlam/internal/reuse"
)

// reusedWords say whose execution answered a call.
func reusedWords(r *record.Reused) string { return fmt.Sprintf("reused from %s %s", r.ID, r.Call) }

// passedOverWords say why an execution could not answer a call.
func passedOverWords(o record.PassedOver) string {
	what := "what it left"
	if !o.What.IsZero() {
		what = o.What.String()
	}
	because := "its output isn't what the action promises now"
	switch o.Problem {
	case "missing":
		because = what + " is not in the store"
	case "corrupt":
		because = what + " is corrupt in the store"
	}
	return fmt.Sprintf("call %s of run %s can't be reused: %s", o.Call, o.ID, because)
}

// why says why a call was executed, or wasn't.
func (p *textPrinter) why(m whyMessage) {
	head := fmt.Sprintf("call %s of run %s, %s: ", m.Call, m.Run, m.Action)
	if m.Reused != nil {
		from := fmt.Sprintf("reused from call %s of run %s", m.Reused.Call, m.Reused.ID)
		if m.Rewound {
			from += ", before its reset"
		}
		p.printf("%s%s\n", p.bold.Render(head), p.good.Render(from))
		p.block(callColumn, fmt.Sprintf("Nothing that counts differs. It was executed %s and took %s.", localTime(m.Reused.Started), duration(m.SavedSeconds)), unstyled)
	} else {
		p.printf("%s%s\n", p.bold.Render(head), m.Outcome)
		p.block(callColumn, reasonWords(m), unstyled)
	}
	for _, over := range m.PassedOver {
		p.block(callColumn, passedOverWords(over), p.warn)
	}
	for _, d := range m.Differs {
		d.Piece = strings.TrimSpace(componentNames[d.Component] + " " + d.Piece)
		p.differences([]executor.Difference{d.Difference})
	}
	if len(m.Imported) > 0 {
		p.block(callColumn, "What imported runs executed answers nothing, since nobody here saw it: "+quantity.Listed(m.Imported, 5)+".", p.dim)
	}
	if m.There != nil {
		p.why(*m.There)
	}
}

// componentNames are the components as they are called in text.
var componentNames = map[string]string{
	reuse.Spec: "schema", reuse.Binding: "binding", reuse.Params: "parameters", "inputs": "inputs", reuse.Seed: "seed", reuse.Identity: "environment",
}

// reasonWords say why a call was executed.
func reasonWords(m whyMessage) string {
	name, _, _ := strings.Cut(m.Action, "@")
	switch m.Because {
	case becauseNothing:
		return "Nothing of it has been executed, or its step is still open."
	case becauseAsserted:
		return fmt.Sprintf("It was not executed in this run: a person put an output in place of the one that run %s has.", m.There.Run)
	case becauseKept:
		return fmt.Sprintf("It was not executed in this run: what came of it in run %s, which was forked, stands.", m.There.Run)
	case becauseBefore:
		return fmt.Sprintf("It was not executed in this run, which is a fork and goes on after it: it is a call of run %s.", m.There.Run)
	case becauseNever:
		return `The study says "reuse: never".`
	case becauseEffects:
		return fmt.Sprintf("What %s does has effects outside of its outputs: it is executed each time.", name)
	case becauseClass:
		return fmt.Sprintf("The outputs of %s are of class %s, and the study doesn't reuse those.", name, m.Said)
	case becauseUnread:
		return "An equal execution is on record, and what it left can't be had any more:"
	case becauseBegun:
		return "An execution of this very call had begun before. Then only executing says what comes of it."
	case becauseFirst:
		return fmt.Sprintf("No execution of %s was on record by then that could have answered it.", name)
	case becauseScope:
		return fmt.Sprintf(`Call %s of run %s is equal in all that counts, and that run isn't among those that this one may reuse: the study says "reuse: %s", and "reuse: store" would take it.`, m.Nearest.Call, m.Nearest.ID, m.Said)
	case becauseDiffers:
		return fmt.Sprintf("The nearest execution by then is call %s of run %s, of %s. From that one to this one:", m.Nearest.Call, m.Nearest.ID, localTime(m.Nearest.Started))
	}
	return fmt.Sprintf("Call %s of run %s is equal in all that counts, and was not found when this one began.", m.Nearest.Call, m.Nearest.ID)
}

package main

import (
	"fmt"
	"strings"

	"rlam/internal/record"
	"rlam/starter/follow"
)

// fork says of what run a run is a fork, and what a person changed.
func (p *textPrinter) fork(id string, f *follow.Fork) {
	words := fmt.Sprintf("forked from %s at step %d", f.From, f.Step)
	if f.Recorded {
		words += ", to follow what is on record"
	}
	if len(f.Changes) == 0 {
		words += ", without changes"
	}
	p.block("", words, p.bold)
	for _, c := range f.Changes {
		text := c.What
		if v := brief(c.Value, nil); v != "" {
			text += " = " + v
		}
		p.block(callColumn+p.warn.Render("✎")+" ", oneLine(text, 3*(p.width-4)), unstyled)
	}
	if kept := f.Step - 1; kept > 0 {
		p.block("", fmt.Sprintf("%s of that run; show %s --step N shows one", steps(kept), id), p.dim)
	}
}

func steps(n int) string {
	if n == 1 {
		return "Step 1 is that"
	}
	return fmt.Sprintf("Steps 1 to %d are those", n)
}

// ownWords say what of a call a fork keeps, or a person changed.
func ownWords(o follow.Own) string {
	var words []string
	if len(o.Edited) > 0 {
		words = append(words, "parameters changed by a person: "+pointers(o.Edited))
	}
	switch {
	case len(o.Asserted) > 0:
		words = append(words, "output asserted by a person, not executed: "+pointers(o.Asserted))
	case o.Kept != "":
		words = append(words, string(o.Kept)+" in the run forked from, and kept")
	case o.Anew != "" && o.Anew != record.AnewEdited:
		words = append(words, "not kept: "+anewWords(o.Anew))
	}
	return strings.Join(words, "; ")
}

// anewWords say what a change reached of a call.
func anewWords(why string) string {
	if call, follows := strings.CutPrefix(why, record.AnewFollows); follows {
		return "it follows " + call + ", which isn't either"
	}
	switch why {
	case record.AnewParams:
		return "its parameters are others now"
	case record.AnewAction:
		return "its action is another one"
	case record.AnewSeed:
		return "its seed is another one"
	case record.AnewUnfinished:
		return "it had not come to an end"
	case record.AnewRefused:
		return "the gates had refused it"
	}
	return why
}

func pointers(all []string) string {
	named := make([]string, len(all))
	for i, at := range all {
		named[i] = whole(at)
	}
	return strings.Join(named, ", ")
}

// own marks a call that a fork keeps, or that a person changed.
func (p *textPrinter) own(id string, o follow.Own) {
	words := ownWords(o)
	if words == "" {
		return
	}
	glyph := ownGlyph(o)
	style := p.dim
	if glyph == "✎" {
		style = p.warn
	}
	p.mark(style, glyph, id, words, brief(o.Output, nil))
}

// ownGlyph stands for what ownWords say.
func ownGlyph(o follow.Own) string {
	switch {
	case len(o.Edited)+len(o.Asserted) > 0:
		return "✎"
	case o.Anew != "":
		return "↻"
	}
	return "="
}

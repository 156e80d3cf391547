package main

import (
	"fmt"

	"rlam/starter/follow"
)

// listedAction is an action of a listing: what identifies it, and below it what it does.
func (p *textPrinter) listedAction(m listedAction) {
	facts := fmt.Sprintf("%s, %s, effects %s", m.Runs, m.Class, m.Effects)
	if m.Seeded {
		facts += ", seeded"
	}
	p.printf("%s  %s\n", p.bold.Render(m.Name+"@"+m.Version), p.dim.Render(facts))
	if m.File != "" {
		p.printf("%s%s\n", callColumn, p.dim.Render(short(m.File)))
	}
	p.printf("%s%s\n", callColumn, oneLine(m.Summary, p.width-len(callColumn)))
}

// shownAction is an action in full. Its JSON is data, and not broken to a width.
func (p *textPrinter) shownAction(m shownAction) {
	p.printf("%s\n", p.bold.Render(m.ID))
	p.pairs("file", short(m.File), "spec", m.SpecDigest.String(), "binding", m.BindingDigest.String())
	p.heading("Spec")
	p.data(follow.Value{Value: m.Spec})
	p.heading("Binding")
	p.data(follow.Value{Value: m.Binding})
	for _, other := range m.Others {
		p.heading("Or, where that is not there")
		p.pairs("binding", other.Digest.String())
		p.data(follow.Value{Value: other.Binding})
	}
}

// written says that an action file was written, and what to do with it.
func (p *textPrinter) written(m writtenAction) {
	p.printf("Wrote %s for %s.\n", p.bold.Render(m.File), m.Script)
	for _, param := range m.Params {
		kind := param.Type
		if param.File {
			kind = "file"
		}
		p.printf("%s%s %s\n", callColumn, param.Name, p.dim.Render(oneLine(kind+"  "+param.Help, max(1, p.width-len(param.Name)-3))))
	}
	p.block("", "Fill in what its comments ask for; a call needs each parameter that is required. Then:", unstyled)
	p.commands(m.Next)
}

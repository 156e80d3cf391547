package main

import (
	"fmt"
	"strings"

	"rlam/provenance/ancestry"
)

// ancestry writes a tree of runs.
func (p *textPrinter) ancestry(m ancestryMessage) { p.relation(m.Tree, m.Run, "", "") }

// relation writes a run behind head, and what comes from it behind more.
func (p *textPrinter) relation(r *relation, asked, head, more string) {
	name := printable(r.Run)
	if r.Run == asked {
		name = p.bold.Render(name)
	}
	p.printf("%s%s%s  %s\n", head, howWords(r), name, p.dim.Render(standingWords(r)))
	inner := more + "│  "
	if len(r.Children) == 0 {
		inner = more + "   "
	}
	line := func(text string) {
		p.printf("%s%s\n", inner, p.dim.Render(oneLine(text, max(20, p.width-len([]rune(inner))))))
	}
	if !r.Missing.IsZero() {
		line("continues record " + r.Missing.String() + ", of a run that isn't in this store")
	}
	if of := r.Member; of != nil {
		line(fmt.Sprintf("member %s of ensemble %s%s", of.Member, of.ID, goWords(of.Go)))
	}
	for _, change := range r.Changed {
		line("with " + handle.ReplaceAllStringFunc(change, func(h string) string { return h[:15] + "…" }))
	}
	if len(r.Result) > 0 {
		line("result " + briefJSON(r.Result))
	}
	if len(r.Temporal) > 1 {
		for _, t := range r.Temporal {
			line(temporalWords(t))
		}
	}
	for i, child := range r.Children {
		if i == len(r.Children)-1 {
			p.relation(child, asked, more+"└─ ", more+"   ")
			continue
		}
		p.relation(child, asked, more+"├─ ", more+"│  ")
	}
}

// howWords say how a run comes from the one above.
func howWords(r *relation) string {
	switch {
	case r.How == ancestry.Fork && r.Step == 0:
		return "fork from the start: "
	case r.How == ancestry.Fork:
		return fmt.Sprintf("fork after step %d: ", r.Step)
	case r.How == ancestry.Reproduction:
		return "reproduction: "
	}
	return ""
}

func standingWords(r *relation) string {
	words := []string{r.Status}
	if r.Steps > 0 {
		words = append(words, count(r.Steps, "step"))
	}
	return strings.Join(append(words, localTime(r.Started)), ", ")
}

func temporalWords(t temporalRun) string {
	short := func(id string) string { return id[:min(8, len(id))] }
	words := "Temporal run " + short(t.RunID)
	if t.Continues != "" {
		words += ", continues " + short(t.Continues)
	}
	for _, base := range t.ResetOf {
		words += ", reset of " + short(base)
	}
	if t.Ended != "" {
		words += ", " + t.Ended
	}
	if t.Aside {
		words += "; a reset went back from it"
	}
	return words
}

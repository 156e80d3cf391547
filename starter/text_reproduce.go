package main

import (
	"fmt"
	"strings"

	"rlam/activities/executor"
	"rlam/provenance/reproduce"
)

// reproduced says what executing a run again showed, a line a call, and then in one
// sentence whether the record holds.
func (p *textPrinter) reproduced(m reproducedMessage) {
	p.printf("\n%s\n", p.bold.Render("Executed again: "+m.Run))
	p.pairs("reproduction", m.Reproduction, "see it with", m.again)
	p.printf("\n")
	idle := 0
	for _, c := range m.Calls {
		if c.Idle {
			idle++
			continue
		}
		p.reproducedCall(c, m.quiet)
	}
	p.printf("\n")
	var parts []string
	for _, v := range reproduce.Verdicts() {
		if n := m.Counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if idle > 0 {
		parts = append(parts, fmt.Sprintf("%s of which nothing had been executed", count(idle, "call")))
	}
	p.block("", strings.Join(parts, " · "), p.dim)
	switch {
	case m.First != "":
		words := fmt.Sprintf("Refuted, first at call %s.", m.First)
		if len(m.Affects) > 0 {
			words += " What rests on it: " + strings.Join(m.Affects, ", ") + "."
		}
		p.block("", words, p.bad)
	case !m.Holds:
		p.block("", "Calls gave another outcome from drifted inputs.", p.bad)
	case m.Counts[reproduce.NotReexecutable] > 0:
		p.block("", "Nothing speaks against the record, and not all of it was put to the test.", p.warn)
	default:
		p.block("", "The record holds: every call that was executed came out again.", p.good)
	}
}

func (p *textPrinter) reproducedCall(c reproduce.CallReport, quiet bool) {
	style, glyph := p.good, "✓"
	switch c.Verdict {
	case reproduce.WithinTolerance:
		glyph = "≈"
	case reproduce.NotReexecutable:
		style, glyph = p.dim, "–"
	case reproduce.DriftedInputs:
		style, glyph = p.warn, "✗"
	case reproduce.Refuted:
		style, glyph = p.bad, "✗"
	}
	p.mark(style, glyph, c.Call, fmt.Sprintf("%-26s %s", oneLine(c.Action, 26), c.Verdict), c.Why)
	for _, f := range c.Fields {
		if i := f.Interval; i != nil {
			p.block(moreColumn, fmt.Sprintf("%s: %d executions, mean %s ± %s, recorded %s, 95 %% prediction %s to %s", f.Name, i.N,
				shortNumber(i.Mean), shortNumber(i.SD), shortNumber(i.Recorded), shortNumber(i.Lower), shortNumber(i.Upper)), p.dim)
		} else if f.Verdict != c.Verdict || c.Why != f.Name+": "+f.Why {
			p.block(moreColumn, f.Name+": "+string(f.Verdict)+", "+f.Why, p.dim)
		}
	}
	if quiet || len(c.Environment) == 0 {
		return
	}
	p.block(moreColumn, "another environment: "+count(len(c.Environment), "difference")+" that can change a result", p.warn)
	if c.Verdict == reproduce.Confirmed {
		return
	}
	var all []executor.Difference
	for _, d := range c.Environment {
		all = append(all, executor.Difference{Piece: d.Piece, A: d.Recorded, B: d.Now})
	}
	p.differences(all)
}

package main

import (
	"fmt"
	"maps"
	"slices"
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
	idle := map[string]int{} // calls that nothing is said of, by the reason
	for _, c := range m.Calls {
		if c.Idle {
			idle[c.Why]++
			continue
		}
		p.reproducedCall(c)
	}
	if !m.quiet {
		p.otherEnvironments(m.Calls)
	}
	p.printf("\n")
	var parts []string
	for _, v := range reproduce.Verdicts() {
		if n := m.Counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	for _, why := range slices.Sorted(maps.Keys(idle)) {
		parts = append(parts, fmt.Sprintf("%d %s", idle[why], why))
	}
	p.block("", strings.Join(parts, " · "), p.dim)
	style := p.good
	switch {
	case !m.Holds:
		style = p.bad
	case m.Counts[reproduce.NotReexecutable]+m.Counts[reproduce.DriftedInputs] > 0:
		style = p.warn
	}
	p.block("", m.Sentence(), style)
}

func (p *textPrinter) reproducedCall(c reproduce.CallReport) {
	style, glyph := p.good, "✓"
	switch c.Verdict {
	case reproduce.WithinTolerance:
		glyph = "≈"
	case reproduce.NotReexecutable:
		style, glyph = p.dim, "–"
	case reproduce.DriftedInputs:
		style, glyph = p.warn, "≠"
	case reproduce.Refuted:
		style, glyph = p.bad, "✗"
	}
	verdict := string(c.Verdict)
	if c.Of != "" {
		verdict += ", executed in " + printable(c.Of)
	}
	p.mark(style, glyph, c.Call, fmt.Sprintf("%-26s %s", oneLine(c.Action, 26), verdict), c.Why)
	for _, f := range c.Fields {
		if i := f.Interval; i != nil {
			p.block(moreColumn, fmt.Sprintf("%s: %d executions, mean %s ± %s, recorded %s, 95 %% prediction %s to %s", f.Name, i.N,
				shortNumber(i.Mean), shortNumber(i.SD), shortNumber(i.Recorded), shortNumber(i.Lower), shortNumber(i.Upper)), p.dim)
		} else if f.Verdict != c.Verdict || !strings.HasSuffix(c.Why, f.Name+": "+f.Why) {
			p.block(moreColumn, f.Name+": "+string(f.Verdict)+", "+f.Why, p.dim)
		}
	}
}

// otherEnvironments says in what environments calls were executed that are not the
// recorded ones, each once.
func (p *textPrinter) otherEnvironments(calls []reproduce.CallReport) {
	var in []string // calls, by what differs
	var differ [][]reproduce.Difference
	for _, c := range calls {
		if len(c.Environment) == 0 {
			continue
		}
		i := slices.IndexFunc(differ, func(d []reproduce.Difference) bool { return slices.Equal(d, c.Environment) })
		if i < 0 {
			i = len(differ)
			differ, in = append(differ, c.Environment), append(in, "")
		}
		in[i] = strings.TrimPrefix(in[i]+", "+c.Call, ", ")
	}
	for i, all := range differ {
		p.printf("\n")
		p.block("", "In another environment than the recorded one, in what can change a result: "+in[i], p.warn)
		var pieces []executor.Difference
		for _, d := range all {
			pieces = append(pieces, executor.Difference{Piece: d.Piece, A: d.Recorded, B: d.Now})
		}
		p.differences(pieces)
	}
}

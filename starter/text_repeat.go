package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/internal/repeatability"
	"rlam/schemas"
)

// repeated says what the executions of an action show, and what to do about it.
func (p *textPrinter) repeated(m repeated) {
	p.printf("\n%s\n", p.bold.Render(fmt.Sprintf("%s: %s, %d completed", m.Action, count(m.Executions, "execution"), m.Completed)))
	p.circumstances(m)
	for _, r := range m.Refused {
		p.mark(p.warn, "⊘", "", "refused by the gate "+r.Gate, r.Reason)
	}
	for _, f := range m.Failures {
		p.mark(p.bad, "✗", fmt.Sprintf("%d×", f.Count), f.Type, f.Message)
	}
	if len(m.Findings) > 0 {
		p.printf("\n")
	}
	for _, f := range m.Findings {
		p.finding(f, m.Varied)
	}
	p.verdict(m)
}

// circumstances says under which conditions the executions were the same.
func (p *textPrinter) circumstances(m repeated) {
	seed := ""
	switch {
	case m.Varied:
		seed = "another one each time"
	case m.Seed != nil:
		seed = fmt.Sprintf("%d each time", *m.Seed)
	}
	environment := ""
	if n := len(m.Environments); n == 1 {
		environment = m.Environments[0].String()
	} else if n > 1 {
		environment = fmt.Sprintf("%d different ones, such as %s", n, m.Environments[0])
	}
	retried := ""
	if m.Retried > 0 {
		retried = count(m.Retried, "attempt") + " failed before another one completed"
	}
	p.pairs("run", m.Run, "environment", environment, "isolation", strings.Join(m.Isolation, ", "), "seed", seed, "retried", retried)
}

// findingColumn is the width of the names of fields and artifacts.
const findingColumn = 30

func (p *textPrinter) finding(f repeatability.Finding, varied bool) {
	style, glyph := p.good, "✓"
	switch {
	case varied:
		style, glyph = p.dim, "·"
	case f.Judgement == repeatability.TooStrong:
		style, glyph = p.bad, "✗"
	case f.Judgement == repeatability.TooWeak:
		style, glyph = p.warn, "+"
	}
	words := findingWords(f)
	switch {
	case varied:
	case f.Class == f.Declared.Class && f.Judgement == repeatability.Fits:
		words += ", as declared"
	default:
		words += "; declared " + gradeWords(f.Declared, "%s%s")
	}
	name := oneLine(f.Name(), p.width-len(callColumn)-2)
	head := fmt.Sprintf("%s%s %-*s ", callColumn, style.Render(glyph), findingColumn, name)
	if lipgloss.Width(name) > findingColumn {
		p.printf("%s\n", head)
		head = strings.Repeat(" ", len(callColumn)+2+findingColumn+1)
	}
	p.block(head, words, style)
}

// findingWords say what was seen.
func findingWords(f repeatability.Finding) string {
	switch f.Class {
	case schemas.Bitwise:
		return "bitwise: the same each time"
	case schemas.Unrepeatable:
		return fmt.Sprintf("varies: %s, and not in numbers alone", count(f.Distinct, "different value"))
	}
	words := fmt.Sprintf("differs by up to %s, relative %s", shortNumber(f.Spread.Absolute), shortNumber(f.Spread.Relative))
	if f.Class == schemas.Tolerance {
		return "tolerance: " + words
	}
	if f.Mean != nil {
		return fmt.Sprintf("statistical: mean %s, standard deviation %s; %s", shortNumber(*f.Mean), shortNumber(*f.SD), words)
	}
	return fmt.Sprintf("statistical: %s, of which some differ by up to %s, relative %s", count(f.Numbers, "number"), shortNumber(f.Spread.Absolute), shortNumber(f.Spread.Relative))
}

// shortNumber spells a number with at most four digits.
func shortNumber(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// isOrAre is a number with its verb.
func isOrAre(n int) string {
	if n == 1 {
		return "1 is"
	}
	return thousands(n) + " are"
}

// verdict says what follows from the findings.
func (p *textPrinter) verdict(m repeated) {
	words := ""
	switch {
	case m.Completed == 0 || len(m.Refused) > 0:
	case m.Executions == 1:
		words = "One execution shows nothing about repeatability: ask for more with --times 5."
	case m.Completed == 1:
		words = "One execution that completed shows nothing about repeatability."
	case m.Varied:
		words = "Seeds differed, so that this says how the outputs scatter and nothing about what is declared; for that, run it without --vary-seed."
	case m.TooStrong > 0:
		words = fmt.Sprintf("Of %s, %s declared stronger than was seen. To declare what was seen:", count(len(m.Findings), "output"), isOrAre(m.TooStrong))
	case m.TooWeak > 0:
		words = fmt.Sprintf("Nothing contradicts what is declared. Of %s, %d agreed better than that. If there is a reason for it, declare:", count(len(m.Findings), "output"), m.TooWeak)
	default:
		words = fmt.Sprintf("Nothing contradicts what is declared, in %s on this machine. That is no proof: others may show more.", count(m.Completed, "execution"))
	}
	if words != "" {
		p.printf("\n")
		p.block("", words, unstyled)
	}
	if m.Proposed != nil {
		p.printf("\n")
		for _, line := range yamlLines(*m.Proposed) {
			p.printf("%s\n", printable(line))
		}
	}
	if m.Completed < m.Executions && len(m.Refused) == 0 {
		p.printf("\n")
		p.block("", fmt.Sprintf("%d of %s did not complete, and an action that fails at times can't be had again at will. See why:", m.Executions-m.Completed, count(m.Executions, "execution")), unstyled)
		p.commands([]string{m.Again, m.Again + " --step 1"})
	}
}

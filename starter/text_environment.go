package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/activities/executor"
	"rlam/internal/canon"
)

// modules is the piece of an identity that is counted and not listed.
const modules = "worker modules "

// environment shows where an attempt ran.
func (p *textPrinter) environment(m placed) {
	p.printf("%s\n", p.bold.Render(m.title()))
	p.pairs("environment", m.Digest.String(), "isolation", string(m.Isolation))
	p.heading("Identity: what can change a result")
	p.pieces(m.Identity)
	p.heading("Circumstances")
	p.pieces(m.Circumstances)
}

// title says which environment it is.
func (m placed) title() string {
	switch {
	case m.Run != "":
		return fmt.Sprintf("%s of run %s, attempt %d: %s", m.Call, m.Run, m.Attempt, m.Action)
	case m.Side == here && m.Action != "":
		return "this machine, for " + m.Action
	case m.Side == here:
		return "this machine"
	}
	return m.Digest.String()
}

func (p *textPrinter) pieces(part any) {
	all, err := executor.Pieces(part)
	if err != nil {
		p.printf("%s%s\n", callColumn, err)
		return
	}
	counted := 0
	widest := 0
	maps.DeleteFunc(all, func(name, _ string) bool {
		if strings.HasPrefix(name, modules) {
			counted++
			return true
		}
		widest = max(widest, min(len(name), findingColumn))
		return false
	})
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p.block(fmt.Sprintf("%s%-*s  ", callColumn, widest, name), all[name], unstyled)
	}
	if counted > 0 {
		p.printf("%s%-*s  %s\n", callColumn, widest, strings.TrimSpace(modules), p.dim.Render(fmt.Sprintf("%d, which --json lists", counted)))
	}
}

// environmentDiff says what tells two environments apart.
func (p *textPrinter) environmentDiff(m environmentDiff) {
	p.pairs("A", m.A.title(), "B", m.B.title())
	p.printf("\n")
	if m.Same {
		p.printf("%s\n", p.good.Render("Same identity: nothing that was looked at can change a result."))
	} else {
		p.block("", fmt.Sprintf("Different identities: %s that can change a result", count(len(m.Differences.Identity), "difference")), p.warn)
		p.differences(m.Differences.Identity)
	}
	if n := len(m.Differences.Circumstances); n > 0 {
		p.printf("\n")
		p.block("", "Circumstances: "+count(n, "difference"), unstyled)
		p.differences(m.Differences.Circumstances)
	}
}

func (p *textPrinter) differences(all []executor.Difference) {
	for _, d := range all {
		a, b := pieceValue(d.A), pieceValue(d.B)
		line := fmt.Sprintf("%s%s: %s → %s", callColumn, d.Piece, a, b)
		if lipgloss.Width(line) <= p.width && !strings.Contains(a+b, "\n") {
			p.printf("%s\n", printable(line))
			continue
		}
		p.printf("%s%s\n", callColumn, printable(d.Piece))
		p.block(moreColumn+"A ", a, p.dim)
		p.block(moreColumn+"B ", b, unstyled)
	}
}

// pieceValue is a piece for people: a digest by its beginning, what is missing by a dash.
func pieceValue(v string) string {
	if d, err := canon.Parse(v); err == nil {
		return "sha256:" + d.Short() + "…"
	}
	return cmp.Or(v, "–")
}

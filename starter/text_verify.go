package main

import (
	"fmt"
	"regexp"

	"rlam/provenance/verify"
)

// mostShown is how many faults or notes of a check are shown to people.
const mostShown = 6

// check writes one check of a bundle.
func (p *textPrinter) check(m checkMessage) {
	mark := map[verify.State]string{
		verify.Passed: p.good.Render("✓"), verify.Failed: p.bad.Render("✗"), verify.Skew: p.warn.Render("?"), verify.Unchecked: p.warn.Render("–"),
	}[m.State]
	p.block(fmt.Sprintf("%s %s ", mark, p.dim.Render(fmt.Sprintf("%-12s", m.Name))), shortDigests(m.Says), unstyled)
	if m.Key != "" {
		p.printf("  key %s\n", m.Key) // not broken: people compare and copy it
	}
	const below = "               "
	for i, f := range m.Faults {
		if i == mostShown {
			p.block(below, fmt.Sprintf("… and %d more; --json has all", len(m.Faults)-i), p.dim)
			break
		}
		p.block(below, shortDigests(f.String()), unstyled)
	}
	for i, note := range m.Notes {
		if i == mostShown {
			p.block(below, fmt.Sprintf("… and %d more; --json has all", len(m.Notes)-i), p.dim)
			break
		}
		p.block(below+"· ", shortDigests(note), p.dim)
	}
}

// longDigest is a digest as records spell it, and the files that are named by one.
var longDigest = regexp.MustCompile(`[0-9a-f]{64,}`)

// shortDigests shortens digests, which would be broken over lines: a dozen digits find a file.
// JSON has them whole.
func shortDigests(text string) string {
	return longDigest.ReplaceAllStringFunc(text, func(hex string) string { return hex[:12] + "…" })
}

// revealed writes what a content is that was shown beside the bundle.
func (p *textPrinter) revealed(m revealMessage) {
	name := p.dim.Render(fmt.Sprintf("%-12s", "revealed"))
	switch {
	case m.What == "":
		p.block(p.bad.Render("✗")+" "+name+" ", fmt.Sprintf("%s is not what the run has: no record commits to its digest, %s", m.File, shortDigests(m.Digest.String())), unstyled)
	case m.Withheld:
		p.block(p.good.Render("✓")+" "+name+" ", fmt.Sprintf("%s is %s, which the bundle withholds, as it was recorded: %s", m.File, m.What, shortDigests(m.Digest.String())), unstyled)
	default:
		p.block(p.good.Render("✓")+" "+name+" ", fmt.Sprintf("%s is %s, and the bundle has it too: %s", m.File, m.What, shortDigests(m.Digest.String())), unstyled)
	}
}

// judged writes what all checks of a bundle came to.
func (p *textPrinter) judged(m verdictMessage) {
	style := map[verify.Result]func(...string) string{
		verify.Verified: p.good.Render, verify.Consistent: p.good.Render, verify.Refuted: p.bad.Render, verify.Unknown: p.warn.Render,
	}[m.Result]
	word := map[verify.Result]string{
		verify.Verified: "VERIFIED", verify.Consistent: "CONSISTENT", verify.Refuted: "NOT VERIFIED", verify.Unknown: "NOT CHECKED IN FULL",
	}[m.Result]
	p.printf("\n%s", style(word))
	if m.Run != "" {
		p.printf("  run %s, %s", printable(m.Run), m.Status)
	}
	p.printf("\n")
	p.block("", m.Says, unstyled)
	if m.First != nil {
		p.block("First: ", shortDigests(m.First.String()), unstyled)
	}
}

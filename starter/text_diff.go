package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/provenance/diff"
	"rlam/schemas"
)

// diff says in what two runs differ.
func (p *textPrinter) diff(d *diff.Diff) {
	for i, s := range []diff.Side{d.A, d.B} {
		p.printf("%s %s  %s\n", "AB"[i:i+1], p.bold.Render(printable(s.ID)), p.dim.Render(fmt.Sprintf("%s, %s, %s", s.Status, count(s.Steps, "step"), count(s.Calls, "call"))))
	}
	if s := d.Shared; s != nil {
		p.block("", fmt.Sprintf("They share %s, up to record %s, and are compared from there.", count(s.Steps, "step"), s.Record.Short()), unstyled)
	}
	switch {
	case d.Same && len(d.Notes) > 0:
		p.printf("%s nothing differs of what can be compared\n", p.good.Render("✓"))
	case d.Same:
		p.printf("%s nothing differs\n", p.good.Render("✓"))
	case d.First != nil:
		p.block(p.bad.Render("≠")+" ", "They part at "+firstWords(d), unstyled)
	}
	p.section("What they were given", len(d.Given))
	p.items(d.Given, true)
	p.section("Between planner and run", len(d.Turns))
	p.items(d.Turns, true)
	p.pairsOfCalls(d)
	p.section("How they ended", len(d.Result))
	p.items(d.Result, true)
	p.section("What could not be compared", len(d.Notes))
	for _, n := range d.Notes {
		p.block("  ? ", n, unstyled)
	}
}

func firstWords(d *diff.Diff) string {
	at := d.First.Call
	if step := max(d.First.StepA, d.First.StepB); step > 0 && !strings.HasPrefix(at, "step ") {
		at = fmt.Sprintf("step %d, %s", step, at)
	}
	return fmt.Sprintf("%s: %s", at, strings.TrimSpace(string(d.First.Item.Area)+" "+d.First.Item.At))
}

func (p *textPrinter) section(title string, n int) {
	if n > 0 {
		p.heading(title)
	}
}

// pairsOfCalls tells of the calls that differ, and counts the others.
func (p *textPrinter) pairsOfCalls(d *diff.Diff) {
	same := 0
	differ := 0
	for _, c := range d.Calls {
		if len(c.Items) == 0 {
			same++
			continue
		}
		if differ++; differ == 1 {
			p.heading("Calls")
		}
		mark := p.bad.Render("≠")
		if c.Same() {
			mark = p.dim.Render("≈")
		}
		named := cmp.Or(c.A, c.B)
		p.printf("%s %s %s\n", mark, c.Subject(), p.dim.Render(printable(named.Action)))
		p.items(c.Items, false)
		if c.Why != "" {
			p.block("    → ", c.Why, p.dim)
		}
	}
	if same > 0 {
		p.printf("%s\n", p.dim.Render(fmt.Sprintf("%s alike", count(same, "call"))))
	}
}

// mostItems is how many differences of one kind, or of one call, are told to people.
const mostItems = 12

// items says what differs of one kind, or of one call; named says whether each is of a
// subject of its own.
func (p *textPrinter) items(all []diff.Item, named bool) {
	for _, i := range all[:min(len(all), mostItems)] {
		subject := ""
		if named {
			subject = i.Subject
		}
		p.item(subject, i)
	}
	if more := len(all) - mostItems; more > 0 {
		p.printf("    %s\n", p.dim.Render(fmt.Sprintf("and %s; --json and --html tell all", count(more, "more difference"))))
	}
}

// item says one difference: what it is of, and both values.
func (p *textPrinter) item(subject string, i diff.Item) {
	at := strings.TrimSpace(subject + " " + i.At)
	if subject == "" {
		at = fmt.Sprintf("%-11s %s", i.Area, i.At)
	} else {
		at = fmt.Sprintf("%-11s %s", i.Area, at)
	}
	var more []string
	if i.Numbers != nil {
		more = append(more, i.Numbers.String())
	}
	if i.Grade != nil && i.Grade.Class != schemas.Bitwise {
		more = append(more, "declared "+string(i.Grade.Class))
	}
	if i.Expected != "" {
		more = append(more, i.Expected)
	}
	if i.Why != "" {
		more = append(more, i.Why)
	}
	style := unstyled
	if i.Expected != "" {
		style = p.dim
	}
	p.printf("  %s\n", style.Render(printable(at)))
	one, other := sideWords(i.A), sideWords(i.B)
	if arrow := one + " → " + other; lipgloss.Width(arrow) <= p.width-14 {
		p.printf("%s%s\n", itemColumn, printable(arrow))
	} else {
		one, other = aroundParting(one, other, p.width-16)
		p.printf("%s%s\n%s%s\n", itemColumn, oneLine("A "+one, p.width-14), itemColumn, oneLine("B "+other, p.width-14))
	}
	if len(more) > 0 {
		p.block(itemColumn, strings.Join(more, "; "), p.dim)
	}
}

// aroundParting leaves out what two texts begin with alike, where a line as wide as that
// would not show the place at which they part.
func aroundParting(one, other string, width int) (string, string) {
	a, b := []rune(one), []rune(other)
	part := 0
	for part < len(a) && part < len(b) && a[part] == b[part] {
		part++
	}
	if part < width/2 {
		return one, other
	}
	from := part - width/3
	return "…" + string(a[from:]), "…" + string(b[from:])
}

// itemColumn is where values begin.
const itemColumn = "              "

// handle is how artifacts are named in values.
var handle = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// sideWords are one side of a difference, its handles shortened.
func sideWords(s string) string {
	if s == "" {
		return "nothing"
	}
	return handle.ReplaceAllStringFunc(s, func(h string) string { return h[:15] + "…" })
}

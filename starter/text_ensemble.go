package main

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/provenance/ensemble"
)

// How many lines of each kind a summary on a terminal has. What is beyond is counted, and
// stands in the page, the JSON and the CSV.
const (
	shownAbsent   = 12
	shownGroups   = 24
	shownValues   = 5
	shownBranches = 8
)

// summarised says what the members of an ensemble show together.
func (p *textPrinter) summarised(r *ensemble.Report) {
	title := "Ensemble"
	if r.Ensemble != "" {
		title += " " + r.Ensemble
	}
	p.printf("\n%s\n", p.bold.Render(oneLine(title, p.width)))
	var parts []string
	for _, s := range r.Statuses {
		parts = append(parts, fmt.Sprintf("%s %s", thousands(s.N), oneLine(s.Value, 40)))
	}
	p.block("", count(r.Members, "member")+": "+strings.Join(parts, " · "), unstyled)
	p.varied(r)
	p.absent(r)
	p.numericFields(r)
	p.otherFields(r)
	for _, c := range r.Cuts {
		p.block(callColumn+"… ", c.Words(), p.dim)
	}
	if r.Plans != nil {
		p.plans(r.Plans)
	}
}

// varied says which values the design has.
func (p *textPrinter) varied(r *ensemble.Report) {
	for _, v := range r.Varied {
		var values []string
		for _, value := range v.Values[:min(len(v.Values), 2*shownValues)] {
			values = append(values, oneLine(ensemble.Plain(string(value)), 40))
		}
		if more := len(v.Values) - len(values); more > 0 {
			values = append(values, fmt.Sprintf("and %s more", thousands(more)))
		}
		p.block("varied: ", v.Path+" = "+strings.Join(values, ", "), p.dim)
	}
}

// absent lists the members that no statistic is of.
func (p *textPrinter) absent(r *ensemble.Report) {
	if len(r.Absent) == 0 {
		return
	}
	p.printf("\n%s\n", p.bold.Render("Not in the statistics"))
	for i, a := range r.Absent {
		if i == shownAbsent {
			p.block(callColumn+"… ", fmt.Sprintf("and %s more", thousands(len(r.Absent)-i)), p.dim)
			break
		}
		words := a.Failure
		if a.Partial {
			words = strings.TrimSuffix(words, ".") + "; its partial result isn't counted"
		}
		if len(a.Varied) > 0 {
			words += " (" + ensemble.Label(a.Varied) + ")"
		}
		p.mark(p.bad, "✗", oneLine(a.ID, 20), oneLine(a.Status, 40), words)
	}
}

// Columns of the table of numbers, as far as they aren't the first.
const numberColumns = " %5s %11s %10s  %s"

// numericFields is a table of the fields that are numbers, and of their groups.
func (p *textPrinter) numericFields(r *ensemble.Report) {
	first := true
	for _, f := range r.Fields {
		if f.Numbers == nil {
			continue
		}
		if first {
			first = false
			p.printf("\n%s\n", p.bold.Render(oneLine("Numbers", 22))+strings.Repeat(" ", p.nameWidth()-7)+
				p.dim.Render(fmt.Sprintf(numberColumns, "n", "mean", "sd", "95 % interval")))
		}
		name := f.Name()
		if f.Unit != "" {
			name += " (" + f.Unit + ")"
		}
		p.numberRow(name, f.Part, f.Numbers, p.bold)
		p.numberDetail(f.Part)
		for i, g := range f.Groups {
			if i == shownGroups {
				p.block("    … ", fmt.Sprintf("and %s more", count(len(f.Groups)-i, "group")), p.dim)
				break
			}
			p.numberRow("  "+r.GroupLabel(i), g, f.Numbers, unstyled)
		}
	}
}

// nameWidth is what the columns of numbers leave for names.
func (p *textPrinter) nameWidth() int { return max(14, p.width-56) }

// numberRow is a row of the table. The digits are those of the whole field.
func (p *textPrinter) numberRow(name string, part ensemble.Part, whole *ensemble.Numbers, style lipgloss.Style) {
	width := p.nameWidth()
	indent := strings.Repeat(" ", len(name)-len(strings.TrimLeft(name, " ")))
	shown := indent + oneLine(name, max(width, p.width/2)-len(indent))
	cell := style.Render(shown) + strings.Repeat(" ", max(0, width-lipgloss.Width(shown)))
	if lipgloss.Width(shown) > width {
		p.printf("%s\n", cell)
		cell = strings.Repeat(" ", width)
	}
	n := part.Numbers
	if n == nil {
		p.printf("%s"+numberColumns+"\n", cell, "0", "–", "–", "–")
		return
	}
	sd, interval := "–", "–"
	if n.SD != nil {
		sd = ensemble.Short(*n.SD)
	}
	if n.Student != nil {
		interval = whole.Spell(n.Student.Low) + " … " + whole.Spell(n.Student.High)
	}
	line := fmt.Sprintf("%s"+numberColumns, cell, thousands(n.N), whole.Spell(n.Mean), sd, interval)
	if lipgloss.Width(line) <= p.width {
		p.printf("%s\n", line)
		return
	}
	p.printf("%s\n", strings.TrimRight(fmt.Sprintf("%s"+numberColumns, cell, thousands(n.N), whole.Spell(n.Mean), sd, ""), " "))
	p.block("    ", "95 % interval "+interval, unstyled)
}

// numberDetail is what the table has no room for.
func (p *textPrinter) numberDetail(part ensemble.Part) {
	n := part.Numbers
	var parts []string
	if b := n.Bootstrap; b != nil {
		parts = append(parts, fmt.Sprintf("bootstrap %s … %s", n.Spell(b.Low), n.Spell(b.High)))
	}
	q := n.Quantiles
	if n.N > 1 && n.Distinct > 1 {
		parts = append(parts, fmt.Sprintf("quantiles 2.5 %% %s, 25 %% %s, 50 %% %s, 75 %% %s, 97.5 %% %s", n.Spell(q.P2), n.Spell(q.P25), n.Spell(q.Median), n.Spell(q.P75), n.Spell(q.P97)),
			fmt.Sprintf("from %s to %s", n.Spell(q.Min), n.Spell(q.Max)))
	}
	if n.Without != "" {
		parts = append(parts, n.Without)
	}
	for _, u := range n.Unbounded {
		parts = append(parts, fmt.Sprintf("%d× %s, not counted", u.N, u.Value))
	}
	if part.Values != nil {
		parts = append(parts, count(part.Values.N, "value")+" that are no numbers")
	}
	if part.Lacking > 0 {
		parts = append(parts, count(part.Lacking, "result")+" without it")
	}
	if len(parts) > 0 {
		p.block("    ", strings.ReplaceAll(strings.Join(parts, "; "), " %", string(glue)+"%"), p.dim)
	}
}

// otherFields says how far the fields agree that are no numbers.
func (p *textPrinter) otherFields(r *ensemble.Report) {
	first := true
	for _, f := range r.Fields {
		if f.Values == nil {
			continue
		}
		if first {
			first = false
			p.printf("\n%s\n", p.bold.Render("Other results"))
		}
		p.agreement(f.Name(), f.Kind, f.Part)
		if f.Values.Distinct == 1 && f.Kind != ensemble.Mixed {
			continue // the groups have nothing to add
		}
		for i, g := range f.Groups {
			if i == shownGroups {
				p.block("    … ", fmt.Sprintf("and %s more", count(len(f.Groups)-i, "group")), p.dim)
				break
			}
			words := "none"
			if g.Values != nil {
				words = valueWords(f.Kind, g.Values)
			}
			p.block("    ", r.GroupLabel(i)+": "+words, unstyled)
		}
	}
}

// agreement is one field's.
func (p *textPrinter) agreement(name string, kind ensemble.Kind, part ensemble.Part) {
	p.block(callColumn, oneLine(name, p.width)+": "+valueWords(kind, part.Values), unstyled)
	a := part.Values
	var parts []string
	if kind != ensemble.Artifact && a.Distinct > 1 && a.Values[0].N > 1 {
		for _, v := range a.Values[:min(len(a.Values), shownValues)] {
			parts = append(parts, fmt.Sprintf("%d× %s", v.N, oneLine(ensemble.Plain(v.Value), 60)))
		}
		if more := a.Distinct - len(parts); more > 0 {
			parts = append(parts, fmt.Sprintf("and %s", count(more, "other value")))
		}
	}
	if part.Lacking > 0 {
		parts = append(parts, count(part.Lacking, "result")+" without it")
	}
	if len(parts) > 0 {
		p.block("    ", strings.Join(parts, " · "), p.dim)
	}
}

// valueWords say how values agree: artifacts by their digests, which say nothing themselves.
func valueWords(kind ensemble.Kind, a *ensemble.Agreement) string {
	if kind == ensemble.Artifact {
		return fmt.Sprintf("%s in %s", count(a.Distinct, "different artifact"), count(a.N, "result"))
	}
	return oneLine(a.Words(), 200)
}

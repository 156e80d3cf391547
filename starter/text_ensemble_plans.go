package main

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/provenance/ensemble"
)

// plans says which plans were chosen, and where they part.
func (p *textPrinter) plans(all *ensemble.Plans) {
	p.printf("\n%s\n", p.bold.Render("Plans"))
	p.block(callColumn, all.Words(), unstyled)
	level := all.ByAction
	if level.Distinct == 1 {
		if all.ByCall.Distinct == 1 {
			p.block(callColumn, ensemble.Sequence(level.Plans[0].Calls, level.Plans[0].More), p.dim)
			return
		}
		level = all.ByCall // they part by parameters alone
	}
	p.printf("\n%s\n", p.bold.Render("Where they part"))
	p.branch(*level.Parting, 0)
}

// branch is what plans have in common, and below it how they go on.
func (p *textPrinter) branch(b ensemble.Branch, depth int) {
	indent := callColumn + strings.Repeat("   ", min(depth, 8))
	head := fmt.Sprintf("%s%4s× ", indent, thousands(b.Members))
	p.block(head, b.Words(), unstyled)
	more := strings.Repeat(" ", lipgloss.Width(head))
	if len(b.Next) == 0 && b.More == 0 {
		p.block(more, ensemble.Who(b.IDs, b.Members), p.dim)
		return
	}
	for i, next := range b.Next {
		if i == shownBranches {
			hidden, members := len(b.Next)-i+b.More, b.MoreN
			for _, n := range b.Next[i:] {
				members += n.Members
			}
			p.block(more, fmt.Sprintf("… and %s, of %s", count(hidden, "more way"), count(members, "member")), p.dim)
			break
		}
		p.branch(next, depth+1)
	}
	if len(b.Next) <= shownBranches && b.More > 0 {
		p.block(more, fmt.Sprintf("… and %s, of %s", count(b.More, "more way"), count(b.MoreN, "member")), p.dim)
	}
	if b.Ends > 0 {
		p.block(more, fmt.Sprintf("%d× end here", b.Ends), p.dim)
	}
}

package main

import (
	"cmp"
	"fmt"
)

// replayed is a row of replay, and below it what went wrong. Its columns have fixed
// widths, so that a row can be written before the next is known.
func (p *textPrinter) replayed(m replayMessage) {
	if !p.headed {
		p.headed = true
		p.printf("%s\n", p.dim.Render(fmt.Sprintf("  %-14s %-10s %6s %7s  %s", "replay", "ended", "steps", "events", "history")))
	}
	mark, verdict := p.good.Render("✓"), "agrees"
	switch m.Verdict {
	case diverges:
		mark, verdict = p.bad.Render("✗"), "diverges"
	case notReplayable:
		mark, verdict = p.bad.Render("?"), "can't be"
	}
	name := printable(m.History)
	if m.Aside {
		name += p.dim.Render(" (a reset went back from it)")
	}
	p.printf("%s %-14s %-10s %6d %7d  %s\n", mark, verdict, cmp.Or(m.Closed, "-"), m.Steps, m.Events, name)
	if d := m.Divergence; d != nil {
		p.divergence(*d)
	}
	if m.Problem != "" {
		p.block("    ", m.Problem, unstyled)
	}
	if m.Next != "" {
		p.block("    → ", m.Next, p.dim)
	}
}

// divergence says where code and history part.
func (p *textPrinter) divergence(d divergenceMessage) {
	at := d.What
	if d.Field != "" {
		at += ", " + d.Field
	}
	if d.Call != "" {
		at = fmt.Sprintf("call %s, %s", d.Call, at)
	}
	if d.Step > 0 {
		at = fmt.Sprintf("step %d, %s", d.Step, at)
	}
	if d.Event > 0 {
		at = fmt.Sprintf("event %d, %s", d.Event, at)
	}
	p.block("    ", "first divergence: "+at, unstyled)
	p.block("      recorded  ", d.Recorded, p.good)
	p.block("      replayed  ", d.Replayed, p.bad)
}

func (p *textPrinter) replayEnd(e replayEnd) {
	switch {
	case e.Diverge == 0 && e.NotReplayable == 0 && e.Histories == 1:
		p.block("", fmt.Sprintf("The workflow code of this build (%s) decides as recorded: inputs, timers, close status and result. Nothing was executed.", e.Engine), unstyled)
		return
	case e.Diverge == 0 && e.NotReplayable == 0:
		p.block("", fmt.Sprintf("The workflow code of this build (%s) decides as recorded in all %d histories. Nothing was executed.", e.Engine, e.Histories), unstyled)
		return
	}
	p.block("", fmt.Sprintf("%s: %d as recorded, %d otherwise, %d not replayable. Nothing was executed.", histories(e.Histories), e.Agree, e.Diverge, e.NotReplayable), unstyled)
}

func histories(n int) string {
	if n == 1 {
		return "1 history"
	}
	return fmt.Sprintf("%d histories", n)
}

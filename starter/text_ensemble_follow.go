package main

import (
	"fmt"
	"strings"
	"time"

	"rlam/internal/record"
	"rlam/provenance/ensemble"
)

// member says of a member that it ended without being complete. Of those that completed
// the progress tells.
func (p *textPrinter) member(m memberMessage) {
	if m.Status == record.Completed {
		return
	}
	varied := ""
	if len(m.Varied) > 0 {
		varied = ensemble.Label(m.Varied)
	}
	p.clearLive()
	p.mark(p.bad, "✗", m.Run, strings.ReplaceAll(string(m.Status), "_", " "), varied)
}

// saidEvery is how often progress is said where there is no terminal to rewrite a line of.
const saidEvery = 15 * time.Second

// ensembleProgress says how far an ensemble is: in one line that is written anew, on a
// terminal; else in a line now and then.
func (p *textPrinter) ensembleProgress(m ensembleProgress) {
	line := progressWords(m)
	if p.live {
		p.printf("\r\x1b[K%s", p.dim.Render(oneLine(line, p.width-1)))
		p.liveLine = true
		return
	}
	done := m.Running+m.Waiting == 0
	if now := time.Now(); now.Sub(p.progressSaid) >= saidEvery || done && line != p.progressLine {
		p.progressSaid, p.progressLine = now, line
		p.printf("%s\n", oneLine(line, p.width))
	}
}

func progressWords(m ensembleProgress) string {
	words := fmt.Sprintf("%s of %s ended", thousands(m.Completed+m.Others), thousands(m.Members))
	if m.Others > 0 {
		words += fmt.Sprintf(" (%s not completed)", thousands(m.Others))
	}
	if m.Running > 0 {
		words += fmt.Sprintf(", %s under way", thousands(m.Running))
	}
	if m.Remaining != nil && m.Running+m.Waiting > 0 {
		words += ", about " + duration(*m.Remaining) + " left"
	}
	return words
}

// clearLive ends the line that is written anew.
func (p *textPrinter) clearLive() {
	if p.liveLine {
		p.printf("\r\x1b[K")
		p.liveLine = false
	}
}

// ensembleEnd says how an ensemble stands.
func (p *textPrinter) ensembleEnd(m ensembleEnd) {
	p.clearLive()
	style, words := p.good, "all members completed"
	switch {
	case m.Open:
		style, words = p.warn, "under way: "+progressWords(m.ensembleProgress)
	case m.Completed < m.Members:
		style, words = p.bad, fmt.Sprintf("%s of %s completed", thousands(m.Completed), thousands(m.Members))
		if m.Waiting > 0 {
			words += fmt.Sprintf(", %s not begun", thousands(m.Waiting))
		}
		if m.Others > 0 {
			words += fmt.Sprintf(", %s ended otherwise", thousands(m.Others))
		}
	}
	p.printf("\n%s  %s\n", p.bold.Render(m.Ensemble), style.Render(words))
	seal := ""
	if !m.Seal.IsZero() {
		seal = m.Seal.String()
	}
	p.pairs("record", m.Record.String(), "sealed as", seal, "Temporal UI", m.URL)
	p.commands(m.Next)
}

// goWords say that a member was begun before.
func goWords(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", begun anew (go %d) after it was cut off", n)
}

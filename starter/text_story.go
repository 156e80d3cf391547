package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"rlam/internal/record"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/workflows"
)

// Columns in which the story of a run is set.
const (
	callColumn = "  "      // where a call begins
	moreColumn = "       " // where more is said about it
)

// event tells one event of a run.
func (p *textPrinter) event(m message) {
	switch e := m.(type) {
	case follow.Run:
		p.printf("%s\n", p.bold.Render(oneLine(e.Title, p.width)))
		p.pairs("run", e.ID, "store", short(e.Store), "UI", e.URL)
		for _, in := range e.Inputs {
			p.input(in)
		}
		if of := e.Member; of != nil {
			p.block("", fmt.Sprintf("member %s of ensemble %s%s", of.Member, of.ID, goWords(of.Go)), p.bold)
		}
		if e.Fork != nil {
			p.fork(e.ID, e.Fork)
		}
	case follow.Proposal:
		p.proposal(e)
	case follow.Judged:
		if e.Decision == schemas.Refused {
			p.mark(p.warn, "⊘", e.Call, "refused, once its sources had run", e.Reason)
		}
	case follow.AttemptScheduled:
		p.handedOut(e)
	case follow.Attempt:
		delete(p.running, e.Call)
		p.attempt(e)
	case follow.EngineFailure:
		p.engineFailure(e)
	case follow.Wait:
		if !p.recap {
			p.block(callColumn+p.warn.Render("↻")+" ", fmt.Sprintf("%s; waiting %s", e.For, duration(e.Seconds)), p.dim)
		}
	case follow.CancelRequested:
		p.printf("\n%s\n", p.warn.Render("Someone asked for the run's end."))
	case follow.Continued:
		p.printf("\n%s\n", p.dim.Render("The run goes on with a new history in Temporal."))
	case follow.Reset:
		p.printf("\n")
		p.block(p.warn.Render("Reset: "), e.Reason, p.dim)
	case follow.Notice:
		p.block(p.warn.Render("! "), e.Text, p.warn)
	case follow.CaughtUp:
		p.underWay()
		p.recap = false
	case follow.End:
		if e.Status == follow.Running {
			p.underWay()
		}
		p.end(e)
	}
}

func (p *textPrinter) engineFailure(e follow.EngineFailure) {
	what := strings.TrimSuffix(e.Doing, " proposes")
	if e.Error.Type == workflows.TypeCancelled {
		p.mark(p.warn, "⊘", what, "cancelled", "")
		return
	}
	p.mark(p.bad, "✗", what, fmt.Sprintf("failed after %s: %s", duration(e.Seconds), e.Error.Type), e.Error.Message)
}

func (p *textPrinter) proposal(e follow.Proposal) {
	clear(p.running)
	clear(p.params)
	for _, c := range e.Calls {
		p.params[c.ID] = c.Params
	}
	head := fmt.Sprintf("step %d", e.Step)
	text := cmp.Or(e.Text, outcomeWords(e))
	if p.recap {
		if text != "" {
			text = "  " + oneLine(text, p.width-len(head)-2)
		}
		p.printf("\n%s%s\n", p.bold.Render(head), text)
		for _, c := range e.Calls {
			if c.Decision == schemas.Refused {
				p.line(p.warn, "⊘", c.ID, c.Action, "refused by "+gates(c.Refusals))
			} else if words := ownWords(c.Own); words != "" {
				p.line(unstyled, ownGlyph(c.Own), c.ID, c.Action, words)
			}
		}
		return
	}
	facts := []string{e.Model, duration(e.Seconds)}
	if !e.Recorded.IsZero() {
		facts = []string{"as on record; nobody was asked"}
	}
	if n := e.Usage.Total(); n > 0 {
		facts = append(facts, count(n, "token"))
	}
	p.printf("\n%s  %s\n", p.bold.Render(head), p.dim.Render(strings.Join(facts, " · ")))
	if e.Last != "" {
		p.block(callColumn+p.warn.Render("last turn: "), e.Last, unstyled)
	}
	if text != "" {
		p.block(callColumn, text, unstyled)
	}
	for _, c := range e.Calls {
		p.call(c)
	}
	if !e.Result.IsZero() && len(e.Refusals) > 0 {
		p.mark(p.warn, "⊘", "result", "refused by "+gates(e.Refusals), reasons(e.Refusals))
	}
	if e.Outcome == workflows.OutcomeRepair && len(e.Calls) == 0 && len(e.Refusals) == 0 {
		p.mark(p.warn, "⊘", "answer", "holds nothing that can be dispatched", e.Reason)
	}
	if e.Outcome == workflows.OutcomeGiveUp {
		p.mark(p.warn, "⊘", "given up", "", e.Reason)
	}
}

func outcomeWords(e follow.Proposal) string {
	switch e.Outcome {
	case workflows.OutcomeResult:
		if e.Partial {
			return "A partial result."
		}
		return "The result."
	case workflows.OutcomeGiveUp:
		return "The planner gives up."
	}
	return ""
}

func (p *textPrinter) call(c follow.Call) {
	label := c.Action
	if c.Name != "" {
		label += "  " + p.dim.Render(oneLine(c.Name, 24))
	}
	if len(c.After) > 0 {
		label += p.dim.Render("  after " + strings.Join(c.After, ", "))
	}
	p.printf("%s%-4s %s\n", callColumn, c.ID, label)
	if c.Why != "" {
		p.block(moreColumn, c.Why, unstyled)
	}
	if text := brief(c.Params, nil); text != "" {
		p.block(moreColumn, oneLine(text, 3*(p.width-len(moreColumn))), p.dim)
	}
	if c.Decision == schemas.Refused {
		p.mark(p.warn, "⊘", c.ID, "refused by "+gates(c.Refusals), reasons(c.Refusals))
		return
	}
	p.own(c.ID, c.Own)
}

func gates(refusals []follow.Refusal) string {
	var names []string
	for _, r := range refusals {
		if r.Gate != "" && !slices.Contains(names, r.Gate) {
			names = append(names, r.Gate)
		}
	}
	if len(names) == 0 {
		return "a gate"
	}
	return "the gate " + strings.Join(names, ", ")
}

func reasons(refusals []follow.Refusal) string {
	var all []string
	for _, r := range refusals {
		all = append(all, r.Reason)
	}
	return strings.Join(all, "\n")
}

// mark says how something came out, and below it more.
func (p *textPrinter) mark(style lipgloss.Style, glyph, what, how, more string) {
	p.printf("%s%s %-4s %s\n", callColumn, style.Render(glyph), what, style.Render(how))
	if more = strings.TrimSpace(more); more != "" {
		p.block(moreColumn, more, unstyled)
	}
}

// line is a call in a recap.
func (p *textPrinter) line(style lipgloss.Style, glyph, id, action, how string) {
	p.printf("%s%s %-4s %-24s %s\n", callColumn, style.Render(glyph), id, action, style.Render(oneLine(how, max(20, p.width-34))))
}

// underWay lists the attempts that a recap has left running.
func (p *textPrinter) underWay() {
	if !p.recap {
		return
	}
	for _, call := range slices.Sorted(maps.Keys(p.running)) {
		u := p.running[call]
		p.line(p.dim, "·", call, u.action, fmt.Sprintf("under way since %s", u.since.Local().Format(time.TimeOnly)))
	}
}

func (p *textPrinter) attempt(e follow.Attempt) {
	style, glyph, how := p.good, "✓", "completed"
	switch e.Status {
	case record.AttemptFailed:
		style, glyph, how = p.bad, "✗", "failed"
	case record.AttemptLost:
		style, glyph, how = p.warn, "?", "lost"
	case record.AttemptCancelled:
		style, glyph, how = p.warn, "⊘", "cancelled"
	}
	how += " after " + duration(e.Seconds)
	if e.Status == record.AttemptCompleted {
		how = "completed in " + duration(e.Seconds)
	}
	if e.Attempt > 1 {
		how = fmt.Sprintf("attempt %d %s", e.Attempt, how)
	}
	if e.Adopted {
		how += ", begun by an earlier attempt"
	}
	if e.Reused != nil {
		how = reusedWords(e.Reused) + ", which took " + duration(e.SavedSeconds)
	}
	if e.Error != nil && e.Error.Type != workflows.TypeCancelled {
		how += ": " + e.Error.Type
	}
	if p.recap {
		p.line(style, glyph, e.Call, e.Action, how)
		return
	}
	more := oneLine(brief(e.Output, p.known(e)), 5*(p.width-len(moreColumn)))
	if e.Error != nil {
		more = e.Error.Message
		if e.Error.Stderr != "" {
			more += "\n" + e.Error.Stderr
		}
	}
	p.mark(style, glyph, e.Call, how, more)
	for _, over := range e.PassedOver {
		p.block(moreColumn, passedOverWords(over), p.warn)
	}
	for _, a := range e.Artifacts {
		p.printf("%s%s  %s\n", moreColumn, a.Name, p.dim.Render(fmt.Sprintf("%s, sha256:%s…", size(a.Size), a.Digest.Short())))
	}
}

// known says which members of an output people have seen: those that repeat a
// parameter of the call, and the handles of artifacts, which are listed by name.
func (p *textPrinter) known(e follow.Attempt) func(string, json.RawMessage) bool {
	params := map[string]json.RawMessage{}
	if json.Unmarshal(p.params[e.Call].Value, &params) != nil {
		params = nil // it has none that could be read
	}
	return func(name string, value json.RawMessage) bool {
		if len(value) > 2 && bytes.Equal(params[name], value) {
			return true
		}
		return slices.ContainsFunc(e.Artifacts, func(a record.Artifact) bool { return string(value) == strconv.Quote(a.Digest.String()) })
	}
}

// end says how the run ended, what it cost, and what to try next.
func (p *textPrinter) end(e follow.End) {
	style := p.good
	if !e.Completed() {
		style = p.warn
	}
	p.printf("\n")
	status := string(e.Status)
	if e.Partial {
		status += ", with a partial result"
	}
	if e.Reason != "" && !e.Completed() {
		p.block(style.Bold(true).Render(status)+"  ", e.Reason, unstyled)
	} else {
		p.printf("%s\n", style.Bold(true).Render(status))
	}
	n, c := e.Counters, e.Cost
	calls := count(n.Calls, "call")
	if n.Refused > 0 {
		calls += fmt.Sprintf(" and %d refused", n.Refused)
	}
	attempts := count(n.Attempts, "attempt")
	if e.Failed > 0 {
		attempts += fmt.Sprintf(", %d failed", e.Failed)
	}
	if n.Losses > 0 {
		attempts += fmt.Sprintf(", %d lost", n.Losses)
	}
	tokens := count(n.Usage.Total(), "token")
	if n.Usage.Estimated {
		tokens = "about " + tokens
	}
	if n.Usage.Cached > 0 {
		tokens += fmt.Sprintf(", %s cached", thousands(n.Usage.Cached))
	}
	p.fact("work", strings.Join([]string{count(n.Steps, "step"), calls, attempts, tokens}, " · "))
	rewound := ""
	if c.Rewound > 0 {
		rewound = " · until a reset " + spent(c.Rewound)
	}
	p.fact("time", fmt.Sprintf("%s: model %s · actions %s · waiting %s%s · R-LAM %s",
		duration(c.Wall), spent(c.Model), spent(c.Actions), spent(c.Waiting), rewound, spent(c.Engine)))
	if n.Reused > 0 {
		p.fact("reused", fmt.Sprintf("%d of %s, and nothing was executed for them: saved %s", n.Reused, count(n.Calls, "call"), spent(e.Saved)))
	}
	p.fact("record", sealedWords(e))
	if e.URL != "" {
		p.printf("%s%s\n", p.dim.Render("UI      "), e.URL) // not broken: people copy it
	}
	if len(e.Next) > 0 {
		p.printf("%s\n", p.dim.Render("next"))
		p.commands(e.Next)
	}
}

// fact is a line or two of a summary.
func (p *textPrinter) fact(name, text string) {
	p.block(p.dim.Render(fmt.Sprintf("%-8s", name)), text, unstyled)
}

func sealedWords(e follow.End) string {
	head := "sha256:" + e.Head.Short() + "…"
	switch e.Status {
	case follow.Running:
		return "open, its head is " + head
	case follow.Unsealed:
		return "unsealed, its head is " + head
	}
	return "sealed as " + head
}

// spent is a part of a run's time: none is said as 0.
func spent(seconds float64) string {
	if seconds < 0.0005 {
		return "0"
	}
	return duration(seconds)
}

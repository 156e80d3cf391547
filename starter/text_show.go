package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/starter/follow"
)

var unstyled = lipgloss.NewStyle()

// standing says how a run stands beyond its history.
func (p *textPrinter) standing(m standingMessage) {
	if len(m.Rewound) > 0 {
		p.heading("Rewound, and beside the line that counts")
	}
	for _, r := range m.Rewound {
		p.block(callColumn+p.dim.Render("↶")+" ", rewoundWords(r), unstyled)
	}
	if len(m.Leftovers) > 0 {
		p.printf("\n%s\n", p.bold.Render("In the journal, and not in the history"))
	}
	for _, l := range m.Leftovers {
		p.block(callColumn+p.warn.Render("?")+" ", leftoverWords(l, m.Open), unstyled)
	}
	if m.Imported != "" {
		p.block("\n", "This run is "+m.Imported+".", unstyled)
	}
	if !m.Open {
		return
	}
	p.progress(m.Progress)
	switch {
	case m.Served:
		p.printf("\nThe run is open, and a worker serves it. To follow it:\n")
	case m.Foreign:
		p.printf("\nThe run is open and has no worker. It needs one of your own, on task queue\n%s; then follow it:\n", m.TaskQueue)
	default:
		p.printf("\nThe run is open and has no worker. To go on with it:\n")
	}
	p.commands(m.Next)
}

// rewoundWords say what a reset left, and who asked for it as far as that is known.
func rewoundWords(r follow.Rewound) string {
	what := "no step"
	if r.Gone {
		what = "what nobody can tell any more, the history"
	} else if n := len(r.Steps); n > 0 {
		what = fmt.Sprintf("step %d", r.Steps[0])
		if n > 1 {
			what = fmt.Sprintf("steps %d to %d", r.Steps[0], r.Steps[n-1])
		}
		switch len(r.Calls) {
		case 0:
			what += ", with no call carried out"
		case 1:
			what += ", with call " + r.Calls[0]
		default:
			what += ", with calls " + strings.Join(r.Calls, ", ")
		}
	}
	return fmt.Sprintf("%s, of Temporal run %s, by the reset of %s: %s", what, r.RunID, r.At.Local().Format(time.DateTime), r.Reason)
}

// progress says how far calls under way are, or for what they wait.
func (p *textPrinter) progress(said map[string]string) {
	for _, call := range slices.Sorted(maps.Keys(said)) {
		p.printf("%s%s %s\n", callColumn, call, p.dim.Render(oneLine(said[call], max(20, p.width-len(callColumn)-len(call)-1))))
	}
}

func leftoverWords(l follow.Leftover, open bool) string {
	what := fmt.Sprintf("call %s, execution %d", l.Call, l.Execution)
	if l.Kind == "plan" {
		what = fmt.Sprintf("step %d, planner's turn %d", l.Step, l.Execution)
	}
	began := fmt.Sprintf("begun %s by worker %s", localTime(l.Started), l.Worker)
	switch {
	case l.Interrupted:
		return fmt.Sprintf("%s: %s, which stopped; what it had done by then is not known", what, began)
	case l.InDoubt && open:
		return fmt.Sprintf("%s: %s; no outcome yet", what, began)
	case l.InDoubt:
		return fmt.Sprintf("%s: %s; it left no outcome, and what it did is not known", what, began)
	case l.Kind == "plan":
		return fmt.Sprintf("%s: an answer that nobody used, of %s, for %s", what, l.Model, count(l.Usage.Total(), "token"))
	}
	return what + ": an outcome that nobody used, " + began
}

func localTime(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return s
	}
	return t.Local().Format(time.DateTime)
}

// step shows a step in full. What it holds is data, and not broken to a width.
func (p *textPrinter) step(m stepMessage) {
	of := m.Run
	if m.Of != "" {
		of = m.Of + ", which " + m.Run + " continues"
	}
	p.printf("%s  of run %s\n", p.bold.Render(fmt.Sprintf("step %d", m.Index)), of)
	model := m.Model.Answered
	if m.Model.Asked != m.Model.Answered {
		model += ", asked for as " + m.Model.Asked
	}
	repeats := ""
	if !m.Recorded.IsZero() {
		repeats = "the turn on record in step " + m.Recorded.String() + "; nobody was asked, and prompt and answer are those of then"
	}
	p.pairs("repeats", repeats, "model", model, "fingerprint", m.Model.Fingerprint, "outcome", m.Outcome,
		"last turn", m.Last, "tokens", tokensOf(m.Usage),
		"proposal", m.Proposal.String(), "record", m.Record.String())
	if m.Prompt != nil {
		p.prompt(m.Prompt)
	}
	p.answer(m.Answer, m.Reason)
	for _, l := range m.Absent {
		p.heading(strings.ToUpper(l.What[:1]) + l.What[1:])
		p.lack(l.Why, l.Digest)
	}
	for _, c := range m.Calls {
		p.stepCall(c)
		for _, a := range m.Attempts {
			if a.Call == c.ID {
				p.attempt(a)
			}
		}
	}
	if r := m.Result; r != nil {
		decision := r.Decision
		if r.Partial {
			decision += " as partial"
		}
		p.heading("Result, " + decision)
		p.verdicts(r.Verdicts)
		p.data(r.Value)
	}
}

func tokensOf(u record.Usage) string {
	prompt := thousands(u.Prompt) + " in the prompt"
	if u.Cached > 0 {
		prompt += fmt.Sprintf(" (%s cached)", thousands(u.Cached))
	}
	return fmt.Sprintf("%s, %s in the answer", prompt, thousands(u.Completion))
}

func (p *textPrinter) heading(text string) { p.printf("\n%s\n", p.bold.Render(text)) }

func (p *textPrinter) prompt(r *follow.Prompt) {
	p.heading(fmt.Sprintf("Prompt: %s, temperature %v, about %s", count(len(r.Messages), "message"), r.Temperature, count(r.Tokens, "token")))
	p.pairs("body", r.Body.String())
	for i, m := range r.Messages {
		note := ""
		if slices.Contains(r.Stubbed, i) {
			note = ", shortened to fit"
		}
		head := fmt.Sprintf("%3d %s%s  ", i+1, m.Role, note)
		if i < r.New {
			p.printf("%s\n", p.dim.Render(head+oneLine(messageText(m), p.width-len(head))))
			continue
		}
		p.printf("%s\n", p.dim.Render(head))
		p.block("      ", messageText(m), unstyled)
	}
}

// messageText is what a message says: words, and calls.
func messageText(m planner.Message) string {
	parts := []string{}
	if m.Content != "" {
		parts = append(parts, m.Content)
	}
	for _, t := range m.ToolCalls {
		parts = append(parts, t.Name+" "+t.Arguments)
	}
	return strings.Join(parts, "\n")
}

// lack says that a content can't be shown, and by which name it is known.
func (p *textPrinter) lack(why string, d canon.Digest) {
	p.block(callColumn, why+", and known by its digest alone: "+d.String(), p.dim)
}

func (p *textPrinter) answer(a *planner.Answer, reason string) {
	if a == nil {
		a = &planner.Answer{}
	} else if a.FinishReason != "" {
		p.heading("Answer (" + a.FinishReason + ")")
	} else {
		p.heading("Answer")
	}
	for _, text := range []string{a.Text, a.Refusal, a.Problem, reason} {
		if text != "" {
			p.block(callColumn, text, unstyled)
		}
	}
}

func (p *textPrinter) stepCall(c follow.StepCall) {
	name := c.Name
	if name != "" {
		name = " (" + name + ")"
	}
	status := string(c.Status)
	if status == "" {
		status = c.Decision
	}
	p.heading(fmt.Sprintf("Call %s %s%s: %s", c.ID, c.Action, name, status))
	if c.Why != "" {
		p.block(callColumn, c.Why, unstyled)
	}
	p.data(c.Params)
	for _, u := range c.Uses {
		p.printf("%s%s\n", callColumn, p.dim.Render(fmt.Sprintf("%s came from %s of %s", whole(u.At), whole(u.Pointer), u.From)))
	}
	p.verdicts(c.Verdicts)
	p.own(c.ID, c.Own)
	for _, a := range c.Attempts {
		p.stepAttempt(a)
	}
}

// bindingWords are what carried an attempt out.
func bindingWords(b *schemas.Pinned) string {
	switch {
	case b.Command != nil:
		return "command " + strings.Join(b.Command.Argv, " ")
	case b.HTTP != nil:
		return "http " + b.HTTP.URL
	case b.MCP != nil:
		return "mcp " + b.MCP.Tool
	}
	return "builtin " + b.Builtin
}

// whole spells a JSON pointer for people: an empty one means the value itself.
func whole(pointer string) string {
	if pointer == "" {
		return "the whole"
	}
	return pointer
}

func (p *textPrinter) data(v follow.Value) {
	if v.Absent != "" {
		p.lack(v.Absent, v.Digest)
	}
	if len(v.Value) == 0 {
		if v.Preview != "" {
			p.block(callColumn, v.Preview, unstyled)
		}
		return
	}
	for line := range strings.SplitSeq(indent(v.Value), "\n") {
		p.printf("%s%s\n", callColumn, printable(line))
	}
}

func (p *textPrinter) verdicts(verdicts []follow.Verdict) {
	for _, v := range verdicts {
		style := p.good
		if v.Decision == "refused" {
			style = p.warn
		}
		head := fmt.Sprintf("%sgate %s (version %d) ", callColumn, v.Gate, v.Version)
		by := ""
		if v.Rule != "" {
			by = " by rule " + printable(v.Rule)
		}
		p.printf("%s%s%s\n", head, style.Render(v.Decision), by)
		if v.Reason != "" {
			p.block(moreColumn, v.Reason, unstyled)
		}
	}
}

func (p *textPrinter) stepAttempt(a follow.StepAttempt) {
	head := fmt.Sprintf("attempt %d: %s", a.N, a.Status)
	if a.Adopted {
		head += ", begun by an earlier attempt"
	}
	if a.Reused != nil {
		head += ", " + reusedWords(a.Reused)
	}
	p.printf("%s%s\n", callColumn, p.bold.Render(head))
	p.printf("%s%s\n", moreColumn, p.dim.Render(fmt.Sprintf("from %s to %s, isolation %s", localTime(a.Started), localTime(a.Ended), a.Isolation)))
	for _, over := range a.PassedOver {
		p.block(moreColumn, passedOverWords(over), p.warn)
	}
	if b := a.BindingValue; b != nil {
		p.printf("%s%s\n", moreColumn, p.dim.Render(oneLine(fmt.Sprintf("by %s (binding %s)", bindingWords(b), a.Binding.Short()), p.width-len(moreColumn))))
	}
	if a.Error != nil {
		p.block(moreColumn, a.Error.Type, p.bad)
	}
	if f := a.Failure; f != nil {
		p.block(moreColumn, f.Message, unstyled)
		for _, cause := range f.Causes {
			p.block(moreColumn+"because ", cause, unstyled)
		}
		if f.Stderr != "" {
			p.block(moreColumn+"stderr ", f.Stderr, p.dim)
		}
		if len(f.Partial) > 0 {
			p.data(follow.Value{Value: f.Partial})
		}
	}
	if !a.OutputValue.IsZero() {
		p.data(a.OutputValue)
	}
	for _, art := range a.Artifacts {
		p.printf("%s%s  %s\n", moreColumn, art.Name, p.dim.Render(fmt.Sprintf("%s  %s", size(art.Size), art.Digest)))
	}
	if e := a.EnvironmentValue; e != nil {
		p.printf("%s%s\n", moreColumn, p.dim.Render("environment "+a.Environment.String()))
		if id, err := json.Marshal(e.Identity); err == nil {
			p.block(moreColumn, oneLine(briefJSON(id), 2*p.width), p.dim)
		}
	}
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"rlam/internal/canon"
	"rlam/provenance/graph"
	"rlam/provenance/lineage"
)

// Branches of a tree, each three columns wide.
const (
	branchMiddle = "├─ "
	branchLast   = "└─ "
	branchPast   = "│  "
	branchNone   = "   "
)

// lineage writes where something came from as a tree.
func (p *textPrinter) lineage(m lineageMessage) {
	what := "came from"
	if m.Direction == lineage.Down {
		what = "led to"
	}
	p.block("", fmt.Sprintf("What %s of run %s %s", m.Target, m.Run, what), p.bold)
	t := tree{p: p, home: m.Run, down: m.Direction == lineage.Down}
	t.item(m.Lineage, "", "")
}

// tree writes items below each other.
type tree struct {
	p    *textPrinter
	home string // the run whose things need no name of their run
	down bool
}

// item writes one, and all that belongs to it. first begins its first line, rest all
// others.
func (t *tree) item(i *lineage.Item, first, rest string) {
	title := t.title(i, t.p.width-lipgloss.Width(first))
	if i.Again {
		t.lines(first, rest, title+"  (see above)", t.p.dim)
		return
	}
	t.lines(first, rest, title, unstyled)
	stem := rest + branchNone
	if len(i.Of) > 0 {
		stem = rest + branchPast
	}
	style := t.p.dim
	if i.By != nil && i.By.Failure != nil {
		t.lines(stem, stem, strings.TrimSuffix(i.By.Status+": "+i.By.Failure.Type+": "+i.By.Failure.Message, ": "), t.p.bad)
	}
	for _, fact := range t.facts(i) {
		t.lines(stem, stem, fact, style)
	}
	for _, typed := range t.typed(i) {
		t.lines(stem, stem, typed, t.p.warn)
	}
	for n, of := range i.Of {
		if n == len(i.Of)-1 {
			t.item(of, rest+branchLast, rest+branchNone)
		} else {
			t.item(of, rest+branchMiddle, rest+branchPast)
		}
	}
}

// lines writes a text, broken to the width.
func (t *tree) lines(first, rest, text string, style lipgloss.Style) {
	prefix := first
	for _, line := range wrap(text, t.p.width-lipgloss.Width(rest)) {
		t.p.printf("%s%s\n", t.p.dim.Render(prefix), styled(style, line))
		prefix = rest
	}
}

// title is what an item is, in its place, with as much of its value as fits in columns.
func (t *tree) title(i *lineage.Item, columns int) string {
	var b strings.Builder
	if i.At != "" && !t.down {
		b.WriteString(i.At + " ← ")
	}
	b.WriteString(t.name(i))
	if i.At != "" && t.down && i.Kind == graph.Call {
		b.WriteString(" as " + i.At)
	}
	if i.Run != t.home {
		b.WriteString(" of run " + i.Run)
	}
	if i.Kind == graph.Artifact && i.Size > 0 {
		b.WriteString(", " + size(i.Size))
	}
	if i.Through != "" {
		b.WriteString(", through the " + i.Through)
	}
	if room := columns - lipgloss.Width(b.String()) - len(" = "); len(i.Value) > 0 && i.Pointer != "" && !t.down && room > 12 {
		b.WriteString(" = " + oneLine(briefJSON(i.Value), room))
	}
	return b.String()
}

// name is what an item is called: as a target is spelled, where it can be one.
func (t *tree) name(i *lineage.Item) string {
	kind, rest, _ := strings.Cut(i.ID, ":")
	call, number, _ := strings.Cut(rest, "#")
	switch {
	case i.Kind == graph.Call:
		return strings.TrimSpace(rest + " " + i.Name)
	case i.Kind == graph.Attempt:
		return "attempt " + rest
	case kind == "input":
		return "input " + i.Name
	case i.Kind == graph.Artifact:
		return call + "/" + i.Name
	case kind == "elsewhere" && strings.HasPrefix(i.Name, "/"):
		return "result" + i.Name
	case kind == "elsewhere":
		return i.Name
	case rest == "":
		return kind + i.Pointer
	case kind == "result", strings.Contains(number, "~"): // a result that was refused; what was reset away
		return i.ID + i.Pointer
	}
	return strings.TrimSuffix(call, "/judged") + "/" + kind + i.Pointer
}

// facts are what is known of how an item came to be, or was used: a few each line.
func (t *tree) facts(i *lineage.Item) []string {
	var out []string
	add := func(parts ...string) {
		var line []string
		for _, part := range parts {
			if part != "" {
				line = append(line, strings.ReplaceAll(part, " ", string(glue)))
			}
		}
		if len(line) > 0 {
			out = append(out, strings.Join(line, ", "))
		}
	}
	if len(i.Edited) > 0 {
		out = append(out, "a person put in "+strings.Join(places(i.Edited), ", "))
	}
	if i.Absent {
		add("that run isn't at hand: nothing more is known of it here")
	}
	if i.Kind == graph.Artifact {
		add(named("", i.Digest))
		if i.Source != "" && (len(i.Of) == 0 || t.down) {
			out = append(out, "from "+i.Source)
		}
	}
	if i.By == nil {
		return out
	}
	p := i.By
	switch made := p.Call != "" || p.Attempt != ""; {
	case !made:
	case i.Kind != graph.Call && i.Kind != graph.Attempt && p.Again:
		add("by " + strings.TrimSpace(p.Call+" "+p.Action) + " (see above)")
	case i.Kind != graph.Call && i.Kind != graph.Attempt:
		add("by "+strings.TrimSpace(p.Call+" "+p.Action), t.how(p))
	case p.Failure == nil && (p.Status != "completed" || !t.down):
		add(t.how(p))
	}
	if !t.down {
		seed, isolation := "", ""
		if p.Seed != nil {
			seed = fmt.Sprintf("seed %d", *p.Seed)
		}
		if p.Isolation != "" {
			isolation = "isolation " + p.Isolation
		}
		add(named("action ", p.Spec), named("binding ", p.Binding), named("environment ", p.Environment), isolation, seed)
	}
	if turn := p.Turn; turn != nil && !t.down {
		verb := "proposed"
		if strings.HasPrefix(i.ID, "result") {
			verb = "handed in"
		}
		if turn.Model == "" {
			add(fmt.Sprintf("%s at turn %d", verb, turn.Step))
		} else {
			add(fmt.Sprintf("%s at turn %d by %s", verb, turn.Step, turn.Model), named("prompt ", turn.Prompt))
		}
	}
	return out
}

// places are JSON pointers for people, to whom the empty one says nothing.
func places(pointers []string) []string {
	out := slices.Clone(pointers)
	for i, at := range out {
		if at == "" {
			out[i] = "all of it"
		}
	}
	return out
}

// how is how a call ended, and after which attempts.
func (t *tree) how(p *lineage.Process) string {
	if p.Reused != "" {
		return p.Status + " from the record, as " + p.Reused
	}
	if n := len(p.Before); n > 0 {
		return fmt.Sprintf("%s at attempt %d after %s", p.Status, n+1, strings.Join(p.Before, ", "))
	}
	return p.Status
}

// named is a digest as people tell it from others, with a word before it; "" of none.
func named(word string, d canon.Digest) string {
	if d.IsZero() {
		return ""
	}
	return word + "sha256:" + d.Hex()[:8] + "…"
}

// typed are the values that the planner chose.
func (t *tree) typed(i *lineage.Item) []string {
	var out []string
	for _, v := range i.Typed {
		out = append(out, fmt.Sprintf("%s = %s, through the planner", v.At, oneLine(briefJSON(v.Value), 60)))
	}
	return out
}

package page

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/provenance/graph"
)

// first reads what the page begins with, so that it is there whatever else there isn't
// room for.
func (b *builder) first(ctx context.Context) error {
	if i, ok := b.index["result"]; ok {
		if err := b.reader.read(ctx, b.things[i].Digest, value, "", "", 0); err != nil {
			return err
		}
	}
	if b.seal != nil {
		if err := b.reader.read(ctx, b.seal.Reason, value, "", "", 0); err != nil {
			return err
		}
	}
	for _, n := range b.run.Trace.Graph.Nodes {
		if n.Failure != nil {
			if err := b.reader.read(ctx, n.Failure.Detail, value, "", "", 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// add reads a content and makes it a part of a thing.
func (b *builder) add(ctx context.Context, t *thing, name string, d canon.Digest, f form) error {
	if d.IsZero() {
		return nil
	}
	n := t.node
	if err := b.reader.read(ctx, d, f, n.MediaType, n.Name, n.Size); err != nil {
		return err
	}
	t.Parts = append(t.Parts, part{Name: name, Digest: d})
	return nil
}

// forms says how the values of each role are read.
var forms = map[string]form{"prompt": prompt, "answer": answer}

// contents reads what belongs to one thing.
func (b *builder) contents(ctx context.Context, t *thing) error {
	n := t.node
	switch n.Kind {
	case graph.Value:
		if b.run.Trace.Run == nil || n.Role == "elsewhere" {
			return nil // digests of another run's record, or of payloads that nobody keeps
		}
		return b.add(ctx, t, "Content", n.Digest, forms[n.Role])
	case graph.Artifact:
		f := artifact
		if n.Name == "log" && n.Role == "" && n.MediaType == "text/plain" {
			f = logged
		}
		return b.add(ctx, t, "Content", n.Digest, f)
	case graph.Environment:
		return b.add(ctx, t, "Environment", n.Digest, environment)
	case graph.Call:
		if err := b.add(ctx, t, "Formal schema of the action", n.Spec, document); err != nil {
			return err
		}
		return b.add(ctx, t, "What carries it out", n.Binding, document)
	case graph.Run:
		if run := b.run.Trace.Run; run != nil && n.Run != "" && n.Role == "" {
			return b.add(ctx, t, "Study", run.Study, document)
		}
	case graph.Plan:
		if p := b.proposals[t.Step]; p.rec != nil && p.rec.Last != nil {
			if err := b.add(ctx, t, "Why it was the last turn", p.rec.Last.Reason, value); err != nil {
				return err
			}
		}
		if p := b.proposals[t.Step]; p.rec != nil {
			return b.add(ctx, t, "Reason", p.rec.Reason, value)
		}
	}
	if n.Failure != nil {
		return b.add(ctx, t, "Failure in full", n.Failure.Detail, value)
	}
	return nil
}

// judged makes a verdict part of its call.
func (b *builder) judged(ctx context.Context, n *graph.Node) error {
	id := strings.TrimPrefix(n.ID, "verdict:")
	id, rest, _ := strings.Cut(id, "/")
	i, ok := b.index["call:"+id]
	if !ok {
		return nil
	}
	if err := b.reader.read(ctx, n.Digest, value, "", "", 0); err != nil {
		return err
	}
	facts := b.proposals[b.things[i].Step].facts[n.ID] // on record as a digest alone
	b.things[i].Verdicts = append(b.things[i].Verdicts, verdict{
		Gate: visible(n.Name), Version: n.Version, Decision: n.Status, Rule: visible(n.Rule), Again: strings.Contains(rest, "/judged"), Reason: n.Digest, Facts: facts,
	})
	return nil
}

// name gives a thing its title and label.
func (b *builder) name(t *thing) {
	n := t.node
	switch n.Kind {
	case graph.Run:
		t.Title = "Run " + n.Name
	case graph.Step:
		t.Title = "Step " + strings.TrimPrefix(n.ID, "step:")
	case graph.Plan:
		t.Title = fmt.Sprintf("Planner's turn, step %d", n.Step)
		t.Label = fmt.Sprintf("turn %d", n.Step)
		if n.N > 1 {
			t.Title += fmt.Sprintf(", attempt %d", n.N)
			t.Label += "#" + strconv.Itoa(n.N)
		}
	case graph.Call:
		t.Title = n.Call + " " + n.Name
		if n.Name == "result" {
			t.Title = "Result handed in"
		}
		action, _, _ := strings.Cut(n.Name, "@")
		t.Label = strings.TrimSpace(n.Call + " " + action)
	case graph.Attempt:
		t.Title = fmt.Sprintf("Attempt %d of %s, %s", n.N, n.Call, n.Name)
		t.Label = fmt.Sprintf("%s#%d", n.Call, n.N)
		if n.Role == "engine" || n.N == 0 {
			t.Title, t.Label = n.Name, n.Name
		}
	case graph.Value:
		t.Title, t.Label = valueTitle(n), n.Role
	case graph.Artifact:
		t.Title, t.Label = n.Name, n.Name
		if n.Role == "input" {
			t.Title = "Input " + n.Name
		}
	case graph.Agent:
		t.Title = strings.ToUpper(n.Role[:min(1, len(n.Role))]) + n.Role[min(1, len(n.Role)):] + " " + n.Name
	case graph.Environment:
		t.Title = "Environment " + head(n.Digest.Hex(), 8)
	default:
		t.Title = n.Name
	}
	t.Title = line(t.Title, 300)
	t.Label = line(t.Label, 40)
	if t.Label == "" {
		t.Label = line(t.Title, 40)
	}
}

func valueTitle(n *graph.Node) string {
	switch n.Role {
	case "params":
		if strings.Contains(n.ID, "/judged") {
			return "Parameters of " + n.Call + ", references replaced"
		}
		return "Parameters of " + n.Call
	case "output":
		return "Output of " + n.Call
	case "prompt":
		return fmt.Sprintf("Prompt of step %d", n.Step)
	case "answer":
		return fmt.Sprintf("Answer of step %d", n.Step)
	case "result":
		return "Result"
	}
	return strings.TrimSpace(n.Role + " " + n.Name)
}

// tell says in lines what is known of a thing.
func (b *builder) tell(t *thing) {
	n := t.node
	say := func(name, text string) {
		if text != "" {
			t.Facts = append(t.Facts, fact{Name: name, Text: visible(text)})
		}
	}
	spell := func(name, text string) {
		if text != "" {
			t.Facts = append(t.Facts, fact{Name: name, Text: visible(text), Mono: true})
		}
	}
	number := func(name string, v int64) {
		if v != 0 {
			say(name, strconv.FormatInt(v, 10))
		}
	}
	if begin, end := when(n.Started), when(n.Ended); !begin.IsZero() {
		say("Started", clock(n.Started))
		if !end.IsZero() {
			say("Took", lasted(end.Sub(begin)))
		}
	}
	say("Model", n.Model)
	if n.Asked != n.Model {
		say("Asked for", n.Asked)
	}
	if n.Kind == graph.Plan {
		b.tellTurn(t, say)
	}
	if n.Kind == graph.Call {
		b.tellCall(t, say)
	}
	if n.Seed != nil {
		spell("Seed", strconv.FormatUint(*n.Seed, 10))
	}
	say("Isolation", n.Isolation)
	say("Media type", n.MediaType)
	if n.Size > 0 {
		say("Size", fmt.Sprintf("%s (%d bytes)", bytesOf(n.Size), n.Size))
	}
	say("From", n.Source)
	number("Execution", int64(n.Execution))
	spell("Intent", n.Intent)
	number("Event", n.Event)
	spell("Temporal run", n.Run)
	if f := n.Failure; f != nil {
		t.Failure = &failure{Type: visible(f.Type), Message: visible(head(f.Message, b.o.ContentLimit))}
	}
}

// tellTurn says what a turn cost and came to.
func (b *builder) tellTurn(t *thing, say func(name, text string)) {
	p := b.proposals[t.Step].rec
	if p == nil || t.node.Digest.IsZero() {
		return
	}
	say("Outcome", strings.ReplaceAll(p.Outcome, "_", " "))
	say("Model's fingerprint", p.Model.Fingerprint)
	u := p.Usage
	text := fmt.Sprintf("%d in the prompt, %d in the answer", u.Prompt, u.Completion)
	if u.Cached > 0 {
		text += fmt.Sprintf(", %d cached", u.Cached)
	}
	if u.Estimated {
		text += " (estimated)"
	}
	say("Tokens", text)
	if p.Last != nil {
		say("Last turn", "the limit "+p.Last.Limit+" was reached")
	}
}

// tellCall says what the planner meant by a call.
func (b *builder) tellCall(t *thing, say func(name, text string)) {
	p := b.proposals[t.Step].rec
	if p == nil {
		return
	}
	a := b.reader.answers[p.Answer]
	for i, c := range p.Calls {
		if c.ID != t.node.Call {
			continue
		}
		if i < len(a.Calls) {
			say("Why", a.Calls[i].Why)
		}
		say("Named by the planner", c.Name)
		say("Waits for", strings.Join(c.After, ", "))
		for _, u := range c.Uses {
			say("Refers to", fmt.Sprintf("%s%s at %s", u.From, u.Pointer, u.At))
		}
	}
}

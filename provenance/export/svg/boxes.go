package svg

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"rlam/provenance/graph"
)

func turnBox(n *graph.Node, y int) box {
	text := "turn " + number(n.Step)
	if n.N > 1 {
		text += fmt.Sprintf(", attempt %d", n.N)
	}
	switch {
	case n.Failure != nil:
		text += ": " + n.Failure.Type
	case n.Model != "":
		text += " · " + n.Model
	}
	return box{id: n.ID, text: text, title: describe(n), class: classOf(n), x: turnX, y: y, width: turnWidth}
}

func callBox(c *call, y int) box {
	text := c.node.Call + "  " + c.node.Name
	class := "call"
	if c.refused != "" {
		text, class = text+"  ⊘ refused by "+c.refused, "call refused"
	}
	return box{id: c.node.ID, text: text, title: describe(c.node), class: class, x: callX, y: y, width: callWidth}
}

func attemptBox(n *graph.Node, x, y int) box {
	text := n.Status
	if n.N > 0 {
		text = fmt.Sprintf("attempt %d  %s", n.N, n.Status)
	} else {
		text = n.Name + "  " + text
	}
	if n.Failure != nil {
		text += "  " + n.Failure.Type
	}
	if d := duration(n); d != "" {
		text += "  " + d
	}
	return box{id: n.ID, text: text, title: describe(n), class: classOf(n), x: x, y: y, width: callWidth - (x - callX)}
}

func dataBox(n *graph.Node, y int) box {
	b := box{id: n.ID, text: n.Role, title: describe(n), class: "data", shape: datum, x: dataX, y: y, width: dataWidth}
	if n.Kind == graph.Artifact {
		b.text, b.shape = n.Name, document
	} else if strings.HasSuffix(strings.TrimSuffix(n.ID, branch(n.ID)), "/judged") {
		b.text = "params, judged"
	}
	return b
}

// classOf is the style of what was done: "done", or how it went otherwise.
func classOf(n *graph.Node) string {
	class := "attempt"
	if n.Kind == graph.Plan {
		class = "turn"
	}
	switch n.Status {
	case "completed":
	case "failed", "lost", "timed_out":
		class += " failed"
	default:
		class += " cut"
	}
	return class
}

// duration is how long something took; "" if that isn't known.
func duration(n *graph.Node) string {
	from, err := time.Parse(time.RFC3339Nano, n.Started)
	to, errTo := time.Parse(time.RFC3339Nano, n.Ended)
	if err != nil || errTo != nil {
		return ""
	}
	d := to.Sub(from)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// describe is what a title says of a node, a fact a line.
func describe(n *graph.Node) string {
	var b strings.Builder
	b.WriteString(n.ID)
	say := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "\n%s: %s", name, value)
		}
	}
	say("name", n.Name)
	say("status", n.Status)
	if n.Failure != nil {
		say("failed with", n.Failure.Type)
		say("message", cut(n.Failure.Message, 400))
	}
	say("model", n.Model)
	say("started", n.Started)
	say("ended", n.Ended)
	say("isolation", n.Isolation)
	if n.Seed != nil {
		say("seed", fmt.Sprint(*n.Seed))
	}
	if n.Size > 0 {
		say("bytes", fmt.Sprint(n.Size))
	}
	say("media type", n.MediaType)
	say("from", n.Source)
	if !n.Digest.IsZero() {
		say("digest", n.Digest.String())
	}
	return b.String()
}

// cut is text of at most n letters.
func cut(text string, n int) string {
	all := []rune(text)
	if len(all) <= n {
		return text
	}
	return strings.TrimRightFunc(string(all[:n-1]), unicode.IsSpace) + "…"
}

package page

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"

	"rlam/internal/canon"
	"rlam/internal/quantity"
	"rlam/provenance"
	"rlam/provenance/graph"
)

// view is what the template shows.
type view struct {
	Title, ID, Goal  string
	Status, Mark     string
	Reason           string
	Work, Began      string
	Took             string
	Result           string
	ResultThing      int // -1 if there is none
	ResultCut        int
	Image            template.URL // the first image that the result names
	ImageAlt         string
	Sound            bool
	Findings         []graph.Finding
	Notes            []graph.Finding
	Signed           string // the key's id; "" if nothing signs the page
	Metrics          []metric
	Rows             []*row
	Ticks            []tick
	Failed           int
	Steps            int
	Record, Head     canon.Digest
	Engine, Temporal string
	Drawing          template.URL
	Run              int // index of the run's thing; -1 if there is none
}

type metric struct {
	Name        string
	Good, Total int
	Whole       bool
	Counted     string
	Missing     []string
	More        int // of Missing, how many aren't listed
}

// tick is a mark of the timeline's axis, at X per cent.
type tick struct{ X, Label string }

// words are those that statuses are told in.
var words = map[string]string{
	"completed": "Completed", "no_result": "Ended without a result", "limit_reached": "A limit was reached", "model_unavailable": "No model answered",
	"cancelled": "Cancelled", "failed": "Failed", "open": "Still open", "unsealed": "Ended without a seal",
}

func (b *builder) title() string {
	if s := b.run.Trace.Study; s != nil && s.Study.Title != "" {
		return s.Study.Title
	}
	return b.run.Trace.ID
}

// preview is the beginning of a content that was read.
func (b *builder) preview(d canon.Digest) string {
	c := b.reader.all[d]
	switch {
	case c == nil:
		return ""
	case len(c.Parts) == 0:
		return string(c.State)
	}
	return c.Parts[0].Text
}

// view puts together what the page shows without scripts.
func (b *builder) view(drawn []byte) view {
	tr := b.run.Trace
	t, rows := b.rows()
	v := view{
		Title: visible(b.title()), ID: visible(tr.ID), Status: cmp.Or(words[tr.Status], visible(tr.Status)), Mark: mark(tr.Status),
		Rows: rows, Record: tr.Record, Head: tr.Head, ResultThing: -1, Run: -1, Drawing: drawing(drawn),
	}
	for _, r := range t.order {
		v.Failed += r.Failed
	}
	v.Steps = len(t.order)
	if !t.begin.IsZero() {
		v.Began = t.begin.UTC().Format("2 January 2006, 15:04:05 UTC")
		v.Took = lasted(t.end.Sub(t.begin))
		v.Ticks = ticks(t.end.Sub(t.begin))
	}
	if tr.Study != nil {
		v.Goal = visible(strings.TrimSpace(head(tr.Study.Study.Goal, 2000)))
	}
	if tr.Run != nil {
		v.Engine = visible(tr.Run.Engine)
	}
	if b.seal != nil {
		v.Reason = line(b.preview(b.seal.Reason), 600)
	}
	newest := tr.Line[len(tr.Line)-1]
	v.Temporal = visible(newest.RunID)
	if i, ok := b.index["run:"+newest.RunID]; ok {
		v.Run = i
	}
	v.Work = b.work()
	b.conclude(&v)
	if s := b.o.Signature; s != nil {
		v.Signed = visible(s.KeyID)
	}
	v.Metrics = metrics(b.o.Metrics)
	return v
}

// mark is the drawing that goes with a status.
func mark(status string) string {
	switch status {
	case "completed", "cancelled", "open":
		return status
	case "no_result", "limit_reached", "unsealed":
		return "refused"
	}
	return "failed"
}

// conclude adds the result and the findings.
func (b *builder) conclude(v *view) {
	for _, f := range b.run.Trace.Findings {
		f.Subject, f.What = visible(f.Subject), visible(f.What)
		if provenance.Harmless(f.Name) {
			v.Notes = append(v.Notes, f)
		} else {
			v.Findings = append(v.Findings, f)
		}
	}
	v.Sound = len(v.Findings) == 0
	i, ok := b.index["result"]
	if !ok {
		return
	}
	v.ResultThing = i
	c := b.reader.all[b.things[i].Digest]
	switch {
	case c == nil:
	case len(c.Parts) > 0:
		v.Result, v.ResultCut = c.Parts[0].Text, c.Parts[0].Cut
	default:
		v.Result = strings.TrimSpace(string(c.State) + ": " + b.things[i].Digest.String())
	}
	for _, e := range b.edges {
		if e.From != i || e.Kind != graph.Derived {
			continue
		}
		if made := b.reader.all[b.things[e.To].Digest]; made != nil && made.Image != "" {
			v.Image, v.ImageAlt = template.URL(made.Image), b.things[e.To].Title // #nosec: base64 of our own
			return
		}
	}
}

// work counts what was done.
func (b *builder) work() string {
	count := map[string]int{}
	tokens := 0
	for _, x := range b.things {
		if branch(x.node.ID) != "" && x.node.Role != "engine" {
			continue
		}
		switch n := x.node; {
		case n.Kind == graph.Step:
			count["step"]++
		case n.Kind == graph.Call && n.Call != "":
			count["call"]++
		case n.Kind == graph.Attempt && n.Role != "engine":
			count["attempt"]++
		}
	}
	for _, p := range b.proposals {
		tokens += p.rec.Usage.Total()
	}
	var all []string
	for _, what := range []string{"step", "call", "attempt"} {
		if count[what] > 0 {
			all = append(all, quantity.Of(count[what], what))
		}
	}
	if tokens > 0 {
		all = append(all, quantity.Thousands(tokens)+" tokens")
	}
	return strings.Join(all, " · ")
}

// listed bounds how much of what a metric lacks is named.
const listed = 20

func metrics(m *provenance.Metrics) []metric {
	if m == nil {
		return nil
	}
	var all []metric
	for _, x := range []struct {
		name string
		of   provenance.Metric
	}{{"Reproducibility success", m.Reproducibility}, {"Trace completeness", m.Completeness}, {"Failure visibility", m.Visibility}} {
		shown := metric{Name: x.name, Good: x.of.Good, Total: x.of.Total, Whole: x.of.Whole(), Counted: x.of.Counted}
		for i, s := range x.of.Missing {
			if i == listed {
				shown.More = len(x.of.Missing) - listed
				break
			}
			shown.Missing = append(shown.Missing, visible(s))
		}
		all = append(all, shown)
	}
	return all
}

// ticks are four or so round times of the axis.
func ticks(whole time.Duration) []tick {
	step := time.Millisecond
	for _, by := range []time.Duration{2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000, 14400000, 43200000, 86400000} {
		if whole/step <= 5 {
			break
		}
		step = by * time.Millisecond
	}
	if whole/step > 5 {
		step = whole / 4
	}
	var all []tick
	for at := time.Duration(0); at <= whole && whole > 0; at += step {
		label := "0"
		if at > 0 {
			label = lasted(at)
		}
		all = append(all, tick{X: fmt.Sprintf("%.2f", 100*float64(at)/float64(whole)), Label: label})
	}
	return all
}

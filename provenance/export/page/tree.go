package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rlam/provenance/graph"
)

// row is a line of the tree with its piece of the timeline.
type row struct {
	Thing    int // index; -1 of a heading
	Level    int // from 1
	Mark     string
	Label    string
	Dim      string // after the label: a version, a size
	Note     string // on the same line
	Reason   string // why a call was refused
	Failure  *failure
	Failed   int // attempts below it that failed or were lost
	Duration string
	Bars     []bar
	Open     bool // when the page opens
	Children []*row

	begin, end time.Time
}

// bar is a piece of the timeline, in thousandths of the run.
type bar struct {
	Class string
	X, W  string
}

// tree makes rows of things.
type tree struct {
	b          *builder
	begin, end time.Time
	queued     map[string]time.Time // when an attempt was asked for, by its Temporal run and event
	calls      map[string]*row      // by call and branch
	steps      map[string]*row
	order      []*row
}

// openSteps is how many steps a run may have for each to be open when the page is opened.
const openSteps = 12

func (b *builder) rows() (*tree, []*row) {
	t := &tree{b: b, queued: map[string]time.Time{}, calls: map[string]*row{}, steps: map[string]*row{}}
	t.span()
	var inputs, engine, results []*row
	for i, x := range b.things {
		switch n := x.node; {
		case n.Kind == graph.Artifact && n.Role == "input":
			inputs = append(inputs, &row{Thing: i, Mark: "input", Label: x.Label, Dim: strings.TrimSpace(bytesKnown(n.Size) + " " + n.MediaType), Note: visible(n.Source)})
		case n.Role == "engine":
			engine = append(engine, t.attempt(i, x))
		case n.ID == "result":
			results = append(results, &row{Thing: i, Mark: "result", Label: "Result", Dim: n.Status, Note: line(b.preview(n.Digest), 60)})
		case n.Kind == graph.Step, n.Kind == graph.Plan, n.Kind == graph.Call, n.Kind == graph.Attempt:
			t.place(i, x)
		}
	}
	top := slices.Concat(heading("Inputs", inputs, true), t.line(), results, heading("Engine", engine, false))
	for _, r := range top {
		t.finish(r, 1)
	}
	return t, top
}

func bytesKnown(n int64) string {
	if n == 0 {
		return ""
	}
	return bytesOf(n)
}

func heading(label string, children []*row, open bool) []*row {
	if len(children) == 0 {
		return nil
	}
	return []*row{{Thing: -1, Mark: "group", Label: label, Dim: fmt.Sprint(len(children)), Children: children, Open: open}}
}

// span finds when the run began and ended, as far as anything tells.
func (t *tree) span() {
	take := func(at time.Time) {
		if at.IsZero() {
			return
		}
		if t.begin.IsZero() || at.Before(t.begin) {
			t.begin = at
		}
		if at.After(t.end) {
			t.end = at
		}
	}
	tr := t.b.run.Trace
	for _, r := range append(slices.Clone(tr.Line), tr.Aside...) {
		take(r.Started)
		take(r.Closed)
		for _, k := range r.Activities {
			t.queued[fmt.Sprint(r.RunID, k.Scheduled)] = k.ScheduledAt
		}
	}
	for _, x := range t.b.things {
		take(when(x.node.Started))
		take(when(x.node.Ended))
	}
}

// line is the rows of steps: those that count, and then those that a reset left.
func (t *tree) line() []*row {
	var line, aside []*row
	for _, r := range t.order {
		if t.b.run.Trace.Run != nil && strings.Contains(r.Label, "~") {
			aside = append(aside, r)
		} else {
			line = append(line, r)
		}
	}
	return append(line, heading("Left behind by a reset", aside, false)...)
}

// place puts a node of a step into the step's row.
func (t *tree) place(i int, x *thing) {
	n := x.node
	key := x.Step
	if n.Kind == graph.Attempt && key == "" {
		key = t.task(i)
	}
	s := t.steps[key]
	if s == nil {
		s = &row{Thing: -1, Mark: "step", Label: "Step " + visible(key)}
		if key == "" {
			s.Label = "Activities"
		}
		t.steps[key] = s
		t.order = append(t.order, s)
	}
	switch n.Kind {
	case graph.Step:
		s.Thing = i
		s.Note = outcomes[n.Status]
	case graph.Plan:
		r := t.timed(i, x)
		r.Label = "Planner’s turn"
		if n.N > 1 {
			r.Label += fmt.Sprintf(", attempt %d", n.N)
		}
		r.Dim = visible(n.Model)
		s.Children = append(s.Children, r)
	case graph.Call:
		r := &row{Thing: i, Mark: n.Status, Label: x.Label, Reason: t.reason(x)}
		if _, version, ok := strings.Cut(n.Name, "@"); ok {
			r.Dim = line(version, 40)
		}
		if n.Name == "result" {
			r.Label = "Result handed in"
		}
		t.calls[n.Call+branch(n.ID)] = r
		s.Children = append(s.Children, r)
	case graph.Attempt:
		r := t.attempt(i, x)
		if c := t.calls[n.Call+branch(n.ID)]; c != nil && n.Call != "" {
			c.Children = append(c.Children, r)
		} else {
			s.Children = append(s.Children, r)
		}
	}
}

// outcomes are those of turns that a row needs to name.
var outcomes = map[string]string{"repair": "nothing could be dispatched", "give_up": "gave up", "refused": "the model refused", "garbled": "could not be read"}

// task is the step that asked for an activity of a workflow that isn't R-LAM's.
func (t *tree) task(i int) string {
	for _, e := range t.b.edges {
		if e.To == i && e.Kind == graph.Informed && t.b.things[e.From].Kind == graph.Step {
			return t.b.things[e.From].Step
		}
	}
	return ""
}

func (t *tree) timed(i int, x *thing) *row {
	n := x.node
	r := &row{Thing: i, Mark: n.Status, Label: x.Label, Failure: x.Failure, begin: when(n.Started), end: when(n.Ended)}
	if r.begin.IsZero() {
		return r
	}
	if asked := t.queued[fmt.Sprint(n.Run, n.Event)]; !asked.IsZero() && asked.Before(r.begin) {
		r.Bars = append(r.Bars, t.bar("queued", asked, r.begin))
	}
	end := r.end
	if end.IsZero() {
		end = t.end
	}
	r.Bars = append(r.Bars, t.bar(string(n.Kind)+" "+n.Status, r.begin, end))
	return r
}

func (t *tree) attempt(i int, x *thing) *row {
	r := t.timed(i, x)
	if n := x.node; n.Role != "engine" && n.N > 0 {
		r.Label = fmt.Sprintf("Attempt %d", n.N)
	}
	if x.Status != "completed" {
		r.Dim = strings.ReplaceAll(x.Status, "_", " ")
	}
	return r
}

// reason is why a call was refused.
func (t *tree) reason(x *thing) string {
	for _, v := range x.Verdicts {
		if v.Decision == "refused" {
			return line(v.Gate+": "+t.b.preview(v.Reason), 240)
		}
	}
	return ""
}

func (t *tree) bar(class string, begin, end time.Time) bar {
	whole := max(t.end.Sub(t.begin), time.Microsecond).Seconds()
	at := func(x time.Time) float64 { return 1000 * x.Sub(t.begin).Seconds() / whole }
	return bar{Class: class, X: fmt.Sprintf("%.3f", at(begin)), W: fmt.Sprintf("%.3f", max(at(end)-at(begin), 0))}
}

// finish gives a row what its children say: times, bars, failures, and whether it is open.
func (t *tree) finish(r *row, level int) {
	r.Level = level
	if r.Failure != nil && r.Mark != "handed_back" {
		r.Failed++
	}
	var before time.Time
	for _, c := range r.Children {
		t.finish(c, level+1)
		r.Failed += c.Failed
		if r.begin.IsZero() || !c.begin.IsZero() && c.begin.Before(r.begin) {
			r.begin = c.begin
		}
		if c.end.After(r.end) {
			r.end = c.end
		}
		if strings.HasPrefix(c.Label, "Attempt ") && !before.IsZero() && c.begin.After(before) {
			wait := c.begin.Sub(before)
			r.Bars = append(r.Bars, t.bar("waiting", before, c.begin))
			c.Note = strings.TrimSpace(c.Note + " after waiting " + lasted(wait))
		}
		before = c.end
		r.Bars = append(r.Bars, c.Bars...)
	}
	if !r.begin.IsZero() && !r.end.IsZero() && r.Mark != "group" {
		r.Duration = lasted(r.end.Sub(r.begin))
	}
	switch {
	case r.Mark == "step":
		r.Mark, r.Dim = worst(r.Children), t.actions(r)
		r.Open = len(t.order) <= openSteps
	case len(r.Children) > 0 && r.Mark != "group":
		r.Open = r.Failed > 0
	}
}

// actions are the names of those that a step's calls used.
func (t *tree) actions(r *row) string {
	var names []string
	for _, c := range r.Children {
		if c.Thing < 0 || t.b.things[c.Thing].Kind != graph.Call {
			continue
		}
		name, _, _ := strings.Cut(t.b.things[c.Thing].node.Name, "@")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return line(strings.Join(names, ", "), 120)
}

// worst is the mark of a step: of all that its calls came to, what wants most attention.
func worst(children []*row) string {
	marks := []string{"failed", "lost", "refused", "cancelled", "open", "skipped", "completed"}
	found := len(marks) - 1
	for _, c := range children {
		if i := slices.Index(marks, c.Mark); i >= 0 {
			found = min(found, i)
		}
	}
	return marks[found]
}

package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/record"
	"rlam/schemas"
)

// notebookRows bounds the table in the current details, which Temporal bounds at 20 KB.
const notebookRows = 50

// notebook is the table of steps that Temporal UI shows.
type notebook struct {
	dropped int
	rows    []row
}

type row struct {
	id, what, came string
	line           string // of the table: spelled once, since the table is written at every turn and again in every replay
}

func (r *row) spell() { r.line = "| " + r.id + " | " + r.what + " | " + r.came + " |\n" }

func (n *notebook) propose(turn PlanResult) {
	switch {
	case turn.Outcome == OutcomeResult && turn.Partial:
		n.add(row{what: "result", came: "partial"})
	case turn.Outcome == OutcomeResult:
		n.add(row{what: "result", came: "accepted"})
	case turn.Outcome == OutcomeGiveUp:
		n.add(row{what: "give up", came: "no result"})
	case len(turn.Calls) == 0:
		n.add(row{what: "no call", came: "sent back to the planner"})
	}
	for _, c := range turn.Calls {
		came := "running"
		if c.Decision == schemas.Refused {
			came = "refused: " + c.Note
		}
		if c.Kept != "" {
			came = string(c.Kept) + ", kept of the run that this one continues"
		}
		n.add(row{id: c.ID, what: c.Action, came: came})
	}
}

func (n *notebook) add(r row) {
	// The name of an action that doesn't exist is the planner's, and may be anything.
	r.what, r.came = oneLine(r.what), oneLine(r.came)
	r.spell()
	if n.rows = append(n.rows, r); len(n.rows) > notebookRows {
		n.rows, n.dropped = n.rows[1:], n.dropped+1
	}
}

func (n *notebook) result(o CallOutcome) {
	for i := range n.rows {
		if n.rows[i].id != o.ID {
			continue
		}
		came := string(o.Status)
		if o.Type != "" {
			came += ": " + o.Type
		}
		if k := len(o.Attempts); k > 1 {
			came += fmt.Sprintf(" (%d attempts)", k)
		}
		n.rows[i].came = oneLine(came)
		n.rows[i].spell()
	}
}

// cells replaces what a table in Markdown can't hold.
var cells = strings.NewReplacer("\n", " ", "|", "/", "<", "‹", ">", "›", "`", "'")

func oneLine(s string) string { return record.Preview(cells.Replace(s)) }

// markdown is the table, below a line in bold and what follows that.
func (n *notebook) markdown(head, rest string) string {
	size := len(head) + len(rest) + 200 // with the first lines of the table
	for _, r := range n.rows {
		size += len(r.line)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString("**" + head + "** · " + rest + "\n\n")
	b.WriteString("| call | action | came to |\n|---|---|---|\n")
	if n.dropped > 0 {
		fmt.Fprintf(&b, "| … | %d earlier rows | see the history |\n", n.dropped)
	}
	for _, r := range n.rows {
		b.WriteString(r.line)
	}
	return b.String()
}

// at notes what the run is doing.
func (r *run) at(ctx workflow.Context, doing string) {
	r.doing = doing
	r.show(ctx)
}

// show writes the notebook where Temporal UI shows it.
func (r *run) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.notebook.markdown(oneLine(r.state.Title), oneLine(r.doing)))
}

// publish sets a search attribute of the run.
func (r *run) publish(ctx workflow.Context, name, value string) {
	publish(ctx, r.in.SearchAttributes, name, value)
}

// publish sets a search attribute, where the server knows it.
func publish(ctx workflow.Context, known bool, name, value string) {
	if !known {
		return
	}
	key := temporal.NewSearchAttributeKeyKeyword(name)
	if err := workflow.UpsertTypedSearchAttributes(ctx, key.ValueSet(value)); err != nil {
		workflow.GetLogger(ctx).Warn("setting a search attribute", "name", name, "error", err)
	}
}

func (r *run) progress() (Progress, error) {
	return Progress{Step: r.state.Step, Head: r.head, Doing: r.doing, Counters: r.state.Counters}, nil
}

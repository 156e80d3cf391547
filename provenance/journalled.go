package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/graph"
	"rlam/provenance/history"
)

// journalled holds the journal against histories and records.
func (b *builder) journalled() error {
	j := journal.Journal{Store: b.e.Store}
	if err := b.journalledCalls(j); err != nil {
		return err
	}
	if err := b.journalledTurns(j); err != nil {
		return err
	}
	if b.e.Strays {
		return b.strays(j)
	}
	return nil
}

// journalledCalls holds what the journal has of calls against what the histories say.
func (b *builder) journalledCalls(j journal.Journal) error {
	for _, t := range b.ordered {
		for _, c := range t.calls {
			if c.rec.Kept != nil {
				continue // its executions are another run's
			}
			if err := b.executions(j, c.key, b.ofCall(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// journalledTurns does the same of planner's turns.
func (b *builder) journalledTurns(j journal.Journal) error {
	for _, key := range slices.SortedFunc(maps.Keys(b.keys), func(x, y canon.Digest) int { return b.keys[x] - b.keys[y] }) {
		if err := b.executions(j, key, b.ofTurn(key)); err != nil {
			return err
		}
	}
	return nil
}

// subject is what the executions of a key are of.
type subject struct {
	name  string
	nodes []*graph.Node // attempts or turns that the histories have
	used  int           // the execution whose outcome counts; 0 if none does
	// output is what the history says that an execution returned.
	output func(n int) canon.Digest
}

func (b *builder) ofCall(c *call) subject {
	s := subject{name: c.node.ID}
	outputs := map[int]canon.Digest{}
	for _, a := range c.attempts {
		s.nodes = append(s.nodes, a.node)
		if a.told.State == history.Completed {
			s.used = a.node.Execution
			outputs[s.used] = a.told.Study.Output
		}
	}
	s.output = func(n int) canon.Digest { return outputs[n] }
	return s
}

func (b *builder) ofTurn(key canon.Digest) subject {
	s := subject{name: fmt.Sprintf("turn:%d", b.keys[key]), output: func(int) canon.Digest { return canon.Digest{} }}
	s.nodes = b.plans[key]
	if t := b.byTurn[key]; t != nil {
		s.used = t.rec.Turn.Execution
	}
	return s
}

// executions holds the executions of one key against what the histories say of it.
func (b *builder) executions(j journal.Journal, key canon.Digest, s subject) error {
	known := map[int]bool{} // by the histories
	for _, n := range s.nodes {
		if n.Execution > 0 {
			known[n.Execution] = true
		}
	}
	held, err := b.held(key)
	if err != nil {
		return err
	}
	for n := range held {
		known[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(known)) {
		x := Execution{Subject: s.name, N: n, Intent: held[n].Intent, Outcome: held[n].Outcome}
		var in journal.Intent
		if x.Intent {
			if in, err = j.Intent(b.ctx, key, n); err != nil {
				return err
			}
		}
		node := b.begun(s.nodes, in, n)
		if node != nil {
			x.Subject, x.History, x.InGraph = node.ID, node.Event > 0, true
		}
		b.execution(s, node, in, x)
		if x.Outcome {
			if err := b.outcome(j, key, s, node, x); err != nil {
				return err
			}
		}
		b.t.Executions = append(b.t.Executions, x)
	}
	return nil
}

// begun finds the attempt that an execution belongs to: the one whose activity wrote its
// intent, or else the first that reported it.
func (b *builder) begun(nodes []*graph.Node, in journal.Intent, execution int) *graph.Node {
	for _, n := range nodes {
		if in.Activity != "" && activityOf(n) == in.Activity && (n.Run == in.Workflow || n.Execution == execution || b.absent[in.Workflow]) {
			if n.Execution == 0 {
				n.Execution = execution // its outcome never arrived
			}
			n.Intent = in.ID
			return n
		}
	}
	for _, n := range nodes {
		if n.Execution == execution {
			return n
		}
	}
	return nil
}

// activityOf is the activity ID of an attempt's or a turn's node.
func activityOf(n *graph.Node) string {
	if n.Kind == graph.Plan {
		return fmt.Sprintf("%d.plan#%d", n.Step, n.N)
	}
	return fmt.Sprintf("%s#%d", n.Call, n.N)
}

// execution finds what is odd about one.
func (b *builder) execution(s subject, node *graph.Node, in journal.Intent, x Execution) {
	switch {
	case !x.Intent:
		b.find(IntentMissing, x.Subject, 0, "execution %d is known, and the journal has no intent of it", x.N)
	case node == nil:
		b.find(IntentUnscheduled, s.name, 0, "execution %d belongs to activity %q of run %s, which no history has", x.N, in.Activity, in.Workflow)
	}
	if x.Intent && !x.Outcome && (node == nil || node.Status != string(history.Open) || b.newest().Ended != "") {
		b.find(OutcomeMissing, x.Subject, 0, "execution %d began at %s on worker %s and left no outcome", x.N, in.Started, in.Worker)
	}
}

// outcome holds what the journal says of an execution's end against history and record.
func (b *builder) outcome(j journal.Journal, key canon.Digest, s subject, node *graph.Node, x Execution) error {
	o, err := j.Outcome(b.ctx, key, x.N)
	if err != nil {
		return err
	}
	if o.Status == journal.Failed && (node == nil || node.Failure == nil) {
		b.t.Failures = append(b.t.Failures, Failed{Subject: fmt.Sprintf("%s, execution %d", x.Subject, x.N), Missing: []string{"event"}})
	}
	if o.Status != journal.Completed {
		return nil
	}
	if x.N != s.used {
		b.find(OutcomeUnused, x.Subject, 0, "execution %d completed, and nothing rests on it", x.N)
		return nil
	}
	var body record.Execution
	want := s.output(x.N)
	if want.IsZero() {
		return nil
	}
	if err := json.Unmarshal(o.Body, &body); err != nil || body.Output.Digest != want {
		b.find(DigestDiffers, x.Subject, 0, "the journal has the output %s of execution %d, and the history says %s", body.Output.Digest, x.N, want)
	}
	return nil
}

// strays reads the intents of keys that nothing names, and keeps those of this run.
func (b *builder) strays(j journal.Journal) error {
	for _, key := range slices.SortedFunc(maps.Keys(b.index), func(x, y canon.Digest) int { return strings.Compare(x.Hex(), y.Hex()) }) {
		if b.calls[key] != nil {
			continue
		}
		if _, known := b.keys[key]; known {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(b.index[key])) {
			held := b.index[key][n]
			if !held.Intent {
				continue // whose it is, nobody knows
			}
			in, err := j.Intent(b.ctx, key, n)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err != nil || in.Run != b.t.Record {
				continue
			}
			b.find(IntentStray, in.Activity, 0, "execution %d of activity %q of Temporal run %s began at %s, and neither history nor records know of it", n, in.Activity, in.Workflow, in.Started)
			b.t.Executions = append(b.t.Executions, Execution{Subject: "journal/" + key.Hex(), N: n, Intent: true, Outcome: held.Outcome})
		}
	}
	return nil
}

// failures gathers the failed attempts and turns, and what of each can't be seen.
func (b *builder) failures() {
	for _, n := range b.g.Nodes {
		failed := n.Status == string(record.AttemptFailed) || n.Status == string(record.AttemptLost)
		if n.Failure == nil || !failed || !n.Origin.IsZero() {
			continue
		}
		n.Failure.Kept = b.kept(n)
		f := Failed{Subject: n.ID, Type: n.Failure.Type}
		for _, c := range []struct {
			lacks bool
			what  string
		}{{n.Failure.Type == "", "type"}, {n.Failure.Message == "", "message"}, {!n.Failure.Told, "event"}, {!n.Failure.Kept, "detail"}} {
			if c.lacks {
				f.Missing = append(f.Missing, c.what)
			}
		}
		b.t.Failures = append(b.t.Failures, f)
	}
}

// kept says whether the detail of a failure can be read. A failure that no execution
// reported has none: its event is all there is.
func (b *builder) kept(n *graph.Node) bool {
	if n.Failure.Detail.IsZero() {
		return n.Failure.Told
	}
	if b.e.Store == nil {
		return false
	}
	var detail json.RawMessage
	if err := record.OpenContent(b.ctx, b.e.Store, n.Failure.Detail, &detail); err != nil {
		b.lacks(n.ID, 0, fmt.Errorf("the detail of its failure: %w", err))
		return false
	}
	return true
}

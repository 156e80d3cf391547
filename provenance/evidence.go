// Package provenance says what happened in a run, and how well that is known. It joins
// three tellers into one trace graph: the Temporal histories (the authority on what
// happened), the records (the authority on content) and the journal (what was about to be
// executed, and what came of it). Each is checked against the others: where they don't
// agree the graph has a [graph.Finding] with a stable name, and is built all the same.
//
// It reads and never writes, and needs no engine: a store and the histories are enough.
package provenance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/graph"
	"rlam/provenance/history"
	"rlam/schemas"
)

// Evidence is what tells of one workflow ID.
type Evidence struct {
	// Runs are the Temporal runs, in any order: those that it continued as, and those
	// that a reset went back from.
	Runs []*history.Run
	// Store holds records, contents and journal. Without one the graph says what the
	// histories say.
	Store store.Store
	// Strays has the whole journal read for executions of the run that neither history
	// nor records name. It takes as long as the store has entries, of all runs.
	Strays bool
}

// Trace is the graph of a run, and what doesn't fit.
type Trace struct {
	ID       string       // workflow ID
	Record   canon.Digest // of the run; none of a workflow that isn't R-LAM's
	Head     canon.Digest
	Status   string               // how it ended: a record.Status, "unsealed", "open"; else as Temporal says
	Run      *record.Run          // nil where it can't be read
	Study    *schemas.LoadedStudy // likewise
	Graph    *graph.Graph
	Findings []graph.Finding

	Executions []Execution
	Failures   []Failed
	Contents   []Content
	Line       []*history.Run // the Temporal runs that lead to the newest
	Aside      []*history.Run // those that a reset went back from

	audited *audited // of a trace by [Audit], in the place of graph, executions, failures and contents
}

// Executed is how many executions are known.
func (t *Trace) Executed() int {
	if t.audited != nil {
		return t.audited.executed()
	}
	return len(t.Executions)
}

// Told is what the history of a run of t's line tells, with its activities and tasks, which
// a trace by [Audit] doesn't hold.
func (t *Trace) Told(r *history.Run) (*history.Run, error) {
	if t.audited != nil {
		return t.audited.read(r)
	}
	return r, nil
}

// Execution is one execution of a call or of a planner's turn, and who knows of it.
type Execution struct {
	Subject                           string // id of the attempt's or turn's node, or the journal's key
	N                                 int
	Intent, Outcome, History, InGraph bool
}

// Failed is a failed attempt or turn, and what of its failure is missing.
type Failed struct {
	Subject string
	Type    string
	Missing []string // of type, message, event, detail; none if it is visible
}

// Content is bytes that records name as what a call made: outputs and artifacts.
type Content struct {
	Subject string
	Digest  canon.Digest
}

// Build joins the evidence. Its errors are of what can't be looked at; what is wrong with
// the evidence is in the trace's findings.
func Build(ctx context.Context, e Evidence) (*Trace, error) {
	line, aside, err := order(e.Runs)
	if err != nil {
		return nil, err
	}
	b := newBuilder(ctx, e, line, aside)
	b.people()
	for _, r := range append(slices.Clone(line), aside...) {
		b.t.Findings = append(b.t.Findings, r.Findings...)
	}
	if !b.newest().Study {
		b.plain()
		return b.t, nil
	}
	if e.Store != nil {
		b.open()
	}
	b.told()
	if e.Store != nil {
		b.chain()
		if b.index, err = (journal.Journal{Store: e.Store}).Index(ctx); err != nil {
			return nil, err
		}
		b.held = func(key canon.Digest) (map[int]journal.Held, error) { return b.index[key], nil }
		if err := b.journalled(); err != nil {
			return nil, err
		}
	}
	b.attempted()
	b.data()
	b.failures()
	b.standing()
	if around := b.g.Cycle(); len(around) > 0 {
		b.find(DataCycle, around[0], 0, "data goes round in %d nodes", len(around))
	}
	return b.t, nil
}

// order puts the Temporal runs that lead to the newest in their order, and the others
// apart: a reset went back from them.
func order(runs []*history.Run) (line, aside []*history.Run, err error) {
	if len(runs) == 0 {
		return nil, nil, fmt.Errorf("building a trace graph: there is no history; show the run once while its server is there, and its history is kept")
	}
	left := map[string]bool{} // gone on from, or back from
	byID := map[string]*history.Run{}
	for _, r := range runs {
		byID[r.RunID] = r
	}
	for _, r := range runs {
		left[r.Before] = true
		for _, base := range r.Bases {
			for seen := map[string]bool{r.RunID: true}; base != "" && !seen[base]; base = next(byID[base]) {
				left[base], seen[base] = true, true // with all that it had continued as
			}
		}
	}
	newest := runs[0]
	for _, r := range runs {
		if left[newest.RunID] && !left[r.RunID] || left[newest.RunID] == left[r.RunID] && r.Newest.After(newest.Newest) {
			newest = r
		}
	}
	in := map[*history.Run]bool{}
	for r := newest; r != nil && !in[r]; r = byID[r.Before] {
		in[r] = true
		line = append(line, r)
	}
	slices.Reverse(line)
	for _, r := range runs {
		if !in[r] {
			aside = append(aside, r)
		}
	}
	return line, aside, nil
}

// next is the Temporal run that one continued as, if it is there and did.
func next(r *history.Run) string {
	if r == nil {
		return ""
	}
	return r.Next
}

// newBuilder is a builder of a trace that nothing is in yet.
func newBuilder(ctx context.Context, e Evidence, line, aside []*history.Run) *builder {
	newest := line[len(line)-1]
	t := &Trace{Line: line, Aside: aside, ID: newest.WorkflowID, Record: newest.Record, Head: newest.Head, Graph: &graph.Graph{}}
	return &builder{
		ctx: ctx, e: e, line: line, aside: aside, t: t, g: t.Graph,
		runs: line, from: t.Head, until: t.Record,
		turns:   map[canon.Digest]*turn{},
		calls:   map[canon.Digest]*call{},
		keys:    map[canon.Digest]int{},
		acts:    map[string]*graph.Node{},
		outputs: map[string]*graph.Node{},
		made:    map[canon.Digest][]*graph.Node{},
		plans:   map[canon.Digest][]*graph.Node{},
		byTurn:  map[canon.Digest]*turn{},
		owners:  map[string]*history.Run{},
		absent:  map[string]bool{},
		actions: map[canon.Digest]*schemas.Action{},
	}
}

// builder makes one trace, or the part of one that a link of its line tells of (see [Audit]).
type builder struct {
	ctx         context.Context
	e           Evidence
	t           *Trace
	g           *graph.Graph
	line, aside []*history.Run

	runs        []*history.Run // of the line: those whose activities are taken in
	from, until canon.Digest   // the part of the chain that they wrote: from its head, back to the record before it
	// before says whether a call of a link before this one has an output; nil if this is all.
	before func(call string) bool
	// held says which entries the journal has of a key.
	held func(key canon.Digest) (map[int]journal.Held, error)

	run   *record.Run
	study *schemas.LoadedStudy

	turns   map[canon.Digest]*turn // by the digest of the proposal's record
	ordered []*turn
	calls   map[canon.Digest]*call // by the journal's key
	keys    map[canon.Digest]int   // of turns, in the journal: their step
	acts    map[string]*graph.Node // activities' nodes, by Temporal run and activity ID
	outputs map[string]*graph.Node // of the attempt that completed, by call and branch
	made    map[canon.Digest][]*graph.Node
	plans   map[canon.Digest][]*graph.Node // attempts at turns, by the journal's key
	byTurn  map[canon.Digest]*turn         // completed turns, by the journal's key
	owners  map[string]*history.Run        // see owned
	absent  map[string]bool                // Temporal runs that a reset went back from, and that nobody has the history of
	actions map[canon.Digest]*schemas.Action
	pending []pending // data edges whose source may come later
	index   journal.Index
	seal    canon.Digest // the record that closes the chain; none while it is open
}

// turn is a completed planner's turn.
type turn struct {
	digest canon.Digest
	node   *graph.Node
	told   *history.Activity
	rec    *record.Proposal // nil if it can't be read
	branch string           // "" on the line that counts
	calls  []*call
	step   *record.Step // nil while it is open, or where it can't be read
	chain  bool         // the chain has it
}

// call is a proposed call.
type call struct {
	id       string
	key      canon.Digest
	node     *graph.Node
	params   *graph.Node
	turn     *turn
	rec      *record.CallRecord
	attempts []*attempt
}

// attempt is one scheduled attempt of a call.
type attempt struct {
	told *history.Activity
	node *graph.Node
	rec  *record.AttemptRecord
}

// pending is a data edge that is joined when all nodes are there.
type pending struct {
	from   *graph.Node
	use    record.Use
	branch string
	call   *call // nil of a result
}

// newest is the Temporal run that the line leads to.
func (b *builder) newest() *history.Run { return b.line[len(b.line)-1] }

// lacks finds that a content that a record names can't be read. What was left out on
// purpose contradicts nothing: its digest is what history and records agree on.
func (b *builder) lacks(subject string, event int64, err error) {
	if !errors.Is(err, ErrWithheld) {
		b.find(ContentMissing, subject, event, "%v", err)
	}
}

func (b *builder) find(name, subject string, event int64, format string, args ...any) {
	b.t.Findings = append(b.t.Findings, graph.Finding{Name: name, Subject: subject, Event: event, What: fmt.Sprintf(format, args...)})
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/starter/follow"
)

// whyOptions are the flags of why.
type whyOptions struct{ store string }

func newWhyCommand(a *app) *cobra.Command {
	var o whyOptions
	c := &cobra.Command{
		Use: "why RUN CALL", Short: "Say why a call was executed, or answered from the record",
		Long: `Say why a call was executed, or answered from the record.

A call is answered by an earlier execution if nothing that counts differs: the
action's schema, its binding, parameters and artifacts, seed, and the identity of
the environment. Of a call that was executed, the earlier execution that came
nearest is named, and in what it differed. Of a call that a fork took over, it is
said of the run that it comes from. No server is needed.

CALL is a call's id, such as 2.1, or the planner's own for it.`,
		Example: `  starter why @last 2.1
  starter run study.yaml --set reuse=store`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return runWhy(c.Context(), a, args[0], args[1], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	return c
}

// whyMessage says why a call was executed, or wasn't.
type whyMessage struct {
	Run     string `json:"run"`
	Call    string `json:"call"`
	Action  string `json:"action"`
	Outcome string `json:"outcome"` // reused, executed, inherited, kept, asserted by a person, or how the call stands of which nothing has run
	Because reason `json:"because"`
	Said    string `json:"said,omitempty"` // what the study or the action says, where that is the reason

	Reused       *record.Reused      `json:"reused,omitempty"`
	Rewound      bool                `json:"rewound,omitempty"` // what is reused is of this run, from before a reset
	SavedSeconds float64             `json:"saved_seconds,omitempty"`
	PassedOver   []record.PassedOver `json:"passed_over,omitempty"`
	Nearest      *record.Reused      `json:"nearest,omitempty"` // the earlier execution that came nearest
	Differs      []componentDiff     `json:"differs,omitempty"` // from it
	// Imported are runs of the action, with its schema as it is, that were imported: nothing
	// that they executed answers a call.
	Imported []string `json:"imported,omitempty"`

	// There says the same of the run that a fork has the call from: of one that is inherited,
	// kept, or whose output a person put in place of what it was there.
	There *whyMessage `json:"there,omitempty"`
}

func (whyMessage) MessageType() string { return "why" }

// reason is why a call was executed, or wasn't.
type reason string

// The reasons.
const (
	becauseEqual    reason = "equal"       // an equal execution answered
	becauseNothing  reason = "no-attempt"  // nothing was attempted
	becauseAsserted reason = "asserted"    // a person gave its output
	becauseKept     reason = "kept"        // a fork leaves it as it was
	becauseBefore   reason = "inherited"   // it stands before the step at which the run was forked
	becauseNever    reason = "never"       // the study reuses nothing
	becauseClass    reason = "class"       // the study doesn't reuse what has the action's class
	becauseEffects  reason = "effects"     // the action changes something outside
	becauseUnread   reason = "unreadable"  // what an equal execution left can't be had any more
	becauseBegun    reason = "begun"       // an execution of this very call had begun
	becauseFirst    reason = "first"       // there was no execution of the action
	becauseScope    reason = "other-run"   // an equal execution is of a run that the study doesn't reuse
	becauseDiffers  reason = "differs"     // all differ in something
	becauseUnknown  reason = "unexplained" // an equal execution was there, and was not found then
)

// componentDiff is a piece of a component in which two executions differ.
type componentDiff struct {
	Component string `json:"component"` // spec, binding, params, inputs, seed or environment
	executor.Difference
}

func runWhy(ctx context.Context, a *app, id, callID string, o whyOptions) error {
	e, err := a.gather(ctx, id, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	if e.Store == nil || e.Trace.Run == nil || e.Trace.Study == nil {
		return notFound("the store has no record of run %q", id)
	}
	w := &inquiry{store: e.Store}
	if err := w.find(ctx, e.Trace.Head, callID); err != nil {
		return err
	}
	if w.call.ID == "" {
		return notFound("run %q has no call %q; %s show %s lists them", e.Trace.ID, callID, a.program(), e.Trace.ID)
	}
	m, err := w.why(ctx)
	if err != nil {
		return err
	}
	if w.record != e.Trace.Record {
		m = &whyMessage{Run: e.Trace.ID, Call: m.Call, Action: m.Action, Outcome: string(becauseBefore), Because: becauseBefore, There: m}
	}
	a.printer.Print(*m)
	return nil
}

// inquiry is what is asked after: a call, and its last attempt with an environment.
type inquiry struct {
	store    store.Store
	record   canon.Digest // of the run that the call is of
	run      *record.Run
	study    *schemas.Study // that run's
	proposal canon.Digest
	call     record.CallRecord
	at       *record.AttemptRecord // nil if nothing was attempted, or the step is still open
	action   *schemas.Action       // nil if nothing was attempted
}

// find looks up a call by its id, or else by the planner's own for it, among those that
// lead to head; of a fork, those of the runs that it continues are among them. There is
// none where the call's id is "" afterwards.
func (w *inquiry) find(ctx context.Context, head canon.Digest, id string) error {
	links, err := record.Lineage(ctx, w.store, head)
	if err != nil {
		return err
	}
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Proposal:
			for _, c := range rec.Calls {
				w.take(id, l.Digest, record.CallRecord{Call: c, Status: record.CallStatus(c.Decision)})
			}
		case *record.Step:
			for _, c := range rec.Calls {
				w.take(id, rec.Parent, c)
			}
		}
	}
	if w.call.ID == "" {
		return nil
	}
	return w.read(ctx)
}

// read reads what the call rests on: its run, and what it is an attempt of.
func (w *inquiry) read(ctx context.Context) error {
	var err error
	if w.record, w.run, err = record.RunOf(ctx, w.store, w.proposal); err != nil {
		return err
	}
	text, err := store.Read(ctx, w.store, w.run.Study, record.MaxContent)
	if err != nil {
		return fmt.Errorf("reading the study of run %q: %w", w.run.ID, err)
	}
	study, err := schemas.ReadStudy(text)
	if err != nil {
		return err
	}
	w.study = &study.Study
	for i := len(w.call.Attempts) - 1; i >= 0 && w.at == nil; i-- {
		if at := &w.call.Attempts[i]; !at.Environment.IsZero() {
			w.at = at
		}
	}
	if w.at == nil {
		return nil
	}
	w.action = &schemas.Action{}
	return readJSON(ctx, w.store, w.call.Spec, w.action)
}

// there asks after the call in the run that a fork has it from.
func (w *inquiry) there(ctx context.Context) (*whyMessage, error) {
	var s record.Step
	if err := record.Load(ctx, w.store, w.call.Kept.Step, &s); err != nil {
		return nil, err
	}
	o := &inquiry{store: w.store}
	for _, c := range s.Calls {
		o.take(w.call.ID, s.Parent, c)
	}
	if o.call.ID == "" {
		return nil, fmt.Errorf("step %s, of which call %s is kept, has no such call", w.call.Kept.Step, w.call.ID)
	}
	if err := o.read(ctx); err != nil {
		return nil, err
	}
	return o.why(ctx)
}

// take keeps the call if it is the one that is meant: as proposed, and then as it ended.
func (w *inquiry) take(id string, proposal canon.Digest, c record.CallRecord) {
	if c.ID == id || c.Name == id && w.call.ID != id {
		w.call, w.proposal = c, proposal
	}
}

// why gives the first reason that holds.
func (w *inquiry) why(ctx context.Context) (*whyMessage, error) {
	m := &whyMessage{Run: w.run.ID, Call: w.call.ID, Action: w.call.Action, Outcome: string(w.call.Status), Because: becauseNothing}
	switch { // the attempts of what a fork keeps are those of the run that was forked
	case w.call.Kept != nil:
		m.Outcome, m.Because = "kept", becauseKept
		if w.call.Asserted != nil {
			m.Outcome, m.Because = "asserted by a person", becauseAsserted
		}
		var err error
		m.There, err = w.there(ctx)
		return m, err
	case w.at == nil:
		return m, nil
	}
	m.PassedOver = w.at.PassedOver
	if m.Reused = w.at.Reused; m.Reused != nil {
		m.Outcome, m.Because, m.SavedSeconds = "reused", becauseEqual, follow.Took(*m.Reused)
		var err error
		m.Rewound, err = w.rewound(ctx, m.Reused)
		return m, err
	}
	m.Outcome = "executed"
	switch said := w.study.Reuse; {
	case said.Source() == schemas.ReuseNever:
		m.Because = becauseNever
	case w.action.Effects == schemas.EffectsExternal:
		m.Because, m.Said = becauseEffects, string(w.action.Effects)
	case !said.Allows(w.action):
		m.Because, m.Said = becauseClass, string(w.action.Reproducibility.Class())
	case len(m.PassedOver) > 0:
		m.Because = becauseUnread
	case w.at.Execution > 1:
		m.Because = becauseBegun
	default:
		return m, w.compare(ctx, m)
	}
	return m, nil
}

// rewound says whether r is an execution of the same run that is no longer on the line of
// records that leads to the call: a reset went back from it.
func (w *inquiry) rewound(ctx context.Context, r *record.Reused) (bool, error) {
	if r.Run != w.record {
		return false, nil
	}
	links, err := record.Lineage(ctx, w.store, w.proposal)
	return !slices.ContainsFunc(links, func(l record.Link) bool { return l.Digest == r.Proposal }), err
}

// readJSON reads a blob of JSON.
func readJSON(ctx context.Context, s store.Store, d canon.Digest, v any) error {
	b, err := store.Read(ctx, s, d, record.MaxContent)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", d, err)
	}
	return nil
}

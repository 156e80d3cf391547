package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"

	"rlam/internal/record"
	"rlam/internal/replay"
	"rlam/worker/host"
	"rlam/workflows"
)

// replayOptions are the flags of replay.
type replayOptions struct{ store string }

func newReplayCommand(a *app) *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use: "replay RUN|HISTORY|BUNDLE...", Short: "Run the workflow code over recorded histories, executing nothing",
		Long: `Run the workflow code of this build again over recorded histories, and compare
what it decides with what they hold: activities with their inputs, timers, the
close status and the result. Nothing is executed, no model is asked, and nothing
is written.

HISTORY is a file, in JSON as "temporal workflow show --output json" writes it or
in protobuf, BUNDLE a bundle, and either may be a folder of such files: no server is
needed for these. What names no file is a run. Of a run all its Temporal runs are
replayed, with those that a reset went back from.

The first divergence is named: event, step, call, field, and both values. The exit
code is 11 if a history diverges, else 3 if one can't be replayed at all.`,
		Example: "  starter replay @last\n  starter replay history.json\n  starter replay run.zip\n  starter replay histories/ --json",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runReplay(c.Context(), a, args, o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	return c
}

// The verdicts on one history.
const (
	agrees        = "agrees"
	diverges      = "diverges"
	notReplayable = "not_replayable"
)

// thisEngine is this build, as the record of a run names the one that started it.
const thisEngine = "rlam " + host.Version

// replayMessage is what replaying one history came to.
type replayMessage struct {
	History    string             `json:"history"` // the file, or the run
	Run        string             `json:"run,omitempty"`
	RunID      string             `json:"run_id,omitempty"` // Temporal's
	Aside      bool               `json:"aside,omitempty"`  // a reset went back from it
	Verdict    string             `json:"verdict"`
	Closed     string             `json:"closed,omitempty"` // how the history ends; "open" if nothing closed it
	Events     int64              `json:"events"`
	Activities int                `json:"activities"`
	Steps      int                `json:"steps"`
	Divergence *divergenceMessage `json:"divergence,omitempty"`
	Problem    string             `json:"problem,omitempty"` // why it can't be replayed
	Next       string             `json:"next,omitempty"`    // what to do about it
}

func (replayMessage) MessageType() string { return "replay" }

// divergenceMessage says where code and history part for the first time.
type divergenceMessage struct {
	Event    int64  `json:"event,omitempty"`
	Step     int    `json:"step,omitempty"`
	Call     string `json:"call,omitempty"`
	What     string `json:"what"`
	Field    string `json:"field,omitempty"`
	Recorded string `json:"recorded"`
	Replayed string `json:"replayed"`
}

// replayEnd closes a replay.
type replayEnd struct {
	Histories     int     `json:"histories"`
	Agree         int     `json:"agree"`
	Diverge       int     `json:"diverge"`
	NotReplayable int     `json:"not_replayable"`
	Events        int64   `json:"events"`
	Steps         int     `json:"steps"`
	Seconds       float64 `json:"seconds"`
	Engine        string  `json:"engine"` // the version whose workflow code it was
}

func (replayEnd) MessageType() string { return "replay_end" }

func (e *replayEnd) add(m replayMessage) {
	e.Histories++
	e.Events += m.Events
	e.Steps += m.Steps
	switch m.Verdict {
	case agrees:
		e.Agree++
	case diverges:
		e.Diverge++
	default:
		e.NotReplayable++
	}
}

func (e *replayEnd) err() error {
	switch {
	case e.Diverge > 0:
		return &codedError{code: exitDiverged}
	case e.NotReplayable > 0:
		return &codedError{code: exitUsage}
	}
	return nil
}

func runReplay(ctx context.Context, a *app, args []string, o replayOptions) error {
	files, err := a.replayable(ctx, args, o.store)
	if err != nil {
		return err
	}
	// What is replayed is garbage soon after, and little is in memory at a time: collecting
	// it less often costs some megabytes and saves a tenth of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := time.Now()
	end := replayEnd{Engine: thisEngine}
	for m := range inOrder(ctx, files, runtime.GOMAXPROCS(0), func(s replaySource) replayMessage { return a.replay(ctx, s, o.store) }) {
		end.add(m)
		a.printer.Print(m)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	end.Seconds = time.Since(began).Seconds()
	a.printer.Print(end)
	return end.err()
}

// inOrder applies f to each of in, to n at a time, and gives what came of them in their
// order. No more than n wait to be taken.
func inOrder[A, B any](ctx context.Context, in []A, n int, f func(A) B) iter.Seq[B] {
	return func(yield func(B) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		out := make(chan chan B, n-1) // and the one that is being taken
		go func() {
			defer close(out)
			for _, v := range in {
				done := make(chan B, 1)
				select {
				case out <- done:
					go func() { done <- f(v) }()
				case <-ctx.Done():
					return
				}
			}
		}()
		for done := range out {
			if ctx.Err() != nil || !yield(<-done) {
				return
			}
		}
	}
}

// replayer replays with the workflow code of this build.
func replayer() replay.Replayer {
	// No task is completed that a server would mark with the program's checksum, and summing
	// up the program takes as long as replaying hundreds of steps.
	worker.SetBinaryChecksum(thisEngine)
	return host.Replayer()
}

// replay replays one history.
func (a *app) replay(ctx context.Context, s replaySource, storeFlag string) replayMessage {
	m := replayMessage{History: s.name, Aside: s.aside, Verdict: notReplayable}
	h, err := s.open()
	if err != nil {
		m.Problem = err.Error()
		return m
	}
	started := h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	m.Run, m.RunID, m.Closed = started.GetWorkflowId(), started.GetOriginalExecutionRunId(), closedAs(h)
	if s.runID != "" {
		m.RunID = s.runID
	}
	result, err := replayer().History(ctx, h)
	m.Events, m.Activities, m.Steps = result.Events, result.Activities, result.Steps
	var d *replay.Divergence
	var foreign *replay.ForeignError
	switch {
	case err == nil:
		m.Verdict = agrees
	case errors.As(err, &d):
		m.Verdict = diverges
		m.Divergence = &divergenceMessage{Event: d.Event, What: d.What, Field: d.Field, Recorded: d.Recorded, Replayed: d.Replayed}
		m.Divergence.Step, m.Divergence.Call = d.Place(h)
		m.Next = a.afterDivergence(ctx, h, s.engine, storeFlag)
	case errors.As(err, &foreign):
		m.Problem = err.Error()
		m.Next = "replay it with the program whose workflow it is: a worker of one's own has Temporal's replayer for it"
	default:
		m.Problem = err.Error()
	}
	return m
}

// afterDivergence says what to do where this build's code decides otherwise.
func (a *app) afterDivergence(ctx context.Context, h *historypb.History, engine, storeFlag string) string {
	if engine == "" {
		engine = a.engineOf(ctx, h, storeFlag)
	}
	switch engine {
	case "":
		return fmt.Sprintf("either the history was changed, or other workflow code than that of this build (%s) made it: replay it with the R-LAM that ran it", thisEngine)
	case thisEngine:
		return fmt.Sprintf("%s ran it, as this build calls itself too: either the history was changed, or the workflow code was; replay it with the very program that ran it", engine)
	}
	return fmt.Sprintf("this build (%s) has other workflow code: replay it with %s, which ran it", thisEngine, engine)
}

// engineOf is the version of R-LAM that started the run of a history, if the store has the
// run's record.
func (a *app) engineOf(ctx context.Context, h *historypb.History, storeFlag string) string {
	var in workflows.StudyInput
	started := h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	dir, err := a.storeDir(storeFlag)
	if err != nil || host.DataConverter().FromPayloads(started.GetInput(), &in) != nil {
		return ""
	}
	s, err := existingStore(dir)
	if err != nil {
		return ""
	}
	var run record.Run
	if record.Load(ctx, s, in.Run, &run) != nil {
		return ""
	}
	return run.Engine
}

// closedAs is how a history ends, in words.
func closedAs(h *historypb.History) string {
	switch h.GetEvents()[len(h.GetEvents())-1].GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return "completed"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return "failed"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return "cancelled"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		return "terminated"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return "timed out"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return "continued"
	}
	return "open"
}

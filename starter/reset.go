package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"rlam/provenance/history"
	"rlam/workflows"
)

// resetOptions are the flags of reset.
type resetOptions struct {
	store  string
	at     int
	reason string
	detach bool
	idle   time.Duration
}

func newResetCommand(a *app) *cobra.Command {
	var o resetOptions
	c := &cobra.Command{
		Use: "reset RUN --at STEP", Short: "Rewind a run to before a step, under the same id",
		Long: `Rewind a run to before a step, under the same id, by Temporal's reset, and follow it
to its end. An open run is ended for it, a closed one is opened again.

What was done before the step stands and is not done again. The planner is asked
for the step anew; its calls are new ones. What was rewound stays on record beside
the line that counts, and signals and updates that came after the step are not
repeated. Temporal UI's reset button does the same, and may choose other points.

A run has one line: to try something beside it, or with changes, fork it. The wall
time goes on counting from the run's beginning.`,
		Example: "  starter reset @last --at 3",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runReset(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().IntVar(&o.at, "at", 0, "the first `STEP` that is planned anew")
	c.Flags().StringVar(&o.reason, "reason", "", "`WORDS` for the history on why")
	addDetachFlags(c, &o.detach, &o.idle)
	return c
}

// resetMessage is a run that was rewound.
type resetMessage struct {
	Run    string `json:"run"`
	Step   int    `json:"step"`
	Before string `json:"before"` // the Temporal run that was rewound
	Now    string `json:"now"`    // the one that goes on
}

func (resetMessage) MessageType() string { return "rewound" }

func runReset(ctx context.Context, a *app, id string, o resetOptions) error {
	if o.at < 0 {
		return badUsage("--at %d: steps are numbered from 1", o.at)
	}
	c, l, k, err := a.lookUp(ctx, id, o.store)
	if err != nil {
		return err
	}
	if k != nil {
		if c, l, err = a.resettable(ctx, k, o); err != nil {
			return err
		}
	}
	defer c.close()
	e, err := c.evidence(ctx, l, false)
	if err != nil {
		return err
	}
	if err := inTime(a.program(), e, o.at); err != nil {
		return err
	}
	run, task, err := planningOf(e.Trace.ID, e.Trace.Line, o.at)
	if err != nil {
		return err
	}
	if o.reason == "" {
		o.reason = fmt.Sprintf("starter reset --at %d", o.at)
	}
	done, err := c.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: c.namespace(), WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: l.ID, RunId: run},
		Reason: o.reason, WorkflowTaskFinishEventId: task, RequestId: rand.Text(),
		// What came after the step belongs to what is left behind: an old approval
		// must not reach the new line.
		ResetReapplyExcludeTypes: []enumspb.ResetReapplyExcludeType{
			enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
			enumspb.RESET_REAPPLY_EXCLUDE_TYPE_NEXUS,
		},
	})
	if err != nil {
		return fmt.Errorf("rewinding run %q: %w", l.ID, err)
	}
	a.words.Print(resetMessage{Run: l.ID, Step: o.at, Before: l.RunID, Now: done.GetRunId()})
	return runResume(ctx, a, l.ID, resumeOptions{store: o.store, detach: o.detach, idle: o.idle})
}

// resettable refuses what can be refused of a run that no server tells of, and then looks
// for it with one that is started.
func (a *app) resettable(ctx context.Context, k *archive, o resetOptions) (*connection, *located, error) {
	elsewhere := badUsage("no Temporal server has run %q, and only such a run can be rewound: fork it by %s fork %s --at %d", k.ID, a.program(), k.ID, max(1, o.at))
	if k.Mark != nil || k.Bundle != "" {
		return nil, nil, elsewhere
	}
	e, err := k.evidence(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	if err := inTime(a.program(), e, o.at); err != nil {
		return nil, nil, err
	}
	if _, _, err := planningOf(k.ID, e.Trace.Line, o.at); err != nil {
		return nil, nil, err
	}
	c, l, err := a.find(ctx, k.ID, o.store)
	var unknown *unknownRunError
	if errors.As(err, &unknown) {
		return nil, nil, elsewhere
	}
	return c, l, err
}

// inTime refuses to rewind a run whose wall time is over: it would end at once.
func inTime(program string, e *evidence, at int) error {
	t := e.Trace
	if t.Run == nil || t.Study == nil || at == 0 {
		return nil // the workflow has its deadline from its history
	}
	started, err := time.Parse(time.RFC3339Nano, t.Run.Started)
	if err != nil {
		return fmt.Errorf("reading when run %q was started: %w", t.ID, err)
	}
	limit := time.Duration(t.Study.Study.Limits.WallTime)
	if time.Since(started) < limit {
		return nil
	}
	return badUsage("the wall time of run %q, %s, is over, so that it would end as soon as it is rewound: fork it by %s fork %s --at %d", t.ID, limit, program, t.ID, at)
}

// planningOf is the Temporal run in which a step was planned, and the workflow task that
// asked for it.
func planningOf(id string, line []*history.Run, step int) (runID string, task int64, err error) {
	steps := 0
	for _, r := range slices.Backward(line) {
		for _, k := range r.Activities {
			if k.Type != workflows.PlanName {
				continue
			}
			if steps = max(steps, k.Study.Step); k.Study.Step == step {
				return r.RunID, k.Task, nil
			}
		}
	}
	if steps == 0 {
		return "", 0, badUsage("run %q has planned no step yet: there is nothing to rewind", id)
	}
	has := fmt.Sprintf("the steps 1 to %d", steps)
	if steps == 1 {
		has = "step 1 alone"
	}
	if step == 0 {
		return "", 0, badUsage("--at STEP is missing, the first step that is to be planned anew: run %q has %s", id, has)
	}
	return "", 0, badUsage("--at %d: run %q has %s", step, id, has)
}

// rewound says that a run was rewound.
func (p *textPrinter) rewound(m resetMessage) {
	p.printf("Rewound %s to before step %d: Temporal run %s goes on from %s.\n", m.Run, m.Step, m.Now, m.Before)
}

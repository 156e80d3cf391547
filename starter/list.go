package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/ancestry"
	"rlam/starter/follow"
	"rlam/worker/host"
	"rlam/workflows"
)

// listOptions are the flags of ls.
type listOptions struct {
	store   string
	n       int
	members bool
}

func newListCommand(a *app) *cobra.Command {
	var o listOptions
	c := &cobra.Command{
		Use: "ls", Short: "List the runs of a store, the newest first",
		Long: `List the runs of a store, the newest first.

The store knows which runs there are; how they stand, the Temporal server knows, or
the history that the store keeps of a run that has ended. No server is started for
it: where neither tells, the status is "unknown".

An ensemble is one line, with how its members stand; --members lists them as well.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runList(c.Context(), a, o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	c.Flags().IntVarP(&o.n, "number", "n", 20, "at most so many runs; 0 for all")
	c.Flags().BoolVar(&o.members, "members", false, "list the members of ensembles, too")
	return c
}

// unknown is the status of a run whose server can't be asked or has forgotten it.
const unknown record.Status = "unknown"

// listedRun is a line of ls.
type listedRun struct {
	Run     string        `json:"run"`
	Title   string        `json:"title"`
	Status  record.Status `json:"status"`
	Steps   *int          `json:"steps"` // null where it isn't known
	Started time.Time     `json:"started"`
	Origin  string        `json:"origin,omitempty"` // how it came from another run: fork or reproduction
	From    string        `json:"from,omitempty"`   // that run, where the store has it
	Reset   bool          `json:"reset,omitempty"`  // it was rewound
	// Ensemble says that it is one, and how its members stand. Its status is running,
	// completed if all members did, or else incomplete.
	Ensemble *ensembleProgress `json:"members,omitempty"`
	Of       string            `json:"ensemble,omitempty"` // of a member: its ensemble

	columns [2]int // widths of run and status, for people
}

func (listedRun) MessageType() string { return "listed_run" }

// listEnd closes a listing.
type listEnd struct {
	Store string `json:"store"`
	Shown int    `json:"shown"`
	Runs  int    `json:"runs"`
}

func (listEnd) MessageType() string { return "list_end" }

func runList(ctx context.Context, a *app, o listOptions) error {
	dir, err := a.storeDir(o.store)
	if err != nil {
		return err
	}
	runs, err := listables(ctx, dir, o.members)
	if err != nil {
		return err
	}
	end := listEnd{Store: dir, Runs: len(runs)}
	if o.n > 0 && len(runs) > o.n {
		runs = runs[:o.n]
	}
	end.Shown = len(runs)
	unclear := false
	var rows []listedRun
	if len(runs) > 0 {
		s, err := existingStore(dir)
		if err != nil {
			return err
		}
		c, unreached := a.reach(ctx)
		if unreached == nil {
			defer c.close()
		}
		for _, r := range runs {
			row, err := r.row(ctx, c, s)
			if err != nil {
				return err
			}
			rows = append(rows, row)
			unclear = unclear || row.Status == unknown
		}
		if unreached != nil && unclear {
			a.notef("The status of some is not known: %v", unreached)
		}
	}
	var columns [2]int
	for _, row := range rows {
		columns = [2]int{max(columns[0], len(row.Run)), max(columns[1], len(row.Status))}
	}
	for _, row := range rows {
		row.columns = columns
		a.printer.Print(row)
	}
	a.printer.Print(end)
	return nil
}

// origin notes how the run comes from another one. A run that the store hasn't is left
// unnamed.
func (l *listedRun) origin(ctx context.Context, s store.Store, run *record.Run) {
	switch {
	case run.Reproduces != nil:
		l.Origin, l.From = string(ancestry.Reproduction), run.Reproduces.ID
	case run.Fork():
		l.Origin = string(ancestry.Fork)
		if _, from, err := record.RunOf(ctx, s, run.Parent); err == nil {
			l.From = from.ID
		}
	}
}

// listable is a run or an ensemble.
type listable struct {
	run      host.ListedRun
	ensemble *host.ListedEnsemble
	started  string
}

// listables are the runs and ensembles of a store, the newest first; and members of
// ensembles only if they are wanted.
func listables(ctx context.Context, dir string, members bool) ([]listable, error) {
	runs, err := listRuns(ctx, dir)
	if err != nil {
		return nil, err
	}
	var all []listable
	for _, r := range runs {
		if members || r.Record.Ensemble == nil {
			all = append(all, listable{run: r, started: r.Record.Started})
		}
	}
	if s, err := existingStore(dir); err == nil {
		ensembles, err := host.Ensembles(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, e := range ensembles {
			all = append(all, listable{ensemble: &e, started: e.Record.Started})
		}
	}
	slices.SortStableFunc(all, func(a, b listable) int { return strings.Compare(b.started, a.started) })
	return all, nil
}

func (l listable) row(ctx context.Context, c *connection, s store.Store) (listedRun, error) {
	if l.ensemble == nil {
		return listedRunOf(ctx, c, s, l.run)
	}
	e := l.ensemble.Record
	row := listedRun{Run: e.ID, Title: e.Title}
	var err error
	if row.Started, err = time.Parse(time.RFC3339Nano, e.Started); err != nil {
		return row, err
	}
	r, err := host.ReadRoster(ctx, c.asked(), s, *l.ensemble)
	if err != nil {
		return row, err
	}
	members := standing(r)
	row.Ensemble, row.Status = &members, members.status(r.Open)
	return row, nil
}

// incomplete is the status of an ensemble that isn't open, and of which not all members
// completed.
const incomplete record.Status = "incomplete"

// status is that of the ensemble as a whole.
func (p ensembleProgress) status(open bool) record.Status {
	switch {
	case open:
		return follow.Running
	case p.Completed == p.Members:
		return record.Completed
	}
	return incomplete
}

func listedRunOf(ctx context.Context, c *connection, s store.Store, r host.ListedRun) (listedRun, error) {
	row := listedRun{Run: r.Record.ID, Status: unknown}
	if of := r.Record.Ensemble; of != nil {
		row.Of = of.ID
	}
	var err error
	if row.Started, err = time.Parse(time.RFC3339Nano, r.Record.Started); err != nil {
		return row, err
	}
	raw, err := store.Read(ctx, s, r.Record.Study, record.MaxContent)
	if err != nil {
		return row, err
	}
	var study struct {
		Title string `json:"title"`
	}
	if err := json.Unmarshal(raw, &study); err != nil {
		return row, err
	}
	row.Title = study.Title
	row.origin(ctx, s, r.Record)
	steps := -1
	if c != nil {
		if row.Status, steps, row.Reset, err = c.standing(ctx, r.Record.ID); err != nil {
			return row, err
		}
	}
	if row.Status == unknown {
		if row.Status, steps, row.Reset, err = archivedStanding(ctx, s, r); err != nil {
			return row, err
		}
	}
	if steps >= 0 {
		row.Steps = &steps
	}
	return row, nil
}

// archivedStanding is how a run ended, as its archived histories tell: unknown where there
// are none, or none that is the end.
func archivedStanding(ctx context.Context, s store.Store, r host.ListedRun) (status record.Status, steps int, reset bool, err error) {
	histories, err := host.Archived(ctx, s, r.Digest)
	if err != nil || len(histories) == 0 {
		return unknown, -1, false, err
	}
	f := follow.Follower{ID: r.Record.ID, Archived: histories}
	account, err := f.Read(ctx, func(follow.Event) {})
	if err != nil || account.Open() {
		return unknown, -1, false, nil // what happened since, nobody here knows
	}
	return account.End.Status, account.End.Counters.Steps, len(account.Rewound) > 0, nil
}

// standing asks the server how a run stands, by the newest of its history alone. Steps
// is -1 where they aren't known.
func (c *connection) standing(ctx context.Context, id string) (status record.Status, steps int, reset bool, err error) {
	d, err := c.client.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return unknown, -1, false, nil
	}
	if err != nil {
		return unknown, -1, false, err
	}
	info := d.GetWorkflowExecutionInfo()
	reset = d.GetWorkflowExtendedInfo().GetLastResetTime() != nil
	if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		steps, err := c.stepsSoFar(ctx, info.GetExecution())
		return follow.Running, steps, reset, err
	}
	var r workflows.StudyResult
	switch err := c.client.GetWorkflow(ctx, id, info.GetExecution().GetRunId()).Get(ctx, &r); {
	case err == nil:
	case !detailsOf(err, &r):
		return follow.Unsealed, -1, reset, nil
	}
	return r.Status, r.Counters.Steps, reset, nil
}

// stepsSoFar looks for the newest planner's turn at the end of the history.
func (c *connection) stepsSoFar(ctx context.Context, e *commonpb.WorkflowExecution) (int, error) {
	h, err := c.client.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: c.namespace(), Execution: e, MaximumPageSize: 100,
	})
	if err != nil {
		return -1, err
	}
	for _, event := range h.GetHistory().GetEvents() {
		var turn workflows.PlanResult
		done := event.GetActivityTaskCompletedEventAttributes()
		if done != nil && host.DataConverter().FromPayloads(done.GetResult(), &turn) == nil && turn.Outcome != "" {
			return turn.Counters.Steps, nil
		}
	}
	return -1, nil
}

// detailsOf reads the result that a run left with the error it ended with.
func detailsOf(err error, r *workflows.StudyResult) bool {
	var failed *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &cancelled):
		err = cancelled.Details(r)
	case errors.As(err, &failed):
		err = failed.Details(r)
	default:
		return false
	}
	return err == nil && r.Status != ""
}

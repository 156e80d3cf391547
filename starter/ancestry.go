package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/ancestry"
	"rlam/provenance/history"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/worker/host"
	"rlam/workflows"
)

func newAncestryCommand(a *app) *cobra.Command {
	var storeFlag string
	c := &cobra.Command{
		Use: "ancestry RUN", Short: "Show the runs that a run comes from, and those that come from it",
		Long: `Show the runs that a run comes from, and those that come from it, as a tree: forks
with the step they part at, reproductions, and below each run the Temporal runs of
a reset or a continuation, with status and result.

Runs are those of the store. How they stand, the server says where one is there,
and else the histories that the store keeps; no server is started.`,
		Example: "  starter ancestry @last",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runAncestry(c.Context(), a, args[0], storeFlag) },
	}
	c.Flags().StringVar(&storeFlag, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	return c
}

// ancestryMessage is the tree that a run is in.
type ancestryMessage struct {
	Run  string    `json:"run"`
	Tree *relation `json:"tree"`
}

func (ancestryMessage) MessageType() string { return "ancestry" }

// relation is a run and what came from it.
type relation struct {
	Run      string             `json:"run"`
	Record   canon.Digest       `json:"record"`
	Started  string             `json:"started"`
	How      ancestry.How       `json:"how,omitempty"`  // fork or reproduction of the run above
	Step     int                `json:"step,omitempty"` // of a fork: the last step that both have
	Changes  json.RawMessage    `json:"changes,omitempty"`
	Changed  []string           `json:"changed,omitempty"` // the same, as it is typed for the command fork
	Missing  canon.Digest       `json:"missing,omitzero"`  // the record it comes from, of a run that isn't in the store
	Status   string             `json:"status"`            // "unknown" where nothing tells of it
	Steps    int                `json:"steps"`             // as far as that is known
	Result   json.RawMessage    `json:"result,omitempty"`
	Temporal []temporalRun      `json:"temporal_runs"`
	Member   *record.Membership `json:"member_of,omitempty"` // of an ensemble
	Children []*relation        `json:"children"`
}

// temporalRun is one of the Temporal runs that a run consists of.
type temporalRun struct {
	RunID     string   `json:"run_id"`
	Continues string   `json:"continues,omitempty"`
	ResetOf   []string `json:"reset_of,omitempty"`
	Aside     bool     `json:"aside,omitempty"` // a reset went back from it
	Ended     string   `json:"ended,omitempty"`
}

func runAncestry(ctx context.Context, a *app, id, storeFlag string) error {
	dir, err := a.storeDir(storeFlag)
	if err != nil {
		return err
	}
	listed, err := listRuns(ctx, dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(listed, func(r host.ListedRun) bool { return id == last || r.Record.ID == id })
	if i < 0 {
		var ids []string
		for _, r := range listed {
			ids = append(ids, r.Record.ID)
		}
		if _, e, err := a.ensembleNamed(ctx, id, storeFlag); err != nil || e != nil {
			return cmp.Or(err, error(&foreignError{id: id, kind: workflows.EnsembleName}))
		}
		return &unknownRunError{id: id, nearest: schemas.Nearest(id, ids)}
	}
	s, err := existingStore(dir)
	if err != nil {
		return err
	}
	runs := make([]ancestry.Run, len(listed))
	for k, r := range listed {
		runs[k] = ancestry.Run(r)
	}
	tree, err := ancestry.Tree(ctx, s, runs, listed[i].Digest)
	if err != nil {
		return err
	}
	c, err := a.reach(ctx)
	if err == nil {
		defer c.close()
	}
	r, err := related(ctx, c, s, tree)
	if err != nil {
		return err
	}
	a.printer.Print(ancestryMessage{Run: listed[i].Record.ID, Tree: r})
	return nil
}

// related adds to a tree how its runs stand; c may be nil.
func related(ctx context.Context, c *connection, s *store.Folder, n *ancestry.Node) (*relation, error) {
	r := &relation{
		Run: n.Record.ID, Record: n.Digest, Started: n.Record.Started, How: n.How, Step: n.Step, Changes: n.Changes, Missing: n.Missing, Member: n.Record.Ensemble,
		Status: string(unknown), Temporal: []temporalRun{}, Children: []*relation{},
	}
	if n.How == ancestry.Fork {
		r.Changed = changesOf(ctx, s, n.Record)
	}
	histories, err := c.temporalRuns(ctx, s, n)
	if err != nil {
		return nil, err
	}
	if len(histories) > 0 {
		trace, err := provenance.Build(ctx, provenance.Evidence{Runs: histories})
		if err != nil {
			return nil, err
		}
		r.stands(ctx, s, trace)
	}
	for _, child := range n.Children {
		one, err := related(ctx, c, s, child)
		if err != nil {
			return nil, err
		}
		r.Children = append(r.Children, one)
	}
	return r, nil
}

// changesOf spells in what a fork departs from the run above it. What can't be read is left out.
func changesOf(ctx context.Context, s store.Store, run *record.Run) []string {
	var all []string
	if run.Changes != nil && run.Changes.Recorded {
		all = append(all, "--planner recorded")
	}
	changes, _ := follow.Contents{Store: s}.Changes(ctx, run)
	for _, c := range changes {
		all = append(all, c.Argument())
	}
	return all
}

// temporalRuns reads the histories of a run: those of the server where there is one and it
// knows the run, else those that the store keeps.
func (c *connection) temporalRuns(ctx context.Context, s *store.Folder, n *ancestry.Node) ([]*history.Run, error) {
	histories, err := host.Archived(ctx, s, n.Digest)
	if err != nil {
		return nil, err
	}
	if c != nil {
		if l, err := c.locate(ctx, n.Record.ID, ""); err == nil && l.Record == n.Digest {
			if histories, err = c.histories(ctx, l, histories); err != nil {
				return nil, err
			}
		}
	}
	var runs []*history.Run
	for id, h := range histories {
		r, err := readHistory(id, h)
		if err != nil {
			return nil, fmt.Errorf("reading a history of run %q: %w", n.Record.ID, err)
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *history.Run) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.RunID, b.RunID))
	})
	return runs, nil
}

// stands says how a run stands, from its histories and the seal they lead to.
func (r *relation) stands(ctx context.Context, s store.Store, t *provenance.Trace) {
	r.Status = t.Status
	for _, one := range append(slices.Clone(t.Line), t.Aside...) {
		bases := slices.DeleteFunc(slices.Clone(one.Bases), func(id string) bool { return id == one.RunID })
		r.Temporal = append(r.Temporal, temporalRun{
			RunID: one.RunID, Continues: one.Before, ResetOf: bases, Aside: slices.Contains(t.Aside, one), Ended: one.Ended,
		})
	}
	for _, one := range t.Line {
		r.Steps = max(r.Steps, planned(one.Activities))
	}
	var seal record.Seal
	if record.Load(ctx, s, t.Head, &seal) != nil {
		return
	}
	r.Steps = seal.Counters.Steps
	if !seal.Result.IsZero() {
		// One that was withheld is left out.
		_ = record.OpenContent(ctx, s, seal.Result, &r.Result)
	}
}

// planned is the number of the newest step that a planner's turn was completed for; of a
// turn that wasn't, the step before it counts.
func planned(activities []*history.Activity) int {
	steps := 0
	for _, k := range activities {
		switch {
		case k.Type != workflows.PlanName:
		case k.State == history.Completed:
			steps = max(steps, k.Study.Step)
		default:
			steps = max(steps, k.Study.Step-1)
		}
	}
	return steps
}

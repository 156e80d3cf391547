package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/design"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
)

// ensembleOptions are the flags of ensemble.
type ensembleOptions struct {
	run      runOptions
	vary     []string
	design   string
	runs     int
	parallel int
	report   string
	files    reportFiles
}

// mostMembers is how the bound on members is spelled in the help.
const mostMembers = "5,000"

func newEnsembleCommand(a *app) *cobra.Command {
	var o ensembleOptions
	c := &cobra.Command{
		Use: "ensemble STUDY | --report ENSEMBLE", Short: "Run a study many times, over seeds, parameters or models",
		Long: `Run a study many times, over seeds, parameters or models, and say what the results
show together.

Each member is a run of its own, ID.m0001 and so on: show, verify, export, replay,
fork and all else work on it. What varies between members:

  --runs N             N members at each point, each with a seed of its own
                       that is derived from the study's
  --vary PATH=A,B,...  a member for each value; several make the full grid
  --design FILE.csv    a row for each member: the header names the paths

PATH is "model"; CALL/params/path in the study's plan; or a path in the study as
run --set has it, such as seed, limits.steps or inputs.data.file. Values are JSON, or
else strings. What --set and --model change, they change for all members.

Every member's study is checked before anything starts; at most ` + mostMembers + ` members can be had.
At most --parallel members are under way at once. Ctrl-C leaves the ensemble open and
resume goes on with it. cancel begins no more members and cancels those under way;
after it, resume begins those that are missing, and anew those that were cut off.
What has ended by itself is never executed again.

The report is printed on stdout; with --report it is made again of an ensemble that
there is, at any time. The exit code is 14 if a member did not complete.`,
		Example: `  starter ensemble study.yaml --runs 100
  starter ensemble study.yaml --vary model=small,large --runs 20
  starter ensemble study.yaml --design points.csv --html report.html
  starter ensemble --report study-x3k2a --csv members.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runEnsemble(c.Context(), a, args, o) },
	}
	f := c.Flags()
	f.IntVar(&o.runs, "runs", 0, "`N` members at each point, each with a seed of its own")
	f.StringArrayVar(&o.vary, "vary", nil, "`PATH=A,B,...`: a member for each value (repeatable)")
	f.StringVar(&o.design, "design", "", "`FILE.csv` with a member in each row")
	f.IntVar(&o.parallel, "parallel", 0, "at most `K` members under way at once; as many as there are processors by default")
	f.StringVar(&o.report, "report", "", "make the report of this `ENSEMBLE`, and execute nothing")
	o.files.addFlags(c)
	f.StringArrayVar(&o.run.set, "set", nil, "`PATH=VALUE` to change in the study, for all members (repeatable)")
	f.StringVar(&o.run.model, "model", "", "`NAME` of the model to ask instead of the study's planner")
	f.StringArrayVar(&o.run.actions, "actions", nil, "`DIR` with action files (or one file) to allow beside the study's (repeatable)")
	f.StringVar(&o.run.id, "id", "", "the ensemble's `ID`; one is made from the study's name by default")
	f.StringVar(&o.run.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	o.run.carry.addFlags(c)
	return c
}

// check refuses flags that contradict each other.
func (o *ensembleOptions) check(args []string) error {
	switch {
	case o.report != "" && len(args) > 0:
		return badUsage("--report %s is of an ensemble that there is: leave out %q", o.report, args[0])
	case o.report != "":
		return o.files.check()
	case len(args) == 0:
		return badUsage("name a STUDY, or an ensemble with --report")
	case o.design != "" && len(o.vary) > 0:
		return badUsage("--design and --vary both say what varies: put all of it into %s, or leave it out", o.design)
	case o.runs < 0:
		return badUsage("--runs %d: want at least 1", o.runs)
	case o.parallel < 0:
		return badUsage("--parallel %d: want at least 1", o.parallel)
	case o.design == "" && len(o.vary) == 0 && o.runs == 0:
		return badUsage("nothing varies: say --runs N, --vary PATH=A,B or --design FILE.csv; one run is had by starter run")
	}
	return o.files.check()
}

// points reads the design.
func (o *ensembleOptions) points() (*design.Design, error) {
	var d *design.Design
	var err error
	if o.design == "" {
		d, err = design.Grid(o.vary, host.MaxMembers)
	} else {
		f, openErr := os.Open(o.design)
		if openErr != nil {
			return nil, badUsage("reading the design: %v", openErr)
		}
		defer f.Close()
		d, err = design.Read(o.design, f, host.MaxMembers)
	}
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	if n := len(d.Points) * max(o.runs, 1); n > host.MaxMembers {
		return nil, badUsage("the ensemble would have %s members (%s points, each %s times), and has at most %s: divide it",
			thousands(n), thousands(len(d.Points)), thousands(max(o.runs, 1)), mostMembers)
	}
	return d, nil
}

func runEnsemble(ctx context.Context, a *app, args []string, o ensembleOptions) error {
	if err := o.check(args); err != nil {
		return err
	}
	if o.report != "" {
		return a.reportEnsemble(ctx, o.report, o.run.store, o.files)
	}
	d, err := o.points()
	if err != nil {
		return err
	}
	study, err := o.study(ctx, args[0], d)
	if err != nil {
		return err
	}
	if err := host.CheckDesign(study, d); err != nil {
		return whereInDesign(d, err)
	}
	if !o.run.carry.elsewhere() {
		if err := checkMachine(ctx, a, study, o.run.actions); err != nil {
			return err
		}
	}
	c, s, err := a.connectWithStore(ctx, o.run.store)
	if err != nil {
		return err
	}
	defer c.close()
	dir := s.Dir()
	launch := host.EnsembleOptions{
		LaunchOptions: host.LaunchOptions{ID: o.run.id, StoreDir: dir, Actions: o.run.actions, SearchAttributes: c.searchAttributes(ctx)},
		Design:        d, Repeats: o.runs, Parallel: atOnce(o.parallel),
	}
	return c.carryTo(ctx, dir, o.run.carry, func(queue string) (started, error) {
		launch.TaskQueue = queue
		run, err := launchEnsembleAs(ctx, c, s, study, launch)
		return run, whereInDesign(d, err)
	}, func(run started) error {
		return c.attachEnsemble(ctx, run.GetID(), run.GetRunID(), s, o.files)
	})
}

// atOnce is how many members are under way at once.
func atOnce(flag int) int {
	if flag > 0 {
		return flag
	}
	return max(2, runtime.NumCPU())
}

// study loads the study before anything is varied. One that names no planner may leave it
// to a design that names models.
func (o *ensembleOptions) study(ctx context.Context, path string, d *design.Design) (*schemas.LoadedStudy, error) {
	run := o.run
	for i, varied := range d.Paths {
		var first string
		if varied == "model" && run.model == "" && json.Unmarshal(d.Points[0][i], &first) == nil {
			run.model = first
		}
	}
	return prepareStudy(ctx, path, run)
}

// launchEnsembleAs starts an ensemble, under an id of its own if none was given.
func launchEnsembleAs(ctx context.Context, c *connection, s store.Store, study *schemas.LoadedStudy, o host.EnsembleOptions) (started, error) {
	if o.ID != "" {
		return host.LaunchEnsemble(ctx, c.client, s, study, o)
	}
	for {
		o.ID = newID(study.Path)
		run, err := host.LaunchEnsemble(ctx, c.client, s, study, o)
		var taken *host.TakenError
		if !errors.As(err, &taken) {
			return run, err
		}
	}
}

// whereInDesign says of an error of a point where in the design that point stands. The
// path that is named so isn't named again.
func whereInDesign(d *design.Design, err error) error {
	var at *host.PointError
	if !errors.As(err, &at) {
		return err
	}
	var problems schemas.Problems
	words := at.Err.Error()
	if errors.As(at.Err, &problems) {
		lines := make([]string, len(problems))
		for i, p := range problems {
			p.File, p.Line, p.Column = "", 0, 0
			if at.Path >= 0 && p.Pointer == design.PlaceOf(d.Paths[at.Path]).Pointer {
				p.Pointer = ""
			}
			lines[i] = strings.TrimPrefix(p.Error(), ": ")
		}
		words = strings.Join(lines, "; ")
	}
	return &codedError{exitUsage, fmt.Errorf("%s: %s", d.Where(at.Point, at.Path), words)}
}

// ensembleNamed finds an ensemble of the store by its id or the digest of its record. @last
// is one if the store's newest run belongs to it. It is nil if there is none such.
func (a *app) ensembleNamed(ctx context.Context, id, storeFlag string) (*store.Folder, *host.ListedEnsemble, error) {
	dir, err := a.storeDir(storeFlag)
	if err != nil {
		return nil, nil, err
	}
	s, err := existingStore(dir)
	if err != nil {
		return nil, nil, nil // then it has none
	}
	all, err := host.Ensembles(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var wanted *record.Run
	if id == last && len(all) > 0 {
		runs, err := listRuns(ctx, dir)
		if err != nil {
			return nil, nil, err
		}
		if len(runs) > 0 {
			wanted = runs[0].Record
		}
	}
	for i, e := range all {
		newest := id == last && i == 0 && (wanted == nil || wanted.Started < e.Record.Started)
		member := wanted != nil && wanted.Ensemble != nil && wanted.Ensemble.Ensemble == e.Digest
		if e.Record.ID == id || e.Digest.String() == id || newest || member {
			return s, &all[i], nil
		}
	}
	return s, nil, nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/bundle"
	"rlam/provenance/reproduce"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// reproduceOptions are the flags of reproduce.
type reproduceOptions struct {
	store       string
	runs        int
	only        []string
	actions     []string
	environment string
	id          string
	report      string
	html        string
	trust       bool
}

// What --environment asks for.
const (
	environmentRequire = "require"
	environmentWarn    = "warn"
	environmentIgnore  = "ignore"
)

func newReproduceCommand(a *app) *cobra.Command {
	var o reproduceOptions
	c := &cobra.Command{
		Use: "reproduce RUN|FILE", Short: "Execute a run's calls again, without the model, and compare",
		Long: `Execute the recorded calls of a run again, without its model, and compare what comes
of them with the record. It is a run of its own: it survives crashes, resume goes
on with it, and everything is on record.

Calls run in the order of their data, at the same time where that allows. A value
that came from another call comes from that call's new execution. Each output field
and artifact is compared by the class that its action declares:

  bitwise      the same bytes
  tolerance    the same within the declared tolerances
  statistical  executed --runs times, with other seeds from the second on: the
               recorded value must lie in the 95 % prediction interval of the
               new ones, unless the recorded seed gives the recorded bytes again
  failures     the same type of failure

A call is confirmed; within tolerance; refuted; has drifted inputs, if a call before
it gave it others and its outcome is another one; or is not re-executable, with the
reason. Actions that change the world outside are left out unless --only names them.

FILE is a bundle, which is imported first. What an imported run's bundle says is to be
executed is executed only with --trust, or where --actions has an action of your own for
each call.

The exit code is 12 if a call is refuted. Drifted inputs alone come from outputs
that may vary, and speak against nothing.`,
		Example: `  starter reproduce @last
  starter reproduce @last --only fit.nonlinear --environment require
  starter reproduce @last --report mgh09-x3k2a-again   # executes nothing`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runReproduce(c.Context(), a, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	f.IntVar(&o.runs, "runs", reproduce.DefaultRuns, "execute a call with a statistical output `N` times")
	f.StringSliceVar(&o.only, "only", nil, "execute calls of this `ACTION` alone (repeatable); others keep their recorded outputs")
	f.StringArrayVar(&o.actions, "actions", nil, "`DIR` of action files to execute instead of what the run pins, where they have the same formal schema (repeatable)")
	f.StringVar(&o.environment, "environment", environmentWarn, "what to do about another environment than the recorded one: `require|warn|ignore`; require executes nothing where that is known beforehand, and else lets such an execution decide nothing")
	f.StringVar(&o.id, "id", "", "the reproduction's `ID`; one is made from the run's by default")
	f.BoolVar(&o.trust, "trust", false, "of a run that was imported: run the programs that its bundle names")
	f.StringVar(&o.html, "html", "", "write what it showed to `FILE` too, as a page")
	f.StringVar(&o.report, "report", "", "compare with this earlier `REPRODUCTION` of the run, and execute nothing")
	return c
}

// reproducedMessage is what executing a run again showed.
type reproducedMessage struct {
	reproduce.Report
	Counts map[reproduce.Verdict]int `json:"counts"`
	Holds  bool                      `json:"holds"` // nothing speaks against the record
	again  string                    // the command that shows the reproduction
	quiet  bool                      // about environments
}

func (reproducedMessage) MessageType() string { return "reproduction" }

func (o *reproduceOptions) check() error {
	switch o.environment {
	case environmentRequire, environmentWarn, environmentIgnore:
	default:
		return badUsage("--environment %q: it is require, warn or ignore", o.environment)
	}
	if o.runs < 1 || o.runs > mostTimes {
		return badUsage("--runs %d: between 1 and %d executions can be asked for", o.runs, mostTimes)
	}
	return nil
}

func runReproduce(ctx context.Context, a *app, id string, o reproduceOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkNew(o.html); err != nil {
		return err
	}
	if o.report == "" && bundle.Is(id) {
		var err error
		if id, err = a.takenIn(ctx, id, o.store); err != nil {
			return err
		}
	}
	origin, err := a.gather(ctx, id, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	again := o.report
	if again == "" {
		if again, err = a.executeAgain(ctx, origin, o); err != nil {
			return err
		}
	}
	made, err := a.gather(ctx, again, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	of := made.Trace.Run.Reproduces
	if of == nil || of.Run != origin.Trace.Record {
		return badUsage("run %q is no reproduction of %q", made.Trace.ID, origin.Trace.ID)
	}
	if of.Head != origin.Trace.Head {
		a.notef("Run %s has gone on since: the reproduction is of its record up to %s.", origin.Trace.ID, of.Head)
		origin.Trace.Head = of.Head
	}
	planned, err := reproduce.PlanOf(ctx, &origin.Run, reproduce.Options{Only: of.Only, Runs: of.Runs})
	if err != nil {
		return err
	}
	how := reproduce.Comparison{Same: o.environment == environmentRequire, Environments: environmentsOf(origin.Store, made.Store)}
	report, err := how.Compare(ctx, planned, &origin.Run, &made.Run)
	if err != nil {
		return err
	}
	m := reproducedMessage{Report: *report, Holds: report.Holds(), Counts: map[reproduce.Verdict]int{}, quiet: o.environment == environmentIgnore}
	for _, v := range reproduce.Verdicts() {
		m.Counts[v] = report.Count(v)
	}
	m.again = fmt.Sprintf("%s show %s", a.program(), made.Trace.ID)
	if o.html != "" {
		if err := writePage(o.html, func(w io.Writer) error { return reproduce.WriteHTML(w, report) }); err != nil {
			return err
		}
	}
	a.printer.Print(m)
	if !m.Holds {
		return &codedError{code: exitUnverified}
	}
	return nil
}

// executeAgain runs the reproduction to its end, and returns its id.
func (a *app) executeAgain(ctx context.Context, origin *evidence, o reproduceOptions) (string, error) {
	planned, err := reproduce.PlanOf(ctx, &origin.Run, reproduce.Options{Only: o.only, Runs: o.runs})
	if err != nil {
		return "", err
	}
	if err := called(planned.Calls, o.only); err != nil {
		return "", err
	}
	if len(planned.Plan.Calls) == 0 {
		return "", nothingAgain(origin.Trace.ID, planned.Left)
	}
	own, err := ownActions(origin.Trace.Run, o.actions)
	if err != nil {
		return "", err
	}
	dir, err := a.storeDir(o.store)
	if err != nil {
		return "", err
	}
	s, err := existingStore(dir)
	if err != nil {
		return "", err
	}
	if err := hasRecords(ctx, s, dir, origin, a.program()); err != nil {
		return "", err
	}
	trust := host.Trust{Bundles: o.trust, Own: allOwn(planned, own)}
	if err := host.CheckLineageTrust(ctx, s, origin.Trace.Head, trust); err != nil {
		return "", refusal(err)
	}
	if o.environment == environmentRequire {
		if err := a.requireEnvironments(ctx, origin, planned, own); err != nil {
			return "", err
		}
	}
	c, err := a.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	launch := host.LaunchOptions{ID: o.id, TaskQueue: host.DefaultTaskQueue(dir), StoreDir: dir, SearchAttributes: c.searchAttributes(ctx)}
	h, err := c.startWorker(launch.TaskQueue, dir, 0)
	if err != nil {
		return "", err
	}
	defer h.Stop()
	t := origin.Trace
	r := host.Reproduction{
		Of:     record.Reproduced{ID: t.ID, Run: t.Record, Head: t.Head, Only: o.only, Runs: o.runs},
		Origin: t.Run, Plan: &planned.Plan, Inputs: planned.Inputs, Pins: planned.Actions, Actions: own,
	}
	run, err := launchReproduction(ctx, c, s, r, launch)
	if err != nil {
		return "", err
	}
	a.words.Print(recap{Run: run.GetID()})
	_, err = c.followTo(ctx, run.GetID(), run.GetRunID(), s, func(e follow.Event) {
		switch e.(type) {
		case follow.Proposal, follow.CaughtUp, follow.End:
			if !a.json {
				return // everything is proposed at once
			}
		}
		a.words.Print(e)
	})
	return run.GetID(), err
}

// hasRecords refuses to reproduce in a store that hasn't the records of the run: it is of
// another home that shares the server.
func hasRecords(ctx context.Context, s store.Store, dir string, origin *evidence, program string) error {
	_, err := record.LoadAny(ctx, s, origin.Trace.Head)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	at := "in another store"
	if f, is := origin.Store.(*store.Folder); is {
		at = fmt.Sprintf("in the store %q; to reproduce it there, name that with --store", f.Dir())
	}
	id := origin.Trace.ID
	return badUsage("the server has run %q, and the store %q hasn't its records: they are %s; to reproduce it here, take it over: %s export %s -o %s.zip, and %s reproduce %s.zip", id, dir, at, program, id, id, program, id)
}

// takenIn imports the run in a bundle, and returns the name by which the store has it.
func (a *app) takenIn(ctx context.Context, file, storeFlag string) (string, error) {
	dir, err := a.storeDir(storeFlag)
	if err != nil {
		return "", err
	}
	s, err := store.OpenFolder(dir)
	if err != nil {
		return "", err
	}
	done, _, err := takeIn(ctx, file, s)
	if err != nil {
		return "", err
	}
	return done.Run.String(), nil
}

// allOwn says whether every call that is executed again is carried out by an action of the
// caller's own.
func allOwn(p *reproduce.Planned, own map[string]*schemas.Bound) bool {
	left := map[string]bool{}
	for _, l := range p.Left {
		left[l.Call] = true
	}
	return !slices.ContainsFunc(p.Calls, func(c *reproduce.Call) bool { return !left[c.ID] && own[c.Action] == nil })
}

// launchReproduction starts it, under an id made of the origin's if none was given.
func launchReproduction(ctx context.Context, c *connection, s store.Store, r host.Reproduction, o host.LaunchOptions) (started, error) {
	if o.ID != "" {
		return host.LaunchReproduction(ctx, c.client, s, r, o)
	}
	for n := 1; ; n++ {
		o.ID = r.Of.ID + "-again"
		if n > 1 {
			o.ID += fmt.Sprintf("-%d", n)
		}
		run, err := host.LaunchReproduction(ctx, c.client, s, r, o)
		var taken *host.TakenError
		if !errors.As(err, &taken) {
			return run, err
		}
	}
}

// called refuses names of actions that a run has no calls of.
func called(calls []*reproduce.Call, only []string) error {
	var names []string
	for _, c := range calls {
		name, _, _ := strings.Cut(c.Action, "@")
		names = append(names, name, c.Action)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range only {
		if slices.Contains(names, name) {
			continue
		}
		if near := schemas.Nearest(name, names); near != "" {
			return badUsage("--only %q: the run has no call of it; did you mean %q?", name, near)
		}
		return badUsage("--only %q: the run has no call of it; it has calls of %s", name, strings.Join(names, ", "))
	}
	return nil
}

// nothingAgain says why no call of a run can be executed again.
func nothingAgain(id string, left []reproduce.Left) error {
	why := "it has no calls"
	for _, l := range left {
		if !l.Idle {
			why = fmt.Sprintf("call %s: %s", l.Call, l.Why)
			break
		}
		why = fmt.Sprintf("call %s: %s", l.Call, l.Why)
	}
	return badUsage("nothing of run %q can be executed again: %s", id, why)
}

// ownActions are the actions in the user's folders that stand for those that a run pins:
// with the same formal schema, whatever carries them out.
func ownActions(run *record.Run, dirs []string) (map[string]*schemas.Bound, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	o := actionsOptions{actions: dirs}
	_, found, err := o.registry()
	if err != nil {
		return nil, err
	}
	own := map[string]*schemas.Bound{}
	for _, b := range found {
		for _, pin := range run.Actions {
			switch {
			case pin.Name+"@"+pin.Version != b.ID():
			case pin.Spec != b.Spec:
				return nil, badUsage("%s in %s has another formal schema than the one that the run pins: what they do can't be compared", b.ID(), strings.Join(dirs, ", "))
			default:
				own[b.ID()] = b
			}
		}
	}
	if len(own) == 0 {
		return nil, badUsage("no action of the run is in %s", strings.Join(dirs, ", "))
	}
	return own, nil
}

// environmentsOf compares environments that two stores keep.
func environmentsOf(recorded, now store.Store) reproduce.Environments {
	return func(ctx context.Context, was, is canon.Digest) ([]reproduce.Difference, error) {
		a, err1 := readEnvironment(ctx, recorded, was)
		b, err2 := readEnvironment(ctx, now, is)
		if errors.Is(cmp.Or(err1, err2), store.ErrNotFound) {
			return []reproduce.Difference{{Piece: "its record, which can't be read"}}, nil
		}
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		d, err := executor.Compare(a, b)
		if err != nil {
			return nil, err
		}
		var out []reproduce.Difference
		for _, x := range d.Identity {
			out = append(out, reproduce.Difference{Piece: x.Piece, Recorded: x.A, Now: x.B})
		}
		return out, nil
	}
}

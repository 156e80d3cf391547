package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/store"
	"rlam/provenance/bundle"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// forkOptions are the flags of fork.
type forkOptions struct {
	at      string
	planner string
	id      string
	store   string
	trust   bool
	changes change.Arguments
	carry   carryOptions
}

func newForkCommand(a *app) *cobra.Command {
	var o forkOptions
	c := &cobra.Command{
		Use: "fork RUN|FILE", Short: "Go on from any step of a run as a new run, changed or not",
		Long: `Go on from any step of a run, with or without changes, as a new run.

What the run did before that step is kept by digest: nothing of it is executed
again, and the run itself isn't touched, open or ended. A run can be forked any
number of times, and so can a fork.

--at N keeps the steps before N and asks the planner for step N anew. --at end
keeps all of them, to go on with a run that has ended. --set changes a call of a
step that has ended, and says by that where the fork begins:

  --set CALL/params/path=JSON   the call is judged and carried out with these
                                parameters; other calls of its step are kept,
                                unless they follow it
  --set CALL/output/path=JSON   the call's output is what you say. Nothing is
                                executed for it, and it is marked as yours

CALL is a call's id (2.1) or the planner's name of it, and path a JSON pointer.
With --planner recorded nobody is asked: the steps on record are gone through
once more with the changes, and only what a change reaches is carried out.

FILE is a bundle, which is imported first; --trust lets the programs run that it names.

A change that is impossible is refused before anything starts. Output and exit
codes are those of run.`,
		Example: `  starter fork @last --at 3
  starter fork mgh09-k7q2x --set 2.1/params/algorithm=levenberg-marquardt
  starter fork mgh09-k7q2x --at end --limits steps=40 \
    --instruct 'Check the fit with Nelder-Mead as well.'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runFork(c.Context(), a, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.at, "at", "", "`STEP` to fork at: the steps before it are kept; or end")
	addChangeFlags(c, &o.changes)
	f.StringVar(&o.planner, "planner", "live", "live: the planner is asked from there on; recorded: the steps on `RECORD` are gone through once more")
	f.StringVar(&o.id, "id", "", "the fork's `ID`; one is made from the run's by default")
	f.BoolVar(&o.trust, "trust", false, "of an imported run: run the programs that its bundle names")
	f.StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	o.carry.addFlags(c)
	return c
}

// addChangeFlags adds the one grammar of changes: see package change.
func addChangeFlags(c *cobra.Command, a *change.Arguments) {
	f := c.Flags()
	f.StringArrayVar(&a.Set, "set", nil, "`CALL/params/path=JSON` or CALL/output/path=JSON to change (repeatable)")
	f.StringArrayVar(&a.Inputs, "input", nil, "`NAME=FILE` with other data for an input (repeatable)")
	f.StringVar(&a.Model, "model", "", "`NAME` of the model to ask")
	f.StringVar(&a.Instruct, "instruct", "", "`TEXT` that the planner is told, as a person's")
	f.StringVar(&a.Seed, "seed", "", "the study's `SEED`")
	f.StringArrayVar(&a.Limits, "limits", nil, "`LIMIT=VALUE` of the study, such as steps=40 (repeatable)")
	f.StringVar(&a.Policy, "policy", "", "`FILE` with the policy that holds")
	f.StringArrayVar(&a.Drop, "drop", nil, "`ACTION` that may not be used any more (repeatable)")
}

func runFork(ctx context.Context, a *app, id string, o forkOptions) error {
	fork, err := o.read()
	if err != nil {
		return err
	}
	dir, err := a.storeDir(o.store)
	if err != nil {
		return err
	}
	if bundle.Is(id) {
		if id, err = a.takenIn(ctx, id, o.store); err != nil {
			return err
		}
	}
	c, err := a.reach(ctx)
	if err != nil {
		if err := a.tryFork(ctx, id, dir, fork, err); err != nil {
			return err
		}
		c, err = a.connect(ctx)
	}
	if err != nil {
		return err
	}
	defer c.close()
	origin, err := c.origin(ctx, id, dir)
	if err != nil {
		return err
	}
	fork.Head = origin.head
	if o.carry.taskQueue == "" && !o.carry.noWorker && foreign(origin.taskQueue, origin.dir) {
		o.carry.taskQueue = origin.taskQueue // what carries its actions out is there alone
	}
	launch := host.LaunchOptions{StoreDir: origin.dir, SearchAttributes: c.searchAttributes(ctx)}
	begun, err := c.forked(ctx, origin, fork, o.id)
	if err != nil {
		return refusal(err)
	}
	return c.carry(ctx, origin.store, origin.dir, o.carry, func(queue string) (started, error) {
		launch.TaskQueue = queue
		return host.LaunchFork(ctx, c.client, begun, launch)
	})
}

// tryFork refuses what can be refused of a fork without a server; unreached is why none
// tells of the run.
func (a *app) tryFork(ctx context.Context, id, storeDir string, o host.ForkOptions, unreached error) error {
	k, err := a.kept(ctx, id, storeDir)
	if err != nil {
		return err
	}
	if k == nil {
		return a.nowhere(ctx, id, storeDir, unreached)
	}
	from, err := k.origin(ctx, storeDir)
	if err != nil {
		return err
	}
	o.ID, o.Head, o.Trial = cmp.Or(o.ID, forkID(from.id)), from.head, true
	_, err = host.Fork(ctx, from.store, from.record, o)
	return refusal(err)
}

// read checks what can be checked of the flags alone, and that the files they name are there.
func (o *forkOptions) read() (host.ForkOptions, error) {
	f := host.ForkOptions{ID: o.id, Trust: host.Trust{Bundles: o.trust}}
	if strings.HasPrefix(o.id, "@") || len(o.id) > 200 {
		return f, badUsage("the id %q can't be used: it begins with @ or has more than 200 bytes", o.id)
	}
	switch o.planner {
	case "recorded":
		f.Recorded = true
	case "live":
	default:
		return f, badUsage("--planner %q: want live or recorded", o.planner)
	}
	switch n, err := strconv.Atoi(o.at); {
	case o.at == "":
	case o.at == "end":
		f.End = true
	case err != nil || n < 1:
		return f, badUsage("--at %q: want the number of a step, from 1, or end", o.at)
	default:
		f.At = n
	}
	var err error
	if f.Changes, err = change.Parse(o.changes); err != nil {
		return f, refusal(err)
	}
	for _, in := range f.Changes.Inputs {
		if err := namesFile("--input "+in.Name+"="+in.File, in.File); err != nil {
			return f, err
		}
	}
	if policy := f.Changes.Policy; policy != "" {
		return f, namesFile("--policy "+policy, policy)
	}
	return f, nil
}

// namesFile refuses a flag that names no file.
func namesFile(flag, file string) error {
	_, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return badUsage("%s: there is no file %q; name the one to take instead", flag, file)
	case err != nil:
		return badUsage("%s: %w", flag, err)
	}
	return nil
}

// refusal gives the errors of a change that can't be made their exit codes.
func refusal(err error) error {
	var argument *change.Error
	var impossible *host.ChangeError
	switch {
	case errors.As(err, &impossible) && impossible.Refused:
		return &codedError{exitRefused, err}
	case errors.As(err, &argument), errors.As(err, &impossible):
		return &codedError{exitUsage, err}
	}
	return err
}

// origin is a run that others are made from.
type origin struct {
	record, head   canon.Digest
	id             string
	dir, taskQueue string
	store          *store.Folder
}

// origin finds a run to fork: with the server, or else in the store, which may have it
// from a bundle.
func (c *connection) origin(ctx context.Context, id, storeDir string) (*origin, error) {
	l, err := c.locate(ctx, id, storeDir)
	var unknown *unknownRunError
	if errors.As(err, &unknown) {
		k, archiveErr := c.archived(ctx, id, storeDir)
		if archiveErr != nil || k == nil {
			return nil, cmp.Or(archiveErr, err)
		}
		return k.origin(ctx, storeDir)
	}
	if err != nil {
		return nil, err
	}
	s, err := l.store()
	if err != nil {
		return nil, err
	}
	account, err := c.follower(l.ID, s).Read(ctx, func(follow.Event) {})
	if err != nil {
		return nil, err
	}
	return &origin{record: l.Record, head: account.End.Head, id: l.ID, dir: l.StoreDir, taskQueue: l.TaskQueue, store: s}, nil
}

// origin is a run of which the store alone tells.
func (k *archive) origin(ctx context.Context, storeDir string) (*origin, error) {
	s, err := existingStore(storeDir)
	if err != nil {
		return nil, err
	}
	account, err := k.follower().Read(ctx, func(follow.Event) {})
	if err != nil {
		return nil, err
	}
	return &origin{record: k.Record, head: account.End.Head, id: k.ID, dir: storeDir, store: s}, nil
}

// forked puts a fork on record, under an id of its own if none is given.
func (c *connection) forked(ctx context.Context, from *origin, o host.ForkOptions, id string) (*host.Forked, error) {
	for o.ID = id; ; o.ID = "" {
		if o.ID == "" {
			o.ID = forkID(from.id)
		}
		switch err := host.Vacant(ctx, c.client, o.ID); {
		case err == nil:
			return host.Fork(ctx, from.store, from.record, o)
		case id != "" || !errors.As(err, new(*host.TakenError)):
			return nil, err
		}
	}
}

var forkSuffix = regexp.MustCompile(`-fork-[a-z2-7]{5}$`)

// forkID is an id for a fork that says what it is one of.
func forkID(origin string) string {
	base := forkSuffix.ReplaceAllString(origin, "")
	return fmt.Sprintf("%s-fork-%s", base[:min(len(base), 180)], strings.ToLower(rand.Text()[:5]))
}

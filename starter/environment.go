package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// environmentOptions are the flags of environment and environment diff.
type environmentOptions struct{ store string }

func newEnvironmentCommand(a *app) *cobra.Command {
	var o environmentOptions
	c := &cobra.Command{
		Use: "environment [RUN CALL[#ATTEMPT]]", Short: "Show where an attempt ran, or this machine; diff two of them",
		Long: `Show the environment of an attempt, or of this machine: its identity, which is what
can change a result, and its circumstances, which shouldn't.

CALL is a call's id, such as 2.1, and ATTEMPT counts its attempts from 1; the last
one if it is left out. Without arguments it is this machine, as a builtin action
would find it.`,
		Example: `  starter environment
  starter environment @last 2.1
  starter environment diff @last/2.1 here`,
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("run %q needs a call beside it, such as 1.1; starter show %s lists them", args[0], args[0])
			}
			return nil
		}),
		RunE: func(c *cobra.Command, args []string) error {
			side := here
			if len(args) == 2 {
				side = args[0] + "/" + args[1]
			}
			return runEnvironment(c.Context(), a, side, o)
		},
	}
	diff := &cobra.Command{
		Use: "diff A B", Short: "Say in what two environments differ",
		Long: `Say in what two environments differ: in their identities, which can change a
result, and in their circumstances.

A and B are RUN/CALL or RUN/CALL#ATTEMPT, the digest of an environment, or "here":
this machine, with the action of the other side looked up on it as an attempt
would find it now.

The exit code is 0 whether they differ or not; with --json, "same" says it.`,
		Example: `  starter environment diff relax-h2x7q/2.1 relax-w4k2p/2.1
  starter environment diff @last/2.1#1 here`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return runEnvironmentDiff(c.Context(), a, args[0], args[1], o)
		},
	}
	for _, c := range []*cobra.Command{c, diff} {
		c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	}
	c.AddCommand(diff)
	return c
}

// here is how people spell this machine.
const here = "here"

// placed is an environment and where it was found.
type placed struct {
	Side    string       `json:"side"` // as it was asked for
	Run     string       `json:"run,omitempty"`
	Call    string       `json:"call,omitempty"`
	Attempt int          `json:"attempt,omitempty"`
	Action  string       `json:"action,omitempty"`
	Digest  canon.Digest `json:"digest"`
	executor.Env

	task  *executor.Task // what an attempt's action would run; nil where that isn't known
	blobs executor.Blobs // where its scripts lie
}

func (placed) MessageType() string { return "environment" }

// environmentDiff is what tells two environments apart.
type environmentDiff struct {
	A    placed `json:"a"`
	B    placed `json:"b"`
	Same bool   `json:"same"` // the identities are
	executor.Differences
}

func (environmentDiff) MessageType() string { return "environment_diff" }

func runEnvironment(ctx context.Context, a *app, side string, o environmentOptions) error {
	e := &environments{app: a, store: o.store}
	defer e.close()
	p, err := e.find(ctx, side, nil)
	if err != nil {
		return err
	}
	a.printer.Print(*p)
	return nil
}

func runEnvironmentDiff(ctx context.Context, a *app, one, other string, o environmentOptions) error {
	e := &environments{app: a, store: o.store}
	defer e.close()
	var sides [2]*placed
	asked := [2]string{one, other}
	var err error
	for _, i := range order(asked) {
		if sides[i], err = e.find(ctx, asked[i], sides[1-i]); err != nil {
			return err
		}
	}
	d, err := executor.Compare(sides[0].Env, sides[1].Env)
	if err != nil {
		return err
	}
	a.printer.Print(environmentDiff{A: *sides[0], B: *sides[1], Same: d.Same(), Differences: d})
	return nil
}

// order puts this machine last: what to look up on it follows from the other side.
func order(sides [2]string) []int {
	if sides[0] == here {
		return []int{1, 0}
	}
	return []int{0, 1}
}

// environments finds environments. It connects to a server when a run is asked for.
type environments struct {
	*app
	store string
	conn  *connection
}

func (e *environments) close() {
	if e.conn != nil {
		e.conn.close()
	}
}

// find is one side: an attempt, an environment by its digest, or this machine, with the
// action of the other side.
func (e *environments) find(ctx context.Context, side string, other *placed) (*placed, error) {
	if side == here {
		return e.machine(ctx, other)
	}
	dir, err := e.storeDir(e.store)
	if err != nil {
		return nil, err
	}
	if d, err := canon.Parse(side); err == nil {
		s, err := existingStore(dir)
		if err != nil {
			return nil, err
		}
		p := &placed{Side: side, Digest: d}
		p.Env, err = readEnvironment(ctx, s, d)
		if err == nil && p.Identity.Worker != nil {
			p.task, p.blobs = &executor.Task{}, s
		}
		return p, err
	}
	run, call, n, err := parseSide(side)
	if err != nil {
		return nil, err
	}
	if e.conn == nil {
		if e.conn, err = e.connect(ctx); err != nil {
			return nil, err
		}
	}
	l, err := e.conn.locate(ctx, run, dir)
	if err != nil {
		return nil, err
	}
	return e.attempt(ctx, l, call, n, side)
}

// parseSide reads RUN/CALL or RUN/CALL#ATTEMPT; n is 0 for the last attempt.
func parseSide(side string) (run, call string, n int, err error) {
	i := strings.LastIndexByte(side, '/')
	if i < 1 || i == len(side)-1 {
		return "", "", 0, badUsage("%q is no environment: want RUN/CALL, RUN/CALL#ATTEMPT, the digest of an environment, or %q", side, here)
	}
	run = side[:i]
	call, attempt, numbered := strings.Cut(side[i+1:], "#")
	if numbered {
		if n, err = strconv.Atoi(attempt); err != nil || n < 1 {
			return "", "", 0, badUsage("%q in %q is no attempt: they are numbered from 1", attempt, side)
		}
	}
	return run, call, n, nil
}

// attempt is the environment of a call's attempt n, or of its last one.
func (e *environments) attempt(ctx context.Context, l *located, id string, n int, side string) (*placed, error) {
	s, err := l.store()
	if err != nil {
		return nil, err
	}
	number, _, _ := strings.Cut(id, ".")
	step, err := strconv.Atoi(number)
	if err != nil {
		return nil, badUsage("%q in %q is no call's id: want one such as 2.1", id, side)
	}
	account, err := e.conn.follower(l.ID, s).Read(ctx, func(follow.Event) {})
	if err != nil {
		return nil, err
	}
	found, err := follow.Contents{Store: s}.Step(ctx, l.Record, account.End.Head, step)
	var none *follow.NoStepError
	if errors.As(err, &none) {
		return nil, &codedError{exitNotFound, err}
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found.Calls, func(c follow.StepCall) bool { return c.ID == id || c.Name == id })
	if i < 0 {
		return nil, notFound("run %q has no call %q", l.ID, id)
	}
	call := found.Calls[i]
	at, err := attemptOf(call, n)
	if err != nil {
		return nil, err
	}
	p := &placed{Side: side, Run: l.ID, Call: id, Attempt: at.N, Action: call.Action, Digest: at.Environment}
	if p.Env, err = readEnvironment(ctx, s, at.Environment); err != nil {
		return nil, err
	}
	study, bound, err := pinnedAction(ctx, s, l.Record, call.Action)
	if err != nil {
		return nil, err
	}
	chosen, err := host.ReadWalls(e.getenv).Choose(s, bound)
	if err != nil {
		return nil, err
	}
	if chosen == nil {
		chosen = bound // nothing here carries it out: what is missing is said of the preferred one
	}
	task := executor.NewTask(chosen, study.Isolation)
	p.task, p.blobs = &task, s
	return p, nil
}

// attemptOf is attempt n of a call, or its last with an environment.
func attemptOf(call follow.StepCall, n int) (follow.StepAttempt, error) {
	for i := len(call.Attempts) - 1; i >= 0; i-- {
		at := call.Attempts[i]
		switch {
		case n != 0 && at.N != n:
		case !at.Environment.IsZero():
			return at, nil
		case n != 0:
			return at, notFound("attempt %d of call %s was lost before its environment was on record", n, call.ID)
		}
	}
	if n != 0 {
		return follow.StepAttempt{}, notFound("call %s has no attempt %d, but %s on record", call.ID, n, count(len(call.Attempts), "attempt"))
	}
	return follow.StepAttempt{}, notFound("call %s has no attempt on record with an environment; it is %s", call.ID, call.Status)
}

func notFound(format string, args ...any) error {
	return &codedError{exitNotFound, fmt.Errorf(format, args...)}
}

// machine is this one, as an attempt of the other side's action would find it.
func (e *environments) machine(ctx context.Context, other *placed) (*placed, error) {
	task := &executor.Task{}
	p := &placed{Side: here, blobs: &executor.Memory{}}
	if other != nil && other.Side != here {
		if task, p.blobs = other.task, other.blobs; task == nil {
			return nil, badUsage("%s says what ran, and not which action: compare an attempt, RUN/CALL, with %q", other.Side, here)
		}
		p.Action = other.Action
	}
	var err error
	if p.Env, err = host.ReadWalls(e.getenv).Environment(ctx, p.blobs, *task); err != nil {
		return nil, fmt.Errorf("looking up on this machine what %q runs: %w", p.Action, err)
	}
	p.Digest, _, err = canon.Of(p.Env)
	return p, err
}

// readEnvironment reads an environment that is on record.
func readEnvironment(ctx context.Context, s store.Store, d canon.Digest) (executor.Env, error) {
	var e executor.Env
	b, err := store.Read(ctx, s, d, record.MaxContent)
	if errors.Is(err, store.ErrNotFound) {
		return e, notFound("there is no environment %s in the store", d)
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil || e.Identity.OS == "" {
		return e, badUsage("%s is no environment's digest; show RUN --step N names those of attempts", d)
	}
	return e, nil
}

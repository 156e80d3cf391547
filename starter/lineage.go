package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/provenance/export"
	"rlam/provenance/export/dot"
	"rlam/provenance/graph"
	"rlam/provenance/lineage"
	"rlam/schemas"
)

// lineageOptions are the flags of lineage.
type lineageOptions struct {
	store    string
	up, down bool
	dot      bool
}

func newLineageCommand(a *app) *cobra.Command {
	var o lineageOptions
	c := &cobra.Command{
		Use: "lineage RUN TARGET", Short: "What something of a run came from, or what came of it",
		Long: `Say what something of a run came from, or with --down, what came of it.

TARGET is one of
  result, result/PATH    the result, or a part of it
  4.1, 4.1#2             a call, or one of its attempts
  4.1/fit.png            an artifact of a call
  4.1/output/PATH        a part of what a call gave
  4.1/params/PATH        a part of what it got
  fit.png, NAME          an artifact or an input, if only one has the name
  sha256:…               what has the digest, or one that begins so

It follows what is on record: references and digests. Where the planner typed a value
instead of referring to one, that is said, and the trail ends. It goes on in other
runs, those that inputs came from, and with --down those of the store that took
something from this one.`,
		Example: "  starter lineage @last result\n  starter lineage @last data --down\n  starter lineage @last plot.png --dot | dot -Tsvg > plot.lineage.svg",
		Args:    cobra.ExactArgs(2),
		RunE:    func(c *cobra.Command, args []string) error { return runLineage(c.Context(), a, args[0], args[1], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().BoolVar(&o.up, "up", false, "what it came from; so it is without a flag")
	c.Flags().BoolVar(&o.down, "down", false, "what came of it")
	c.Flags().BoolVar(&o.dot, "dot", false, "print a graph for Graphviz")
	c.MarkFlagsMutuallyExclusive("up", "down")
	return c
}

// lineageMessage is where something came from, or what came of it.
type lineageMessage struct {
	Run       string            `json:"run"`
	Target    string            `json:"target"`
	Direction lineage.Direction `json:"direction"`
	Lineage   *lineage.Item     `json:"lineage"`
}

func (lineageMessage) MessageType() string { return "lineage" }

func runLineage(ctx context.Context, a *app, id, target string, o lineageOptions) error {
	e, err := a.gather(ctx, id, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	w := kin{app: a, store: o.store, world: lineage.World{}}
	run := w.add(ctx, e)
	t, err := run.Find(target)
	if err != nil {
		return noTarget(target, err)
	}
	m := lineageMessage{Run: e.Trace.ID, Target: target, Direction: lineage.Up}
	if o.down {
		m.Direction = lineage.Down
		err = w.descendants(ctx)
	} else {
		err = w.ancestors(ctx, e)
	}
	if err != nil {
		return err
	}
	m.Lineage = w.world.Follow(t, m.Direction)
	if o.dot {
		return dot.Graph(a.stdout, "lineage of "+target+" of "+m.Run, m.Lineage.Graph(m.Direction))
	}
	a.printer.Print(m)
	return nil
}

// noTarget is the error of a target that means nothing, or too much.
func noTarget(target string, err error) error {
	var unknown *lineage.UnknownError
	var ambiguous *lineage.AmbiguousError
	switch {
	case errors.As(err, &unknown):
		if near := schemas.Nearest(target, unknown.Known); near != "" {
			return &codedError{exitNotFound, fmt.Errorf("%w; did you mean %q?", err, near)}
		}
		return &codedError{exitNotFound, fmt.Errorf("%w; it has %s", err, strings.Join(unknown.Known, ", "))}
	case errors.As(err, &ambiguous):
		return badUsage("%w", err)
	}
	return err
}

// kin brings together runs that feed each other.
type kin struct {
	app   *app
	store string // the value of --store
	world lineage.World
}

// add puts a run into the world.
func (k *kin) add(ctx context.Context, e *evidence) *lineage.Run {
	r := &lineage.Run{ID: e.Trace.ID, Record: e.Trace.Record, Graph: e.Trace.Graph, Value: func(d canon.Digest) json.RawMessage {
		c, err := e.Content(ctx, d)
		if err != nil || c.State != export.Present {
			return nil
		}
		return c.Value
	}}
	k.world[r.Record] = r
	return r
}

// ancestors gathers the runs that a run's inputs came from, and theirs.
func (k *kin) ancestors(ctx context.Context, e *evidence) error {
	for todo := []*evidence{e}; len(todo) > 0; todo = todo[1:] {
		for _, from := range origins(todo[0].Trace.Graph) {
			if k.world[from.Digest] != nil {
				continue
			}
			other, err := k.gather(ctx, from.Name, from.Digest)
			if err != nil {
				return err
			}
			if other != nil {
				todo = append(todo, other)
			}
		}
	}
	return nil
}

// origins are the runs that inputs of a graph came from.
func origins(g *graph.Graph) []*graph.Node {
	var out []*graph.Node
	for _, e := range g.Edges {
		if e.Kind == graph.Generated && g.Node(e.To).Role == "elsewhere" {
			out = append(out, g.Node(e.From))
		}
	}
	return out
}

// descendants gathers the runs of the store that took something from a run of the world,
// and those that took something from them.
func (k *kin) descendants(ctx context.Context) error {
	dir, err := k.app.storeDir(k.store)
	if err != nil {
		return err
	}
	listed, err := listRuns(ctx, dir)
	if err != nil {
		return err
	}
	for grown := true; grown; {
		grown = false
		for _, r := range listed {
			if k.world[r.Digest] != nil {
				continue
			}
			for _, in := range r.Record.Inputs {
				if in.From == nil || k.world[in.From.Run] == nil {
					continue
				}
				other, err := k.gather(ctx, r.Record.ID, r.Digest)
				if err != nil {
					return err
				}
				grown = grown || other != nil
				break
			}
		}
	}
	return nil
}

// gather adds a run that another is kin of; nil if it isn't to be had.
func (k *kin) gather(ctx context.Context, id string, record canon.Digest) (*evidence, error) {
	e, err := k.app.gather(ctx, id, gatherOptions{store: k.store})
	switch {
	case ctx.Err() != nil:
		return nil, err
	case err != nil:
		k.app.notef("Going on without run %s: %v", id, err)
		return nil, nil
	case e.Trace.Record != record:
		k.app.notef("Going on without run %s: the one that has this id now is another.", id)
		return nil, nil
	}
	k.add(ctx, e)
	return e, nil
}

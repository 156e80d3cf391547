// Package ancestry says how the runs of a store come from each other: which run a fork
// continues and from which step on, and which run a reproduction executed again. It reads
// run records and the chains they stand on, and nothing else.
package ancestry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// Run is a run that a store lists.
type Run struct {
	Digest canon.Digest // of its record
	Record *record.Run
}

// How says how a run comes from the one above it.
type How string

// The ways to come from another run.
const (
	Root         How = ""             // it doesn't, as far as the store knows
	Fork         How = "fork"         // it shares a beginning with it
	Reproduction How = "reproduction" // it executed its calls again
)

// Node is a run of a tree.
type Node struct {
	Run
	How      How
	Step     int             // of a fork: the last step that both have; 0 is none
	Changes  json.RawMessage // of a fork: in what it departs
	Missing  canon.Digest    // of what no run in the store leads to: the record it comes from
	Children []*Node         // in the order in which they were begun
}

// Tree is the tree that a run is in, from its oldest ancestor in the store. Its error is
// of a run that isn't among runs, or of a store that can't be read.
func Tree(ctx context.Context, s store.Store, runs []Run, asked canon.Digest) (*Node, error) {
	nodes := map[canon.Digest]*Node{}
	for _, r := range runs {
		nodes[r.Digest] = &Node{Run: r}
	}
	if nodes[asked] == nil {
		return nil, fmt.Errorf("looking for the ancestors of run %s: the store doesn't list it", asked)
	}
	parents := map[canon.Digest]canon.Digest{}
	for _, n := range nodes {
		above, err := n.origin(ctx, s)
		if err != nil {
			return nil, err
		}
		if above.IsZero() {
			continue
		}
		if nodes[above] == nil {
			n.Missing = above
			continue
		}
		parents[n.Digest] = above
		nodes[above].Children = append(nodes[above].Children, n)
	}
	for _, n := range nodes {
		slices.SortFunc(n.Children, func(a, b *Node) int {
			return compare(a.Record, b.Record)
		})
	}
	root := asked
	for seen := map[canon.Digest]bool{}; !seen[root]; { // digests can't go round; what was put in by hand might
		seen[root] = true
		if above, ok := parents[root]; ok {
			root = above
		}
	}
	return nodes[root], nil
}

func compare(a, b *record.Run) int {
	switch {
	case a.Started != b.Started && a.Started < b.Started, a.Started == b.Started && a.ID < b.ID:
		return -1
	case a.ID == b.ID && a.Started == b.Started:
		return 0
	}
	return 1
}

// origin finds the run that a run comes from, and how. Zero is none.
func (n *Node) origin(ctx context.Context, s store.Store) (canon.Digest, error) {
	if of := n.Record.Reproduces; of != nil {
		n.How = Reproduction
		return of.Run, nil
	}
	if n.Record.Parent.IsZero() {
		return canon.Digest{}, nil
	}
	n.How = Fork
	if raw, err := json.Marshal(n.Record.Changes); err == nil && string(raw) != "null" {
		n.Changes = raw
	}
	for d := n.Record.Parent; ; {
		rec, err := record.LoadAny(ctx, s, d)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return d, nil
		case err != nil:
			return canon.Digest{}, fmt.Errorf("looking for the run that %q continues: %w", n.Record.ID, err)
		}
		switch rec := rec.(type) {
		case *record.Run:
			return d, nil
		case *record.Step:
			n.Step = max(n.Step, rec.Index)
		}
		if d = record.Parent(rec); d.IsZero() {
			return canon.Digest{}, nil
		}
	}
}

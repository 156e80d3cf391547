package attest

import (
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"rlam/internal/canon"
)

// Tree is a Merkle tree (RFC 6962) over the events of one history, fed one leaf at a
// time. It keeps one hash for each level, whatever the number of leaves.
type Tree struct {
	leaves int64
	stack  []tlog.Hash // of the complete subtrees, the largest first
}

// Add appends a leaf: what history.Leaf gives of the next event.
func (t *Tree) Add(leaf []byte) {
	h := tlog.RecordHash(leaf)
	for n := t.leaves; n&1 == 1; n >>= 1 {
		last := len(t.stack) - 1
		h, t.stack = tlog.NodeHash(t.stack[last], h), t.stack[:last]
	}
	t.stack = append(t.stack, h)
	t.leaves++
}

// Leaves is how many there are.
func (t *Tree) Leaves() int64 { return t.leaves }

// Root is the tree's hash. Of no leaves it is the SHA-256 of nothing.
func (t *Tree) Root() canon.Digest {
	if t.leaves == 0 {
		return canon.Sum(nil)
	}
	last := len(t.stack) - 1
	h := t.stack[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(t.stack[i], h)
	}
	return canon.Digest(h)
}

// Root is the Merkle root over leaves, and how many there are.
func Root(leaves iter.Seq2[[]byte, error]) (root canon.Digest, n int64, err error) {
	var t Tree
	for leaf, err := range leaves {
		if err != nil {
			return canon.Digest{}, 0, err
		}
		t.Add(leaf)
	}
	return t.Root(), t.Leaves(), nil
}

// Proof shows that one event is in a history whose root is known, without the others.
// Its hashes are the siblings on the way from the leaf to the root, the nearest first
// (RFC 6962, section 2.1.1).
type Proof struct {
	Run    string         `json:"run_id"` // of Temporal
	Event  int64          `json:"event"`  // its id, from 1: leaf Event-1
	Events int64          `json:"events"` // that the history has
	Root   canon.Digest   `json:"root"`
	Hashes []canon.Digest `json:"hashes"`
}

// Prove makes the proof for one event of a history.
func Prove(runID string, event int64, leaves iter.Seq2[[]byte, error]) (Proof, error) {
	var hashes []tlog.Hash // as tlog stores them
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, 0, len(at))
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var t Tree
	for leaf, err := range leaves {
		if err != nil {
			return Proof{}, fmt.Errorf("proving event %d: %w", event, err)
		}
		stored, err := tlog.StoredHashes(t.leaves, leaf, reader)
		if err != nil {
			return Proof{}, fmt.Errorf("proving event %d: %w", event, err)
		}
		hashes = append(hashes, stored...)
		t.Add(leaf)
	}
	if event < 1 || event > t.leaves {
		return Proof{}, fmt.Errorf("proving event %d: the history has events 1 to %d", event, t.leaves)
	}
	path, err := tlog.ProveRecord(t.leaves, event-1, reader)
	if err != nil {
		return Proof{}, fmt.Errorf("proving event %d: %w", event, err)
	}
	p := Proof{Run: runID, Event: event, Events: t.leaves, Root: t.Root(), Hashes: []canon.Digest{}}
	for _, h := range path {
		p.Hashes = append(p.Hashes, canon.Digest(h))
	}
	return p, nil
}

// Check says whether leaf is the event that the proof is of. The proof's root must be
// held against one that was signed: see [Facts].
func (p Proof) Check(leaf []byte) error {
	path := make(tlog.RecordProof, 0, len(p.Hashes))
	for _, h := range p.Hashes {
		path = append(path, tlog.Hash(h))
	}
	if p.Event < 1 || p.Event > p.Events {
		return fmt.Errorf("checking the proof of event %d: the history has events 1 to %d", p.Event, p.Events)
	}
	if err := tlog.CheckRecord(path, p.Events, tlog.Hash(p.Root), p.Event-1, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("checking the proof of event %d against the root %s: %w", p.Event, p.Root, err)
	}
	return nil
}

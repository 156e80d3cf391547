// Package lineage answers two questions of trace graphs: what did this come from, and what
// came of it? It follows data edges alone, which rest on recorded references and digests,
// and goes on in the graph of another run where data came from there.
//
// Where it ends, it says why: an input, a value that a planner typed, a run that isn't at
// hand. It is a pure function of graphs, and of contents where they can be read.
package lineage

import (
	"encoding/json"

	"rlam/internal/canon"
	"rlam/provenance/graph"
)

// Direction is which question is asked.
type Direction string

// The questions.
const (
	Up   Direction = "up"   // what something came from
	Down Direction = "down" // what came of it
)

// Run is a run whose graph can be followed.
type Run struct {
	ID     string
	Record canon.Digest
	Graph  *graph.Graph
	// Value reads a content: nil where it can't be read. Without it, what a planner typed
	// isn't told from what nobody knows of.
	Value func(canon.Digest) json.RawMessage

	index *index
}

// World is the runs at hand, by the digest of their record.
type World map[canon.Digest]*Run

// Item is one thing of a lineage: a datum, or a call of which one asked.
type Item struct {
	Run    string       `json:"run"` // its workflow ID
	ID     string       `json:"id"`  // of its node
	Kind   graph.Kind   `json:"kind"`
	Name   string       `json:"name,omitempty"`
	Digest canon.Digest `json:"digest,omitzero"`
	Size   int64        `json:"size,omitempty"`
	Source string       `json:"source,omitempty"` // of an input: where it comes from
	// At is where it stands in the item above, or, downwards, where in the parameters of By
	// it came to stand; Pointer is the part of it that was taken.
	At      string `json:"at,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	// Through says that a planner typed it instead of referring to it.
	Through string          `json:"through,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"` // the part that was taken, where it can be read and is short
	By      *Process        `json:"by,omitempty"`    // what made it, or is it; downwards, what used it
	Of      []*Item         `json:"of,omitempty"`    // what it came from, or what came of it
	Typed   []Typed         `json:"typed,omitempty"` // the parts of it, or of By's parameters, that a planner typed
	// Edited are pointers to what a person put there, in place of what was computed or proposed.
	Edited []string `json:"edited,omitempty"`
	Again  bool     `json:"again,omitempty"`  // it stands with all that belongs to it earlier in the tree
	Absent bool     `json:"absent,omitempty"` // it belongs to a run that isn't at hand
}

// Process is a call with the attempt that counts, or a planner's turn.
type Process struct {
	Call        string         `json:"call,omitempty"`
	Action      string         `json:"action,omitempty"`
	Attempt     string         `json:"attempt,omitempty"` // id of its node
	Status      string         `json:"status,omitempty"`
	Failure     *graph.Failure `json:"failure,omitempty"`
	Before      []string       `json:"before,omitempty"` // attempts before it, and how they failed
	Spec        canon.Digest   `json:"spec,omitzero"`
	Binding     canon.Digest   `json:"binding,omitzero"`
	Environment canon.Digest   `json:"environment,omitzero"`
	Isolation   string         `json:"isolation,omitempty"`
	Seed        *uint64        `json:"seed,omitempty"`
	Reused      string         `json:"reused,omitempty"` // node of the attempt, or run, whose outcome answered it
	Worker      string         `json:"worker,omitempty"`
	Turn        *Turn          `json:"turn,omitempty"`  // that proposed it
	Again       bool           `json:"again,omitempty"` // it stands earlier in the tree, with what it was given
}

// Turn is a planner's turn.
type Turn struct {
	Step   int          `json:"step"`
	Model  string       `json:"model,omitempty"` // none of a plan
	Prompt canon.Digest `json:"prompt,omitzero"`
	Answer canon.Digest `json:"answer,omitzero"`
}

// Typed is a value that refers to nothing: a planner chose it.
type Typed struct {
	At    string          `json:"at"`
	Value json.RawMessage `json:"value"`
}

// mostValue is how long a value may be to be told, in bytes.
const mostValue = 2048

// Follow answers the question for a target.
func (w World) Follow(t Target, d Direction) *Item {
	f := &follower{w: w, seen: map[string]bool{}}
	if d == Down {
		return f.down(t.Run, t.Node, t.Pointer)
	}
	return f.up(t.Run, t.Node, t.Pointer)
}

// follower makes one tree.
type follower struct {
	w    World
	seen map[string]bool // what stands in it with all that belongs to it
}

// item is a datum or a call as it stands in the tree.
func (f *follower) item(r *Run, n *graph.Node, pointer string) *Item {
	i := &Item{Run: r.ID, ID: n.ID, Kind: n.Kind, Name: n.Name, Digest: n.Digest, Size: n.Size, Source: n.Source, Pointer: pointer, Edited: n.Edited}
	if n.Kind == graph.Value && r.Value != nil && n.Role != "elsewhere" {
		if v, ok := at(r.Value(n.Digest), pointer); ok && len(v) <= mostValue {
			i.Value = v
		}
	}
	return i
}

// again notes that a thing now stands in the tree; it says whether it did before.
func (f *follower) again(r *Run, n *graph.Node, pointer string) bool {
	key := r.Record.String() + " " + n.ID + " " + pointer
	if f.seen[key] {
		return true
	}
	f.seen[key] = true
	return false
}

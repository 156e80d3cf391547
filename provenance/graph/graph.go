// Package graph is the trace graph of runs: what was done, by whom, from what, and
// why. It is plain data: it knows no Temporal, no store and no file. Package
// provenance builds one, and cross-checks what it is built from.
//
// An edge reads as a sentence, "From KIND To": an attempt used a value, an attempt
// generated an artifact, a planner's turn informed a call. Three kinds of edges carry
// data: used, generated and derived. They are derived from digests and recorded
// references and never from what somebody says, and they have no cycle: a value that
// an attempt made is a node of that attempt, also where another attempt made the same
// bytes. All other kinds say who knew of what, and who acted.
package graph

import (
	"fmt"

	"rlam/internal/canon"
)

// Kind tells nodes apart.
type Kind string

// The kinds of nodes.
const (
	Run         Kind = "run"         // one Temporal run, or another run that this one knows of
	Step        Kind = "step"        // one turn of the planner with what came of it; of a workflow that isn't R-LAM's, one of its tasks
	Plan        Kind = "plan"        // an attempt at a planner's turn
	Call        Kind = "call"        // a proposed use of an action, or of handing in the result
	Verdict     Kind = "verdict"     // what one gate said of one call
	Approval    Kind = "approval"    // what a person said of one call
	Attempt     Kind = "attempt"     // one execution of a call, or of an activity
	Value       Kind = "value"       // parameters, an output, a prompt, an answer, the result
	Artifact    Kind = "artifact"    // bytes with a name, from outside or made by an attempt
	Agent       Kind = "agent"       // a person, model, worker or engine
	Environment Kind = "environment" // where attempts ran
)

// EdgeKind tells edges apart.
type EdgeKind string

// The kinds of edges.
const (
	Used      EdgeKind = "used"      // an attempt, turn or call, and the value, artifact or environment it had
	Generated EdgeKind = "generated" // an attempt or turn, and the value or artifact it made
	Derived   EdgeKind = "derived"   // a value or artifact, and the one it was taken from by reference or digest

	Informed  EdgeKind = "informed"  // what came before, and what knew of it
	Retried   EdgeKind = "retried"   // an attempt, and the one before it
	Recovered EdgeKind = "recovered" // a planner's turn that went on, and the failed attempt it had been told of
	Adopted   EdgeKind = "adopted"   // an attempt, and the earlier one that began the execution whose outcome it reported
	Reused    EdgeKind = "reused"    // an attempt, and the one whose outcome answered it
	Forked    EdgeKind = "forked"    // a run, and the run it shares a beginning with
	Reset     EdgeKind = "reset"     // a run, and the run it went back from
	Continued EdgeKind = "continued" // a run, and the run it goes on from

	AssociatedWith  EdgeKind = "associatedWith"  // what was done, and who did it
	ActedOnBehalfOf EdgeKind = "actedOnBehalfOf" // an agent, and the agent it acted for
)

// Data says whether the edge carries data.
func (k EdgeKind) Data() bool { return k == Used || k == Generated || k == Derived }

// Node is one thing of a graph. Members that its kind has no use for are empty.
type Node struct {
	ID      string       `json:"id"`
	Kind    Kind         `json:"kind"`
	Name    string       `json:"name,omitempty"`    // for people: an action, a gate, a file
	Digest  canon.Digest `json:"digest,omitzero"`   // of the record, content or bytes
	Step    int          `json:"step,omitempty"`    // number of the step it belongs to
	Call    string       `json:"call,omitempty"`    // id of the call it belongs to
	N       int          `json:"n,omitempty"`       // of an attempt or turn: its number
	Status  string       `json:"status,omitempty"`  // how it ended, what was decided
	Started string       `json:"started,omitempty"` // RFC 3339
	Ended   string       `json:"ended,omitempty"`
	Event   int64        `json:"event,omitempty"` // id of the history event that scheduled it
	Run     string       `json:"run,omitempty"`   // the Temporal run of that event

	Execution int      `json:"execution,omitempty"` // of an attempt or turn: its number in the journal
	Intent    string   `json:"intent,omitempty"`    // id of that execution's intent
	Failure   *Failure `json:"failure,omitempty"`

	Spec      canon.Digest `json:"spec,omitzero"`    // of a call: the action's formal schema
	Binding   canon.Digest `json:"binding,omitzero"` // of a call: what carries it out
	Seed      *uint64      `json:"seed,omitempty"`   // of a call of a seeded action
	Isolation string       `json:"isolation,omitempty"`
	Model     string       `json:"model,omitempty"`   // of a turn: the model that answered
	Asked     string       `json:"asked,omitempty"`   // of a turn: the model that was asked
	Version   int          `json:"version,omitempty"` // of a verdict: the gate's
	Rule      string       `json:"rule,omitempty"`
	MediaType string       `json:"media_type,omitempty"`
	Size      int64        `json:"size,omitempty"`   // bytes
	Role      string       `json:"role,omitempty"`   // of a value: params, output, prompt, …; of an agent: person, model, …
	Source    string       `json:"source,omitempty"` // of an artifact from outside: where it comes from

	// Origin is the record of the run that the node belongs to, of what a fork keeps of it.
	Origin canon.Digest `json:"origin,omitzero"`
	// Edited are JSON pointers to what a person put into parameters or an output, in place
	// of what was proposed or computed; "" is the whole.
	Edited []string `json:"edited,omitempty"`
}

// Failure is how an attempt or turn failed.
type Failure struct {
	Type    string       `json:"type"`
	Message string       `json:"message,omitempty"`
	Detail  canon.Digest `json:"detail,omitzero"`
	// Told says that the history has an event of the failure; Kept, that what there is to
	// know of it besides can be read: its detail, or of a loss the worker and the time.
	Told bool `json:"told,omitempty"`
	Kept bool `json:"kept,omitempty"`
}

// Edge joins two nodes, by their ids.
type Edge struct {
	Kind    EdgeKind `json:"kind"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	At      string   `json:"at,omitempty"`      // of derived: a JSON pointer into From
	Pointer string   `json:"pointer,omitempty"` // of derived: a JSON pointer into To
	// Through says that the datum went through an agent that could have changed it:
	// "planner" of a handle or value that a planner typed instead of referring to it.
	Through string `json:"through,omitempty"`
}

// Finding is something on which what tells of a run doesn't agree, or that is missing.
type Finding struct {
	Name    string `json:"name"`            // stable: see docs/trace-format.md
	Subject string `json:"subject"`         // the node's id, or what else it is about
	Event   int64  `json:"event,omitempty"` // of the history
	What    string `json:"what"`
}

func (f Finding) String() string {
	if f.Event > 0 {
		return fmt.Sprintf("%s: %s (event %d): %s", f.Name, f.Subject, f.Event, f.What)
	}
	return fmt.Sprintf("%s: %s: %s", f.Name, f.Subject, f.What)
}

// Graph is nodes and edges, each in the order in which they were added. The zero value
// is empty.
type Graph struct {
	Nodes []*Node
	Edges []Edge

	byID map[string]*Node
}

// Add puts a node in, or returns the one that has its ID already.
func (g *Graph) Add(n Node) *Node {
	if old := g.byID[n.ID]; old != nil {
		return old
	}
	if g.byID == nil {
		g.byID = map[string]*Node{}
	}
	g.byID[n.ID] = &n
	g.Nodes = append(g.Nodes, &n)
	return &n
}

// Node is the node with an ID; nil if there is none.
func (g *Graph) Node(id string) *Node { return g.byID[id] }

// Join adds an edge between two nodes that are there. An edge from or to nothing is a
// mistake of who builds, and is left out.
func (g *Graph) Join(kind EdgeKind, from, to *Node) *Edge {
	if from == nil || to == nil {
		return &Edge{}
	}
	g.Edges = append(g.Edges, Edge{Kind: kind, From: from.ID, To: to.ID})
	return &g.Edges[len(g.Edges)-1]
}

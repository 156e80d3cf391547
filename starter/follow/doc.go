// Package follow tells what happens in a run, from its Temporal history.
//
// A [Follower] reads the history of a run, live or not, across continue-as-new
// and resets, and hands out one [Event] for each thing that a person or a program
// would want to know of: what the planner proposed, what the gates said, each
// attempt with its outcome, each wait, and the end with what it cost.
//
// The history is the authority on what happened. What a history names only by
// digest (parameters, reasons, outputs, artifacts) is read from the run's store by
// a [Contents]; where the store can't be reached, the previews in the history stand
// in for it, and a [Notice] says so.
//
// Each event is also a message in JSON: its members are the fields below, and
// message_type is what MessageType returns. The package writes nothing, neither to
// the server nor to the store.
package follow

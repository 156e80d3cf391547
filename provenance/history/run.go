package history

import (
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/graph"
	"rlam/schemas"
	"rlam/workflows"
)

// Run is what the history of one Temporal run tells.
type Run struct {
	WorkflowID string
	RunID      string
	Type       string // of the workflow
	Study      bool   // it is a run of a study: what follows it is known
	Starter    string // identity of who started it

	Record canon.Digest  // of a study: the run's record
	Base   canon.Digest  // of a study: the head that it was started with
	Head   canon.Digest  // of a study: what the last activity that appends to the chain returned
	Status record.Status // of a study that was sealed: as its closing event says
	Sealed canon.Digest  // of a study that was sealed: the head its closing event names

	Before   string   // the Temporal run that it continues
	Next     string   // the one that it continued as
	Bases    []string // those that a reset went back from, the newest last
	Parent   string   // workflow ID of its parent
	Children []Child

	Started, Closed time.Time // a reset copies when the run was started
	Newest          time.Time // of the last event
	Ended           string    // how Temporal closed it: completed, failed, cancelled, terminated, timed out, continued as new; "" while it is open
	Events          int64
	Last            int64 // id of the last event

	Activities []*Activity
	Tasks      []Task
	Findings   []graph.Finding
}

// Bare is what a run's history tells, without its activities and tasks.
func (r *Run) Bare() *Run {
	bare := *r
	bare.Activities, bare.Tasks = nil, nil
	return &bare
}

// Child is a workflow that a run started.
type Child struct {
	WorkflowID, Type string
	Event, Task      int64 // that asked for it, and of the workflow task that did
}

// Task is a workflow task that was completed: code that learned of what had happened, and
// decided.
type Task struct {
	Event int64 // of its completion
	At    time.Time
	By    string // identity of the worker
}

// Activity is one activity from its schedule to its end.
type Activity struct {
	ID, Type  string
	Scheduled int64 // ids of events; 0 where there is none
	Began     int64
	Closed    int64
	Task      int64 // event of the workflow task that asked for it
	Heard     int64 // event of the workflow task that learned of its end

	ScheduledAt, BeganAt, ClosedAt time.Time

	Worker  string
	State   State
	Failure Failure

	Input, Result canon.Digest // of the payloads, where they are no study's
	Study         StudyFacts
}

// State is how an activity stands.
type State string

// The states of an activity.
const (
	Open      State = "open" // scheduled, and never closed
	Completed State = "completed"
	Failed    State = "failed"
	TimedOut  State = "timed_out"
	Cancelled State = "cancelled"
)

// Failure is what the event says that closed an activity otherwise than as completed.
type Failure struct {
	Type    string
	Message string
}

// StudyFacts are what the inputs and results of a study's activities say.
type StudyFacts struct {
	Step      int
	Call      string
	Attempt   int
	Proposal  canon.Digest // of an attempt: the record that its call is in
	Params    canon.Digest
	Judgement canon.Digest
	Decision  string // of a judgement

	Execution int // in the journal; 0 if none is named
	Adopted   bool
	Reused    *workflows.Reused // of an attempt that the record answered
	Output    canon.Digest
	Detail    canon.Digest            // of a failure
	Head      canon.Digest            // that it returned
	Calls     []CallFacts             // of a turn: what it proposed
	From      canon.Digest            // of what appends to the chain: the head that it appends to
	Outcomes  []workflows.CallOutcome // and what came of the calls of that head
	Result    canon.Digest            // of a turn that handed one in
	Outcome   string
	Model     string
}

// CallFacts are a call as the workflow was told of it.
type CallFacts struct {
	ID, Name, Action string
	Params           canon.Digest
	Decision         schemas.Decision
}

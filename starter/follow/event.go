package follow

import (
	"encoding/json"
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/workflows"
)

// Event is one thing that happened in a run.
type Event interface {
	// MessageType names the kind of event in JSON.
	MessageType() string
}

// Value is content: read from the store, or as much of it as the history shows.
type Value struct {
	Digest  canon.Digest    `json:"digest,omitzero"`
	Value   json.RawMessage `json:"value,omitempty"`
	Preview string          `json:"preview,omitempty"` // only where Value could not be read
	Absent  string          `json:"absent,omitempty"`  // why it could not, of a store: see [Lack]
}

// IsZero says whether there is no content at all.
func (v Value) IsZero() bool { return v.Digest.IsZero() && len(v.Value) == 0 && v.Preview == "" }

// Run says which run is followed. It comes first.
type Run struct {
	ID        string       `json:"run"`
	RunID     string       `json:"temporal_run"`
	Title     string       `json:"title"`
	Record    canon.Digest `json:"record"` // the run's record
	Store     string       `json:"store"`  // the folder that the run's memo names
	TaskQueue string       `json:"task_queue"`
	URL       string       `json:"url,omitempty"` // in Temporal UI
	Started   time.Time    `json:"started"`
	// Inputs are what the run starts from; none where the store can't be read.
	Inputs []record.Input     `json:"inputs,omitempty"`
	Fork   *Fork              `json:"forked_from,omitempty"`
	Member *record.Membership `json:"member_of,omitempty"` // of an ensemble
}

// Refusal is why a gate refused.
type Refusal struct {
	Gate   string `json:"gate"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason"`
}

// Proposal is a planner's turn, judged.
type Proposal struct {
	Step     int               `json:"step"`
	Model    string            `json:"model"` // that answered
	Outcome  workflows.Outcome `json:"outcome"`
	Text     string            `json:"text,omitempty"` // the planner's words
	Calls    []Call            `json:"calls,omitempty"`
	Result   Value             `json:"result,omitzero"`    // handed in, accepted or not
	Partial  bool              `json:"partial,omitempty"`  // the result lacks something, and was taken in a last turn
	Refusals []Refusal         `json:"refusals,omitempty"` // of the result
	Reason   string            `json:"reason,omitempty"`   // of giving up, or what was wrong with the answer
	Last     string            `json:"last,omitempty"`     // of a last turn: the limit that is reached
	Usage    record.Usage      `json:"usage"`
	Seconds  float64           `json:"seconds"`
	Head     canon.Digest      `json:"head"`
	At       time.Time         `json:"at"`
	// Recorded is, of a fork, the step of the run it continues that this turn repeats:
	// nobody was asked.
	Recorded canon.Digest `json:"recorded,omitzero"`
}

// Call is a proposed call with its verdict.
type Call struct {
	ID       string           `json:"id"`
	Name     string           `json:"name,omitempty"` // the planner's own id
	Action   string           `json:"action"`
	Why      string           `json:"why,omitempty"`
	Params   Value            `json:"params"`
	After    []string         `json:"after,omitempty"`
	Decision schemas.Decision `json:"decision"`
	Refusals []Refusal        `json:"refusals,omitempty"`
	Own      Own              `json:"fork,omitzero"`
}

// Own is what sets a fork's call apart from that of the run it continues, where it
// repeats one.
type Own struct {
	Kept     record.CallStatus `json:"kept,omitempty"`     // how it ended there; it was not carried out here
	Edited   []string          `json:"edited,omitempty"`   // pointers to what a person changed in the parameters
	Asserted []string          `json:"asserted,omitempty"` // pointers to what a person changed in the output
	Output   Value             `json:"output,omitzero"`    // of Asserted: all of it
	Anew     string            `json:"anew,omitempty"`     // why it is not kept: edited, params, follows CALL, action, seed, unfinished or refused
}

// Judged is the verdict on a call that had to wait for what it refers to.
type Judged struct {
	Call     string           `json:"call"`
	Decision schemas.Decision `json:"decision"`
	Reason   string           `json:"reason,omitempty"`
	At       time.Time        `json:"at"`
}

// AttemptScheduled says that an attempt was handed out. When a worker takes it up is
// known only once it has ended.
type AttemptScheduled struct {
	Call    string    `json:"call"`
	Name    string    `json:"name,omitempty"`
	Action  string    `json:"action"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
}

// Attempt is an attempt of a call, ended.
type Attempt struct {
	Call      string               `json:"call"`
	Name      string               `json:"name,omitempty"`
	Action    string               `json:"action"`
	Attempt   int                  `json:"attempt"`
	Status    record.AttemptStatus `json:"status"`
	Error     *Error               `json:"error,omitempty"`
	Output    Value                `json:"output,omitzero"`
	Artifacts []record.Artifact    `json:"artifacts,omitempty"`
	Adopted   bool                 `json:"adopted,omitempty"` // the outcome of an execution that an earlier attempt began
	Execution int                  `json:"execution,omitempty"`
	// Reused is whose execution answered the call, where nothing was executed, and
	// SavedSeconds how long that had taken.
	Reused       *record.Reused `json:"reused,omitempty"`
	SavedSeconds float64        `json:"saved_seconds,omitempty"`
	// PassedOver are executions that would have answered, and couldn't be read any more.
	PassedOver []record.PassedOver `json:"passed_over,omitempty"`

	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"`
}

// Error is a failure. Type is stable; Message is for people.
type Error struct {
	Type    string       `json:"type"`
	Message string       `json:"message,omitempty"`
	Stderr  string       `json:"stderr,omitempty"` // its tail
	Detail  canon.Digest `json:"detail,omitzero"`
}

// EngineFailure is an attempt of one of the engine's own activities that failed: of a
// planner's turn, of a judgement, or of work on the chain.
type EngineFailure struct {
	Activity string    `json:"activity"` // Temporal's activity ID, such as "4.plan#1"
	Doing    string    `json:"doing"`
	Error    Error     `json:"error"`
	Seconds  float64   `json:"seconds"`
	At       time.Time `json:"at"`
}

// Wait is a durable timer before something is tried again.
type Wait struct {
	For     string    `json:"for"`
	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"`
}

// CancelRequested says that someone asked for the run's end.
type CancelRequested struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Continued says that the run goes on as a new Temporal run, with a short history.
type Continued struct {
	RunID string    `json:"temporal_run"`
	At    time.Time `json:"at"`
}

// Reset says that Temporal rewound the run: what came after the point it went back to
// is no longer part of it.
type Reset struct {
	RunID  string    `json:"temporal_run"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// CaughtUp says that all that had happened was told, and what follows is live.
type CaughtUp struct{}

// Notice is a remark about the telling itself.
type Notice struct {
	Text string `json:"text"`
}

// Unsealed is the status of a run that ended without a seal, as one that Temporal
// terminated does. Running is that of an open run.
const (
	Unsealed record.Status = "unsealed"
	Running  record.Status = "running"
)

// End is how a run ended, or how it stands.
type End struct {
	Run      string          `json:"run"`
	RunID    string          `json:"temporal_run"`
	Status   record.Status   `json:"status"`
	Result   Value           `json:"result,omitzero"`
	Partial  bool            `json:"partial,omitempty"` // the result lacks something that the study asks for
	Reason   string          `json:"reason,omitempty"`
	Head     canon.Digest    `json:"head"` // the seal; of a run without one, what the last completed Plan returned
	Counters record.Counters `json:"counters"`
	Failed   int             `json:"failed_attempts"`         // of calls, losses apart
	Saved    float64         `json:"saved_seconds,omitempty"` // that reused executions had taken
	Cost     Cost            `json:"cost"`
	URL      string          `json:"url,omitempty"`
	Next     []string        `json:"next,omitempty"` // commands to try
	At       time.Time       `json:"at"`
	// Reproduces is the run whose calls were executed again, of a reproduction.
	Reproduces string `json:"reproduces,omitempty"`
}

// Completed says whether the run ended with a result that has all that the study asks for.
func (e *End) Completed() bool { return e.Status == record.Completed }

// HasResult says whether the run ended with a result, if only a partial one.
func (e *End) HasResult() bool { return e.Completed() || e.Partial }

// Message types.
func (Run) MessageType() string              { return "run" }
func (Proposal) MessageType() string         { return "proposal" }
func (Judged) MessageType() string           { return "judged" }
func (AttemptScheduled) MessageType() string { return "attempt_scheduled" }
func (Attempt) MessageType() string          { return "attempt" }
func (EngineFailure) MessageType() string    { return "engine_failure" }
func (Wait) MessageType() string             { return "wait" }
func (CancelRequested) MessageType() string  { return "cancel_requested" }
func (Continued) MessageType() string        { return "continued" }
func (Reset) MessageType() string            { return "reset" }
func (CaughtUp) MessageType() string         { return "caught_up" }
func (Notice) MessageType() string           { return "notice" }
func (End) MessageType() string              { return "end" }

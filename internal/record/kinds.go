package record

import "rlam/internal/canon"

// Run is the genesis of a run: everything it depends on, pinned by digest.
type Run struct {
	Kind    Kind         `json:"kind"`
	ID      string       `json:"id"`      // the workflow ID it was started under
	Engine  string       `json:"engine"`  // R-LAM's version
	Started string       `json:"started"` // RFC 3339, UTC
	Study   canon.Digest `json:"study"`   // the study as loaded, defaults filled in
	Actions []Pin        `json:"actions"`
	Inputs  []Input      `json:"inputs"`
	Planner canon.Digest `json:"planner"` // the scenario's or plan's file; none for a model
	Models  []string     `json:"models"`  // who is asked, in order
	Gates   []Gate       `json:"gates"`

	Parent  canon.Digest `json:"parent"`            // of a fork: the record it continues from
	Changes *Changes     `json:"changes,omitempty"` // of a fork: what was changed

	Reproduces *Reproduced `json:"reproduces,omitempty"` // of a run that executes another one's calls again
	Ensemble   *Membership `json:"ensemble,omitempty"`   // of a member of an ensemble
}

// Reproduced is the run whose calls a reproduction executes again.
type Reproduced struct {
	ID   string       `json:"id"`             // the workflow ID it was started under
	Run  canon.Digest `json:"run"`            // its record
	Head canon.Digest `json:"head"`           // as far as its calls are executed again
	Only []string     `json:"only,omitempty"` // the actions whose calls are; all if there are none
	Runs int          `json:"runs"`           // executions of a call with a statistical output
}

// Input is data that a run starts from: bytes, how they are kept, and where they come from.
type Input struct {
	Artifact
	Keep   Keep    `json:"keep,omitempty"`   // a copy, if empty
	Path   string  `json:"path,omitempty"`   // absolute; of an input that is kept by reference
	Unseen bool    `json:"unseen,omitempty"` // nobody read the bytes: the digest is the study's word, and the size isn't known
	Given  *Given  `json:"given,omitempty"`  // made before R-LAM
	From   *Origin `json:"from,omitempty"`   // made by another run
}

// Keep says what a run keeps of an input, where that is no copy.
type Keep string

// The ways to keep an input without a copy.
const (
	KeepReference Keep = "reference" // the file stays at Path, and is hashed there whenever it is used
	KeepDigest    Keep = "digest"    // nothing: the bytes can't be used
)

// Given marks a result that was made before R-LAM.
type Given struct {
	Source   string `json:"source"`
	Citation string `json:"citation,omitempty"`
}

// Origin is a data edge from another run.
type Origin struct {
	ID     string       `json:"id"`              // the workflow ID it was started under
	Run    canon.Digest `json:"run"`             // its record
	Head   canon.Digest `json:"head"`            // its seal
	Output string       `json:"output"`          // a JSON pointer into its result, or CALL/NAME of an artifact
	Ended  Status       `json:"ended,omitempty"` // how it ended, if not as completed: then a result is partial
}

// Pin is an action that a run may use: its formal schema and what carries it out.
type Pin struct {
	Name    string       `json:"name"`
	Version string       `json:"version"`
	Spec    canon.Digest `json:"spec"`
	Binding canon.Digest `json:"binding"` // covers the contents of its scripts
	// Bindings are all, in order of preference, of an action with several; Binding is the
	// first. Which of them ran stands with each attempt.
	Bindings []canon.Digest `json:"bindings,omitempty"`
}

// Gate is a gate and its version.
type Gate struct {
	Name    string `json:"gate"`
	Version int    `json:"version"`
}

// Proposal is what the planner was asked, what it answered, and what the gates said.
type Proposal struct {
	Kind    Kind         `json:"kind"`
	Parent  canon.Digest `json:"parent"`
	Index   int          `json:"index"` // the step's number, from 1
	Request canon.Digest `json:"request"`
	Answer  canon.Digest `json:"answer"`
	Model   Model        `json:"model"`
	Usage   Usage        `json:"usage"`
	Outcome string       `json:"outcome"` // calls, finish, give_up, or why nothing could be dispatched
	Calls   []Call       `json:"calls"`
	Result  *Result      `json:"result,omitempty"`
	Reason  canon.Digest `json:"reason"` // of give_up, or what was wrong with the answer
	Turn    Turn         `json:"turn"`
	Last    *Last        `json:"last,omitempty"`    // of a last turn: why no other may follow
	Elapsed string       `json:"elapsed,omitempty"` // how long the run had taken when it was judged: the one fact that the chain doesn't tell
	// Recorded is, of a fork, the step of the run it continues whose proposal this one
	// repeats: nobody was asked, and request, answer and model are those of then.
	Recorded canon.Digest `json:"recorded,omitzero"`
}

// Last is the limit that made a turn the last one, in which the planner could only
// hand in what it had.
type Last struct {
	Limit  string       `json:"limit"` // a member of limits in the study file
	Reason canon.Digest `json:"reason"`
}

// Turn says which execution of the planner the proposal came from.
type Turn struct {
	Key       canon.Digest `json:"key"`
	Execution int          `json:"execution"`
}

// Model says who answered.
type Model struct {
	Asked       string `json:"asked"`
	Answered    string `json:"answered"`
	Fingerprint string `json:"fingerprint"`
	Scripted    bool   `json:"scripted"`
	Candidate   int    `json:"candidate"` // 0 is the study's model, 1 its first fallback, …
}

// Usage counts tokens. Estimated says that the server did not count them.
type Usage struct {
	Prompt     int  `json:"prompt"`           // Cached included
	Cached     int  `json:"cached,omitempty"` // of Prompt, what the server had cached
	Completion int  `json:"completion"`
	Estimated  bool `json:"estimated,omitempty"`
}

// Total is prompt and completion together.
func (u Usage) Total() int { return u.Prompt + u.Completion }

// Add is both together.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Prompt: u.Prompt + v.Prompt, Cached: u.Cached + v.Cached, Completion: u.Completion + v.Completion,
		Estimated: u.Estimated || v.Estimated,
	}
}

// Call is one proposed use of an action.
type Call struct {
	ID       string       `json:"id"`   // step and position: "4.1"
	Name     string       `json:"name"` // the planner's own id
	ToolCall string       `json:"tool_call"`
	Action   string       `json:"action"` // NAME@VERSION, or the name as proposed if there is none such
	Spec     canon.Digest `json:"spec"`
	Binding  canon.Digest `json:"binding"` // of several the preferred one: which ran is the attempt's
	Params   canon.Digest `json:"params"`  // references replaced, where their sources had run
	Uses     []Use        `json:"uses"`
	After    []string     `json:"after"`          // calls of the same step that it waits for
	Seed     *uint64      `json:"seed,omitempty"` // that the plan gave the call; else the study derives one
	Verdicts []Verdict    `json:"verdicts"`
	Decision string       `json:"decision"` // admitted, refused or deferred

	// Of a fork's calls that repeat those of the run it continues:
	Edited   []string  `json:"edited,omitempty"`   // pointers into the parameters, of what a person changed
	Kept     *Kept     `json:"kept,omitempty"`     // not carried out
	Asserted *Asserted `json:"asserted,omitempty"` // besides Kept: a person's output in place of the one that was computed
	Anew     string    `json:"anew,omitempty"`     // why it is not kept: see [AnewEdited] and what follows it
}

// Use is a data edge: the value at At came from a pointer into the output of From.
type Use struct {
	From    string `json:"from"`
	Pointer string `json:"pointer"`
	At      string `json:"at"`
}

// Verdict is what one gate said of one call, and the facts it judged.
type Verdict struct {
	Gate     string       `json:"gate"`
	Version  int          `json:"version"`
	Decision string       `json:"decision"`
	Rule     string       `json:"rule,omitempty"`
	Reason   canon.Digest `json:"reason"`
	Facts    canon.Digest `json:"facts"`
}

// Result is what the planner handed in as the run's result.
type Result struct {
	Value    canon.Digest `json:"value"`
	Uses     []Use        `json:"uses"`
	Verdicts []Verdict    `json:"verdicts"`
	Decision string       `json:"decision"`
	Partial  bool         `json:"partial,omitempty"` // admitted in a last turn, although something is missing
}

// Step is what came of a proposal.
type Step struct {
	Kind   Kind         `json:"kind"`
	Parent canon.Digest `json:"parent"`
	Index  int          `json:"index"`
	Calls  []CallRecord `json:"calls"` // ordered by position
}

// CallRecord is what came of one call.
type CallRecord struct {
	Call                      // as proposed; of a deferred call, as judged when its sources had run
	Judgement canon.Digest    `json:"judgement"` // of a deferred call
	Status    CallStatus      `json:"status"`
	Attempts  []AttemptRecord `json:"attempts"`
}

// CallStatus is how a call ended.
type CallStatus string

// The ways a call ends.
const (
	CallCompleted CallStatus = "completed"
	CallFailed    CallStatus = "failed"
	CallRefused   CallStatus = "refused"   // by a gate: never scheduled
	CallSkipped   CallStatus = "skipped"   // a source of it did not complete, or a limit was reached first
	CallCancelled CallStatus = "cancelled" // the run was
)

// AttemptStatus is how an attempt ended.
type AttemptStatus string

// The ways an attempt ends.
const (
	AttemptCompleted AttemptStatus = "completed"
	AttemptFailed    AttemptStatus = "failed"
	AttemptLost      AttemptStatus = "lost" // by infrastructure: no outcome reached the workflow
	AttemptCancelled AttemptStatus = "cancelled"
)

// AttemptRecord is one execution of a call, or one that was lost before its outcome was known.
type AttemptRecord struct {
	N           int           `json:"n"`
	Status      AttemptStatus `json:"status"`
	Execution   int           `json:"execution"`         // number in the call's journal; 0 if unknown
	Adopted     bool          `json:"adopted,omitempty"` // the outcome of an execution that an earlier attempt began
	Error       *Error        `json:"error,omitempty"`
	Started     string        `json:"started"`
	Ended       string        `json:"ended"`
	Output      canon.Digest  `json:"output"`
	Artifacts   []Artifact    `json:"artifacts"`
	Log         canon.Digest  `json:"log"`
	Environment canon.Digest  `json:"environment"`
	Isolation   string        `json:"isolation"`
	Binding     canon.Digest  `json:"binding,omitzero"` // that ran, of an action with several
	// Reused says whose execution answered the call: then nothing was executed, and all
	// that the attempt left, but for its times, is that execution's.
	Reused     *Reused      `json:"reused,omitempty"`
	Answer     canon.Digest `json:"answer,omitzero"`       // of a reused one: the blob that says what it was answered with
	PassedOver []PassedOver `json:"passed_over,omitempty"` // executions that would have answered, and couldn't
}

// Reused is an execution that answered a call from the record.
type Reused struct {
	Key       canon.Digest `json:"key"` // of all that was equal: see package reuse
	Run       canon.Digest `json:"run"` // the record of the run that it was executed in
	ID        string       `json:"id"`  // the workflow ID of that run
	Proposal  canon.Digest `json:"proposal"`
	Call      string       `json:"call"`
	Execution int          `json:"execution"` // number in that call's journal
	Started   string       `json:"started"`   // the execution's times
	Ended     string       `json:"ended"`
}

// PassedOver is an execution that was equal in all that counts, and whose outcome can't be
// had any more.
type PassedOver struct {
	Reused
	Problem string       `json:"problem"`       // missing, corrupt or unfit: see docs/store-format.md
	What    canon.Digest `json:"what,omitzero"` // of what is missing or corrupt
}

// Execution is the body of a call's outcome in the journal. Of a call that was answered
// from the record, it is a blob of canonical JSON, and no journal has it.
type Execution struct {
	Started     string       `json:"started"`
	Ended       string       `json:"ended,omitempty"`  // of an answer from the record; else the outcome has it
	Binding     canon.Digest `json:"binding,omitzero"` // that ran, of an action with several
	Output      Ref          `json:"output"`
	Artifacts   []Artifact   `json:"artifacts"`
	Log         canon.Digest `json:"log"`
	Error       *Error       `json:"error,omitempty"`
	Environment canon.Digest `json:"environment"`
	Isolation   string       `json:"isolation"`

	Reused     *Reused      `json:"reused,omitempty"`
	PassedOver []PassedOver `json:"passed_over,omitempty"`
}

// TurnOutcome is the body of a planner turn's outcome in the journal.
type TurnOutcome struct {
	Proposal canon.Digest `json:"proposal"`
	Usage    Usage        `json:"usage"` // what it cost, also if nobody uses it
	Asked    string       `json:"asked"`
	Error    *Error       `json:"error,omitempty"`
}

// Judgement is a call judged again, with what its sources gave. It is a blob of canonical
// JSON, and the verdicts in it replace the proposal's.
type Judgement struct {
	Proposal canon.Digest `json:"proposal"`
	Call     Call         `json:"call"`
	Elapsed  string       `json:"elapsed,omitempty"`  // how long the run had taken by then
	Siblings []string     `json:"siblings,omitempty"` // calls of the step that had ended by then
}

// Error is a failure's stable type and, as content, everything else about it.
type Error struct {
	Type   string       `json:"type"`
	Detail canon.Digest `json:"detail"`
}

// Artifact is bytes with a name.
type Artifact struct {
	Name      string       `json:"name"`
	Digest    canon.Digest `json:"digest"`
	Size      int64        `json:"size"`
	MediaType string       `json:"media_type,omitempty"`
}

// Seal ends a chain.
type Seal struct {
	Kind     Kind         `json:"kind"`
	Parent   canon.Digest `json:"parent"`
	Status   Status       `json:"status"`
	Result   canon.Digest `json:"result"`
	Partial  bool         `json:"partial,omitempty"` // the result lacks something: see [Result]
	Reason   canon.Digest `json:"reason"`
	Counters Counters     `json:"counters"`
	Ended    string       `json:"ended"`
}

// Status is how a run ended.
type Status string

// The ways a run ends. A run without a seal is unsealed.
const (
	Completed        Status = "completed"
	NoResult         Status = "no_result"
	LimitReached     Status = "limit_reached"
	ModelUnavailable Status = "model_unavailable"
	Cancelled        Status = "cancelled"
	Failed           Status = "failed"
)

// Counters are what the limits bound.
type Counters struct {
	Steps    int   `json:"steps"`
	Calls    int   `json:"calls"`            // dispatched: admitted, or deferred to Judge
	Refused  int   `json:"refused"`          // calls and results that a gate refused
	Attempts int   `json:"attempts"`         // losses apart, and calls that the record answered
	Reused   int   `json:"reused,omitempty"` // calls that the record answered
	Losses   int   `json:"losses"`
	Repairs  int   `json:"repairs"` // proposals in a row of which nothing could be dispatched
	Usage    Usage `json:"usage"`
}

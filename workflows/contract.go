// Package workflows is R-LAM's deterministic Temporal code: the loop of a study
// (study.go), the attempts of its calls (dispatch.go), how it waits and for how long
// (clock.go), what people see and ask while it runs (control.go), ensembles of studies
// (ensemble.go), and the names and types that cross the Temporal
// boundary (this file, and only this one).
//
// Nothing here reads a clock, a file, an environment variable, a map in its
// order, or the preview of a Ref; nothing here puts a namespace, workflow ID, run
// ID or task queue into an activity's input. Every activity gets one attempt and
// an explicit ID, so that each attempt is an event of its own in the history and
// the retries are this package's.
package workflows

import (
	"time"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
)

// Names of the workflows and of the activities they use.
const (
	StudyName  = "rlam.Study"
	OpenName   = "rlam.Open"   // rebuilds a run's state from its chain
	PlanName   = "rlam.Plan"   // closes a step, asks the planner, judges
	JudgeName  = "rlam.Judge"  // judges a call whose sources have run since
	ActName    = "rlam.Act"    // one attempt of one call
	AppendName = "rlam.Append" // closes a step without planning the next
	SealName   = "rlam.Seal"   // closes the step and the chain

	EnsembleName = "rlam.Ensemble"
	EnrolName    = "rlam.Enrol"    // puts a member of an ensemble on record
	ConcludeName = "rlam.Conclude" // writes down what became of an ensemble's members
)

// Search attributes of a run. They are Keywords, but for ApprovalAttribute, a Bool.
const (
	StudyAttribute      = "RlamStudy"
	StatusAttribute     = "RlamStatus"
	ModelAttribute      = "RlamModel"
	ForkedFromAttribute = "RlamForkedFrom"
	ApprovalAttribute   = "RlamApprovalPending"
)

// StatusQuery answers with a [Progress].
const StatusQuery = "rlam.status"

// WallTimeSummary and LastTurnSummary tell the timers that bound a run's time, and that of
// the last turn after it, from those that wait for something.
const (
	WallTimeSummary = "wall-time limit"
	LastTurnSummary = "bound on the last turn"
)

// Types of failures that the workflow tells apart. All others are an action's own.
const (
	// Infrastructure: the work may be fine, its outcome did not arrive.
	TypeWorkerShutdown = "rlam.WorkerShutdown"
	TypeStorage        = "rlam.Storage"
	TypeNoBinding      = "rlam.NoBinding" // this worker can't carry the call out; handed back
	TypeBusy           = "rlam.Busy"      // what the call takes is in use, and was for long; handed back
	TypeLost           = "rlam.Lost"      // a timeout without an outcome

	// The planner.
	TypeRateLimited      = "rlam.RateLimited"
	TypeModelUnavailable = "rlam.ModelUnavailable"
	TypeModelGarbled     = "rlam.ModelGarbled"
	TypeModelRejected    = "rlam.ModelRejected"
	TypeContextFull      = "rlam.ContextFull"

	// Calls.
	TypeInDoubt      = "rlam.InDoubt"      // an execution began, and nobody knows how it ended
	TypeNotAdmitted  = "rlam.NotAdmitted"  // what arrived is not what the gates admitted
	TypeLimitReached = "rlam.LimitReached" // a limit of the run left no attempt for it; of a planner's turn: nothing to pay it with
	TypeCancelled    = "rlam.Cancelled"
)

// StudyInput starts a run, continues one as new, and starts a fork: there is no other way in.
type StudyInput struct {
	Run  canon.Digest `json:"run"`  // the run's record
	Head canon.Digest `json:"head"` // its newest record; of a new run, the run's record itself
	// SearchAttributes says whether the server knows them: decided once, by who starts the run.
	SearchAttributes bool `json:"search_attributes"`
}

// StudyResult is a run's end.
type StudyResult struct {
	Status   record.Status   `json:"status"`
	Head     canon.Digest    `json:"head"` // the seal
	Result   record.Ref      `json:"result"`
	Partial  bool            `json:"partial,omitempty"` // the result lacks something that the study asks for
	Reason   record.Ref      `json:"reason"`
	Counters record.Counters `json:"counters"`
}

// OpenInput names a chain.
type OpenInput struct {
	Run  canon.Digest `json:"run"`
	Head canon.Digest `json:"head"`
}

// State is what the loop needs to go on from a head.
type State struct {
	Title      string           `json:"title"`
	Step       int              `json:"step"` // the next step's number
	Counters   record.Counters  `json:"counters"`
	Limits     schemas.Limits   `json:"limits"`
	Deadline   time.Time        `json:"deadline"` // of the wall-time limit
	Retry      schemas.Attempts `json:"retry"`    // of a planner turn, for each model
	Models     []string         `json:"models"`   // the planner's candidates, in order
	Candidate  int              `json:"candidate"`
	ForkedFrom string           `json:"forked_from,omitempty"`
	// LastTurn says that a limit leaves the planner one turn to hand in what it has. A
	// plan has none; nor have runs whose chain was opened by an R-LAM that gave none.
	LastTurn bool `json:"last_turn,omitempty"`
}

// PlanInput asks for the next step.
type PlanInput struct {
	Run       canon.Digest  `json:"run"`
	Head      canon.Digest  `json:"head"`
	Step      int           `json:"step"`
	Candidate int           `json:"candidate"`
	Outcomes  []CallOutcome `json:"outcomes"` // of the step before, by position
	// LastTurn says that Plan may make this turn the last: see [State]. Limit is one that
	// the workflow found to be reached, a member of limits in the study file.
	LastTurn bool   `json:"last_turn,omitempty"`
	Limit    string `json:"limit,omitempty"`
}

// PlanResult is a proposal, judged.
type PlanResult struct {
	Head     canon.Digest    `json:"head"` // the proposal's record
	Outcome  Outcome         `json:"outcome"`
	Calls    []Call          `json:"calls"`
	Result   record.Ref      `json:"result"` // of an accepted result
	Partial  bool            `json:"partial,omitempty"`
	Reason   record.Ref      `json:"reason"`        // of give_up
	Last     record.Ref      `json:"last,omitzero"` // of a last turn: the limit that is reached, in words
	Model    string          `json:"model"`
	Counters record.Counters `json:"counters"` // up to and with this proposal
}

// Outcome says what a planner turn came to.
type Outcome string

// The outcomes of a planner turn.
const (
	OutcomeCalls  Outcome = "calls"   // at least one call may be dispatched
	OutcomeResult Outcome = "result"  // accepted: the run is complete
	OutcomeGiveUp Outcome = "give_up" // the planner says that it can't
	OutcomeRepair Outcome = "repair"  // nothing can be dispatched; the planner is told why
)

// Call is what the loop needs to know of a proposed call.
type Call struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Action   string           `json:"action"`
	Decision schemas.Decision `json:"decision"`
	Params   record.Ref       `json:"params"`
	After    []string         `json:"after,omitempty"`
	Timeout  schemas.Duration `json:"timeout"`
	Attempts schemas.Attempts `json:"attempts"`
	Note     string           `json:"note,omitempty"` // why it was proposed or refused, for people
	Wait     schemas.Duration `json:"wait,omitzero"`  // what an attempt has besides Timeout, to wait for what it takes
	// Kept is how a call of a fork ended in the run that the fork continues. It is not
	// carried out.
	Kept record.CallStatus `json:"kept,omitempty"`
}

// CallOutcome is what came of a call.
type CallOutcome struct {
	ID        string            `json:"id"`
	Status    record.CallStatus `json:"status"`
	Judgement canon.Digest      `json:"judgement,omitzero"` // of a deferred call
	Attempts  []AttemptOutcome  `json:"attempts,omitempty"`
	Type      string            `json:"type,omitempty"` // why it was skipped
}

// AttemptOutcome points to an execution in the call's journal. Of an attempt whose
// outcome never arrived it is all there is.
type AttemptOutcome struct {
	N         int                  `json:"n"`
	Status    record.AttemptStatus `json:"status"`
	Execution int                  `json:"execution"`
	Adopted   bool                 `json:"adopted,omitempty"`
	Type      string               `json:"type,omitempty"`
	Detail    canon.Digest         `json:"detail,omitzero"` // of a failure that no execution in the journal tells of
	// Started and Ended are the workflow's times of a lost attempt. Of all others the journal knows better.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Answer is what the record answered a call with that was not executed: a blob, the
	// JSON of a [record.Execution]. Execution is 0 then.
	Answer canon.Digest `json:"answer,omitzero"`
}

// JudgeInput asks for the verdicts on one call now that its sources have run.
type JudgeInput struct {
	Run      canon.Digest  `json:"run"`
	Proposal canon.Digest  `json:"proposal"`
	Call     string        `json:"call"`
	Siblings []CallOutcome `json:"siblings"`
}

// JudgeResult is a judgement.
type JudgeResult struct {
	Decision  schemas.Decision `json:"decision"`
	Judgement canon.Digest     `json:"judgement"`
	Params    record.Ref       `json:"params"`
	Note      string           `json:"note,omitempty"`
}

// ActInput asks for one attempt.
type ActInput struct {
	Run       canon.Digest `json:"run"`
	Proposal  canon.Digest `json:"proposal"`
	Call      string       `json:"call"`
	Params    record.Ref   `json:"params"`
	Judgement canon.Digest `json:"judgement,omitzero"` // of a deferred call
	Seen      int          `json:"seen"`               // the newest execution whose outcome the workflow knows
	Attempt   int          `json:"attempt"`
}

// ActResult is a completed attempt.
type ActResult struct {
	Execution int        `json:"execution"`
	Adopted   bool       `json:"adopted,omitempty"`
	Output    record.Ref `json:"output"`
	// Reused says that nothing was executed: the record answered the call.
	Reused *Reused `json:"reused,omitempty"`
}

// Reused is whose execution answered a call, and with what.
type Reused struct {
	record.Reused
	Answer canon.Digest `json:"answer"` // see [AttemptOutcome]
}

// Failure travels as the details of every error that an activity returns.
type Failure struct {
	Execution int        `json:"execution"` // 0 if no execution began
	Adopted   bool       `json:"adopted,omitempty"`
	Detail    record.Ref `json:"detail"`
	// Retryable is the planner's: whether the same model may be asked again.
	Retryable bool `json:"retryable,omitempty"`
	// Last is the planner's: of a turn that would have been the last, the limit that is reached.
	Last record.Ref `json:"last,omitzero"`
	// Waiting is what a call that was handed back waits for.
	Waiting string `json:"waiting,omitempty"`
}

// AppendInput closes a step.
type AppendInput struct {
	Run      canon.Digest  `json:"run"`
	Head     canon.Digest  `json:"head"`
	Outcomes []CallOutcome `json:"outcomes"`
}

// SealInput closes a chain.
type SealInput struct {
	Run      canon.Digest  `json:"run"`
	Head     canon.Digest  `json:"head"`
	Outcomes []CallOutcome `json:"outcomes"`
	Status   record.Status `json:"status"`
	Result   record.Ref    `json:"result"`
	Partial  bool          `json:"partial,omitempty"`
	Reason   record.Ref    `json:"reason"`
	Message  string        `json:"message,omitempty"` // the engine's own reason, where there is no Reason
	Ended    time.Time     `json:"ended"`
}

// SealResult is the seal.
type SealResult struct {
	Head     canon.Digest    `json:"head"`
	Reason   record.Ref      `json:"reason"`
	Counters record.Counters `json:"counters"`
}

// Progress is the answer to [StatusQuery].
type Progress struct {
	Step     int             `json:"step"`
	Head     canon.Digest    `json:"head"`
	Doing    string          `json:"doing"`
	Counters record.Counters `json:"counters"`
}

// EnsembleInput starts an ensemble, continues one as new, and goes on with one that was stopped.
type EnsembleInput struct {
	Ensemble canon.Digest `json:"ensemble"` // its record
	Head     canon.Digest `json:"head"`     // its newest seal; at first its record
	Title    string       `json:"title"`    // for people
	Todo     []MemberGo   `json:"todo"`     // members to begin, in this order
	Ended    []MemberEnd  `json:"ended"`    // those that have ended
	Parallel int          `json:"parallel"` // members that are under way at once, at most
	// Store is the folder of the members' records, for their memos: see [StoreMemo].
	Store            string `json:"store"`
	SearchAttributes bool   `json:"search_attributes"` // see [StudyInput]
}

// Keys of the memos of runs and ensembles.
const (
	StoreMemo    = "rlam.store"    // the folder that holds their records
	RunMemo      = "rlam.run"      // the digest of a run's record
	EnsembleMemo = "rlam.ensemble" // the digest of an ensemble's record
)

// MemberGo is one go of a member.
type MemberGo struct {
	N  int `json:"n"`  // the member's number, from 1
	Go int `json:"go"` // from 1
}

// MemberEnd is how a member ended.
type MemberEnd struct {
	MemberGo
	Status record.Status `json:"status"`
	Head   canon.Digest  `json:"head,omitzero"` // its seal, if it left one
}

// EnrolInput asks for the record of a member that is about to begin.
type EnrolInput struct {
	Ensemble canon.Digest `json:"ensemble"`
	MemberGo
	Started time.Time `json:"started"`
}

// EnrolResult is a member that can be started.
type EnrolResult struct {
	ID      string       `json:"id"`  // the workflow ID
	Run     canon.Digest `json:"run"` // its record
	Title   string       `json:"title"`
	Summary string       `json:"summary"` // what sets it apart, for people
	Model   string       `json:"model"`   // who will be asked first
}

// ConcludeInput says what became of an ensemble.
type ConcludeInput struct {
	Ensemble canon.Digest  `json:"ensemble"`
	Head     canon.Digest  `json:"head"`
	Status   record.Status `json:"status"` // completed, or cancelled where members were not begun or cut off by a stop
	Members  []MemberEnd   `json:"members"`
	Ended    time.Time     `json:"ended"`
}

// EnsembleResult is an ensemble's end.
type EnsembleResult struct {
	Status    record.Status `json:"status"`
	Head      canon.Digest  `json:"head"` // the seal
	Completed int           `json:"completed"`
	Others    int           `json:"others"`    // members that ended in another way
	NotBegun  int           `json:"not_begun"` // members that a stop came before
}

package follow

import (
	"context"
	"errors"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/temporal"

	"rlam/internal/record"
	"rlam/worker/host"
	"rlam/workflows"
)

// completed tells of an activity that returned.
func (t *tale) completed(ctx context.Context, k *task, result *commonpb.Payloads, at time.Time) error {
	switch k.kind {
	case workflows.PlanName:
		var turn workflows.PlanResult
		if err := t.decode(result, &turn); err != nil {
			return err
		}
		t.proposed(ctx, k, turn, at)
	case workflows.JudgeName:
		var in workflows.JudgeInput
		var judged workflows.JudgeResult
		if err := errors.Join(t.decode(k.input, &in), t.decode(result, &judged)); err != nil {
			return err
		}
		t.tell(Judged{Call: in.Call, Decision: judged.Decision, Reason: judged.Note, At: at})
	case workflows.ActName:
		var in workflows.ActInput
		var done workflows.ActResult
		if err := errors.Join(t.decode(k.input, &in), t.decode(result, &done)); err != nil {
			return err
		}
		t.acted(ctx, k, in, done, at)
	}
	return nil
}

func (t *tale) proposed(ctx context.Context, k *task, turn workflows.PlanResult, at time.Time) {
	p, err := t.contents.proposal(ctx, turn)
	t.unreadable(err)
	if p.Usage == (record.Usage{}) && p.Recorded.IsZero() { // not from the record: from what the counters gained
		p.Usage.Prompt = turn.Counters.Usage.Prompt - t.counters.Usage.Prompt
		p.Usage.Cached = turn.Counters.Usage.Cached - t.counters.Usage.Cached
		p.Usage.Completion = turn.Counters.Usage.Completion - t.counters.Usage.Completion
	}
	p.Seconds, p.At = span{k.started, at}.seconds(), at
	t.calls = map[string]Call{}
	for _, c := range p.Calls {
		t.calls[c.ID] = c
	}
	t.turns = append(t.turns, Turn{RunID: t.runID, Plan: turn, Acts: map[string]int{}})
	t.head, t.counters, t.attempts, t.losses, t.reused = turn.Head, turn.Counters, 0, 0, 0
	t.tell(p)
}

func (t *tale) acted(ctx context.Context, k *task, in workflows.ActInput, done workflows.ActResult, at time.Time) {
	a := t.attempt(k, in, at)
	a.Status, a.Execution, a.Adopted = record.AttemptCompleted, done.Execution, done.Adopted
	a.Output = t.contents.Value(ctx, done.Output)
	var x record.Execution
	var err error
	if of := done.Reused; of != nil {
		t.reused++
		a.Reused, a.SavedSeconds = &of.Reused, Took(of.Reused)
		t.saved += a.SavedSeconds
		x, err = t.contents.answer(ctx, of.Answer)
	} else {
		t.attempts++
		t.knows(in.Call, done.Execution)
		x, err = t.contents.execution(ctx, in.Proposal, in.Call, done.Execution)
	}
	t.unreadable(err)
	a.Artifacts, a.PassedOver = x.Artifacts, x.PassedOver
	t.tell(a)
}

// Took is how long an execution had taken, in seconds; 0 if its times can't be read.
func Took(of record.Reused) float64 {
	from, err := time.Parse(time.RFC3339Nano, of.Started)
	to, endErr := time.Parse(time.RFC3339Nano, of.Ended)
	if err != nil || endErr != nil {
		return 0
	}
	return span{from, to}.seconds()
}

// knows notes that the history holds the outcome of an execution.
func (t *tale) knows(call string, execution int) {
	if n := len(t.turns); n > 0 {
		t.turns[n-1].Acts[call] = max(t.turns[n-1].Acts[call], execution)
	}
}

func (t *tale) attempt(k *task, in workflows.ActInput, at time.Time) Attempt {
	c := t.calls[in.Call]
	return Attempt{Call: in.Call, Name: c.Name, Action: c.Action, Attempt: in.Attempt, Seconds: span{k.started, at}.seconds(), At: at}
}

func (t *tale) cancelled(details *commonpb.Payloads) error {
	var f workflows.Failure
	if details == nil || t.decode(details, &f) != nil {
		return temporal.NewCanceledError()
	}
	return temporal.NewCanceledError(f)
}

// failedWith tells of an activity that did not return.
func (t *tale) failedWith(ctx context.Context, k *task, err error, at time.Time) {
	e, f, status := reasonOf(err)
	if k.kind != workflows.ActName {
		t.tell(EngineFailure{
			Activity: k.id, Doing: k.doing, Error: *t.contents.Failure(ctx, e.Type, e.Message, f.Detail.Digest),
			Seconds: span{k.started, at}.seconds(), At: at,
		})
		return
	}
	var in workflows.ActInput
	if t.decode(k.input, &in) != nil {
		return
	}
	switch status {
	case record.AttemptLost:
		t.losses++
	case record.AttemptFailed:
		t.failed++
		t.attempts++
	default:
		t.attempts++
	}
	t.knows(in.Call, f.Execution)
	a := t.attempt(k, in, at)
	a.Status, a.Execution, a.Adopted = status, f.Execution, f.Adopted
	a.Error = t.contents.Failure(ctx, e.Type, e.Message, f.Detail.Digest)
	if f.Execution > 0 {
		x, err := t.contents.execution(ctx, in.Proposal, in.Call, f.Execution)
		t.unreadable(err)
		a.Artifacts = x.Artifacts
	}
	t.tell(a)
}

// reasonOf tells an activity's errors apart as the workflow does.
func reasonOf(err error) (Error, workflows.Failure, record.AttemptStatus) {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	var cancelled *temporal.CanceledError
	var f workflows.Failure
	switch {
	case errors.As(err, &cancelled):
		if cancelled.HasDetails() {
			_ = cancelled.Details(&f) // without details it was ended before it began
		}
		return Error{Type: workflows.TypeCancelled, Message: f.Detail.Preview}, f, record.AttemptCancelled
	case errors.As(err, &timeout):
		return Error{Type: workflows.TypeLost, Message: "no outcome arrived: " + timeoutName(timeout.TimeoutType())}, f, record.AttemptLost
	case errors.As(err, &app):
		if app.HasDetails() {
			_ = app.Details(&f) // an error that isn't R-LAM's own has others
		}
		e := Error{Type: app.Type(), Message: app.Message()}
		if workflows.IsLoss(e.Type) {
			return e, f, record.AttemptLost
		}
		return e, f, record.AttemptFailed
	}
	return Error{Type: "rlam.Unknown", Message: err.Error()}, f, record.AttemptFailed
}

func timeoutName(t enumspb.TimeoutType) string {
	switch t {
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return "the worker fell silent"
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return "no worker took it up"
	}
	return "the worker took too long"
}

// closing tells of the event that closes a history; all others are of no interest.
func (t *tale) closing(ctx context.Context, e *historypb.HistoryEvent, at time.Time) error {
	if r, sealed, err := host.Sealed(e); err != nil || sealed {
		if err == nil {
			t.sealed(ctx, r)
		}
		return err
	}
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		t.next = e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		t.end = t.standing(Unsealed, at)
		t.end.Reason = host.FailureConverter().FailureToError(e.GetWorkflowExecutionFailedEventAttributes().GetFailure()).Error()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		t.end = t.standing(Unsealed, at)
		t.end.Reason = "cancelled before its chain was open"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		t.end = t.standing(Unsealed, at)
		t.end.Reason = "terminated"
		if why := e.GetWorkflowExecutionTerminatedEventAttributes().GetReason(); why != "" {
			t.end.Reason += ": " + why
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		t.end = t.standing(Unsealed, at)
		t.end.Reason = "timed out by Temporal"
	}
	return nil
}

func (t *tale) sealed(ctx context.Context, r workflows.StudyResult) {
	t.end = t.standing(r.Status, t.clock.last)
	t.end.Head, t.end.Counters = r.Head, r.Counters
	t.end.Partial = r.Partial
	t.end.Result, t.end.Reason = t.contents.Value(ctx, r.Result), t.contents.text(ctx, r.Reason)
}

// standing is how the run stands, as far as the history goes.
func (t *tale) standing(status record.Status, at time.Time) *End {
	// What is still under way counts until now, whenever the history ends.
	clock := t.clock
	for _, k := range t.tasks {
		if k.kind == workflows.ActName && !k.started.IsZero() {
			clock.actions = append(clock.actions, span{k.started, at})
		}
	}
	counters := t.counters
	counters.Attempts += t.attempts
	counters.Losses += t.losses
	counters.Reused += t.reused
	return &End{
		Run: t.id, RunID: t.runID, Status: status, Head: t.head, Counters: counters,
		Failed: t.failed, Saved: t.saved, Cost: clock.cost(), URL: t.link(), At: at,
		Reproduces: t.reproduces,
	}
}

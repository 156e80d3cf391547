package follow

import (
	"context"
	"errors"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/export"
	"rlam/worker/host"
	"rlam/workflows"
)

// tale makes events out of a run's history, one history event after the other.
type tale struct {
	id       string
	url      func(id, runID string) string
	contents Contents
	payloads converter.DataConverter
	emit     func(Event)

	silent   bool            // while retelling what a reset kept and was told before
	told     map[string]bool // resets, by the Temporal run that each began
	noticed  bool            // that the store can't be read
	withheld bool            // it was said that something is withheld

	runID   string
	runs    []string // begun so far
	clock   clock
	last    time.Time       // of the event before
	tasks   map[int64]*task // activities under way, by the ID of their Scheduled event
	timers  map[int64]timer // by the ID of their Started event
	decided time.Time       // when the workflow task under way was scheduled
	calls   map[string]Call // of the newest proposal, by ID

	turns    []Turn
	resets   []Rewound // what resets left, as far as this history says
	head     canon.Digest
	counters record.Counters // of the newest proposal
	attempts int             // since then
	losses   int
	reused   int
	failed   int
	saved    float64 // seconds
	end      *End
	next     string // Temporal run that it continued as

	reproduces string // the run whose calls are executed again
}

// Turn is a completed planner's turn.
type Turn struct {
	RunID string // Temporal's
	Plan  workflows.PlanResult
	Acts  map[string]int // executions that the history knows of, by call
}

type task struct {
	kind, id, doing    string
	input              *commonpb.Payloads
	scheduled, started time.Time
}

type timer struct {
	why   string
	since time.Time
}

// begin forgets what the history of one Temporal run left open.
func (t *tale) begin(runID string) {
	t.runID, t.next = runID, ""
	t.runs = append(t.runs, runID)
	t.tasks, t.timers = map[int64]*task{}, map[int64]timer{}
	t.decided = time.Time{}
}

func (t *tale) tell(e Event) {
	if !t.silent {
		t.emit(e)
	}
}

func (t *tale) decode(p *commonpb.Payloads, v any) error { return t.payloads.FromPayloads(p, v) }

func (t *tale) summary(e *historypb.HistoryEvent) string {
	var s string
	if p := e.GetUserMetadata().GetSummary(); p != nil && t.payloads.FromPayload(p, &s) == nil {
		return s
	}
	return ""
}

// unreadable says once that contents can't be read, and why; and once that some are withheld.
func (t *tale) unreadable(err error) {
	switch {
	case err == nil:
	case errors.Is(err, export.ErrWithheld):
		if !t.withheld {
			t.tell(Notice{Text: "some of what the planner said is withheld: the bundle leaves it out on purpose"})
		}
		t.withheld = true
	case !t.noticed:
		t.tell(Notice{Text: "showing only what the history holds: " + err.Error()})
		t.noticed = true
	}
}

// add takes in one event of the history.
func (t *tale) add(ctx context.Context, e *historypb.HistoryEvent) error {
	at := e.GetEventTime().AsTime()
	defer func() { t.last = at }()
	t.clock.see(at)
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return t.started(ctx, e, at)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		t.decided = at
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		t.clock.queued(t.decided, at)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		t.taskFailed(e.GetWorkflowTaskFailedEventAttributes(), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		return t.scheduled(e, at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		if k := t.tasks[e.GetActivityTaskStartedEventAttributes().GetScheduledEventId()]; k != nil {
			k.started = at
			t.clock.queued(k.scheduled, at)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		return t.completed(ctx, t.close(a.GetScheduledEventId(), at), a.GetResult(), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		t.failedWith(ctx, t.close(a.GetScheduledEventId(), at), host.FailureConverter().FailureToError(a.GetFailure()), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		t.failedWith(ctx, t.close(a.GetScheduledEventId(), at), host.FailureConverter().FailureToError(a.GetFailure()), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		a := e.GetActivityTaskCanceledEventAttributes()
		t.failedWith(ctx, t.close(a.GetScheduledEventId(), at), t.cancelled(a.GetDetails()), at)
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		t.timerStarted(e, at)
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		t.timerEnded(e.GetTimerFiredEventAttributes().GetStartedEventId(), at)
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		t.timerEnded(e.GetTimerCanceledEventAttributes().GetStartedEventId(), at)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		t.tell(CancelRequested{By: e.GetWorkflowExecutionCancelRequestedEventAttributes().GetIdentity(), At: at})
	default:
		return t.closing(ctx, e, at)
	}
	return nil
}

func (t *tale) started(ctx context.Context, e *historypb.HistoryEvent, at time.Time) error {
	a := e.GetWorkflowExecutionStartedEventAttributes()
	var in workflows.StudyInput
	if err := t.decode(a.GetInput(), &in); err != nil {
		return err
	}
	if a.GetContinuedExecutionRunId() != "" && !t.head.IsZero() {
		t.tell(Continued{RunID: t.runID, At: at})
		return nil
	}
	t.head = in.Head
	r := Run{
		ID: t.id, RunID: t.runID, Title: t.summary(e), Record: in.Run, Started: at,
		TaskQueue: a.GetTaskQueue().GetName(), URL: t.link(),
	}
	if p := a.GetMemo().GetFields()[host.MemoStore]; p != nil {
		if err := t.payloads.FromPayload(p, &r.Store); err != nil {
			return err
		}
	}
	rec, unread := t.contents.pinned(ctx, in.Run)
	if unread == nil {
		r.Inputs = rec.Inputs
		r.Member = rec.Ensemble
		if rec.Reproduces != nil {
			t.reproduces = rec.Reproduces.ID
		}
		r.Fork, unread = t.contents.fork(ctx, rec)
	}
	t.tell(r)
	t.unreadable(unread)
	return nil
}

func (t *tale) link() string {
	if t.url == nil {
		return ""
	}
	return t.url(t.id, t.runID)
}

// taskFailed hears of a reset, and of workflow code that could not go on.
func (t *tale) taskFailed(a *historypb.WorkflowTaskFailedEventAttributes, at time.Time) {
	if a.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
		if !t.told[a.GetNewRunId()] { // and no copy of one that was
			t.silent = false
		}
		t.told[a.GetNewRunId()] = true
		t.clock.rewound = append(t.clock.rewound, span{t.last, at})
		t.resets = append(t.resets, Rewound{RunID: a.GetBaseRunId(), At: at, Reason: a.GetFailure().GetMessage()})
		t.tell(Reset{RunID: t.runID, Reason: a.GetFailure().GetMessage(), At: at})
		return
	}
	t.tell(Notice{Text: "the workflow could not go on and will be tried again: " + firstLine(a.GetFailure().GetMessage())})
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (t *tale) scheduled(e *historypb.HistoryEvent, at time.Time) error {
	a := e.GetActivityTaskScheduledEventAttributes()
	k := &task{kind: a.GetActivityType().GetName(), id: a.GetActivityId(), doing: t.summary(e), input: a.GetInput(), scheduled: at}
	t.tasks[e.GetEventId()] = k
	if k.kind != workflows.ActName {
		return nil
	}
	var in workflows.ActInput
	if err := t.decode(k.input, &in); err != nil {
		return err
	}
	c := t.calls[in.Call]
	t.tell(AttemptScheduled{Call: in.Call, Name: c.Name, Action: c.Action, Attempt: in.Attempt, At: at})
	return nil
}

// close takes an activity off those under way, and counts its time.
func (t *tale) close(scheduled int64, at time.Time) *task {
	k := t.tasks[scheduled]
	delete(t.tasks, scheduled)
	if k == nil {
		return &task{scheduled: at, started: at}
	}
	if k.started.IsZero() {
		k.started = at // it never began
	}
	switch s := (span{k.started, at}); k.kind {
	case workflows.PlanName:
		t.clock.model = append(t.clock.model, s)
	case workflows.ActName:
		t.clock.actions = append(t.clock.actions, s)
	}
	return k
}

// timerStarted tells of a wait. The timers that bound the run's time are none: they run beside the work.
func (t *tale) timerStarted(e *historypb.HistoryEvent, at time.Time) {
	why := t.summary(e)
	if why == workflows.WallTimeSummary || why == workflows.LastTurnSummary {
		return
	}
	t.timers[e.GetEventId()] = timer{why: why, since: at}
	t.tell(Wait{For: why, Seconds: e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration().Seconds(), At: at})
}

func (t *tale) timerEnded(started int64, at time.Time) {
	if w, ok := t.timers[started]; ok {
		t.clock.waiting = append(t.clock.waiting, span{w.since, at})
		delete(t.timers, started)
	}
}

package history

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"rlam/provenance/graph"
	"rlam/workflows"
)

// The names of findings that a history alone gives.
const (
	Gap       = "history-gap"       // ids of events are missing
	Disorder  = "history-disorder"  // an event comes twice, or before one with a smaller id
	Unknown   = "history-unknown"   // an event of a type that this build doesn't know
	Unpaired  = "history-unpaired"  // an event closes or starts an activity that was never scheduled
	Unread    = "history-unread"    // a payload that can't be read
	Beginning = "history-beginning" // it doesn't begin with the start of a workflow
)

// Options say how a history is read.
type Options struct {
	// RunID is the Temporal run's. A history does not always say it: "" takes it from
	// the event that started the run.
	RunID string
	// Payloads reads payloads; nil is the SDK's default.
	Payloads converter.DataConverter
}

// Read reads a history to its end.
func Read(events Events, o Options) (*Run, error) {
	r := NewReader(o)
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		r.Add(e)
	}
	if r.run.Events == 0 {
		return nil, fmt.Errorf("reading a history: it has no events")
	}
	return r.Run(), nil
}

// Reader takes in a history, one event at a time.
type Reader struct {
	run      *Run
	payloads converter.DataConverter
	open     map[int64]*Activity // by the event that scheduled them
	news     []*Activity         // closed, and no workflow task has learned of it yet
	learning []*Activity         // those that the task under way learns of
}

// NewReader is a reader that has read nothing.
func NewReader(o Options) *Reader {
	if o.Payloads == nil {
		o.Payloads = converter.GetDefaultDataConverter()
	}
	return &Reader{run: &Run{RunID: o.RunID}, payloads: o.Payloads, open: map[int64]*Activity{}}
}

// Run is what has been told so far.
func (r *Reader) Run() *Run { return r.run }

func (r *Reader) find(name, subject string, event int64, format string, args ...any) {
	r.run.Findings = append(r.run.Findings, graph.Finding{Name: name, Subject: subject, Event: event, What: fmt.Sprintf(format, args...)})
}

// Add takes in the next event.
func (r *Reader) Add(e *historypb.HistoryEvent) {
	r.sequence(e.GetEventId())
	at := e.GetEventTime().AsTime()
	r.run.Newest = at
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		r.begin(e.GetWorkflowExecutionStartedEventAttributes(), at)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		r.learning, r.news = append(r.learning, r.news...), r.news[:0]
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		r.decided(e, at)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		r.taskFailed(e.GetWorkflowTaskFailedEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		r.scheduled(e, at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		a := e.GetActivityTaskStartedEventAttributes()
		if k := r.activity(e, a.GetScheduledEventId()); k != nil {
			k.Began, k.BeganAt, k.Worker = e.GetEventId(), at, a.GetIdentity()
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		if k := r.end(e, a.GetScheduledEventId(), Completed, at); k != nil {
			r.completed(k, a.GetResult())
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		if k := r.end(e, a.GetScheduledEventId(), Failed, at); k != nil {
			r.failed(k, a.GetFailure())
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		if k := r.end(e, a.GetScheduledEventId(), TimedOut, at); k != nil {
			r.failed(k, a.GetFailure())
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		a := e.GetActivityTaskCanceledEventAttributes()
		if k := r.end(e, a.GetScheduledEventId(), Cancelled, at); k != nil {
			k.Failure.Type = workflows.TypeCancelled
			r.detail(k, a.GetDetails())
		}
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes()
		r.run.Children = append(r.run.Children, Child{
			WorkflowID: a.GetWorkflowId(), Type: a.GetWorkflowType().GetName(), Event: e.GetEventId(), Task: a.GetWorkflowTaskCompletedEventId(),
		})
	default:
		r.others(e, at)
	}
}

// sequence checks that ids go up by one.
func (r *Reader) sequence(id int64) {
	if r.run.Events == 0 && id != 1 {
		r.run.Last = id - 1
		r.find(Beginning, "history", id, "events 1 to %d are missing: nothing tells how the run was started", id-1)
	}
	switch want := r.run.Last + 1; {
	case id > want:
		r.find(Gap, "history", id, "events %d to %d are missing", want, id-1)
	case id < want:
		r.find(Disorder, "history", id, "it comes after event %d", r.run.Last)
	}
	r.run.Last = max(r.run.Last, id)
	r.run.Events++
}

func (r *Reader) begin(a *historypb.WorkflowExecutionStartedEventAttributes, at time.Time) {
	run := r.run
	run.WorkflowID, run.Type, run.Starter, run.Started = a.GetWorkflowId(), a.GetWorkflowType().GetName(), a.GetIdentity(), at
	run.Before, run.Parent = a.GetContinuedExecutionRunId(), a.GetParentWorkflowExecution().GetWorkflowId()
	if run.RunID == "" {
		run.RunID = a.GetOriginalExecutionRunId()
	}
	if run.Type != workflows.StudyName {
		return
	}
	var in workflows.StudyInput
	if r.read(1, "input", a.GetInput(), &in) {
		run.Study, run.Record, run.Base, run.Head = true, in.Run, in.Head, in.Head
	}
}

// read decodes what a study wrote. What can't be read is found, and left out.
func (r *Reader) read(event int64, what string, p *commonpb.Payloads, v any) bool {
	if err := r.payloads.FromPayloads(p, v); err != nil {
		r.find(Unread, what, event, "its payload can't be read: %v", err)
		return false
	}
	return true
}

// decided hears of a workflow task that was completed.
func (r *Reader) decided(e *historypb.HistoryEvent, at time.Time) {
	for _, k := range r.learning {
		k.Heard = e.GetEventId()
	}
	r.learning = r.learning[:0]
	r.run.Tasks = append(r.run.Tasks, Task{Event: e.GetEventId(), At: at, By: e.GetWorkflowTaskCompletedEventAttributes().GetIdentity()})
}

// taskFailed hears of a reset among others.
func (r *Reader) taskFailed(a *historypb.WorkflowTaskFailedEventAttributes) {
	if a.GetCause() != enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
		return
	}
	r.run.Bases = append(r.run.Bases, a.GetBaseRunId())
	if r.run.RunID == "" || r.run.RunID == a.GetBaseRunId() {
		r.run.RunID = a.GetNewRunId()
	}
}

// activity finds the activity that an event is about.
func (r *Reader) activity(e *historypb.HistoryEvent, scheduled int64) *Activity {
	k := r.open[scheduled]
	if k == nil {
		r.find(Unpaired, "history", e.GetEventId(), "%s names event %d, which scheduled no activity that is open", e.GetEventType(), scheduled)
	}
	return k
}

func (r *Reader) end(e *historypb.HistoryEvent, scheduled int64, s State, at time.Time) *Activity {
	k := r.activity(e, scheduled)
	if k == nil {
		return nil
	}
	delete(r.open, scheduled)
	k.State, k.Closed, k.ClosedAt = s, e.GetEventId(), at
	r.news = append(r.news, k)
	return k
}

// known are the types of events that this build knows and that tell nothing of what was done.
func known(t enumspb.EventType) bool {
	_, ok := enumspb.EventType_name[int32(t)]
	return ok && t != enumspb.EVENT_TYPE_UNSPECIFIED
}

// others takes in what closes a run, and what only has to be known.
func (r *Reader) others(e *historypb.HistoryEvent, at time.Time) {
	t := e.GetEventType()
	if !known(t) {
		r.find(Unknown, "history", e.GetEventId(), "this build doesn't know events of type %d; it is left out", t)
		return
	}
	ended := map[enumspb.EventType]string{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:        "completed",
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           "failed",
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:         "cancelled",
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:       "terminated",
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        "timed out",
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continued as new",
	}[t]
	if ended != "" {
		r.run.Ended, r.run.Closed = ended, at
		r.closed(e)
	}
}

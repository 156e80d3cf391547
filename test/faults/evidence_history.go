package faults

import (
	"fmt"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/worker/host"
	"rlam/workflows"
)

// told is what a history says, and nothing else was asked.
type told struct {
	run, head canon.Digest
	acts      []event // attempts, as they were scheduled
	byID      map[string]event
}

// event is an activity's life.
type event struct {
	id, name string
	ended    enumspb.EventType // unspecified: it never ended
	typ      string            // of a failure
}

// call is the call of an attempt, "2.1" of "2.1#3".
func (e event) call() string { call, _, _ := strings.Cut(e.id, "#"); return call }

func readHistory(h *historypb.History) (told, error) {
	t := told{byID: map[string]event{}}
	if len(h.GetEvents()) == 0 {
		return t, fmt.Errorf("reading a history: it has no events")
	}
	var in workflows.StudyInput
	if err := decode(h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		return t, err
	}
	t.run, t.head = in.Run, in.Head
	scheduled := map[int64]*event{}
	var order []*event
	for _, e := range h.Events {
		if s := e.GetActivityTaskScheduledEventAttributes(); s != nil {
			scheduled[e.EventId] = &event{id: s.GetActivityId(), name: s.GetActivityType().GetName()}
			order = append(order, scheduled[e.EventId])
			continue
		}
		a := scheduled[ScheduledBy(e)]
		if a == nil || e.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED {
			continue
		}
		a.ended = e.EventType
		a.typ = e.GetActivityTaskFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType()
		if c := e.GetActivityTaskCompletedEventAttributes(); c != nil {
			if err := t.advance(a.name, c.GetResult()); err != nil {
				return t, err
			}
		}
	}
	for _, a := range order {
		t.byID[a.id] = *a
		if a.name == workflows.ActName {
			t.acts = append(t.acts, *a)
		}
	}
	return t, nil
}

// ScheduledBy is the id of the event that scheduled the activity which e closes; 0 if e
// closes none.
func ScheduledBy(e *historypb.HistoryEvent) int64 {
	switch {
	case e.GetActivityTaskCompletedEventAttributes() != nil:
		return e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
	case e.GetActivityTaskFailedEventAttributes() != nil:
		return e.GetActivityTaskFailedEventAttributes().GetScheduledEventId()
	case e.GetActivityTaskTimedOutEventAttributes() != nil:
		return e.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId()
	case e.GetActivityTaskCanceledEventAttributes() != nil:
		return e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()
	}
	return 0
}

// advance moves the head: it is what the last activity that appends to the chain returned.
func (t *told) advance(name string, result *commonpb.Payloads) error {
	switch name {
	case workflows.PlanName:
		var r workflows.PlanResult
		if err := decode(result, &r); err != nil {
			return err
		}
		t.head = r.Head
	case workflows.AppendName:
		return decode(result, &t.head)
	case workflows.SealName:
		var r workflows.SealResult
		if err := decode(result, &r); err != nil {
			return err
		}
		t.head = r.Head
	}
	return nil
}

func decode(p *commonpb.Payloads, v any) error {
	if err := host.DataConverter().FromPayloads(p, v); err != nil {
		return fmt.Errorf("reading a payload: %w", err)
	}
	return nil
}

// history compares the journal with what the server scheduled.
func (c *check) history() {
	for _, a := range c.told.acts {
		c.account.Scheduled++
		switch a.ended {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			c.account.Failed++
			if a.typ == "" {
				c.find(a.id, "it failed without a type")
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
			c.account.TimedOut++
		}
	}
	for _, d := range append(ordered(c.calls), ordered(c.asked)...) {
		for _, x := range d.executions {
			if _, ok := c.told.byID[x.Intent.Activity]; !ok {
				c.find(d.name, "execution %d belongs to activity %q, which the server never scheduled", x.N, x.Intent.Activity)
			}
		}
	}
}

// records compares what the chain says of attempts with journal and history.
func (c *check) records() {
	recorded := map[string]bool{} // calls whose step is closed
	for _, l := range c.links {
		switch r := l.Record.(type) {
		case *record.Seal:
			c.account.Sealed, c.account.RunStatus = true, r.Status
		case *record.Step:
			for _, call := range r.Calls {
				recorded[call.ID] = true
				c.call(r, call)
			}
		}
	}
	c.account.HeadRecord = c.told.head
	for _, d := range ordered(c.calls) {
		if c.account.Sealed && !recorded[d.name] {
			c.find(d.name, "the journal has executions of it, and the sealed chain has no record")
		}
	}
}

func (c *check) call(step *record.Step, call record.CallRecord) {
	scheduled := map[string]event{}
	for _, a := range c.told.acts {
		if a.call() == call.ID && a.typ != workflows.TypeNoBinding && a.typ != workflows.TypeBusy {
			scheduled[a.id] = a
		}
	}
	if len(scheduled) != len(call.Attempts) {
		c.find(call.ID, "the server scheduled %d attempts, and %d are on record", len(scheduled), len(call.Attempts))
	}
	d := c.calls[journal.CallKey(step.Parent, call.ID)]
	if d == nil {
		d = &done{}
	}
	if len(d.executions) > len(call.Attempts) {
		c.find(call.ID, "the journal has %d executions, and %d attempts are on record", len(d.executions), len(call.Attempts))
	}
	for _, at := range call.Attempts {
		c.account.Attempts++
		c.attempt(call.ID, at, scheduled, d)
	}
}

func (c *check) attempt(id string, at record.AttemptRecord, scheduled map[string]event, d *done) {
	name := fmt.Sprintf("%s#%d", id, at.N)
	a := scheduled[name]
	want := map[record.AttemptStatus]enumspb.EventType{
		record.AttemptCompleted: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		record.AttemptFailed:    enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
		record.AttemptCancelled: enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
	}[at.Status]
	timedOut := a.ended == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
	switch {
	case at.Status == record.AttemptLost && (timedOut || a.ended == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED):
	case at.Status == record.AttemptCancelled && (timedOut || a.ended == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED):
	case a.ended != want:
		c.find(name, "it is on record as %s, and the history says %s", at.Status, a.ended)
	}
	if at.Status != record.AttemptCompleted && (at.Error == nil || at.Error.Type == "") && at.Status != record.AttemptCancelled {
		c.find(name, "it is on record as %s without a type", at.Status)
	}
	if at.Error != nil && a.typ != "" && at.Error.Type != a.typ {
		c.find(name, "it is on record as %s, and the history says %s", at.Error.Type, a.typ)
	}
	if at.Status == record.AttemptCompleted && (at.Execution == 0) != (at.Reused != nil) {
		c.find(name, "it is on record as completed with execution %d, and as answered by %+v: want one of them", at.Execution, at.Reused)
	}
	if at.Execution == 0 {
		return
	}
	if at.Execution > len(d.executions) || d.executions[at.Execution-1].Outcome == nil {
		c.find(name, "execution %d is on record, and the journal has no outcome of it", at.Execution)
		return
	}
	if at.Status == record.AttemptCompleted && d.winner != at.Execution {
		c.find(name, "execution %d is on record as completed, and execution %d completed first", at.Execution, d.winner)
	}
}

// Heads are the digests of the run record that a history was started with, and of the
// newest record that an activity of it returned: the run's head, sealed or not.
func Heads(h *historypb.History) (run, head canon.Digest, err error) {
	t, err := readHistory(h)
	return t.run, t.head, err
}

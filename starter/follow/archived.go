package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// errNotArchived says that only the server had a history, if anybody.
var errNotArchived = errors.New("was not archived")

// events are those of one Temporal run so far, from the server or from what was archived.
func (f Follower) events(ctx context.Context, runID string, live bool) client.HistoryEventIterator {
	if f.Archived == nil {
		return f.Client.GetWorkflowHistory(ctx, f.ID, runID, live, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	}
	h := f.Archived[runID]
	if h == nil {
		return &archivedEvents{err: fmt.Errorf("the history of Temporal run %q %w", runID, errNotArchived)}
	}
	return &archivedEvents{left: h.GetEvents()}
}

// archivedEvents iterates over a history that is in memory.
type archivedEvents struct {
	left []*historypb.HistoryEvent
	err  error
}

func (a *archivedEvents) HasNext() bool { return a.err != nil || len(a.left) > 0 }

func (a *archivedEvents) Next() (*historypb.HistoryEvent, error) {
	if a.err != nil {
		return nil, a.err
	}
	if len(a.left) == 0 {
		return nil, errors.New("there are no more events")
	}
	e := a.left[0]
	a.left = a.left[1:]
	return e, nil
}

// leave marks a Temporal run that a reset went back from, and all that it had continued as.
func (f Follower) leave(left map[string]bool, runID string) {
	for seen := map[string]bool{}; runID != "" && !seen[runID]; {
		left[runID], seen[runID] = true, true
		events := f.Archived[runID].GetEvents()
		if len(events) == 0 {
			return
		}
		runID = events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
}

// newestArchived is the Temporal run that nothing continued or went back from. Of several,
// as of runs that were terminated one after the other, it is that with the newest event.
func (f Follower) newestArchived() (string, error) {
	left := map[string]bool{}
	for _, h := range f.Archived {
		for _, e := range h.GetEvents() {
			left[e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()] = true
			if a := e.GetWorkflowTaskFailedEventAttributes(); a.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
				f.leave(left, a.GetBaseRunId())
			}
		}
	}
	newest, at := "", time.Time{}
	for id, h := range f.Archived {
		if n := len(h.GetEvents()); n > 0 && !left[id] {
			if end := h.Events[n-1].GetEventTime().AsTime(); newest == "" || end.After(at) {
				newest, at = id, end
			}
		}
	}
	if newest == "" {
		return "", fmt.Errorf("reading run %q: no history of it was archived", f.ID)
	}
	return newest, nil
}

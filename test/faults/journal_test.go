//go:build linux || darwin

package faults_test

import (
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/test/faults"
)

// journal reads the executions of all keys in the trial's store.
func (x *trial) journal() []journal.Execution {
	x.t.Helper()
	var all []journal.Execution
	j := journal.Journal{Store: x.store}
	for name, err := range x.store.List(x.t.Context(), "journal/") {
		if err != nil {
			x.t.Fatal(err)
		}
		hex, ok := strings.CutSuffix(strings.TrimPrefix(name, "journal/"), ".1.intent")
		if !ok {
			continue
		}
		key, err := canon.Parse("sha256:" + hex)
		if err != nil {
			x.t.Fatal(err)
		}
		executions, err := j.Executions(x.t.Context(), key)
		if err != nil {
			x.t.Fatal(err)
		}
		all = append(all, executions...)
	}
	return all
}

// event is the first event of a history that closes an activity, and the one that
// scheduled it. Both are nil if there is none.
func (r *run) event(id string) (scheduled, closed *historypb.HistoryEvent) {
	r.t.Helper()
	for _, e := range r.history().Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.ActivityId == id {
			scheduled = e
		}
		if scheduled != nil && faults.ScheduledBy(e) == scheduled.EventId {
			return scheduled, e
		}
	}
	return scheduled, nil
}

// endOf is how an activity ended.
func (r *run) endOf(id string) enumspb.EventType {
	r.t.Helper()
	if _, closed := r.event(id); closed != nil {
		return closed.EventType
	}
	return enumspb.EVENT_TYPE_UNSPECIFIED
}

// failures counts the failed attempts of a history by type, from its events alone. prefix
// is that of their activity ids.
func failures(h *historypb.History, prefix string) map[string]int {
	ids := map[int64]string{}
	n := map[string]int{}
	for _, e := range h.Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			ids[e.EventId] = a.ActivityId
		}
		if a := e.GetActivityTaskFailedEventAttributes(); a != nil && strings.HasPrefix(ids[a.ScheduledEventId], prefix) {
			n[a.GetFailure().GetApplicationFailureInfo().GetType()]++
		}
	}
	return n
}

// at is when an event happened, on the server's clock.
func at(e *historypb.HistoryEvent) time.Time { return e.GetEventTime().AsTime() }

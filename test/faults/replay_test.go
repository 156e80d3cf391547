//go:build linux || darwin

package faults_test

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/replay"
	"rlam/worker/host"
)

var dataConverter = host.DataConverter()

// completeInstead makes the event of a failure that of a success.
func completeInstead(e *historypb.HistoryEvent, f *historypb.ActivityTaskFailedEventAttributes, result *commonpb.Payloads) {
	e.EventType = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
	e.Attributes = &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			Result: result, ScheduledEventId: f.ScheduledEventId, StartedEventId: f.StartedEventId, Identity: f.Identity,
		},
	}
}

// replayError is what the comparing replay says against a history.
func replayError(t *testing.T, h *historypb.History) error {
	t.Helper()
	_, err := replay.Replayer{Register: host.Register, DataConverter: dataConverter, FailureConverter: host.FailureConverter()}.History(t.Context(), h)
	return err
}

package test

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/worker/host"
	"rlam/workflows"
)

// runOf is the run record that a history was started with.
func runOf(t testing.TB, h *historypb.History) canon.Digest {
	t.Helper()
	var in workflows.StudyInput
	decode(t, h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	return in.Run
}

// decode reads a payload of a history.
func decode(t testing.TB, p *commonpb.Payloads, v any) {
	t.Helper()
	if err := host.DataConverter().FromPayloads(p, v); err != nil {
		t.Fatal(err)
	}
}

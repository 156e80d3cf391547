package workflows_test

import (
	"context"
	"testing"

	"rlam/workflows"
)

// TestStatus asks a run in the middle of an attempt what it is doing.
func TestStatus(t *testing.T) {
	b := newBench(t)
	var got workflows.Progress
	b.act = func(context.Context, workflows.ActInput) (workflows.ActResult, error) {
		v, err := b.env.QueryWorkflow(workflows.StatusQuery)
		if err == nil {
			err = v.Get(&got)
		}
		if err != nil {
			t.Error(err)
		}
		return workflows.ActResult{Execution: 1}, nil
	}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	if got.Doing != "1.1: lab.measure, attempt 1" || got.Step != 2 || got.Head != digest("proposal 1") || got.Counters.Steps != 1 || got.Counters.Attempts != 1 {
		t.Errorf("progress %+v", got)
	}
	v, err := b.env.QueryWorkflow(workflows.StatusQuery)
	if err == nil {
		err = v.Get(&got)
	}
	if err != nil || got.Doing != "completed" || got.Head != digest("seal") {
		t.Errorf("progress of the run that ended: %+v, %v", got, err)
	}
}

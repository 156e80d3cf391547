package planner_test

import (
	"testing"

	"rlam/activities/planner"
	"rlam/workflows"
)

// The workflow decides by these names, and this package must not import it.
func TestTypesAreTheWorkflows(t *testing.T) {
	for ours, theirs := range map[string]string{
		planner.TypeRateLimited:      workflows.TypeRateLimited,
		planner.TypeModelUnavailable: workflows.TypeModelUnavailable,
		planner.TypeModelRejected:    workflows.TypeModelRejected,
		planner.TypeModelGarbled:     workflows.TypeModelGarbled,
	} {
		if ours != theirs {
			t.Errorf("%q is %q to the workflow", ours, theirs)
		}
	}
}

package replay

import (
	"fmt"
	"slices"
	"strings"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// ForeignError says that a history is of a workflow whose code this build hasn't.
type ForeignError struct {
	Type  string   // of the history's workflow
	Known []string // those that are registered
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("replaying a workflow of type %q: this build has the code of %s only", e.Type, strings.Join(e.Known, ", "))
}

// UnknownEventError says that a history has an event of a type that this build doesn't know,
// and that a worker may not pass over.
type UnknownEventError struct {
	Event int64
	Type  int32 // as numbered by Temporal's API; 0 if only a name was there, and not known
}

func (e *UnknownEventError) Error() string {
	typ := ""
	if e.Type != 0 {
		typ = fmt.Sprintf(" %d", e.Type)
	}
	return fmt.Sprintf("reading event %d: it is of a type%s that this build doesn't know; a newer Temporal server wrote it: replay it with a newer R-LAM", e.Event, typ)
}

// knows says whether the code of h's workflow is registered.
func (r Replayer) knows(h *historypb.History) error {
	started := h.GetEvents()
	if len(started) == 0 || started[0].GetWorkflowExecutionStartedEventAttributes() == nil {
		return fmt.Errorf("replaying a history: its first event does not start a workflow; what comes before it is missing")
	}
	var known registered
	r.Register(&known)
	typ := started[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()
	if known.other || slices.Contains(known.names, typ) {
		return nil
	}
	return &ForeignError{Type: typ, Known: known.names}
}

// registered is a registry that keeps names alone.
type registered struct {
	names []string
	other bool // something is registered under a name that only the SDK knows
}

var _ worker.WorkflowRegistry = (*registered)(nil)

func (r *registered) RegisterWorkflow(any) { r.other = true }

func (r *registered) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	if o.Name == "" {
		r.other = true
		return
	}
	r.names = append(r.names, o.Name)
}

func (r *registered) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) { r.other = true }

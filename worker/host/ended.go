package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/workflows"
)

// Sealed is what a run left when it closed its chain, by the event that closed its
// history; false of any other event, and where there is no seal.
func Sealed(e *historypb.HistoryEvent) (r workflows.StudyResult, sealed bool, err error) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		err = DataConverter().FromPayloads(e.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &r)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		if !detailsOf(FailureConverter().FailureToError(e.GetWorkflowExecutionFailedEventAttributes().GetFailure()), &r) {
			return r, false, nil
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		if DataConverter().FromPayloads(e.GetWorkflowExecutionCanceledEventAttributes().GetDetails(), &r) != nil {
			return r, false, nil
		}
	}
	return r, err == nil && r.Status != "", err
}

// detailsOf reads the result that a run left with the error that it failed with.
func detailsOf(failure error, r *workflows.StudyResult) bool {
	var app *temporal.ApplicationError
	return errors.As(failure, &app) && app.HasDetails() && app.Details(r) == nil
}

// stillOpenError says that a run goes on.
type stillOpenError struct{ id string }

func (e *stillOpenError) Error() string {
	return fmt.Sprintf("run %q is still open: go on with it by starter resume %s, and begin when it has ended", e.id, e.id)
}

// noEndError says that nobody could be asked how a run ended.
type noEndError struct{ id string }

func (e *noEndError) Error() string {
	return fmt.Sprintf("nothing tells how run %q ended: its history is neither with this Temporal server nor archived in the store", e.id)
}

// unsealedError says that a run was ended from outside.
type unsealedError struct{ id string }

func (e *unsealedError) Error() string {
	return fmt.Sprintf("run %q was terminated, and left no seal: nothing of it counts as its outcome", e.id)
}

// seal is the digest of the record that ends a run. A server that knows the run decides,
// because a reset leaves several ends; else its archived histories tell. c may be nil.
func seal(ctx context.Context, c client.Client, s store.Store, run ListedRun) (canon.Digest, error) {
	if c != nil {
		head, err := sealOnServer(ctx, c, run)
		if none := (*noEndError)(nil); !errors.As(err, &none) {
			return head, err
		}
	}
	histories, err := Archived(ctx, s, run.Digest)
	if err != nil {
		return canon.Digest{}, err
	}
	var head canon.Digest
	var closed time.Time
	for _, h := range histories {
		if len(h.Events) == 0 {
			continue
		}
		last := h.Events[len(h.Events)-1]
		r, sealed, err := Sealed(last)
		if err != nil {
			return canon.Digest{}, fmt.Errorf("reading an archived history of run %q: %w", run.Record.ID, err)
		}
		if at := last.GetEventTime().AsTime(); sealed && at.After(closed) {
			head, closed = r.Head, at
		}
	}
	switch {
	case !head.IsZero():
		return head, nil
	case len(histories) > 0:
		return canon.Digest{}, &unsealedError{run.Record.ID}
	}
	return canon.Digest{}, &noEndError{run.Record.ID}
}

// sealOnServer is a *noEndError if the server doesn't know the run, or another by its id.
func sealOnServer(ctx context.Context, c client.Client, run ListedRun) (canon.Digest, error) {
	id := run.Record.ID
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return canon.Digest{}, &noEndError{id}
	}
	if err != nil {
		return canon.Digest{}, fmt.Errorf("looking up run %q: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	var memo string
	if p := info.GetMemo().GetFields()[MemoRun]; p == nil || DataConverter().FromPayload(p, &memo) != nil || memo != run.Digest.String() {
		return canon.Digest{}, &noEndError{id}
	}
	if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return canon.Digest{}, &stillOpenError{id}
	}
	it := c.GetWorkflowHistory(ctx, id, info.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return canon.Digest{}, fmt.Errorf("reading the history of run %q: %w", id, err)
		}
		if r, sealed, err := Sealed(e); err != nil || sealed {
			return r.Head, err
		}
	}
	return canon.Digest{}, &unsealedError{id}
}

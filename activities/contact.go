package activities

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
)

// contactEvery is how often the server is asked for a run whose attempt it gave up.
const contactEvery = time.Second

// errRunClosed ends work whose run has ended.
var errRunClosed = errors.New("the run has ended")

// working is the context of work that outlasts an attempt's contact with the server.
//
// Temporal's library ends an activity's context also when a heartbeat doesn't get
// through, or when the server gave the attempt up meanwhile: the server was restarted,
// the machine was asleep. Such work goes on. Its outcome is journalled, and the next
// attempt, which waits for the key's lock, adopts it. It ends when a cancel was heard,
// when the attempt's time is up, and when its run has ended, for which the server is asked.
func (a *Activities) working(ctx context.Context) (context.Context, context.CancelFunc) {
	work, end := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-work.Done():
			return
		case <-ctx.Done():
		}
		if !lostContact(ctx) {
			end(context.Cause(ctx))
			return
		}
		tick := time.NewTicker(contactEvery)
		defer tick.Stop()
		for !runClosed(work) {
			select {
			case <-work.Done():
				return
			case <-activity.GetWorkerStopChannel(ctx): // the server is not asked by a worker that ends
				return
			case <-tick.C:
			}
		}
		end(errRunClosed)
	}()
	return work, func() { end(nil) }
}

// lostContact says whether ctx was ended by a heartbeat that the server didn't answer, or
// answered by saying that it knows of no such attempt.
func lostContact(ctx context.Context) bool {
	var reply serviceerror.ServiceError
	return errors.As(context.Cause(ctx), &reply)
}

// runClosed says whether the server says that the activity's run has ended.
func runClosed(ctx context.Context) bool {
	run := activity.GetInfo(ctx).WorkflowExecution
	d, err := activity.GetClient(ctx).DescribeWorkflowExecution(ctx, run.ID, run.RunID)
	var gone *serviceerror.NotFound
	return errors.As(err, &gone) || err == nil && d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}

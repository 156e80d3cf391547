package test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"rlam/activities/executor"
	"rlam/test/lab"
)

type measureIn struct {
	X float64 `json:"x"`
}

type measureOut struct {
	Y float64 `json:"y"`
}

func outOfRange() error {
	return executor.Fail("lab.OutOfRange", "beyond x = 5 the detector is saturated", nil)
}

func measure(_ context.Context, in measureIn) (measureOut, error) {
	if in.X > 5 {
		return measureOut{}, outOfRange()
	}
	return measureOut{Y: in.X * in.X}, nil
}

// busy fails so many attempts.
func busy(times int32) func(context.Context, measureIn) (measureOut, error) {
	var n atomic.Int32
	return func(ctx context.Context, in measureIn) (measureOut, error) {
		if n.Add(1) <= times {
			return measureOut{}, executor.Fail("lab.Busy", "the instrument is taken", nil)
		}
		return measure(ctx, in)
	}
}

// untilEnded says that it began, and works until it is told to end.
func untilEnded(began chan<- string) func(context.Context, measureIn) (measureOut, error) {
	return func(ctx context.Context, _ measureIn) (measureOut, error) {
		began <- "an attempt"
		<-ctx.Done()
		return measureOut{}, ctx.Err()
	}
}

// onceThenUntilEnded measures once, and then works until it is told to end.
func onceThenUntilEnded() func(context.Context, measureIn) (measureOut, error) {
	var n atomic.Int32
	return func(ctx context.Context, in measureIn) (measureOut, error) {
		if n.Add(1) == 1 {
			return measure(ctx, in)
		}
		return untilEnded(make(chan string, 1))(ctx, in)
	}
}

// strict accepts no result that the scripts can have.
var strict = map[string]string{"/accept": `[{"expr": "result.y > 100.0"}]`}

func limited(name, limit string) map[string]string {
	return map[string]string{"/limits/" + name: limit}
}

func merged(sets ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

func script(name string) map[string]string {
	return map[string]string{"/planner/scripted": `"` + name + `.yaml"`}
}

// begun is a run with two attempts under way.
func begun(t *testing.T) (*lab.Lab, client.WorkflowRun) {
	began := make(chan string, 10)
	l := lab.New(t, executor.Typed("lab.measure", untilEnded(began)))
	run := l.Begin("studies/study.yaml", script("parallel"))
	receive(t, began)
	receive(t, began)
	return l, run
}

func receive(t *testing.T, c <-chan string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(lab.Limit):
		t.Fatal("nothing began")
	}
}

// ended waits for a run's end, whatever it is.
func ended(l *lab.Lab, run client.WorkflowRun) *historypb.History {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.T.Context(), lab.Limit)
	defer cancel()
	_ = run.Get(ctx, nil) // the test looks at the history
	if ctx.Err() != nil {
		l.T.Fatalf("run %s does not end", run.GetID())
	}
	return l.History(run.GetID(), run.GetRunID())
}

// until waits for an event.
func until(l *lab.Lab, run client.WorkflowRun, is func(*historypb.HistoryEvent) bool) {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.T.Context(), lab.Limit)
	defer cancel()
	for it := l.Client.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		if err != nil {
			l.T.Fatal(err)
		}
		if is(e) {
			return
		}
	}
	l.T.Fatalf("run %s ended without the event", run.GetID())
}

func scheduledIs(id string) func(*historypb.HistoryEvent) bool {
	return func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskScheduledEventAttributes().GetActivityId() == id
	}
}

// withoutHeartbeats is a connection on which heartbeats get lost while cut is true.
func withoutHeartbeats(o client.Options, cut *atomic.Bool) client.Options {
	o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if cut.Load() && method == workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName {
				return nil
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}))
	return o
}

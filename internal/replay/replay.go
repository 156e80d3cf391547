// Package replay runs workflow code over a recorded history, executes nothing, and
// compares what the code decides with what the history holds.
//
// The SDK's own replayer compares the kind and ID of each command, and stops there:
// it passes a history whose activity was given another input, whose timer has
// another length, or whose workflow returned something else. This one compares
// these too. Where both find fault, the first event is named.
//
// Previews (see record.Ref) are left out of every comparison: they are for people,
// and may be withheld.
package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Replayer replays histories of the workflows that Register registers.
type Replayer struct {
	Register         func(worker.WorkflowRegistry)
	DataConverter    converter.DataConverter    // nil is the SDK's default
	FailureConverter converter.FailureConverter // nil is the SDK's default
}

// Result is what a replay saw.
type Result struct {
	Events     int64
	Activities int
	Steps      int // planner turns
	Closed     enumspb.EventType
}

// Divergence says where code and history part for the first time.
type Divergence struct {
	Event    int64  // the history's event, 0 if none is known
	What     string // "activity 4.1#1", "timer 2", "result", …
	Field    string // JSON pointer into an input or a result, or the name of an attribute
	Recorded string
	Replayed string
	Cause    error // the SDK's own finding, if it made one
}

func (d *Divergence) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "replay diverges")
	if d.Event > 0 {
		fmt.Fprintf(&b, " at event %d", d.Event)
	}
	fmt.Fprintf(&b, " (%s", d.What)
	if d.Field != "" {
		fmt.Fprintf(&b, ", %s", d.Field)
	}
	fmt.Fprintf(&b, "): recorded %s, replayed %s", d.Recorded, d.Replayed)
	return b.String()
}

func (d *Divergence) Unwrap() error { return d.Cause }

// Place is the step and the call that a divergence in h is at, by the activity that it is
// of, or else by the one that was scheduled last before it. Step 0 is before the first turn
// of the planner; call is "" where it is no call's.
func (d *Divergence) Place(h *historypb.History) (step int, call string) {
	id, of := strings.CutPrefix(d.What, "activity ")
	for _, e := range h.GetEvents() {
		if d.Event > 0 && e.GetEventId() > d.Event {
			break
		}
		a := e.GetActivityTaskScheduledEventAttributes()
		if n, err := strconv.Atoi(before(a.GetActivityId(), ".")); err == nil {
			step = n
		}
	}
	if !of {
		return step, ""
	}
	turn, rest, _ := strings.Cut(before(id, "#"), ".")
	n, err := strconv.Atoi(turn)
	if err != nil {
		return step, "" // the engine's own: open, append, seal
	}
	position := before(rest, ".")
	if _, err := strconv.Atoi(position); err == nil {
		call = turn + "." + position
	}
	return n, call
}

// before is what comes before the first mark in s, or s where there is none.
func before(s, mark string) string {
	head, _, _ := strings.Cut(s, mark)
	return head
}

// History replays one history. A *Divergence says that code and history disagree;
// any other error, that the history could not be replayed at all.
func (r Replayer) History(ctx context.Context, h *historypb.History) (Result, error) {
	dc := r.DataConverter
	if dc == nil {
		dc = converter.GetDefaultDataConverter()
	}
	fc := r.FailureConverter
	if fc == nil {
		fc = temporal.GetDefaultFailureConverter()
	}
	c, err := newComparison(h, dc, fc)
	if err != nil {
		return Result{}, err
	}
	if err := r.knows(h); err != nil {
		return c.result, err
	}
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter:    r.DataConverter,
		FailureConverter: r.FailureConverter,
		Interceptors:     []interceptor.WorkerInterceptor{&observer{c: c}},
	})
	if err != nil {
		return Result{}, fmt.Errorf("making a replayer: %w", err)
	}
	r.Register(replayer)
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	sdkErr := replayer.ReplayWorkflowHistory(quiet, h)
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	return c.result, c.verdict(sdkErr)
}

// observer hands what the workflow code asks for to the comparison.
type observer struct {
	interceptor.WorkerInterceptorBase
	c *comparison
}

func (o *observer) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &inbound{c: o.c}
	in.Next = next
	return in
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	c *comparison
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &outbound{c: i.c}
	out.Next = next
	return i.Next.Init(out)
}

func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	result, err := i.Next.ExecuteWorkflow(ctx, in)
	i.c.ended(result, err)
	return result, err
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	c *comparison
}

func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if ctx.Err() == nil {
		args = o.c.activity(workflow.GetActivityOptions(ctx), name, args)
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// A timer is sent even of a context that is cancelled already, unlike activities and children.
func (o *outbound) NewTimerWithOptions(ctx workflow.Context, d time.Duration, opts workflow.TimerOptions) workflow.Future {
	if d > 0 {
		o.c.timer(d)
	}
	return o.Next.NewTimerWithOptions(ctx, d, opts)
}

func (o *outbound) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	if d > 0 {
		o.c.timer(d)
	}
	return o.Next.NewTimer(ctx, d)
}

func (o *outbound) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	if ctx.Err() == nil {
		o.c.child(workflow.GetChildWorkflowOptions(ctx).WorkflowID, name, args)
	}
	return o.Next.ExecuteChildWorkflow(ctx, name, args...)
}

func (o *outbound) NewContinueAsNewError(ctx workflow.Context, wfn any, args ...any) error {
	err := o.Next.NewContinueAsNewError(ctx, wfn, args...)
	var can *workflow.ContinueAsNewError
	if errors.As(err, &can) {
		o.c.continued(can.WorkflowType.Name, args)
	}
	return err
}

package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// command is something that the recorded workflow asked for.
type command struct {
	event  int64
	what   string // "activity 4.1#1", "timer 2", "child X"
	name   string
	input  *commonpb.Payloads
	bounds bounds
}

// bounds are the times that a command sets, and how often it may be attempted. What a kind
// of command doesn't have is zero on both sides.
type bounds struct {
	duration     time.Duration // of a timer
	startToClose time.Duration
	heartbeat    time.Duration
	attempts     int32
}

// comparison holds a history's commands beside those of the code.
type comparison struct {
	dc       converter.DataConverter
	fc       converter.FailureConverter
	sequence []command      // in the history's order
	byWhat   map[string]int // what → index into sequence
	next     int            // of sequence, the code is at
	timers   int            // the code has started
	first    *Divergence    // of inputs, timers and results
	order    *Divergence    // of the sequence: it names the place of the SDK's finding
	close    *historypb.HistoryEvent
	returned bool
	result   Result
}

func newComparison(h *historypb.History, dc converter.DataConverter, fc converter.FailureConverter) (*comparison, error) {
	c := &comparison{dc: dc, fc: fc, byWhat: map[string]int{}}
	timers := 0
	var last int64
	for _, e := range h.GetEvents() {
		if e.GetEventId() != last+1 {
			return nil, fmt.Errorf("the history is damaged: event %d follows event %d", e.GetEventId(), last)
		}
		last = e.GetEventId()
		if _, named := enumspb.EventType_name[int32(e.GetEventType())]; (!named || e.GetEventType() == 0) && !e.GetWorkerMayIgnore() {
			return nil, &UnknownEventError{Event: last, Type: int32(e.GetEventType())}
		}
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			a := e.GetActivityTaskScheduledEventAttributes()
			c.add(command{event: last, what: "activity " + a.GetActivityId(), name: a.GetActivityType().GetName(), input: a.GetInput(), bounds: bounds{
				startToClose: a.GetStartToCloseTimeout().AsDuration(),
				heartbeat:    a.GetHeartbeatTimeout().AsDuration(),
				attempts:     a.GetRetryPolicy().GetMaximumAttempts(),
			}})
			c.result.Activities++
			if strings.HasSuffix(a.GetActivityId(), ".plan#1") { // the others ask for the same step again
				c.result.Steps++
			}
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			timers++
			c.add(command{event: last, what: fmt.Sprintf("timer %d", timers), bounds: bounds{
				duration: e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration(),
			}})
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes()
			c.add(command{event: last, what: "child " + a.GetWorkflowId(), name: a.GetWorkflowType().GetName(), input: a.GetInput()})
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
			c.close, c.result.Closed = e, e.GetEventType()
		}
	}
	c.result.Events = last
	return c, nil
}

func (c *comparison) add(cmd command) {
	c.byWhat[cmd.what] = len(c.sequence)
	c.sequence = append(c.sequence, cmd)
}

// meet finds the recorded command that the code's next one stands for.
func (c *comparison) meet(what string) (command, bool) {
	if c.next < len(c.sequence) && c.sequence[c.next].what != what && c.order == nil {
		at := c.sequence[c.next]
		c.order = &Divergence{Event: at.event, What: at.what, Recorded: at.what, Replayed: what}
	}
	if c.next >= len(c.sequence) && c.order == nil && c.finished() {
		c.order = &Divergence{Event: c.close.GetEventId(), What: what, Recorded: "the end of the workflow", Replayed: what}
	}
	c.next++
	i, ok := c.byWhat[what]
	if !ok {
		return command{}, false
	}
	return c.sequence[i], true
}

// activity compares one, and returns its arguments for the SDK: as they are encoded, so that
// this is done once.
func (c *comparison) activity(opts workflow.ActivityOptions, name string, args []any) []any {
	cmd, ok := c.meet("activity " + opts.ActivityID)
	if !ok {
		return args
	}
	if cmd.name != name {
		c.diverge(cmd, "type", cmd.name, name)
	}
	attempts := int32(0)
	if opts.RetryPolicy != nil {
		attempts = opts.RetryPolicy.MaximumAttempts
	}
	c.bounds(cmd, bounds{startToClose: opts.StartToCloseTimeout, heartbeat: opts.HeartbeatTimeout, attempts: attempts})
	return c.arguments(cmd, args)
}

// timer compares by count: the SDK sends every timer, also one that is cancelled at once.
func (c *comparison) timer(d time.Duration) {
	c.timers++
	if cmd, ok := c.meet(fmt.Sprintf("timer %d", c.timers)); ok {
		c.bounds(cmd, bounds{duration: d})
	}
}

func (c *comparison) child(id, name string, args []any) {
	if cmd, ok := c.meet("child " + id); ok {
		if cmd.name != name {
			c.diverge(cmd, "type", cmd.name, name)
		}
		c.arguments(cmd, args)
	}
}

func (c *comparison) continued(name string, args []any) {
	if c.close.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW {
		a := c.close.GetWorkflowExecutionContinuedAsNewEventAttributes()
		cmd := command{event: c.close.GetEventId(), what: "continue-as-new", input: a.GetInput()}
		if recorded := a.GetWorkflowType().GetName(); recorded != name {
			c.diverge(cmd, "type", recorded, name)
		}
		c.arguments(cmd, args)
	}
}

func (c *comparison) bounds(cmd command, replayed bounds) {
	recorded := cmd.bounds
	switch {
	case recorded == replayed:
	case recorded.duration != replayed.duration:
		c.diverge(cmd, "duration", recorded.duration.String(), replayed.duration.String())
	case recorded.heartbeat != replayed.heartbeat:
		c.diverge(cmd, "heartbeat timeout", recorded.heartbeat.String(), replayed.heartbeat.String())
	case recorded.attempts != replayed.attempts:
		c.diverge(cmd, "maximum attempts", strconv.Itoa(int(recorded.attempts)), strconv.Itoa(int(replayed.attempts)))
	default:
		c.diverge(cmd, "start-to-close timeout", recorded.startToClose.String(), replayed.startToClose.String())
	}
}

// arguments compares a command's, and returns them as they are encoded.
func (c *comparison) arguments(cmd command, args []any) []any {
	replayed, err := c.dc.ToPayloads(args...)
	if err != nil {
		c.diverge(cmd, "input", "an input", "an error: "+err.Error())
		return args
	}
	c.payloads(cmd, cmd.input, replayed)
	encoded := make([]any, len(replayed.GetPayloads()))
	for i, p := range replayed.GetPayloads() {
		encoded[i] = converter.NewRawValue(p)
	}
	return encoded
}

func (c *comparison) payloads(cmd command, recorded, replayed *commonpb.Payloads) {
	a, b := recorded.GetPayloads(), replayed.GetPayloads()
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) {
			c.diverge(cmd, "input", fmt.Sprintf("%d arguments", len(a)), fmt.Sprintf("%d arguments", len(b)))
			return
		}
		if field, x, y, differ := differPayload(c.dc, a[i], b[i]); differ {
			c.diverge(cmd, field, x, y)
			return
		}
	}
}

func (c *comparison) diverge(cmd command, field, recorded, replayed string) {
	if c.first == nil || cmd.event < c.first.Event {
		c.first = &Divergence{Event: cmd.event, What: cmd.what, Field: field, Recorded: recorded, Replayed: replayed}
	}
}

// ended compares how the code ended with the event that closed the history.
func (c *comparison) ended(result any, err error) {
	c.returned = true
	if !c.finished() {
		return
	}
	at := command{event: c.close.GetEventId(), what: "close status"}
	replayed := enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	var cancelled *temporal.CanceledError
	var can *workflow.ContinueAsNewError
	switch {
	case errors.As(err, &can):
		replayed = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
	case errors.As(err, &cancelled):
		replayed = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	case err != nil:
		replayed = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
	}
	if replayed != c.close.GetEventType() {
		c.diverge(at, "", c.close.GetEventType().String(), replayed.String())
		return
	}
	at.what = "result"
	switch replayed {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		var payloads *commonpb.Payloads
		if result != nil { // of a workflow that returns an error and nothing else
			var encErr error
			if payloads, encErr = c.dc.ToPayloads(result); encErr != nil {
				c.diverge(at, "", "a result", "an error: "+encErr.Error())
				return
			}
		}
		c.payloads(at, c.close.GetWorkflowExecutionCompletedEventAttributes().GetResult(), payloads)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		c.payloads(at, c.close.GetWorkflowExecutionCanceledEventAttributes().GetDetails(), c.fc.ErrorToFailure(cancelled).GetCanceledFailureInfo().GetDetails())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		c.failures(at, c.close.GetWorkflowExecutionFailedEventAttributes().GetFailure(), c.fc.ErrorToFailure(err))
	}
}

// failures compares type, message and details. The message of an error that the code only
// passed on names processes, so it is left out.
func (c *comparison) failures(at command, recorded, replayed *failurepb.Failure) {
	a, b := recorded.GetApplicationFailureInfo(), replayed.GetApplicationFailureInfo()
	switch {
	case a.GetType() != b.GetType():
		c.diverge(at, "type", strconv.Quote(a.GetType()), strconv.Quote(b.GetType()))
	case replayed.GetCause() == nil && recorded.GetMessage() != replayed.GetMessage():
		c.diverge(at, "message", strconv.Quote(recorded.GetMessage()), strconv.Quote(replayed.GetMessage()))
	default:
		c.payloads(at, a.GetDetails(), b.GetDetails())
	}
}

// finished says whether the workflow's own code closed the history: a terminated or
// timed-out one tells nothing about what the code would have done next.
func (c *comparison) finished() bool {
	switch c.close.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	}
	return false
}

// verdict joins what the SDK found with what the comparison found: the earlier event wins.
func (c *comparison) verdict(sdk error) error {
	if sdk != nil && !strings.Contains(sdk.Error(), "[TMPRL1100]") && c.first == nil {
		return fmt.Errorf("replaying: %w", sdk)
	}
	if c.first == nil && sdk == nil && c.finished() && !c.returned {
		return &Divergence{Event: c.close.GetEventId(), What: "close status", Recorded: c.close.GetEventType().String(), Replayed: "the workflow goes on"}
	}
	d := c.first
	if sdk != nil {
		// The order of commands only places the SDK's finding: a command that was dropped
		// before it was sent is no fault.
		at := c.order
		if at == nil && c.next < len(c.sequence) {
			missing := c.sequence[c.next]
			at = &Divergence{Event: missing.event, What: missing.what, Recorded: missing.what, Replayed: "nothing"}
		}
		if at == nil {
			at = &Divergence{What: "commands", Recorded: "another command", Replayed: sdk.Error()}
		}
		if d == nil || at.Event > 0 && at.Event < d.Event {
			d = at
		}
		d.Cause = sdk
	}
	if d == nil {
		return nil
	}
	return d
}

package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// command is something that the recorded workflow asked for.
type command struct {
	event   int64
	what    string // "activity 4.1#1", "timer 2", "child X"
	name    string
	input   *commonpb.Payloads
	timeout map[string]time.Duration
}

// comparison holds a history's commands beside those of the code.
type comparison struct {
	dc       converter.DataConverter
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

func newComparison(h *historypb.History, dc converter.DataConverter) (*comparison, error) {
	c := &comparison{dc: dc, byWhat: map[string]int{}}
	timers := 0
	var last int64
	for _, e := range h.GetEvents() {
		if e.GetEventId() != last+1 {
			return nil, fmt.Errorf("the history is damaged: event %d follows event %d", e.GetEventId(), last)
		}
		last = e.GetEventId()
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			a := e.GetActivityTaskScheduledEventAttributes()
			c.add(command{event: last, what: "activity " + a.GetActivityId(), name: a.GetActivityType().GetName(), input: a.GetInput(), timeout: map[string]time.Duration{
				"start-to-close timeout": a.GetStartToCloseTimeout().AsDuration(),
				"heartbeat timeout":      a.GetHeartbeatTimeout().AsDuration(),
				"maximum attempts":       time.Duration(a.GetRetryPolicy().GetMaximumAttempts()),
			}})
			c.result.Activities++
			if strings.Contains(a.GetActivityId(), ".plan#") {
				c.result.Steps++
			}
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			timers++
			c.add(command{event: last, what: fmt.Sprintf("timer %d", timers), timeout: map[string]time.Duration{
				"duration": e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration(),
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

func (c *comparison) activity(opts workflow.ActivityOptions, name string, args []any) {
	cmd, ok := c.meet("activity " + opts.ActivityID)
	if !ok {
		return
	}
	if cmd.name != name {
		c.diverge(cmd, "type", cmd.name, name)
	}
	attempts := int32(0)
	if opts.RetryPolicy != nil {
		attempts = opts.RetryPolicy.MaximumAttempts
	}
	c.timeouts(cmd, map[string]time.Duration{
		"start-to-close timeout": opts.StartToCloseTimeout, "heartbeat timeout": opts.HeartbeatTimeout, "maximum attempts": time.Duration(attempts),
	})
	c.arguments(cmd, args)
}

func (c *comparison) timer(d time.Duration, _ string) {
	c.timers++
	if cmd, ok := c.meet(fmt.Sprintf("timer %d", c.timers)); ok {
		c.timeouts(cmd, map[string]time.Duration{"duration": d})
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

func (c *comparison) continued(args []any) {
	if c.close.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW {
		a := c.close.GetWorkflowExecutionContinuedAsNewEventAttributes()
		c.arguments(command{event: c.close.GetEventId(), what: "continue-as-new", input: a.GetInput()}, args)
	}
}

func (c *comparison) timeouts(cmd command, replayed map[string]time.Duration) {
	for _, field := range sortedKeys(replayed) {
		if cmd.timeout[field] != replayed[field] {
			show := func(d time.Duration) string { return d.String() }
			if field == "maximum attempts" {
				show = func(d time.Duration) string { return strconv.Itoa(int(d)) }
			}
			c.diverge(cmd, field, show(cmd.timeout[field]), show(replayed[field]))
		}
	}
}

func (c *comparison) arguments(cmd command, args []any) {
	replayed, err := c.dc.ToPayloads(args...)
	if err != nil {
		c.diverge(cmd, "input", "an input", "an error: "+err.Error())
		return
	}
	c.payloads(cmd, cmd.input, replayed)
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
		payloads, encErr := c.dc.ToPayloads(result)
		if encErr != nil {
			c.diverge(at, "", "a result", "an error: "+encErr.Error())
			return
		}
		c.payloads(at, c.close.GetWorkflowExecutionCompletedEventAttributes().GetResult(), payloads)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		var app *temporal.ApplicationError
		recorded := c.close.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		if errors.As(err, &app) && app.Type() != recorded.GetApplicationFailureInfo().GetType() {
			c.diverge(at, "type", recorded.GetApplicationFailureInfo().GetType(), app.Type())
		}
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// differPayload compares two payloads as JSON without previews, else as bytes.
func differPayload(dc converter.DataConverter, a, b *commonpb.Payload) (field, recorded, replayed string, differ bool) {
	if bytes.Equal(a.GetData(), b.GetData()) {
		return "", "", "", false
	}
	var x, y any
	if dc.FromPayload(a, &x) != nil || dc.FromPayload(b, &y) != nil {
		return "data", fmt.Sprintf("%d bytes", len(a.GetData())), fmt.Sprintf("%d other bytes", len(b.GetData())), true
	}
	return differJSON("", x, y)
}

// differJSON finds the first difference of two JSON values, in the order of their names.
func differJSON(at string, a, b any) (field, x, y string, differ bool) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		names := sortedKeys(a)
		for name := range b {
			if _, ok := a[name]; !ok {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		_, isRef := a["digest"]
		for _, name := range names {
			if isRef && name == "preview" {
				continue
			}
			va, inA := a[name]
			vb, inB := b[name]
			p := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			if inA != inB {
				return p, show(va, inA), show(vb, inB), true
			}
			if f, x, y, d := differJSON(p, va, vb); d {
				return f, x, y, true
			}
		}
		return "", "", "", false
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if f, x, y, d := differJSON(fmt.Sprintf("%s/%d", at, i), a[i], b[i]); d {
				return f, x, y, true
			}
		}
		return "", "", "", false
	}
	if reflect.DeepEqual(a, b) {
		return "", "", "", false
	}
	return at, show(a, true), show(b, true), true
}

func show(v any, present bool) string {
	if !present {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}

package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

// Statuses that a member has besides those that it ends with.
const (
	MemberWaits   record.Status = ""        // it has not begun
	MemberRunning record.Status = "running" // it is under way
	MemberUnknown record.Status = "unknown" // nothing tells what became of it
)

// Roster is an ensemble and how its members stand.
type Roster struct {
	Digest  canon.Digest // of its record
	Record  *record.Ensemble
	Head    canon.Digest // its newest seal; else its record
	Open    bool         // its workflow goes on
	Members []Member

	TemporalRun string // the newest of its workflow; "" where no server tells
}

// Member is one member of a [Roster], by its newest go.
type Member struct {
	*record.EnsembleMember
	Go     int // 0: it has not begun
	RunID  string
	Status record.Status
	Head   canon.Digest // its seal, if it left one
}

// NewRoster is the roster of an ensemble none of whose members has begun.
func NewRoster(d canon.Digest, e *record.Ensemble) *Roster {
	r := &Roster{Digest: d, Record: e, Head: d, Members: make([]Member, len(e.Members))}
	for i := range e.Members {
		r.Members[i].EnsembleMember = &e.Members[i]
	}
	return r
}

// ended notes how a member ended.
func (r *Roster) ended(end workflows.MemberEnd) *Member {
	if end.N < 1 || end.N > len(r.Members) {
		return nil
	}
	m := &r.Members[end.N-1]
	m.Go, m.Status, m.Head = end.Go, end.Status, end.Head
	m.RunID = record.MemberRunID(r.Record.ID, m.ID, m.Go)
	return m
}

// member finds a member by its workflow ID, and says which go of it that is.
func (r *Roster) member(workflowID string) (*Member, int) {
	name, ok := strings.CutPrefix(workflowID, r.Record.ID+".m")
	if !ok {
		return nil, 0
	}
	number, again, more := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(r.Members) {
		return nil, 0
	}
	k := 1
	if more {
		if k, err = strconv.Atoi(again); err != nil {
			return nil, 0
		}
	}
	return &r.Members[n-1], k
}

// Take takes in an event of the ensemble's workflow, and returns the member whose standing
// it changed, if it is that of one.
func (r *Roster) Take(e *historypb.HistoryEvent) (*Member, error) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return nil, r.begin(e.GetWorkflowExecutionStartedEventAttributes())
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		m, k := r.member(e.GetChildWorkflowExecutionStartedEventAttributes().GetWorkflowExecution().GetWorkflowId())
		if m != nil {
			m.Go, m.Status, m.RunID, m.Head = k, MemberRunning, e.GetChildWorkflowExecutionStartedEventAttributes().GetWorkflowExecution().GetWorkflowId(), canon.Digest{}
		}
		return m, nil
	}
	id, status, result, ended, err := endOfChild(e)
	if !ended || err != nil {
		return nil, err
	}
	m, k := r.member(id)
	if m == nil {
		return nil, nil
	}
	m.Go, m.RunID, m.Status, m.Head = k, id, status, result.Head
	return m, nil
}

// begin takes in what the workflow was started with.
func (r *Roster) begin(a *historypb.WorkflowExecutionStartedEventAttributes) error {
	var in workflows.EnsembleInput
	if err := DataConverter().FromPayloads(a.GetInput(), &in); err != nil {
		return fmt.Errorf("reading what ensemble %q was started with: %w", r.Record.ID, err)
	}
	r.Head = in.Head
	for _, end := range in.Ended {
		r.ended(end)
	}
	return nil
}

// endOfChild is how a child workflow ended, by an event of its parent.
func endOfChild(e *historypb.HistoryEvent) (id string, status record.Status, result workflows.StudyResult, ended bool, err error) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		a := e.GetChildWorkflowExecutionCompletedEventAttributes()
		err = DataConverter().FromPayloads(a.GetResult(), &result)
		return a.GetWorkflowExecution().GetWorkflowId(), result.Status, result, true, err
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		a := e.GetChildWorkflowExecutionFailedEventAttributes()
		detailsOf(FailureConverter().FailureToError(a.GetFailure()), &result)
		return a.GetWorkflowExecution().GetWorkflowId(), record.Failed, result, true, nil
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		a := e.GetChildWorkflowExecutionCanceledEventAttributes()
		if a.GetDetails() != nil && DataConverter().FromPayloads(a.GetDetails(), &result) != nil {
			result = workflows.StudyResult{}
		}
		return a.GetWorkflowExecution().GetWorkflowId(), record.Cancelled, result, true, nil
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return e.GetChildWorkflowExecutionTerminatedEventAttributes().GetWorkflowExecution().GetWorkflowId(), record.Terminated, result, true, nil
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		return e.GetChildWorkflowExecutionTimedOutEventAttributes().GetWorkflowExecution().GetWorkflowId(), record.Failed, result, true, nil
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		return e.GetStartChildWorkflowExecutionFailedEventAttributes().GetWorkflowId(), record.NotStarted, result, true, nil
	}
	return "", "", result, false, nil
}

// ListedEnsemble is an ensemble that a store lists.
type ListedEnsemble struct {
	Digest canon.Digest // of its record
	Record *record.Ensemble
}

// Ensembles reads the records of the ensembles that a store lists, the newest first.
func Ensembles(ctx context.Context, s store.Store) ([]ListedEnsemble, error) {
	var all []ListedEnsemble
	err := eachListed(ctx, s, record.EnsemblePrefix, func(d canon.Digest) error {
		e := &record.Ensemble{}
		all = append(all, ListedEnsemble{Digest: d, Record: e})
		return record.Load(ctx, s, d, e)
	})
	return all, err
}

// ReadRoster tells how the members of an ensemble stand: by its seals, and by the history of
// its workflow where members have begun since, if c has that. c may be nil.
func ReadRoster(ctx context.Context, c client.Client, s store.Store, e ListedEnsemble) (*Roster, error) {
	r := NewRoster(e.Digest, e.Record)
	known := false
	var err error
	if c != nil {
		if known, err = r.describe(ctx, c); err != nil {
			return nil, err
		}
	}
	if r.Open {
		return r, r.read(ctx, c)
	}
	sealed, err := r.seals(ctx, s)
	if err != nil {
		return nil, err
	}
	begun, err := r.begun(ctx, s)
	if err != nil {
		return nil, err
	}
	since := false
	for i := range r.Members {
		if n, k := i+1, begun[i+1]; k > sealed[r.Members[i].ID] {
			r.ended(workflows.MemberEnd{MemberGo: workflows.MemberGo{N: n, Go: k}, Status: MemberRunning})
			since = true
		}
	}
	if since && known {
		if err := r.read(ctx, c); err != nil {
			return nil, err
		}
	}
	return r, r.settle(ctx, c, s)
}

// describe says whether the server knows the ensemble's workflow, and whether that is open.
func (r *Roster) describe(ctx context.Context, c client.Client) (known bool, err error) {
	d, err := c.DescribeWorkflowExecution(ctx, r.Record.ID, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking up ensemble %q: %w", r.Record.ID, err)
	}
	info := d.GetWorkflowExecutionInfo()
	r.TemporalRun = info.GetExecution().GetRunId()
	r.Open = info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	return true, nil
}

// read goes through the newest history of the ensemble's workflow, which begins with all
// that was known before it.
func (r *Roster) read(ctx context.Context, c client.Client) error {
	for it := c.GetWorkflowHistory(ctx, r.Record.ID, r.TemporalRun, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		event, err := it.Next()
		if err != nil {
			return fmt.Errorf("reading the history of ensemble %q: %w", r.Record.ID, err)
		}
		if _, err := r.Take(event); err != nil {
			return err
		}
	}
	return nil
}

// settle asks after members that an ensemble left behind when it was terminated.
func (r *Roster) settle(ctx context.Context, c client.Client, s store.Store) error {
	for i := range r.Members {
		m := &r.Members[i]
		if m.Status != MemberRunning {
			continue
		}
		run, err := memberRecord(ctx, s, r.Digest, m)
		if err != nil {
			return err
		}
		var open *stillOpenError
		var none *noEndError
		var unsealed *unsealedError
		head, err := seal(ctx, c, s, run)
		switch {
		case errors.As(err, &open):
		case errors.As(err, &none):
			m.Status = MemberUnknown
		case errors.As(err, &unsealed):
			m.Status = record.Terminated
		case err != nil:
			return err
		default:
			var end record.Seal
			if err := record.Load(ctx, s, head, &end); err != nil {
				return err
			}
			m.Status, m.Head = end.Status, head
		}
	}
	return nil
}

// begun says how often members were put on record, by number.
func (r *Roster) begun(ctx context.Context, s store.Store) (map[int]int, error) {
	begun := map[int]int{}
	prefix := record.MemberPrefix(r.Digest)
	for key, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("listing the members of ensemble %q: %w", r.Record.ID, err)
		}
		id, again, _ := strings.Cut(strings.TrimPrefix(key, prefix), ".")
		n, err := strconv.Atoi(strings.TrimPrefix(id, "m"))
		k, err2 := strconv.Atoi(again)
		if errors.Join(err, err2) == nil {
			begun[n] = max(begun[n], k)
		}
	}
	return begun, nil
}

// seals takes in the ensemble's seals, one after the other, and says which go of each
// member they tell of.
func (r *Roster) seals(ctx context.Context, s store.Store) (map[string]int, error) {
	sealed := map[string]int{}
	for head := r.Digest; ; {
		value, err := s.Entry(ctx, record.EnsembleSealKey(r.Digest, head))
		if errors.Is(err, store.ErrNotFound) {
			r.Head = head
			return sealed, nil
		}
		if err != nil {
			return nil, err
		}
		if head, err = canon.Parse(string(value)); err != nil {
			return nil, fmt.Errorf("reading the seal of ensemble %q: %w", r.Record.ID, err)
		}
		var end record.EnsembleSeal
		if err := record.Load(ctx, s, head, &end); err != nil {
			return nil, err
		}
		for _, m := range end.Members {
			n, err := strconv.Atoi(strings.TrimPrefix(m.ID, "m"))
			if err != nil || n < 1 || n > len(r.Members) || r.Members[n-1].Go > m.Go {
				continue
			}
			r.ended(workflows.MemberEnd{MemberGo: workflows.MemberGo{N: n, Go: m.Go}, Status: m.Status, Head: m.Head})
			sealed[m.ID] = m.Go
		}
	}
}

// memberRecord is the record of a member's newest go.
func memberRecord(ctx context.Context, s store.Store, ensemble canon.Digest, m *Member) (ListedRun, error) {
	value, err := s.Entry(ctx, record.MemberKey(ensemble, m.ID, m.Go))
	if err != nil {
		return ListedRun{}, fmt.Errorf("looking up member %s: %w", m.ID, err)
	}
	run := ListedRun{Record: &record.Run{}}
	if run.Digest, err = canon.Parse(string(value)); err != nil {
		return ListedRun{}, fmt.Errorf("looking up member %s: %w", m.ID, err)
	}
	return run, record.Load(ctx, s, run.Digest, run.Record)
}

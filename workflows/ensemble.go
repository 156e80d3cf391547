package workflows

import (
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/canon"
	"rlam/internal/record"
)

// Ensemble runs the members of an ensemble, each as a child workflow of type [StudyName],
// a bounded number at once, and writes down what became of them. A member is put on record
// right before it begins, so that its limits count from then. A cancel begins no more
// members, and cancels those under way, which seal their chains.
//
// What one workflow run can hold is bounded: where the server suggests it, no more members
// are begun, and when those under way have ended the ensemble continues as new.
func Ensemble(ctx workflow.Context, in EnsembleInput) (EnsembleResult, error) {
	e := &ensemble{in: in, ended: slices.Clone(in.Ended), all: len(in.Ended) + len(in.Todo)}
	e.show(ctx)
	wg := workflow.NewWaitGroup(ctx)
	for range min(max(in.Parallel, 1), len(in.Todo)) {
		wg.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer wg.Done()
			for e.begun < len(in.Todo) && !e.draining(ctx) {
				m := in.Todo[e.begun]
				e.begun++
				e.member(ctx, m)
				e.show(ctx)
			}
		})
	}
	wg.Wait(ctx)
	if rest := in.Todo[e.begun:]; len(rest) > 0 && ctx.Err() == nil {
		in.Todo, in.Ended = rest, e.ended
		return EnsembleResult{}, workflow.NewContinueAsNewError(ctx, EnsembleName, in)
	}
	return e.conclude(ctx)
}

// ensemble is an Ensemble under way.
type ensemble struct {
	in    EnsembleInput
	all   int // members
	begun int // of those that were to be begun
	ended []MemberEnd
}

// await waits for what an activity comes to: an ensemble has no clock to look at meanwhile.
func await(ctx workflow.Context, f workflow.Future, out any) error { return f.Get(ctx, out) }

// draining says whether no more members are to be begun here.
func (e *ensemble) draining(ctx workflow.Context) bool {
	return ctx.Err() != nil || e.begun > 0 && workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// member puts a member on record, starts it, and waits for its end.
func (e *ensemble) member(ctx workflow.Context, m MemberGo) {
	id := fmt.Sprintf("%s.%d", record.MemberID(m.N), m.Go)
	var enrolled EnrolResult
	err := engine(ctx, await, leastLosses, EnrolName, id, "putting member "+id+" on record",
		EnrolInput{Ensemble: e.in.Ensemble, MemberGo: m, Started: workflow.Now(ctx)}, &enrolled)
	end := MemberEnd{MemberGo: m, Status: record.NotStarted}
	if err == nil {
		var result StudyResult
		err = workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, e.child(enrolled)), StudyName,
			StudyInput{Run: enrolled.Run, Head: enrolled.Run, SearchAttributes: e.in.SearchAttributes}).Get(ctx, &result)
		end.Status, end.Head = endOfMember(result, err)
	} else if ctx.Err() != nil {
		end.Status = record.Cancelled
	}
	e.ended = append(e.ended, end)
}

// child are the options of a member's workflow. One that outlives the ensemble, because
// that was terminated, is asked to end, and seals its chain.
func (e *ensemble) child(m EnrolResult) workflow.ChildWorkflowOptions {
	o := workflow.ChildWorkflowOptions{
		WorkflowID: m.ID, WaitForCancellation: true,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		StaticSummary:         m.Summary,
		Memo:                  map[string]any{StoreMemo: e.in.Store, RunMemo: m.Run.String()},
	}
	if e.in.SearchAttributes {
		o.TypedSearchAttributes = temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(StudyAttribute).ValueSet(m.Title),
			temporal.NewSearchAttributeKeyKeyword(StatusAttribute).ValueSet("running"),
			temporal.NewSearchAttributeKeyKeyword(ModelAttribute).ValueSet(m.Model),
			temporal.NewSearchAttributeKeyBool(ApprovalAttribute).ValueSet(false),
		)
	}
	return o
}

// endOfMember is how a member ended, by what its workflow returned.
func endOfMember(result StudyResult, err error) (record.Status, canon.Digest) {
	var cancelled *temporal.CanceledError
	var terminated *temporal.TerminatedError
	var app *temporal.ApplicationError
	var started *temporal.ChildWorkflowExecutionAlreadyStartedError
	switch {
	case err == nil:
		return result.Status, result.Head
	case errors.As(err, &started):
		return record.NotStarted, canon.Digest{}
	case errors.As(err, &terminated):
		return record.Terminated, canon.Digest{}
	case errors.As(err, &cancelled):
		if cancelled.HasDetails() && cancelled.Details(&result) == nil {
			return record.Cancelled, result.Head
		}
		return record.Cancelled, canon.Digest{}
	case errors.As(err, &app) && app.HasDetails() && app.Details(&result) == nil:
		return record.Failed, result.Head
	}
	return record.Failed, canon.Digest{}
}

// conclude writes down what became of the members, also after a cancel.
func (e *ensemble) conclude(ctx workflow.Context) (EnsembleResult, error) {
	result := EnsembleResult{Status: record.Completed, NotBegun: len(e.in.Todo) - e.begun}
	if ctx.Err() != nil {
		result.Status = record.Cancelled
	}
	for _, m := range e.ended {
		if m.Status == record.Completed {
			result.Completed++
		} else {
			result.Others++
		}
	}
	slices.SortFunc(e.ended, func(a, b MemberEnd) int { return a.N - b.N })
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if err := engine(ctx, await, leastLosses, ConcludeName, "conclude", "writing down what became of the members", ConcludeInput{
		Ensemble: e.in.Ensemble, Head: e.in.Head, Status: result.Status, Members: e.ended, Ended: workflow.Now(ctx),
	}, &result.Head); err != nil {
		return EnsembleResult{}, err
	}
	publish(ctx, e.in.SearchAttributes, StatusAttribute, string(result.Status))
	if result.Status == record.Cancelled {
		return EnsembleResult{}, temporal.NewCanceledError(result)
	}
	return result, nil
}

// show writes how the ensemble stands where Temporal UI shows it.
func (e *ensemble) show(ctx workflow.Context) {
	completed := 0
	for _, m := range e.ended {
		if m.Status == record.Completed {
			completed++
		}
	}
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** · ensemble of %d\n\n%d completed, %d ended otherwise, %d under way, %d to begin",
		oneLine(e.in.Title), e.all, completed, len(e.ended)-completed, len(e.in.Ended)+e.begun-len(e.ended), len(e.in.Todo)-e.begun))
}

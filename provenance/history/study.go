package history

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/workflows"
)

func (r *Reader) scheduled(e *historypb.HistoryEvent, at time.Time) {
	a := e.GetActivityTaskScheduledEventAttributes()
	k := &Activity{
		ID: a.GetActivityId(), Type: a.GetActivityType().GetName(), State: Open,
		Scheduled: e.GetEventId(), ScheduledAt: at, Task: a.GetWorkflowTaskCompletedEventId(),
	}
	r.open[k.Scheduled] = k
	r.run.Activities = append(r.run.Activities, k)
	if !r.run.Study {
		k.Input = sum(a.GetInput())
		return
	}
	switch k.Type {
	case workflows.PlanName:
		var in workflows.PlanInput
		if r.read(k.Scheduled, k.ID, a.GetInput(), &in) {
			k.Study.Step, k.Study.From, k.Study.Outcomes = in.Step, in.Head, in.Outcomes
		}
	case workflows.AppendName:
		var in workflows.AppendInput
		if r.read(k.Scheduled, k.ID, a.GetInput(), &in) {
			k.Study.From, k.Study.Outcomes = in.Head, in.Outcomes
		}
	case workflows.SealName:
		var in workflows.SealInput
		if r.read(k.Scheduled, k.ID, a.GetInput(), &in) {
			k.Study.From, k.Study.Outcomes = in.Head, in.Outcomes
		}
	case workflows.JudgeName:
		var in workflows.JudgeInput
		if r.read(k.Scheduled, k.ID, a.GetInput(), &in) {
			k.Study.Call, k.Study.Proposal = in.Call, in.Proposal
		}
	case workflows.ActName:
		var in workflows.ActInput
		if r.read(k.Scheduled, k.ID, a.GetInput(), &in) {
			k.Study = StudyFacts{Call: in.Call, Attempt: in.Attempt, Proposal: in.Proposal, Params: in.Params.Digest, Judgement: in.Judgement}
		}
	}
}

// completed reads what a study's activity returned.
func (r *Reader) completed(k *Activity, result *commonpb.Payloads) {
	if !r.run.Study {
		k.Result = sum(result)
		return
	}
	s := &k.Study
	switch k.Type {
	case workflows.PlanName:
		var out workflows.PlanResult
		if r.read(k.Closed, k.ID, result, &out) {
			s.Head, s.Outcome, s.Model, s.Result = out.Head, string(out.Outcome), out.Model, out.Result.Digest
			for _, c := range out.Calls {
				s.Calls = append(s.Calls, CallFacts{ID: c.ID, Name: c.Name, Action: c.Action, Params: c.Params.Digest, Decision: c.Decision})
			}
		}
	case workflows.JudgeName:
		var out workflows.JudgeResult
		if r.read(k.Closed, k.ID, result, &out) {
			s.Judgement, s.Decision, s.Params = out.Judgement, string(out.Decision), out.Params.Digest
		}
	case workflows.ActName:
		var out workflows.ActResult
		if r.read(k.Closed, k.ID, result, &out) {
			s.Execution, s.Adopted, s.Output, s.Reused = out.Execution, out.Adopted, out.Output.Digest, out.Reused
		}
	case workflows.AppendName:
		r.read(k.Closed, k.ID, result, &s.Head)
	case workflows.SealName:
		var out workflows.SealResult
		if r.read(k.Closed, k.ID, result, &out) {
			s.Head = out.Head
		}
	}
	if !s.Head.IsZero() {
		r.run.Head = s.Head
	}
}

// failed reads a failure. Its type is that of the innermost cause that has one of its own.
func (r *Reader) failed(k *Activity, f *failurepb.Failure) {
	k.Failure = describe(f)
	for ; f != nil; f = f.GetCause() {
		if d := f.GetApplicationFailureInfo().GetDetails(); d != nil {
			r.detail(k, d)
			return
		}
	}
}

func describe(f *failurepb.Failure) Failure {
	d := Failure{Message: f.GetMessage()}
	switch {
	case f.GetApplicationFailureInfo() != nil:
		d.Type = f.GetApplicationFailureInfo().GetType()
	case f.GetTimeoutFailureInfo() != nil:
		d.Type = workflows.TypeLost
		d.Message = "no outcome arrived: " + f.GetTimeoutFailureInfo().GetTimeoutType().String() + " timeout"
	case f.GetCanceledFailureInfo() != nil:
		d.Type = workflows.TypeCancelled
	case f.GetServerFailureInfo() != nil:
		d.Type = "server"
	}
	return d
}

// detail reads what an activity of a study says of its failure besides. One that isn't
// R-LAM's own says something else, or nothing.
func (r *Reader) detail(k *Activity, details *commonpb.Payloads) {
	var f workflows.Failure
	if !r.run.Study || details == nil || r.payloads.FromPayloads(details, &f) != nil {
		return
	}
	k.Study.Execution, k.Study.Adopted, k.Study.Detail = f.Execution, f.Adopted, f.Detail.Digest
}

// closed reads how a study's history ended.
func (r *Reader) closed(e *historypb.HistoryEvent) {
	r.run.Next = e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	if !r.run.Study {
		return
	}
	var p *commonpb.Payloads
	switch {
	case e.GetWorkflowExecutionCompletedEventAttributes() != nil:
		p = e.GetWorkflowExecutionCompletedEventAttributes().GetResult()
	case e.GetWorkflowExecutionFailedEventAttributes() != nil:
		p = e.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetDetails()
	case e.GetWorkflowExecutionCanceledEventAttributes() != nil:
		p = e.GetWorkflowExecutionCanceledEventAttributes().GetDetails()
	}
	var out workflows.StudyResult
	// What ended without a seal has nothing to read here, or something else.
	if p != nil && r.payloads.FromPayloads(p, &out) == nil {
		r.run.Status, r.run.Sealed = out.Status, out.Head
	}
}

// sum is the digest of payloads' data, so that a value has a name where nobody knows its type.
func sum(p *commonpb.Payloads) canon.Digest {
	switch all := p.GetPayloads(); len(all) {
	case 0:
		return canon.Digest{}
	case 1:
		return canon.Sum(all[0].GetData())
	default:
		digests := make([]string, 0, len(all))
		for _, one := range all {
			digests = append(digests, canon.Sum(one.GetData()).String())
		}
		return canon.Key("rlam.payloads.v1", digests...)
	}
}

package activities

import (
	"context"
	"time"

	"rlam/activities/planner"
	"rlam/internal/record"
)

// draft judges an answer, and makes of both the record of a proposal that nobody has been
// told of yet. Turn is still missing.
func (a *Activities) draft(ctx context.Context, run *pinned, c *chain, candidate int, q *question, answer planner.Answer) (*record.Proposal, *proposalWriter, error) {
	w := &proposalWriter{secret: run.secret}
	p := &record.Proposal{
		Kind: record.KindProposal, Parent: c.head, Index: c.step, Request: q.digest, Answer: w.keep(answer),
		Model: record.Model{
			Asked: answer.Asked, Answered: answer.Answered, Fingerprint: answer.Fingerprint,
			Scripted: run.scenario != nil, Candidate: candidate,
		},
		Usage:   record.Usage(answer.Usage),
		Outcome: string(answer.Outcome), Calls: []record.Call{},
	}
	reason := ""
	facts := a.facts(run, c)
	p.Elapsed = time.Duration(facts.Counters.Elapsed).String()
	switch {
	case q.again != nil:
		was := q.again.proposal
		p.Recorded, p.Usage, p.Model, p.Last = q.again.digest, record.Usage{}, was.Model, was.Last
		p.Model.Candidate = candidate
		if was.Last != nil {
			facts.LastTurn = was.Last.Limit
		}
	case q.last():
		facts.LastTurn = q.turn.Limit
		p.Last = &record.Last{Limit: q.turn.Limit, Reason: w.keep(q.turn.Reason)}
	}
	switch answer.Outcome {
	case planner.OutcomeCalls:
		judged := a.gate.Judge(proposed(c.step, answer.Calls), facts)
		for _, j := range judged {
			p.Calls = append(p.Calls, w.call(run, j, answer.Calls[j.Position]))
		}
		if q.again != nil {
			if err := a.keep(ctx, run, w, q.again, p, judged); err != nil {
				return nil, nil, err
			}
		}
	case planner.OutcomeFinish:
		j := a.gate.JudgeResult(answer.Finish, facts)
		p.Result = &record.Result{Value: w.params(j), Uses: uses(j.Uses), Verdicts: w.verdicts(j.Verdicts), Decision: string(j.Decision), Partial: j.Partial}
	case planner.OutcomeGiveUp:
		reason = answer.GiveUp
	default:
		reason = planner.Repair(answer)
	}
	if reason != "" {
		p.Reason = w.keep(reason)
	}
	return p, w, w.err
}

package ensemble

import (
	"cmp"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// How much of the plans stands in a report.
const (
	listedPlans    = 20  // distinct ones, and branches of a parting
	listedIDs      = 10  // members of each
	listedCalls    = 50  // calls of each, and of a branch
	listedBranches = 200 // branches altogether
)

// Plans says which plans the planner chose. A plan is the sequence of a member's calls.
type Plans struct {
	Members  int     `json:"members"`           // that have a plan, whether they completed or not
	Without  int     `json:"without,omitempty"` // that have none
	ByAction Planned `json:"by_action"`         // plans with the same actions in the same order are one
	ByCall   Planned `json:"by_call"`           // only if the parameters are the same too
}

// Planned are the distinct plans, and where they part.
type Planned struct {
	Distinct int     `json:"distinct"`
	Plans    []Plan  `json:"plans"`          // those of most members first
	More     int     `json:"more,omitempty"` // plans that aren't listed
	MoreN    int     `json:"more_n,omitempty"`
	Parting  *Branch `json:"parting,omitempty"` // nil if there is one plan
}

// Plan is a plan that some members have.
type Plan struct {
	N       int      `json:"n"`
	Members []string `json:"members"` // ids, not more than ten
	Calls   []Step   `json:"calls"`   // not more than fifty
	More    int      `json:"more,omitempty"`
}

// Step is a call of a plan.
type Step struct {
	Step   int          `json:"step"` // of the first member that has it there
	Action string       `json:"action"`
	Params canon.Digest `json:"params,omitzero"`
}

// Branch is a part of plans that members have in common, and how they go on.
type Branch struct {
	Members int      `json:"members"`
	IDs     []string `json:"ids"`   // of members, not more than ten
	Calls   []Step   `json:"calls"` // that all of them have here, not more than fifty
	// Differs are the parameters of the first call that aren't the same in all branches that
	// begin with its action here.
	Differs   []Setting `json:"differs,omitempty"`
	ByParams  bool      `json:"by_params,omitempty"` // another branch here begins with the same action
	MoreCalls int       `json:"more_calls,omitempty"`
	Ends      int       `json:"ends,omitempty"` // members whose plan ends where others go on
	Next      []Branch  `json:"next,omitempty"`
	More      int       `json:"more,omitempty"` // branches that aren't listed
	MoreN     int       `json:"more_n,omitempty"`
}

// planned is a member that has a plan, and that plan.
type planned struct {
	id    string
	calls []Call
	words []string // one a call: calls with the same word count as the same
}

// plansOf are the plans of members in the order of their ids.
func plansOf(members []Member) *Plans {
	var actions, calls []planned
	for _, m := range members {
		if len(m.Plan) == 0 {
			continue
		}
		a, c := planned{id: m.ID, calls: m.Plan}, planned{id: m.ID, calls: m.Plan}
		for _, call := range m.Plan {
			a.words = append(a.words, call.Action)
			c.words = append(c.words, call.Action+"\x00"+call.Params.Hex())
		}
		actions, calls = append(actions, a), append(calls, c)
	}
	if len(actions) == 0 {
		return nil
	}
	return &Plans{
		Members: len(actions), Without: len(members) - len(actions),
		ByAction: (&parting{}).planned(actions), ByCall: (&parting{params: true}).planned(calls),
	}
}

// parting finds where plans part.
type parting struct {
	params   bool // parameters count
	branches int  // that there are so far
}

func (p *parting) planned(all []planned) Planned {
	same := map[string][]planned{}
	for _, m := range all {
		key := strings.Join(m.words, "\x01")
		same[key] = append(same[key], m)
	}
	groups := bySize(same)
	out := Planned{Distinct: len(groups), Plans: []Plan{}}
	for i, g := range groups {
		if i >= listedPlans {
			out.More++
			out.MoreN += len(g)
			continue
		}
		plan := Plan{N: len(g), Members: idsOf(g)}
		plan.Calls, plan.More = p.steps(g[0].calls)
		out.Plans = append(out.Plans, plan)
	}
	if len(groups) > 1 {
		root := p.branch(all, 0)
		out.Parting = &root
	}
	return out
}

// branch is what plans have in common from a call on, and how they go on after that.
func (p *parting) branch(all []planned, from int) Branch {
	to := from
	for next := shared(all, to); next; next = shared(all, to) {
		to++
	}
	b := Branch{Members: len(all), IDs: idsOf(all)}
	b.Calls, b.MoreCalls = p.steps(all[0].calls[from:to])
	ways := map[string][]planned{}
	for _, m := range all {
		if len(m.words) == to {
			b.Ends++
		} else {
			ways[m.words[to]] = append(ways[m.words[to]], m)
		}
	}
	if len(ways) == 0 {
		b.Ends = 0
		return b
	}
	groups := bySize(ways)
	var differ [][]Setting
	if p.params {
		differ = differences(groups, to)
	}
	for i, g := range groups {
		if i >= listedPlans || p.branches >= listedBranches {
			b.More++
			b.MoreN += len(g)
			continue
		}
		p.branches++
		next := p.branch(g, to)
		next.ByParams = p.params && slices.ContainsFunc(groups, func(o []planned) bool { return &o[0] != &g[0] && o[0].calls[to].Action == g[0].calls[to].Action })
		if differ != nil {
			next.Differs = differ[i]
		}
		b.Next = append(b.Next, next)
	}
	return b
}

// shared says whether all plans have the same call at a place.
func shared(all []planned, at int) bool {
	for _, m := range all {
		if len(m.words) <= at || m.words[at] != all[0].words[at] {
			return false
		}
	}
	return true
}

// steps are calls as a report lists them, and how many it doesn't.
func (p *parting) steps(calls []Call) ([]Step, int) {
	steps := []Step{}
	for _, c := range calls[:min(len(calls), listedCalls)] {
		s := Step{Step: c.Step, Action: c.Action}
		if p.params {
			s.Params = c.Params
		}
		steps = append(steps, s)
	}
	return steps, len(calls) - len(steps)
}

// bySize are groups of members, the largest first, of equals that with the first member.
func bySize(groups map[string][]planned) [][]planned {
	all := make([][]planned, 0, len(groups))
	for _, g := range groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b []planned) int { return cmp.Or(len(b)-len(a), natural(a[0].id, b[0].id)) })
	return all
}

// idsOf are the first ids.
func idsOf(all []planned) []string {
	ids := []string{}
	for _, m := range all[:min(len(all), listedIDs)] {
		ids = append(ids, m.id)
	}
	return ids
}

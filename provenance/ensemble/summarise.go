package ensemble

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"rlam/internal/canon"
)

// Limits where [Options] are silent.
const (
	defaultResamples = 2000
	defaultFields    = 200
	defaultItems     = 20
	mostGroups       = 500 // points that have statistics of their own
)

// Summarise says what the members show together. Their order doesn't matter: they are
// taken in that of their ids. It refuses ids that are there twice, and settings and schemas
// that are no JSON. A result that can't be read makes its member one of the absent.
func Summarise(members []Member, o Options) (*Report, error) {
	o.Resamples = cmp.Or(o.Resamples, defaultResamples)
	o.MaxFields = cmp.Or(o.MaxFields, defaultFields)
	o.MaxItems = cmp.Or(o.MaxItems, defaultItems)
	ordered, err := inOrder(members)
	if err != nil {
		return nil, err
	}
	labels, err := labelsOf(o.Schema)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Format: Format, Version: Version, Ensemble: o.Ensemble, Study: o.Study, Members: len(members), Statuses: statusesOf(ordered),
		Method: Method{Confidence: 0.95, Resamples: o.Resamples, Seed: o.Ensemble, Quantiles: "type 7"}, members: ordered,
	}
	t := &table{options: o, results: make([]any, len(ordered))}
	for i, m := range ordered {
		value, why := resultOf(m)
		if why != "" {
			r.Absent = append(r.Absent, Absent{m.ID, m.RunID, m.Varied, m.Seed, m.Status, why, m.Status != Completed && hasResult(m)})
			continue
		}
		r.Results++
		t.used = append(t.used, i)
		t.results[i] = value
	}
	r.Varied, r.Groups, t.groups = groupsOf(ordered, t.used)
	points := len(r.Groups)
	if points > mostGroups {
		r.Groups, t.groups = nil, nil
	}
	r.Fields, r.Cuts = t.fields(labels)
	if r.Groups == nil && points > mostGroups {
		r.Cuts = append(r.Cuts, Cut{What: "groups", Of: points})
	}
	r.columns = t.columns
	r.Plans = plansOf(ordered)
	return r, nil
}

// inOrder are the members in the order of their ids, with their settings in canonical JSON.
func inOrder(members []Member) ([]Member, error) {
	ordered := slices.Clone(members)
	slices.SortFunc(ordered, func(a, b Member) int { return natural(a.ID, b.ID) })
	for i := range ordered {
		m := &ordered[i]
		if i > 0 && m.ID == ordered[i-1].ID {
			return nil, fmt.Errorf("summarising the ensemble: there are two members %q, and each counts once: leave one out", m.ID)
		}
		m.Status = cmp.Or(m.Status, "unknown")
		m.Varied = slices.Clone(m.Varied)
		for j, s := range m.Varied {
			value, err := canon.Transform(s.Value)
			if err != nil {
				return nil, fmt.Errorf("reading what member %q has for %q: %w", m.ID, s.Path, err)
			}
			m.Varied[j].Value = value
		}
	}
	return ordered, nil
}

// statusesOf counts how members ended.
func statusesOf(members []Member) []Count {
	n := map[string]int{}
	for _, m := range members {
		n[m.Status]++
	}
	return ranked(n, func(a, b Count) int {
		switch {
		case a.Value == Completed:
			return -1
		case b.Value == Completed:
			return 1
		}
		return 0
	})
}

// ranked are counts, the largest first, unless an order comes before that.
func ranked(n map[string]int, before func(a, b Count) int) []Count {
	all := make([]Count, 0, len(n))
	for value, count := range n {
		all = append(all, Count{value, count})
	}
	slices.SortFunc(all, func(a, b Count) int {
		first := 0
		if before != nil {
			first = before(a, b)
		}
		return cmp.Or(first, b.N-a.N, cmp.Compare(a.Value, b.Value))
	})
	return all
}

func hasResult(m Member) bool { return len(m.Result) > 0 && string(m.Result) != "null" }

// resultOf is the result of a member that the statistics are of, or why they aren't.
func resultOf(m Member) (value any, why string) {
	if m.Status != Completed {
		return nil, cmp.Or(m.Failure, "it has no result, and nobody said why")
	}
	if len(m.Result) == 0 {
		return nil, cmp.Or(m.Failure, "it completed without a result")
	}
	value, err := canon.Decode(m.Result)
	if err != nil {
		return nil, fmt.Sprintf("reading its result: %v", err)
	}
	return value, ""
}

// groupsOf are the values that the design has, its points, and for each member the point
// it is at. Seeds make no points: members that differ in them are repetitions.
func groupsOf(members []Member, used []int) (varied []Varied, groups []Group, at []int) {
	at = make([]int, len(members))
	points, seen := map[string]int{}, map[string]bool{}
	for i, m := range members {
		settings := []Setting{}
		for _, s := range m.Varied {
			if s.Path == "seed" {
				continue
			}
			settings = append(settings, s)
			varied = note(varied, seen, s)
		}
		key, _ := json.Marshal(settings) // canonical values and text always have a spelling
		g, known := points[string(key)]
		if !known {
			g = len(groups)
			points[string(key)], groups = g, append(groups, Group{Settings: settings})
		}
		at[i] = g
		groups[g].Members++
	}
	for _, i := range used {
		groups[at[i]].Results++
	}
	if len(groups) < 2 {
		return varied, nil, nil
	}
	return varied, groups, at
}

// note takes in a setting's value, unless it was seen before.
func note(varied []Varied, seen map[string]bool, s Setting) []Varied {
	key := s.Path + "\x00" + string(s.Value)
	if seen[key] {
		return varied
	}
	seen[key] = true
	i := slices.IndexFunc(varied, func(v Varied) bool { return v.Path == s.Path })
	if i < 0 {
		i, varied = len(varied), append(varied, Varied{Path: s.Path})
	}
	varied[i].Values = append(varied[i].Values, s.Value)
	return varied
}

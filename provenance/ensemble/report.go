package ensemble

import (
	"maps"
	"slices"
)

// Report is what the members of an ensemble show together.
type Report struct {
	Ensemble string  `json:"ensemble,omitempty"`
	Study    string  `json:"study,omitempty"`
	Members  int     `json:"members"`
	Statuses []Count `json:"statuses"` // the most frequent first
}

// Count is how often a value was seen.
type Count struct {
	Value string `json:"value"`
	N     int    `json:"n"`
}

// Summarise says what the members show together. Their order doesn't matter.
func Summarise(members []Member, o Options) (*Report, error) {
	r := &Report{Ensemble: o.Ensemble, Study: o.Study, Members: len(members)}
	statuses := map[string]int{}
	for _, m := range members {
		statuses[m.Status]++
	}
	for _, s := range slices.Sorted(maps.Keys(statuses)) {
		r.Statuses = append(r.Statuses, Count{s, statuses[s]})
	}
	return r, nil
}

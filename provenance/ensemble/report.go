package ensemble

import "encoding/json"

// Format names the form in which a [Report] is JSON. schemas/meta/ensemble.schema.json
// describes it.
const Format = "rlam.ensemble.v1"

// Report is what the members of an ensemble show together.
type Report struct {
	Format   string `json:"format"` // [Format]
	Ensemble string `json:"ensemble,omitempty"`
	Study    string `json:"study,omitempty"`

	Members  int      `json:"members"`
	Results  int      `json:"results"`  // members that completed, with a result: what the fields are of
	Statuses []Count  `json:"statuses"` // of all members; completed first, then the most frequent
	Absent   []Absent `json:"absent,omitempty"`

	Varied []Varied `json:"varied,omitempty"`
	Groups []Group  `json:"groups,omitempty"` // points of the design, in its order; none if it has one point
	Fields []Field  `json:"fields"`           // in the order of their pointers
	Cuts   []Cut    `json:"cuts,omitempty"`   // what of the results has no field of its own
	Plans  *Plans   `json:"plans,omitempty"`  // nil if no member has one
	Method Method   `json:"method"`

	members []Member // in the order of their ids
	columns map[string]column
}

// Count is how often a value was seen.
type Count struct {
	Value string `json:"value"`
	N     int    `json:"n"`
}

// Absent is a member that no field is of.
type Absent struct {
	ID      string    `json:"id"`
	RunID   string    `json:"run_id,omitempty"`
	Varied  []Setting `json:"varied,omitempty"`
	Seed    uint64    `json:"seed"`
	Status  string    `json:"status"`
	Failure string    `json:"failure,omitempty"`
	Partial bool      `json:"partial,omitempty"` // there is a result, of a run that didn't complete
}

// Varied is a path to which the design gave values.
type Varied struct {
	Path   string            `json:"path"`
	Values []json.RawMessage `json:"values"` // canonical, each once, in the design's order
}

// Group is a point of the design: members with the same settings, their seeds apart.
type Group struct {
	Settings []Setting `json:"settings"`
	Members  int       `json:"members"`
	Results  int       `json:"results"`
}

// Kind says what a field holds.
type Kind string

// The kinds of a field.
const (
	Number   Kind = "number"   // a number in every member that has it
	Category Kind = "category" // text, true, false, null, {} or [] in every member that has it
	Artifact Kind = "artifact" // a handle of an artifact in every member that has it
	Mixed    Kind = "mixed"    // numbers in some, other values in others
)

// Field is one place of the results.
type Field struct {
	Pointer string `json:"pointer"`         // a JSON pointer into the result
	Title   string `json:"title,omitempty"` // as the result's schema has it
	Unit    string `json:"unit,omitempty"`
	Kind    Kind   `json:"kind"`
	Part
	Groups []Part `json:"groups,omitempty"` // of each of the report's groups
}

// Part is what some members show of a field: all of them, or those of a group.
type Part struct {
	In      int        `json:"in"`                // results that have the field
	Lacking int        `json:"lacking"`           // results that don't
	Numbers *Numbers   `json:"numbers,omitempty"` // nil if no value is a number
	Values  *Agreement `json:"values,omitempty"`  // of those that aren't; nil if all are
}

// Numbers are the statistics of the numbers of a field. What a double can't hold is absent.
type Numbers struct {
	N        int       `json:"n"`
	Distinct int       `json:"distinct"` // different values among them
	Mean     float64   `json:"mean"`
	SD       *float64  `json:"sd,omitempty"` // standard deviation of the sample, n−1 in its denominator
	SE       *float64  `json:"se,omitempty"` // standard error of the mean, sd/√n
	Student  *Interval `json:"student,omitempty"`
	// Bootstrap is nil if there are fewer than [LeastResampled] numbers.
	Bootstrap *Interval `json:"bootstrap,omitempty"`
	Without   string    `json:"without,omitempty"` // why an interval is absent
	Quantiles Quantiles `json:"quantiles"`
	// Unbounded counts values that name a number and are none: "NaN", "Infinity". They
	// aren't among the N, nor among the field's other values.
	Unbounded []Count `json:"unbounded,omitempty"`
}

// Interval is a 95 % confidence interval of a mean.
type Interval struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Method string  `json:"method"` // "student", "bca" or "percentile"
}

// Quantiles are the smallest value, the largest, and those between, of type 7.
type Quantiles struct {
	Min    float64 `json:"min"`
	P2     float64 `json:"p2.5"`
	P25    float64 `json:"p25"`
	Median float64 `json:"median"`
	P75    float64 `json:"p75"`
	P97    float64 `json:"p97.5"`
	Max    float64 `json:"max"`
}

// Agreement says how far values agree that are no numbers.
type Agreement struct {
	N        int     `json:"n"`
	Distinct int     `json:"distinct"`
	Share    float64 `json:"share"`          // of the N that have the most common value
	Values   []Count `json:"values"`         // their JSON, the most common first
	More     int     `json:"more,omitempty"` // distinct values that aren't listed
	MoreN    int     `json:"more_n,omitempty"`
}

// Cut is something of the results that has no field of its own.
type Cut struct {
	What    string `json:"what"`              // "items", "depth" or "fields"
	Pointer string `json:"pointer,omitempty"` // of the array or of the value that is too deep
	Kept    int    `json:"kept"`              // items or fields that have statistics
	Of      int    `json:"of,omitempty"`      // of so many: in the longest array, or altogether
	Members int    `json:"members,omitempty"` // results that it is so in
}

// Method says how the numbers came about.
type Method struct {
	Confidence float64 `json:"confidence"` // of intervals: 0.95
	Resamples  int     `json:"resamples"`  // of a bootstrap
	Seed       string  `json:"seed"`       // from which those of the bootstraps are derived
	Quantiles  string  `json:"quantiles"`  // "type 7"
}

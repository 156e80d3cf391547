package schemas

import (
	"bytes"
	"encoding/json"
	"strings"

	"rlam/internal/canon"
)

// Study is what a person asks for: a goal, data, what may be done, and what counts as a result.
type Study struct {
	Title    string           `json:"title"`
	Authors  []Author         `json:"authors,omitempty"`
	Keywords []string         `json:"keywords,omitempty"`
	License  string           `json:"license,omitempty"`
	Goal     string           `json:"goal"`
	Inputs   map[string]Input `json:"inputs,omitempty"`
	Actions  []Listed         `json:"actions"`
	Planner  Planner          `json:"planner"`
	Seed     uint64           `json:"seed,omitempty"`
	Seeds    Seeds            `json:"seeds,omitempty"` // call if the file says nothing
	Limits   Limits           `json:"limits"`
	Policy   Policy           `json:"policy,omitzero"`
	Reuse    Reuse            `json:"reuse,omitzero"` // of bitwise calls, from the run's ancestry, if the file says nothing
	Result   json.RawMessage  `json:"result"`         // JSON Schema, draft-07, of an object
	Accept   []Condition      `json:"accept,omitempty"`

	Isolation Isolation `json:"isolation,omitempty"` // the least that every command needs
}

// Seeds says how calls of seeded actions come by their seeds.
type Seeds string

// The ways to seed calls.
const (
	SeedsCall   Seeds = "call"   // each call has one of its own, derived from the study's
	SeedsShared Seeds = "shared" // all have the study's own, so that equal calls can be compared
)

// Author is a person.
type Author struct {
	Name  string `json:"name"`
	ORCID string `json:"orcid,omitempty"`
}

// Listed is what a study allows: a file or folder (relative to the study), or
// NAME or NAME@VERSION of an action. A plain string in the file is Use alone.
type Listed struct {
	Use    string          `json:"use"`
	Params json.RawMessage `json:"params,omitempty"` // a JSON Schema that parameters must fit besides the action's own
}

// List is names as a study lists them.
func List(names ...string) []Listed {
	out := make([]Listed, len(names))
	for i, name := range names {
		out[i].Use = name
	}
	return out
}

// MarshalJSON writes a string where that says it all.
func (l Listed) MarshalJSON() ([]byte, error) {
	type object Listed
	if l.Params != nil {
		return json.Marshal(object(l))
	}
	return json.Marshal(l.Use)
}

// UnmarshalJSON reads either form.
func (l *Listed) UnmarshalJSON(b []byte) error {
	type object Listed
	if bytes.HasPrefix(b, []byte{'"'}) {
		*l = Listed{}
		return json.Unmarshal(b, &l.Use)
	}
	return json.Unmarshal(b, (*object)(l))
}

// Input is data a run starts from: a file, or an output of another run.
type Input struct {
	File        string       `json:"file,omitempty"`   // relative to the study
	Run         string       `json:"run,omitempty"`    // another run, by its id or the digest of its record
	Output      string       `json:"output,omitempty"` // of that run: a JSON pointer into its result, or CALL/NAME of an artifact
	Given       Given        `json:"given,omitzero"`
	Keep        Keep         `json:"keep,omitempty"`  // copy if the file says nothing
	Digest      canon.Digest `json:"digest,omitzero"` // what the bytes must have: others are refused before anything runs
	Description string       `json:"description,omitempty"`
}

// Artifact is the call and the name of the artifact that Output names: "6.1" and
// "plot.png" of "6.1/plot.png". An Output that is a JSON pointer names none.
func (in Input) Artifact() (call, name string, ok bool) {
	if strings.HasPrefix(in.Output, "/") {
		return "", "", false
	}
	return strings.Cut(in.Output, "/")
}

// Given marks a result that was made before R-LAM, and says where it comes from.
type Given struct {
	Source   string `json:"source,omitempty"`   // who or what made it, or where it was published
	Citation string `json:"citation,omitempty"` // how to cite it
}

// Keep says what a run keeps of an input.
type Keep string

// The ways to keep an input.
const (
	KeepCopy      Keep = "copy"      // its bytes, in the store
	KeepReference Keep = "reference" // its place; hashed there, and again on use
	KeepDigest    Keep = "digest"    // its digest alone
)

// Planner says who proposes the calls. Exactly one of Model, Scripted and Plan is set.
type Planner struct {
	Model        string   `json:"model,omitempty"`
	Fallbacks    []string `json:"fallbacks,omitempty"`    // models tried in order when the one before is unavailable
	BaseURL      string   `json:"base_url,omitempty"`     // an OpenAI-compatible server; else OPENAI_BASE_URL, else OpenAI's
	Calls        string   `json:"calls,omitempty"`        // "tools" (default) or "response_format"
	Context      int      `json:"context,omitempty"`      // budget of a request, in tokens; 32,000 if the file says nothing
	MaxTokens    int      `json:"max_tokens,omitempty"`   // of one answer; 4,096 if the file says nothing
	Temperature  float32  `json:"temperature"`            // 0 if the file says nothing, and 0 is sent
	Attempts     Attempts `json:"attempts"`               // for each model: 4, from 1 s, doubling, at most 1 min
	Instructions string   `json:"instructions,omitempty"` // added to the system message
	Scripted     string   `json:"scripted,omitempty"`     // a scenario file that plays the model, over the same protocol
	Plan         string   `json:"plan,omitempty"`         // a file with a fixed graph of calls: no model at all
	Prices       Prices   `json:"prices,omitzero"`        // of the models; needed where money is limited
}

// Prices are what models cost.
type Prices struct {
	Currency string           `json:"currency"` // such as EUR
	Models   map[string]Price `json:"models"`   // by the model's name
}

// Price is what a million tokens cost.
type Price struct {
	Input  float64  `json:"input"`
	Cached *float64 `json:"cached,omitempty"` // of the input, tokens that the server had cached; as Input if the file says nothing
	Output float64  `json:"output"`
}

// Limits bound a run. Zero members take the default that stands beside them.
type Limits struct {
	Steps    int      `json:"steps"`     // 50
	Calls    int      `json:"calls"`     // 200
	Attempts int      `json:"attempts"`  // 400, infrastructure losses apart
	Repairs  int      `json:"repairs"`   // 5 proposals in a row of which nothing could be dispatched
	Losses   int      `json:"losses"`    // 5 infrastructure losses of one call or one planner turn
	Tokens   int      `json:"tokens"`    // 2,000,000, prompt and completion together
	WallTime Duration `json:"wall_time"` // 24 h

	// No limit if the file says nothing:
	Actions map[string]int `json:"actions,omitempty"` // calls of one action, by its name
	Money   float64        `json:"money,omitempty"`   // in the currency of the planner's prices
	Bytes   int64          `json:"bytes,omitempty"`   // of all artifacts together
}

// Policy is an ordered list of rules. The first that matches a call decides on it.
type Policy struct {
	Default Then   `json:"default,omitempty"` // of calls that no rule matches: allow (if the file says nothing) or deny
	Rules   []Rule `json:"rules,omitempty"`
}

// Rule decides on the calls that it matches.
type Rule struct {
	Name    string    `json:"name"`
	Actions []string  `json:"actions,omitempty"` // it matches calls of these alone, and params is typed by their schemas
	When    string    `json:"when,omitempty"`    // CEL; see [FactsSchema] for what it reads. Always, if absent
	Then    Then      `json:"then"`
	Reason  string    `json:"reason,omitempty"` // for people and planners
	Limit   RuleLimit `json:"limit,omitzero"`   // with "then: limit"
}

// Then is what a rule does with a call that it matches.
type Then string

// What a rule can do.
const (
	Allow           Then = "allow"
	Deny            Then = "deny"
	RequireApproval Then = "require_approval" // by a person
	LimitCalls      Then = "limit"            // allow, but no more of them in a run than the rule says
)

// RuleLimit bounds the calls of a run that a rule matches.
type RuleLimit struct {
	Calls int `json:"calls"`
}

// Plan is a fixed graph of calls, written by a person.
type Plan struct {
	Calls    []PlannedCall   `json:"calls"`
	Result   json.RawMessage `json:"result"`             // the run's result; references allowed
	Failures PlanFailures    `json:"failures,omitempty"` // stop if the file says nothing
}

// PlanFailures says what a plan does when one of its calls does not complete.
type PlanFailures string

// What a plan does then.
const (
	PlanStops  PlanFailures = "stop"  // it gives up, and there is no result
	PlanGoesOn PlanFailures = "go_on" // it makes all other calls, and hands in its result
)

// PlannedCall is one call of a plan, or one for each value of a loop.
type PlannedCall struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`         // references allowed, and {"$each": true} for the loop's value
	Each   json.RawMessage `json:"each,omitempty"` // an array: one call for each value, with ids ID.0, ID.1, …
	After  []string        `json:"after,omitempty"`
	Seed   *uint64         `json:"seed,omitempty"` // of a seeded action, in place of the one that the study derives
}

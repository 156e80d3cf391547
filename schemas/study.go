package schemas

import "encoding/json"

// Study is what a person asks for: a goal, data, what may be done, and what counts as a result.
type Study struct {
	Title   string           `json:"title"`
	Authors []Author         `json:"authors,omitempty"`
	License string           `json:"license,omitempty"`
	Goal    string           `json:"goal"`
	Inputs  map[string]Input `json:"inputs,omitempty"`
	Actions []string         `json:"actions"` // files, folders (both relative to the study) or names of shipped actions, NAME or NAME@VERSION
	Planner Planner          `json:"planner"`
	Seed    uint64           `json:"seed,omitempty"`
	Limits  Limits           `json:"limits"`
	Result  json.RawMessage  `json:"result"` // JSON Schema, draft-07, of an object
	Accept  []Condition      `json:"accept,omitempty"`
}

// Author is a person.
type Author struct {
	Name  string `json:"name"`
	ORCID string `json:"orcid,omitempty"`
}

// Input is data a run starts from.
type Input struct {
	File        string `json:"file"` // relative to the study
	Description string `json:"description,omitempty"`
}

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
}

// Plan is a fixed graph of calls, written by a person.
type Plan struct {
	Calls  []PlannedCall   `json:"calls"`
	Result json.RawMessage `json:"result"` // the run's result; references allowed
}

// PlannedCall is one call of a plan, or one for each value of a loop.
type PlannedCall struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`         // references allowed, and {"$each": true} for the loop's value
	Each   json.RawMessage `json:"each,omitempty"` // an array: one call for each value, with ids ID.0, ID.1, …
	After  []string        `json:"after,omitempty"`
}

package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// DefaultObservation is how many bytes of an output an observation shows.
const DefaultObservation = 8 << 10

// Bounds of what else an observation shows.
const (
	maxObservedArtifacts = 50
	maxObservedMembers   = 50
)

// Observation is what came of a call, as the planner is told. It is sent as JSON:
//
//	{"call":"3.1","id":"fit1","action":"fit.nonlinear","status":"failed","attempts":2,
//	 "error":{"type":"rlam.NotConverged","message":"…","stderr":"…"}}
//
// An output past the cap is left out. In its place stand
//
//	"preview":  its beginning, as a string
//	"members":  what it holds, so that references to its parts can be written
//	"size":     its length in bytes
//	"whole":    the handle of all of it
//	"hint":     how to get at the rest
type Observation struct {
	Call      string             `json:"call"`   // the engine's id
	ID        string             `json:"id"`     // the planner's
	Action    string             `json:"action"` // without its version
	Status    string             `json:"status"` // completed, failed, refused, skipped or cancelled
	Attempts  int                `json:"attempts,omitempty"`
	Note      string             `json:"note,omitempty"`   // what of it a person changed
	Params    json.RawMessage    `json:"params,omitempty"` // that were used, where a person changed the planner's
	Output    json.RawMessage    `json:"output,omitempty"`
	Error     *ObservedError     `json:"error,omitempty"`
	Verdicts  []ObservedVerdict  `json:"verdicts,omitempty"` // of a refused call: those that refused it
	Artifacts []ObservedArtifact `json:"artifacts,omitempty"`

	ToolCallID string `json:"-"` // of the tool call that is answered; empty if the call came as text
	Whole      string `json:"-"` // the output's handle, "sha256:…"; shown where the output is not
}

// ObservedError is a failure.
type ObservedError struct {
	Type    string          `json:"type"`
	Message string          `json:"message,omitempty"`
	Stderr  string          `json:"stderr,omitempty"`  // its end
	Partial json.RawMessage `json:"partial,omitempty"` // what there was of an output
}

// ObservedVerdict is a gate's reason.
type ObservedVerdict struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
}

// ObservedArtifact is bytes that a call left.
type ObservedArtifact struct {
	Name      string `json:"name"`
	Handle    string `json:"handle"`
	Size      int64  `json:"size"`
	MediaType string `json:"media_type,omitempty"`
}

// shown is an observation as it is sent.
type shown struct {
	Observation
	Preview string   `json:"preview,omitempty"`
	Members []string `json:"members,omitempty"`
	Size    int      `json:"size,omitempty"`
	Whole   string   `json:"whole,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	More    int      `json:"artifacts_not_shown,omitempty"`
}

// stub is the line that replaces an observation past the budget.
type stub struct {
	Call   string `json:"call"`
	ID     string `json:"id"`
	Action string `json:"action"`
	Status string `json:"status"`
	Error  string `json:"error,omitempty"` // the failure's type
	Elided string `json:"elided"`
}

// Observe is the message that tells the planner of o. limit is how many bytes of
// the output are shown, 0 for [DefaultObservation]. Error texts and reasons may
// take a quarter of it each: a message keeps its beginning and stderr its end.
func Observe(o Observation, limit int) Message {
	if limit <= 0 {
		limit = DefaultObservation
	}
	m := Message{Role: RoleTool, ToolCallID: o.ToolCallID, Call: o.Call}

	// The caller's error, verdicts and artifacts stay as they are.
	s := shown{Observation: o}
	if o.Error != nil {
		e := *o.Error
		e.Message, e.Stderr = clip(e.Message, limit/4), tail(e.Stderr, limit/4)
		e.Partial = clipJSON(e.Partial, limit/4)
		s.Error = &e
	}
	s.Params = clipJSON(o.Params, limit/4)
	s.Verdicts = slices.Clone(o.Verdicts)
	for i := range s.Verdicts {
		s.Verdicts[i].Reason = clip(s.Verdicts[i].Reason, limit/4)
	}
	if n := len(o.Artifacts); n > maxObservedArtifacts {
		s.Artifacts, s.More = o.Artifacts[:maxObservedArtifacts], n-maxObservedArtifacts
	}
	if len(o.Output) > limit || len(o.Output) > 0 && !json.Valid(o.Output) {
		s.Preview, s.Members, s.Size = clip(string(o.Output), limit), describe(o.Output), len(o.Output)
		s.Output, s.Whole = nil, o.Whole
		s.Hint = "the output is shown in part; references reach all of it"
		if o.Whole != "" {
			s.Hint += ", and artifact.read reads it by the handle in whole"
		}
	}
	m.Content = line(s)

	short := stub{Call: o.Call, ID: o.ID, Action: o.Action, Status: o.Status, Elided: "shown before"}
	if o.Error != nil {
		short.Error = o.Error.Type
	}
	switch {
	case o.Whole != "":
		short.Elided = fmt.Sprintf("read %s with artifact.read", o.Whole)
	case len(o.Output) > 0:
		short.Elided = "shown before; references still reach its output"
	}
	m.Stub = line(short)
	return m
}

// line is v's JSON. Every v here marshals: what is raw in it has been checked.
func line(v any) string {
	b, err := encode(v)
	if err != nil {
		panic(fmt.Sprintf("encoding an observation: %v", err))
	}
	return string(b)
}

// clipJSON is raw, or a JSON string of its beginning where it is too long or no JSON.
func clipJSON(raw json.RawMessage, n int) json.RawMessage {
	if len(raw) == 0 || len(raw) <= n && json.Valid(raw) {
		return raw
	}
	return json.RawMessage(line(clip(string(raw), n)))
}

// describe says what stands at the pointers of an output's members.
func describe(output json.RawMessage) []string {
	ms, err := readMembers(output)
	if err != nil {
		return nil
	}
	var out []string
	for i, m := range ms {
		if i == maxObservedMembers {
			out = append(out, fmt.Sprintf("and %d more", len(ms)-i))
			break
		}
		out = append(out, "/"+clip(escape(m.name), 200)+": "+kind(m.value))
	}
	return out
}

func kind(value []byte) string {
	switch value[0] {
	case '{':
		return fmt.Sprintf("object, %d bytes", len(value))
	case '[':
		var elements []json.RawMessage
		if json.Unmarshal(value, &elements) == nil {
			return fmt.Sprintf("array of %d", len(elements))
		}
		return "array"
	case '"':
		return fmt.Sprintf("string, %d bytes", len(value)-2)
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// tail is at most n bytes of a text's end.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	i := len(text) - n
	for i < len(text) && !utf8.RuneStart(text[i]) {
		i++
	}
	return "…" + text[i:]
}

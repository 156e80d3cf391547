// Package planner turns a conversation into a proposal.
//
// A proposal is what a planner wants next: calls of actions, the study's result,
// or to give up. Two planners make one:
//
//   - a language model behind an OpenAI-compatible server. [System] and [Observe]
//     write the conversation, a [Window] keeps it within a budget, [Body] spells the
//     request, and a [Client] sends it and reads an [Answer] out of what comes back;
//   - a plan, a fixed graph of calls that a person wrote: [NextPlan].
//
// All but the Client are pure functions of their arguments: no clock, no
// environment, no identity of a run. So a request can be spelled again from the
// record, and its digest compared, years later.
//
// The package judges nothing. A call of an unknown action, or one whose
// parameters are not JSON, is handed on as it came: the gates refuse it with a
// reason, and the refusal is on the record. What has no shape at all is an Answer
// whose Outcome says so; [Repair] is what to tell the model then. Nothing is ever
// dispatched from an answer that was cut off or refused.
package planner

import "encoding/json"

// Roles of messages.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Modes of asking for calls, as a study's planner.calls names them.
const (
	ModeTools          = "tools"           // the protocol's own tool calls; also the zero value
	ModeResponseFormat = "response_format" // a JSON object that a schema constrains, for servers whose tool calls don't hold
)

// Message is one message of a conversation, as it is kept.
type Message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`   // of an assistant
	ToolCallID string     `json:"tool_call_id,omitempty"` // of a tool: the call that it answers; empty if the call came as text
	Call       string     `json:"call,omitempty"`         // of an observation: the engine's call id, such as "3.1"; never sent
	Stub       string     `json:"stub,omitempty"`         // of an observation: the line that replaces Content past the budget; not sent before
}

// ToolCall is a tool call as the protocol has it. Arguments is always valid JSON
// in a message that this package made.
type ToolCall struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Request is one question to a model.
type Request struct {
	Model       string
	BaseURL     string  // an OpenAI-compatible server, up to and with its version: "http://127.0.0.1:8000/v1"; empty for OpenAI's
	Key         string  // sent as a header only: it is in no body, error or answer
	Mode        string  // ModeTools or ModeResponseFormat
	Temperature float32 // 0 is sent as 0; see [Body] for the models that take none
	MaxTokens   int     // of the answer; 0 leaves it to the server
	Messages    []Message
	Tools       []Tool // as [Tools] makes them
	Seed        *int   // sent if set; few servers honour it, and none promises to
}

// Outcome says what an answer is.
type Outcome string

// The outcomes. The last five propose nothing: see [Repair].
const (
	OutcomeCalls     Outcome = "calls"
	OutcomeFinish    Outcome = "finish"
	OutcomeGiveUp    Outcome = "give_up"
	OutcomeText      Outcome = "text"      // words, and no call
	OutcomeEmpty     Outcome = "empty"     // neither
	OutcomeTruncated Outcome = "truncated" // cut off at the limit of tokens, whatever it holds
	OutcomeRefused   Outcome = "refused"   // by the model, or by a content filter
	OutcomeGarbled   Outcome = "garbled"   // of no shape that means something: Problem says why
)

// Answer is what a planner turn came to.
type Answer struct {
	Outcome Outcome `json:"outcome"`
	Calls   []Call  `json:"calls,omitempty"`   // of OutcomeCalls, in the planner's order
	Finish  Raw     `json:"finish,omitempty"`  // of OutcomeFinish: the result, JSON as the planner wrote it
	GiveUp  string  `json:"give_up,omitempty"` // of OutcomeGiveUp: the reason
	Text    string  `json:"text,omitempty"`    // words beside the calls, or instead of them
	Refusal string  `json:"refusal,omitempty"` // of OutcomeRefused, where the model said something
	Problem string  `json:"problem,omitempty"` // of OutcomeGarbled: what is wrong, in words for the planner

	// Assistant is the message to append to the conversation. It is made so that
	// every server takes it back: tool names and ids are valid and arguments are
	// JSON even where the model's were not. Body has what the model really wrote.
	Assistant Message `json:"assistant"`

	Asked        string `json:"asked"`    // the model that was asked for
	Answered     string `json:"answered"` // the model that says it answered
	Fingerprint  string `json:"fingerprint,omitempty"`
	ResponseID   string `json:"response_id,omitempty"`
	FinishReason string `json:"finish_reason,omitempty"`
	Usage        Usage  `json:"usage"`
	Body         []byte `json:"body"` // the response as received, the API key apart
}

// MaxCalls bounds the calls of one proposal, so that what Temporal carries of a step
// stays far below its limit for a payload (2 MB).
const MaxCalls = 256

// Call is one proposed use of an action.
type Call struct {
	ToolCallID string   `json:"tool_call_id,omitempty"` // what an observation answers; empty if the call came as text
	ID         string   `json:"id"`                     // the planner's own id; may be empty
	Action     string   `json:"action"`                 // the action's name, or whatever name the planner used
	Why        string   `json:"why,omitempty"`
	Params     Raw      `json:"params"`          // as the planner wrote them: maybe not JSON, maybe not an object
	After      []string `json:"after,omitempty"` // ids of calls that must have run before, of a plan only
	Seed       *uint64  `json:"seed,omitempty"`  // that a plan gives the call, in place of the study's
}

// Usage counts tokens.
type Usage struct {
	Prompt     int  `json:"prompt"`           // Cached included
	Cached     int  `json:"cached,omitempty"` // of Prompt, what the server had cached
	Completion int  `json:"completion"`
	Estimated  bool `json:"estimated,omitempty"` // the server did not count: bytes / 4
}

// Raw is JSON as a planner wrote it, valid or not. It marshals to a JSON string of
// its bytes, so that what is not JSON can be kept too.
type Raw []byte

// MarshalJSON spells r as a string.
func (r Raw) MarshalJSON() ([]byte, error) { return json.Marshal(string(r)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Raw) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*r = Raw(s)
	return nil
}

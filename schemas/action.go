package schemas

import (
	"encoding/json"
	"time"
)

// Effects is what an action may change outside of its own outputs.
type Effects string

// The effects an action may have.
const (
	EffectsNone      Effects = "none"      // nothing
	EffectsWorkspace Effects = "workspace" // files in the attempt's own folder
	EffectsExternal  Effects = "external"  // the world: a database, an instrument, a service
)

// Class is how far an output can be had again. See section "Reproducibility" of ARCHITECTURE.md.
type Class string

// The classes, strongest first. An action's class is the weakest of its outputs', Ignore apart.
const (
	Bitwise      Class = "bitwise"
	Tolerance    Class = "tolerance"
	Statistical  Class = "statistical"
	Unrepeatable Class = "unrepeatable"
	Ignore       Class = "ignore"
)

// Action is the formal schema of something that can be done, apart from what does it.
type Action struct {
	Name            string          `json:"name"`
	Version         string          `json:"version"`
	Summary         string          `json:"summary"`
	Params          json.RawMessage `json:"params"`  // JSON Schema, draft-07
	Returns         json.RawMessage `json:"returns"` // JSON Schema, draft-07
	Preconditions   []Condition     `json:"preconditions,omitempty"`
	Postconditions  []Condition     `json:"postconditions,omitempty"`
	Reproducibility Reproducibility `json:"reproducibility"`
	Effects         Effects         `json:"effects"`
	Idempotent      bool            `json:"idempotent"` // loaded as true for effects none and workspace, unless the file says otherwise
	Seeded          bool            `json:"seeded,omitempty"`
	Timeout         Duration        `json:"timeout,omitempty"`
	Attempts        Attempts        `json:"attempts"`
	Undo            string          `json:"undo,omitempty"`
	Isolation       Isolation       `json:"isolation,omitempty"` // the least that a command needs
	Network         bool            `json:"network,omitempty"`   // whether a command in a sandbox reaches the network
	Resources       Resources       `json:"resources,omitzero"`
}

// Condition is a CEL expression that must hold, and what to say when it doesn't.
type Condition struct {
	Expr    string `json:"expr"`
	Message string `json:"message,omitempty"`
}

// Reproducibility declares a class for every output.
type Reproducibility struct {
	Default   Class            `json:"default"`
	Fields    map[string]Grade `json:"fields,omitempty"`    // by JSON pointer into the output
	Artifacts map[string]Grade `json:"artifacts,omitempty"` // by artifact name or glob
}

// Grade is a class with the tolerances that belong to it.
type Grade struct {
	Class    Class   `json:"class"`
	Relative float64 `json:"relative,omitempty"`
	Absolute float64 `json:"absolute,omitempty"`
}

// Attempts bounds how often a call of the action is tried.
type Attempts struct {
	Max     int      `json:"max"`             // all attempts, the first included; 1 if the file says nothing
	Retry   []string `json:"retry,omitempty"` // failure types worth another attempt, such as rlam.Transient
	Backoff Backoff  `json:"backoff"`
}

// Backoff is the wait before attempt n+1: Initial × Coefficient^(n-1), at most Max.
type Backoff struct {
	Initial     Duration `json:"initial"`     // 1 s if the file says nothing
	Coefficient float64  `json:"coefficient"` // 2
	Max         Duration `json:"max"`         // 1 min
}

// Wait is the backoff before the attempt that follows attempt n.
func (b Backoff) Wait(n int) time.Duration {
	wait, limit := time.Duration(b.Initial), time.Duration(b.Max)
	for ; n > 1 && wait < limit; n-- {
		wait = time.Duration(float64(wait) * b.Coefficient)
	}
	return min(wait, limit)
}

// Binding says what carries an action out. Exactly one member is set. See [Bindings].
type Binding struct {
	Builtin string   `json:"builtin,omitempty"` // a handler in Go that the worker registered under this name
	Command *Command `json:"command,omitempty"`
	HTTP    *HTTP    `json:"http,omitempty"` // a request to a web service
	MCP     *MCP     `json:"mcp,omitempty"`  // a tool of a server that speaks the Model Context Protocol
}

// Program says whether b is carried out by a process of its own, a command or an MCP server
// that is started, and not by the worker itself.
func (b Binding) Program() bool { return b.Command != nil || b.MCP != nil && b.MCP.URL == "" }

// Duration is a time.Duration spelled as Go prints it ("1m30s") in files and records.
type Duration time.Duration

// MarshalText spells d.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration such as "90s" or "1h".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

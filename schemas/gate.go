package schemas

import (
	"encoding/json"
	"slices"

	"rlam/internal/canon"
)

// The gates, in their order. "approval" speaks only where the policy asks for one;
// "plan" only when calls of one step that refer to each other are refused together;
// "accept" judges a result in place of preconditions and what follows.
const (
	GateParse         = "parse"
	GateReferences    = "references"
	GateSchema        = "schema"
	GatePreconditions = "preconditions"
	GatePolicy        = "policy"
	GateLimits        = "limits"
	GateApproval      = "approval"
	GatePlan          = "plan"
	GateAccept        = "accept"
)

// versions change when a gate may decide otherwise on the same facts.
var versions = map[string]int{
	GateParse: 1, GateReferences: 1, GateSchema: 2, GatePreconditions: 2, GatePolicy: 2, GateLimits: 2, GateApproval: 1, GatePlan: 2, GateAccept: 2,
}

// GateVersions are the versions of all gates, which a run's first record pins.
func GateVersions() map[string]int {
	out := make(map[string]int, len(versions))
	for name, v := range versions {
		out[name] = v
	}
	return out
}

// Decision is what a gate, and all gates together, say of a call.
type Decision string

// The decisions.
const (
	Admitted Decision = "admitted"
	Refused  Decision = "refused"
	Deferred Decision = "deferred" // until a call of the same step has run: judge again then
	// NeedsApproval is the policy's: a person decides, under the gate "approval". As
	// long as nobody can be asked, that gate refuses.
	NeedsApproval Decision = "require_approval"
)

// Proposed is a call as a planner proposes it.
type Proposed struct {
	ID       string   // the engine's, such as "4.1"
	Name     string   // the planner's own id for the call; may be empty
	Action   string   // NAME, or NAME@VERSION
	Params   []byte   // as the planner wrote them
	Position int      // in the step
	After    []string // calls that must have ended before, besides those referred to; ids of either kind
}

// Status is how a call of the run stands.
type Status string

// The statuses of a source.
const (
	StatusPending   Status = "pending"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusRefused   Status = "refused" // never ran; its planner's id is free again
)

// Source is a call to which parameters may refer.
type Source struct {
	Call   string          // the engine's id; the key in [Facts.Sources] if empty
	Action string          // its name
	Status Status          // pending, completed, failed, refused
	Output json.RawMessage // if completed
	From   []string        // the calls that its parameters referred to, by the engine's ids, and [InputSource]
	Rule   string          // of the policy, that decided on it
}

// InputSource is the key of the pseudo call whose output maps the names of the
// study's inputs to artifact handles.
const InputSource = "input"

// Facts are what the gate judges proposals against. Nothing in them is changed.
type Facts struct {
	Study       *LoadedStudy
	Actions     map[string]*Bound // by name
	Sources     map[string]Source // earlier calls by the engine's and by the planner's id, and [InputSource]
	HasArtifact func(handle string) bool
	Counters    Counters
	LastTurn    string // the run limit that is reached: the planner may hand in what it has, and nothing else
}

// Verdict is one gate's decision, as it is recorded.
type Verdict struct {
	Gate     string       `json:"gate"`
	Version  int          `json:"version"`
	Decision Decision     `json:"decision"`
	Rule     string       `json:"rule,omitempty"`   // which of the gate's rules decided
	Reason   string       `json:"reason,omitempty"` // of a refusal: what was wrong, where, and what would be accepted
	Facts    canon.Digest `json:"facts,omitzero"`
	// Basis is the canonical JSON of the facts that were judged; Facts is its digest.
	Basis json.RawMessage `json:"-"`
}

// Use is a data edge: a parameter came from another call's output or from an input.
type Use struct {
	From    string `json:"from"` // the engine's id, or "input"
	Pointer string `json:"pointer"`
	At      string `json:"at"` // in the parameters
}

// Judged is a call with what the gates said.
type Judged struct {
	Proposed
	Spec, Binding canon.Digest    // zero if the action is not known
	Resolved      json.RawMessage // canonical parameters, references replaced; nil while one has no value yet, or when refused before
	Uses          []Use
	Verdicts      []Verdict
	Decision      Decision
	After         []string // engine's ids of calls that must end first, sorted
	Partial       bool     // an admitted result of a last turn, in which something is missing
}

// Reason joins the reasons of the verdicts that refused.
func (j Judged) Reason() string {
	var out string
	for _, v := range j.Verdicts {
		if v.Decision == Refused {
			if out != "" {
				out += "; "
			}
			out += v.Reason
		}
	}
	return out
}

// Gate decides which proposals may run. It holds no state, and is safe for concurrent use.
type Gate struct{ deleted string }

// NewGate makes a gate.
func NewGate() *Gate { return &Gate{} }

// Judge judges the calls of one step together. A call that refers to another one
// of the step, or to a pending source, is deferred: once that source has run,
// Judge is called again for this call alone, with the source's outcome in the
// facts. Calls that are linked by references share a refusal.
func (g *Gate) Judge(calls []Proposed, f Facts) []Judged { return g.judge(calls, f).close() }

func (g *Gate) judge(calls []Proposed, f Facts) *step {
	p := newPlan(calls, f, g.deleted)
	for _, c := range p.cases {
		p.parse(c)
	}
	if f.LastTurn != "" {
		for _, c := range p.cases {
			p.last(c)
		}
		return p
	}
	for _, c := range p.cases {
		p.references(c)
	}
	p.circles()
	for _, linked := range p.components() {
		p.together(linked)
	}
	return p
}

// together judges calls that run only together: what one of them holds is given
// back when another one is refused.
func (p *step) together(linked []*trial) {
	before := len(p.held)
	for _, c := range linked {
		p.schema(c)
		p.preconditions(c)
		p.policy(c)
		p.limits(c)
		p.approval(c)
	}
	if slices.ContainsFunc(linked, (*trial).refused) {
		p.held = p.held[:before]
		link(linked)
	}
}

// step is the calls that are judged together.
type step struct {
	facts   Facts
	cases   []*trial
	byID    map[string]*trial // by either id
	names   map[string]int    // how many calls have a planner's id
	decoded map[string]output // outputs of sources, by key
	lines   map[string]ancestry
	past    []past    // earlier calls, once a gate asked for them
	held    heldCalls // what calls of the step that passed the limits take from them
	deleted string    // a gate whose refusals don't count, in a test of what it is good for
}

// trial is one call being judged.
type trial struct {
	Judged
	action  *Bound
	written any          // the parameters as proposed
	value   any          // then with known references replaced
	params  canon.Digest // of value, once its schema was asked
	doubles any          // value as expressions see it, once one asked
	waits   []*trial     // calls of the step that it refers to or comes after
	pending bool         // a reference has no value yet
	parsed  bool
	limited []string // rules of the policy whose limit it counts against
	deleted string
}

func newPlan(calls []Proposed, f Facts, deleted string) *step {
	p := &step{facts: f, byID: map[string]*trial{}, names: map[string]int{}, decoded: map[string]output{}, lines: map[string]ancestry{}, deleted: deleted}
	for _, call := range calls {
		p.cases = append(p.cases, &trial{Judged: Judged{Proposed: call, Verdicts: make([]Verdict, 0, 7)}, deleted: deleted})
	}
	for _, c := range p.cases {
		p.byID[c.ID] = c
	}
	for _, c := range p.cases {
		p.names[c.Name]++
		if c.Name != "" && p.byID[c.Name] == nil {
			p.byID[c.Name] = c
		}
	}
	return p
}

// say records a verdict.
func (c *trial) say(gate string, d Decision, rule, reason string, basis any) {
	if gate == c.deleted && d == Refused {
		d, rule, reason = Admitted, "", ""
	}
	v := Verdict{Gate: gate, Version: versions[gate], Decision: d, Rule: rule, Reason: reason}
	var err error
	switch basis := basis.(type) {
	case callFacts:
		v.Basis = basis.canonical()
	case limitFacts:
		v.Basis = basis.canonical()
	default:
		v.Basis, err = canon.Encode(basis)
	}
	if err != nil { // text that is no UTF-8
		v.Decision, v.Reason = Refused, "the facts can't be recorded: "+err.Error()
	}
	v.Facts = canon.Sum(v.Basis)
	c.Verdicts = append(c.Verdicts, v)
}

func (c *trial) refused() bool { return c.has(Refused) }

func (c *trial) has(d Decision) bool {
	return slices.ContainsFunc(c.Verdicts, func(v Verdict) bool { return v.Decision == d })
}

func (p *step) close() []Judged {
	out := make([]Judged, len(p.cases))
	for i, c := range p.cases {
		out[i] = c.close()
	}
	return out
}

// close sums up.
func (c *trial) close() Judged {
	switch {
	case c.refused():
		c.Decision, c.Resolved = Refused, nil
	case c.has(Deferred):
		c.Decision, c.Resolved = Deferred, nil
	default:
		c.Decision = Admitted
	}
	slices.Sort(c.Judged.After)
	c.Judged.After = slices.Compact(c.Judged.After)
	return c.Judged
}

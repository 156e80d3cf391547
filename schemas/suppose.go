package schemas

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// Supposition is a file that asks what the gates would say of a call, of several calls
// of one step, or of a result, in a run that is supposed to have come so far. A
// laboratory tries its policy by it, without a run.
type Supposition struct {
	Action string          `json:"action,omitempty"` // of one call
	Params json.RawMessage `json:"params,omitempty"` // of that call: an object, or a string that holds the text as a planner wrote it
	Calls  []SupposedCall  `json:"calls,omitempty"`  // in place of Action and Params
	Result json.RawMessage `json:"result,omitempty"` // in place of calls; an object or a string, as Params
	Facts  SupposedFacts   `json:"facts,omitzero"`

	source *document
}

// SupposedCall is one of the calls that are asked about.
type SupposedCall struct {
	ID     string          `json:"id,omitempty"` // the planner's
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	After  []string        `json:"after,omitempty"`
	Output json.RawMessage `json:"output,omitempty"` // what it would give: those that wait for it are judged again with it
}

// SupposedFacts are what the run is supposed to have come to before the calls. Zero
// members take the default that stands beside them.
type SupposedFacts struct {
	Step      int               `json:"step,omitempty"`    // that the calls are proposed in: 1, or 2 where there are earlier calls
	Counters  Counters          `json:"counters,omitzero"` // steps before Step; calls and attempts of Earlier; else nothing is used up
	Earlier   []EarlierCall     `json:"earlier,omitempty"`
	Inputs    map[string]string `json:"inputs,omitempty"`    // handles by name, in place of those of the study's files
	Artifacts []string          `json:"artifacts,omitempty"` // that the run has, besides inputs and those in outputs
	LastTurn  string            `json:"last_turn,omitempty"` // see [Facts.LastTurn]
}

// EarlierCall is a call that the run is supposed to have made.
type EarlierCall struct {
	ID     string          `json:"id,omitempty"` // the planner's, or the engine's ("2.1"), which is 1.1, 1.2, … if nothing is said
	Action string          `json:"action"`
	Status Status          `json:"status,omitempty"` // completed
	Output json.RawMessage `json:"output,omitempty"` // if it completed
	From   []string        `json:"from,omitempty"`   // calls that its parameters referred to, by either id, and [InputSource]
	Rule   string          `json:"rule,omitempty"`   // of the policy, that decided on it
}

var engineID = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// LoadSupposition reads a supposition's file. It is nil if there are problems. What
// only a study can tell, [Supposition.Check] finds.
func LoadSupposition(path string) (*Supposition, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	return ParseSupposition(path, text)
}

// ParseSupposition is [LoadSupposition] for a text that has been read; file names it in problems.
func ParseSupposition(file string, text []byte) (*Supposition, Problems) {
	d := open("call", file, text)
	s := &Supposition{source: d}
	d.fill(s)
	var asks []string
	for _, m := range []string{"action", "calls", "result"} {
		if _, there := d.members[m]; there {
			asks = append(asks, m)
		}
	}
	_, params := d.members["params"]
	_, facts := d.members["facts"]
	switch {
	case len(asks) > 1:
		d.refuse("", "", "one of them", "%s are given together", quoted(asks))
	case params && s.Action == "" && !d.bad["action"]:
		d.refuse("/params", "", `"action" too`, "parameters are given without an action")
	case len(asks) == 0 && !params && !facts && len(d.problems) == 0:
		d.refuse("", "", `"action" with "params", "calls", "result" or "facts"`, "nothing is asked")
	}
	if !d.bad["facts"] {
		d.checkEarlier(s.Facts.Earlier)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.Sorted()
	}
	return s, nil
}

func (d *document) checkEarlier(earlier []EarlierCall) {
	known := []string{InputSource}
	for i, c := range earlier {
		at := joinIndex("/facts/earlier", i)
		switch completed := c.Status == "" || c.Status == StatusCompleted; {
		case completed && c.Output == nil:
			d.refuse(at, "", `"output", or "status": "failed"`, "nothing says what the call gave")
		case !completed && c.Output != nil:
			d.refuse(at+"/output", "", "none", "a call that is %s has no output", c.Status)
		}
		for j, from := range c.From {
			if !slices.Contains(known, from) {
				d.refuse(joinIndex(at+"/from", j), nearest(from, known), "", "no call before this one has the id %q", from)
			}
		}
		ids := []string{c.engineID(i)}
		if c.ID != "" && c.ID != ids[0] {
			ids = append(ids, c.ID)
		}
		for _, id := range ids {
			if slices.Contains(known, id) {
				d.refuse(at+"/id", "", "an id of its own", "the id %q is taken", id)
			}
		}
		known = append(known, ids...)
	}
}

// engineID is the engine's id of the call that stands at a place in the list.
func (c EarlierCall) engineID(i int) string {
	if engineID.MatchString(c.ID) {
		return c.ID
	}
	return fmt.Sprintf("1.%d", i+1)
}

// Check reports what the supposition names and the study doesn't have.
func (s *Supposition) Check(study *LoadedStudy, actions map[string]*Bound) Problems {
	if s.source == nil {
		return nil
	}
	d := &document{source: &source{file: s.source.file, values: s.source.values, keys: s.source.keys}}
	names, inputs := sortedKeys(actions), sortedKeys(study.Study.Inputs)
	var rules []string
	for _, r := range study.Study.Policy.Rules {
		rules = append(rules, r.Name)
	}
	for i, c := range s.Facts.Earlier {
		at := joinIndex("/facts/earlier", i)
		if actions[c.Action] == nil {
			d.refuse(at+"/action", nearest(c.Action, names), "one of "+quoted(names), "the study lists no action %q", c.Action)
		}
		if c.Rule != "" && !slices.Contains(rules, c.Rule) {
			d.refuse(at+"/rule", nearest(c.Rule, rules), "", "the study's policy has no rule %q", c.Rule)
		}
	}
	for _, name := range sortedKeys(s.Facts.Inputs) {
		if !slices.Contains(inputs, name) {
			d.refuse(join("/facts/inputs", name), nearest(name, inputs), "", "the study has no input %q", name)
		}
	}
	return d.problems.Sorted()
}

// Asks says whether the supposition asks about anything, or only holds facts.
func (s *Supposition) Asks() bool { return s.Action != "" || s.Calls != nil || s.Result != nil }

// SupposesFacts says whether the supposition holds facts.
func (s *Supposition) SupposesFacts() bool {
	return s.source != nil && s.source.members["facts"] != nil
}

// TakeFacts takes the facts of another file, with the places at which problems are reported.
func (s *Supposition) TakeFacts(from *Supposition) { s.Facts, s.source = from.Facts, from.source }

// Proposed are the calls that are asked about, with the ids that the engine would give them.
func (s *Supposition) Proposed() []Proposed {
	calls := s.Calls
	if calls == nil && s.Action != "" {
		calls = []SupposedCall{{Action: s.Action, Params: s.Params}}
	}
	step := s.step()
	out := make([]Proposed, len(calls))
	for i, c := range calls {
		out[i] = Proposed{ID: fmt.Sprintf("%d.%d", step, i+1), Name: c.ID, Action: c.Action, Params: asWritten(c.Params), Position: i, After: c.After}
	}
	return out
}

// asWritten is the text that a planner wrote: a string's content, or JSON as it stands.
func asWritten(raw json.RawMessage) []byte {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	return raw
}

func (s *Supposition) step() int {
	switch {
	case s.Facts.Step > 0:
		return s.Facts.Step
	case len(s.Facts.Earlier) > 0:
		return 2
	}
	return 1
}

// Suppose are the facts by which a run of the study would judge the calls. inputs are
// the handles of the study's inputs, by name; those of the supposition go before them.
func (s *Supposition) Suppose(study *LoadedStudy, actions map[string]*Bound, inputs map[string]string) (Facts, error) {
	handles := map[string]string{}
	for _, from := range []map[string]string{inputs, s.Facts.Inputs} {
		for name, handle := range from {
			handles[name] = handle
		}
	}
	given, err := canon.Marshal(handles)
	if err != nil {
		return Facts{}, fmt.Errorf("supposing the study's inputs: %w", err)
	}
	f := Facts{Study: study, Actions: actions, LastTurn: s.Facts.LastTurn, Counters: s.Facts.Counters, Sources: map[string]Source{
		InputSource: {Call: InputSource, Action: InputSource, Status: StatusCompleted, Output: given},
	}}
	text := []string{string(given), strings.Join(s.Facts.Artifacts, " ")}
	engine := map[string]string{InputSource: InputSource}
	for i, c := range s.Facts.Earlier {
		id := c.engineID(i)
		engine[id], engine[c.ID] = id, id
		source := Source{Call: id, Action: c.Action, Status: c.Status, Output: c.Output, Rule: c.Rule}
		orElse(&source.Status, StatusCompleted)
		for _, from := range c.From {
			source.From = append(source.From, engine[from])
		}
		f.Sources[id] = source
		if c.ID != "" {
			f.Sources[c.ID] = source
		}
		text = append(text, string(c.Output))
	}
	orElse(&f.Counters.Steps, s.step()-1)
	orElse(&f.Counters.Calls, len(s.Facts.Earlier))
	orElse(&f.Counters.Attempts, len(s.Facts.Earlier))
	for _, c := range s.Calls {
		text = append(text, string(c.Output))
	}
	known := strings.Join(text, " ")
	f.HasArtifact = func(handle string) bool { return strings.Contains(known, handle) }
	return f, nil
}

// Explain says what the gates say of what is asked, and why. A call that is deferred,
// and waits for calls of the step whose outputs are supposed, is judged again with them.
func (s *Supposition) Explain(g *Gate, f Facts) []Explained {
	if s.Result != nil {
		return []Explained{g.ExplainResult(asWritten(s.Result), f)}
	}
	out := g.Explain(s.Proposed(), f)
	for progress := true; progress; {
		progress = false
		for i := range out {
			if out[i].Final() == Deferred && s.gives(out[i].After, out) {
				again := g.Explain([]Proposed{out[i].Proposed}, s.afterwards(f, out, i))[0]
				out[i].Again, progress = &again, again.Decision != Deferred
			}
		}
	}
	return out
}

// gives says whether all of these calls would run, and are supposed to give an output.
func (s *Supposition) gives(ids []string, of []Explained) bool {
	for _, id := range ids {
		i := slices.IndexFunc(of, func(e Explained) bool { return e.ID == id })
		if i < 0 || s.Calls == nil || s.Calls[i].Output == nil || of[i].Final() != Admitted {
			return false
		}
	}
	return len(ids) > 0
}

// afterwards are the facts once the calls before call n, whose outputs are supposed, have run.
func (s *Supposition) afterwards(f Facts, judged []Explained, n int) Facts {
	sources := make(map[string]Source, len(f.Sources)+2*len(judged))
	for key, source := range f.Sources {
		sources[key] = source
	}
	for i, e := range judged {
		if i == n {
			continue
		}
		source := Source{Call: e.ID, Status: StatusPending, Output: s.Calls[i].Output}
		source.Action, _, _ = strings.Cut(e.Action, "@")
		switch {
		case e.Final() == Refused:
			source.Status, source.Output = StatusRefused, nil
		case source.Output != nil:
			source.Status = StatusCompleted
		}
		for _, use := range e.Uses {
			source.From = append(source.From, use.From)
		}
		for _, v := range e.Verdicts {
			if v.Gate == GatePolicy {
				source.Rule = v.Rule
			}
		}
		sources[e.ID] = source
		if e.Name != "" {
			sources[e.Name] = source
		}
	}
	f.Sources = sources
	return f
}

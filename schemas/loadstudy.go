package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"rlam/internal/canon"
)

// LoadedStudy is a study with what was compiled from it. It is not changed after it
// was made, and safe for concurrent use.
type LoadedStudy struct {
	Study  Study
	Path   string // as given to LoadStudy; empty when the study came from a record
	Digest canon.Digest
	JSON   []byte // canonical, defaults filled; Digest is its digest

	result  *Schema
	partial func() (*Schema, error) // result without what is required at its top
	accept  []*Expression
	policy  *rulebook             // nil: what the study lists is allowed
	narrow  map[string]*narrowing // by the action's name
	facts   map[string]any        // as the variable study of a policy's rules
	unsure  bool                  // of a draft: not all that the study lists as actions is known
}

// narrowing is a study's own schema of an action's parameters.
type narrowing struct {
	version       string // of the action, if the study says it
	schema, loose *Schema
	at            string // in the study
}

// LoadStudy reads a study file. The study is nil if there are problems. What only
// the actions can tell, such as the types of parameters in a policy's rules,
// [Registry.Resolve] checks.
func LoadStudy(path string) (*LoadedStudy, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	return ParseStudy(path, text)
}

// ParseStudy is [LoadStudy] for a text that has been read; file names it in problems.
func ParseStudy(file string, text []byte) (*LoadedStudy, Problems) {
	l, ps := parseStudy(file, text)
	if len(ps) > 0 {
		return nil, ps
	}
	return l, nil
}

// DraftStudy is [LoadStudy] for people who are still writing. Where it finds problems,
// it gives what is sound of the study besides, so that the rest of it can be checked
// by [Registry.Resolve] in the same go. Such a draft has no digest and can't be run. It
// is nil if the file can't be read at all.
func DraftStudy(path string) (*LoadedStudy, Problems) {
	text, ps := readFile(path)
	if len(ps) > 0 {
		return nil, ps
	}
	return parseStudy(path, text)
}

func parseStudy(file string, text []byte) (*LoadedStudy, Problems) {
	d := open("study", file, text)
	l := &LoadedStudy{Path: file}
	d.fill(&l.Study)
	l.Study.setDefaults()
	d.checkAuthors(l.Study.Authors)
	d.checkPlanner(l.Study.Planner)
	d.checkPrices(l.Study)
	d.checkInputs(l.Study.Inputs)
	l.result = d.schema("result")
	d.object("result", l.result)
	l.accept = d.conditions("accept", l.Study.Accept, variables{"result": rootOf(l.result), "inputs": nil})
	l.narrow = d.narrowings(l.Study.Actions)
	l.policy = d.policy(l.Study.Policy)
	if len(d.problems) > 0 {
		l.unsure = d.bad["actions"]
		maps.DeleteFunc(l.Study.Inputs, func(name string, in Input) bool { // what is left of it may mean something else
			return d.spoiled(join("/inputs", name)) && in.File == "" && (in.Run == "" || in.Output == "")
		})
		return l, d.problems.Sorted()
	}
	l.facts = l.Study.facts()
	l.partial = sync.OnceValues(func() (*Schema, error) { return Compile(withoutRequired(l.Study.Result)) })
	return l.seal(file)
}

// ReadDocument reads a YAML file, or a JSON file by its name, as JSON: a part of a study
// that stands in a file of its own. What it may hold is not checked.
func ReadDocument(file string, text []byte) (json.RawMessage, Problems) {
	s := parse(file, text)
	return s.json.Bytes(), s.problems.Sorted()
}

// ReadStudy prepares a study that comes from a record, as its JSON.
func ReadStudy(raw []byte) (*LoadedStudy, error) {
	l, ps := ParseStudy("study.json", raw)
	if err := ps.Err(); err != nil {
		return nil, fmt.Errorf("reading a recorded study: %w", err)
	}
	l.Path = ""
	return l, nil
}

func (l *LoadedStudy) seal(file string) (*LoadedStudy, Problems) {
	var err error
	if l.Digest, l.JSON, err = canon.Of(l.Study); err != nil {
		return nil, Problems{{File: file, Message: err.Error()}}
	}
	return l, nil
}

// checkAuthors refuses an ORCID iD whose last character is not the check digit of the
// others (ISO 7064, MOD 11-2): a digit was mistyped, and it names someone else or nobody.
func (d *document) checkAuthors(authors []Author) {
	for i, a := range authors {
		digits := strings.ReplaceAll(a.ORCID, "-", "")
		if digits == "" {
			continue
		}
		total := 0
		for _, c := range digits[:len(digits)-1] {
			total = (total + int(c-'0')) * 2 % 11
		}
		if want := "0123456789X"[(12-total)%11]; digits[len(digits)-1] != want {
			d.refuse(joinIndex("/authors", i)+"/orcid", "", fmt.Sprintf("%q at its end, or other digits", string(want)), "the ORCID iD %q can't be right: its check digit is another", a.ORCID)
		}
	}
}

func (d *document) checkPlanner(p Planner) {
	var set []string
	for _, m := range []struct{ name, value string }{{"model", p.Model}, {"scripted", p.Scripted}, {"plan", p.Plan}} {
		if m.value != "" {
			set = append(set, m.name)
		}
	}
	if len(set) > 1 {
		d.refuse("/planner", "", "one of them", "%s are given together", quoted(set))
	}
	if len(p.Fallbacks) > 0 && p.Model == "" && !d.spoiled("/planner/model") {
		d.refuse("/planner/fallbacks", "", `"model" too`, "fallbacks are given without a model")
	}
}

// checkPrices refuses a model without a price where money is limited.
func (d *document) checkPrices(s Study) {
	if s.Limits.Money == 0 || d.spoiled("/planner/prices") {
		return
	}
	known := sortedKeys(s.Planner.Prices.Models)
	check := func(at, model string) {
		if _, ok := s.Planner.Prices.Models[model]; model != "" && !ok {
			d.refuse(at, nearest(model, known), "", "money is limited, and %q has no price in planner.prices", model)
		}
	}
	check("/planner/model", s.Planner.Model)
	for i, model := range s.Planner.Fallbacks {
		check(joinIndex("/planner/fallbacks", i), model)
	}
}

func (d *document) checkInputs(inputs map[string]Input) {
	for _, name := range sortedKeys(inputs) {
		in, at := inputs[name], join("/inputs", name)
		kept := in.Given != (Given{}) && in.Keep == KeepDigest && !in.Digest.IsZero()
		switch {
		case d.spoiled(at): // what seems to be absent may be misspelt
		case in.File == "" && in.Run == "" && !kept:
			d.refuse(at, "", `"file", "run" with "output", or "given" with "keep: digest" and "digest"`, "nothing says where the input is")
		case in.File != "" && in.Run != "":
			d.refuse(at, "", "one of them", `"file" and "run" are given together`)
		case in.Run == "" && in.Output != "":
			d.refuse(at+"/output", "", `"run" too`, "an output is given without a run")
		case in.Run != "" && in.Given != (Given{}):
			d.refuse(at+"/given", "", `"file"`, "what another run made has its provenance already")
		case in.Run != "" && in.Keep != "":
			d.refuse(at+"/keep", "", "none", "what another run made is in the store already")
		}
	}
}

// narrowings compiles the study's own schemas of parameters.
func (d *document) narrowings(actions []Listed) map[string]*narrowing {
	out := map[string]*narrowing{}
	for i, a := range actions {
		at := joinIndex("/actions", i)
		if a.Params == nil || a.Use == "" {
			continue
		}
		name, version, _ := strings.Cut(a.Use, "@")
		if isPath(a.Use) {
			d.refuse(at+"/use", "", "the action's name; list its file as an entry of its own", "%q is a file", a.Use)
		}
		if out[name] != nil {
			d.refuse(at, "", "one schema", "the parameters of %q are narrowed twice", name)
			continue
		}
		n := &narrowing{version: version, at: at}
		if n.schema = d.compile(at+"/params", a.Params); n.schema == nil {
			continue
		}
		loose, err := Compile(looseSchema(a.Params))
		if err != nil {
			d.refuse(at+"/params", "", "", "references can't be admitted: %v", err)
		}
		n.loose = loose
		out[name] = n
	}
	return out
}

// Check reports what a study says about these actions that they don't bear out, such as
// a rule of its policy that multiplies a text. They need not be all that it lists.
func (l *LoadedStudy) Check(actions map[string]*Bound) Problems { return l.check(actions, false) }

// check reports what a study says about actions that those actions don't bear out. If
// not all of the listed actions are known, nothing is said of those that are missing.
func (l *LoadedStudy) check(actions map[string]*Bound, all bool) Problems {
	var problems Problems
	names := sortedKeys(actions)
	refuse := func(at, near, expected, format string, args ...any) {
		problems = append(problems, Problem{File: l.Path, Pointer: at, Message: fmt.Sprintf(format, args...), Expected: expected, Nearest: near})
	}
	for _, name := range sortedKeys(l.narrow) {
		n, b := l.narrow[name], actions[name]
		if b == nil {
			continue // reported as an action that is not found
		}
		known := sortedKeys(b.params.root.target().props)
		for _, param := range sortedKeys(n.schema.root.target().props) {
			if b.params.root.target().closed && !slices.Contains(known, param) {
				refuse(join(n.at+"/params/properties", param), nearest(param, known), "one of "+quoted(known), "%s has no parameter %q", b.ID(), param)
			}
		}
	}
	for _, name := range sortedKeys(l.Study.Limits.Actions) {
		if actions[name] == nil && all {
			refuse(join("/limits/actions", name), nearest(name, names), "one of "+quoted(names), "the study lists no action %q", name)
		}
	}
	for i, a := range l.Study.Policy.Rules {
		for j, name := range a.Actions {
			if actions[name] == nil && all {
				refuse(joinIndex(joinIndex("/policy/rules", i)+"/actions", j), nearest(name, names), "one of "+quoted(names), "the study lists no action %q", name)
			}
		}
	}
	for _, name := range names {
		if undo := actions[name].Action.Undo; undo != "" && actions[undo] == nil && all {
			refuse("/actions", nearest(undo, names), "", "%s is undone by %q, which the study doesn't list", actions[name].ID(), undo)
		}
		for _, r := range l.policy.of(actions[name]) {
			if l.policy.rules[r.index].wrong != nil {
				continue // for any action, which has been said
			}
			for _, v := range r.wrong {
				refuse(joinIndex("/policy/rules", r.index)+"/when", v.Nearest, v.Expected, "for calls of %s: %s", actions[name].ID(), v.Message)
			}
		}
	}
	return problems
}

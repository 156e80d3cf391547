package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/worker/host"
)

// askOptions say which calls the gates of which study are asked about.
type askOptions struct {
	study   string
	call    string   // "-" is stdin
	facts   string   // a file with facts of its own
	actions []string // added to the study's
}

func (o *askOptions) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.study, "study", "", "the study by whose gates calls are judged")
	c.Flags().StringVar(&o.call, "call", "", "file of the call, or calls, to judge; - is stdin")
	c.Flags().StringVar(&o.facts, "facts", "", "file with the facts to suppose, if the call's file has none")
	c.Flags().StringArrayVar(&o.actions, "actions", nil, "`DIR` of action files to allow beside the study's")
}

func (o *askOptions) check(args []string) error {
	switch asked := o.study != "" || o.call != "" || o.facts != "" || o.actions != nil; {
	case !asked && len(args) == 0:
		return errors.New("check needs a file, or --study with --call")
	case asked && (o.study == "" || o.call == ""):
		return errors.New("--study and --call go together: which study judges, and which call")
	case asked && len(args) > 0:
		return fmt.Errorf("%q stands beside --study and --call: check files by a command of their own", args)
	}
	return nil
}

// explained says what the gates would do with one call, or with a result.
type explained struct {
	Call     string                `json:"call,omitempty"` // the engine's id; none of a result
	ID       string                `json:"id,omitempty"`   // the planner's
	Action   string                `json:"action,omitempty"`
	Decision schemas.Decision      `json:"decision"`
	Params   json.RawMessage       `json:"params,omitempty"` // references replaced as far as known; the text as a string if it is no JSON
	Uses     []record.Use          `json:"uses,omitempty"`
	After    []string              `json:"after,omitempty"`
	Gates    []schemas.Explanation `json:"gates"`
	Again    *explained            `json:"again,omitempty"` // once the calls that it waits for had given what is supposed
	Partial  bool                  `json:"partial,omitempty"`
}

func (explained) MessageType() string { return "explained" }

// askEnd sums up.
type askEnd struct {
	Study    string `json:"study"`
	Calls    int    `json:"calls"`
	Refused  int    `json:"refused"`
	Deferred int    `json:"deferred"` // until calls have run whose outputs are not supposed
}

func (askEnd) MessageType() string { return "explained_all" }

func runAsk(ctx context.Context, a *app, o askOptions) error {
	if o.call == "-" {
		o.call = stdinName
	}
	bad := func(kind, file string, problems schemas.Problems) error {
		a.printer.Print(checked{File: file, Kind: kind, Problems: problems})
		return &codedError{code: exitUsage}
	}
	study, problems := schemas.LoadStudy(o.study)
	if len(problems) > 0 { // then those of the files that it names besides
		return bad("study", o.study, checkFile(ctx, "study", o.study, nil))
	}
	registry, err := schemas.NewRegistry()
	if err != nil {
		return err
	}
	actions, problems := registry.Resolve(study, o.actions...)
	if len(problems) > 0 {
		return bad("study", o.study, problems)
	}
	asked, problems := a.supposition(o)
	if len(problems) == 0 {
		problems = asked.Check(study, actions)
	}
	if len(problems) > 0 {
		return bad("call", o.call, problems)
	}
	dir, err := a.storeDir("")
	if err != nil {
		return err
	}
	s, _ := existingStore(dir) // without one, nothing can be said of other runs
	inputs, problems, err := host.InputHandles(ctx, readable(s), study)
	switch {
	case err != nil:
		return err
	case len(problems) > 0:
		return bad("study", o.study, problems)
	}
	facts, err := asked.Suppose(study, actions, inputs)
	if err != nil {
		return err
	}
	end := askEnd{Study: study.Study.Title}
	for _, e := range asked.Explain(schemas.NewGate(), facts) {
		end.Calls++
		switch e.Final() {
		case schemas.Refused:
			end.Refused++
		case schemas.Deferred:
			end.Deferred++
		}
		a.printer.Print(*explanation(e, asked.Result != nil))
	}
	a.printer.Print(end)
	if end.Refused > 0 {
		return &codedError{code: exitRefused}
	}
	return nil
}

func explanation(e schemas.Explained, result bool) *explained {
	m := &explained{Call: e.ID, ID: e.Name, Action: e.Action, Decision: e.Decision, After: e.After, Gates: e.Gates, Partial: e.Partial, Params: e.Value}
	if result {
		m.Action = ""
	}
	switch {
	case e.Value != nil:
	case canon.Check(e.Params) == nil:
		m.Params = e.Params
	default:
		m.Params, _ = json.Marshal(string(e.Params)) // a string always can be
	}
	for _, u := range e.Uses {
		m.Uses = append(m.Uses, record.Use{From: u.From, Pointer: u.Pointer, At: u.At})
	}
	if e.Again != nil {
		m.Again = explanation(*e.Again, result)
	}
	return m
}

// supposition reads what is asked, and the facts that are supposed with it.
func (a *app) supposition(o askOptions) (*schemas.Supposition, schemas.Problems) {
	asked, problems := a.readSupposition(o.call)
	if len(problems) > 0 {
		return nil, problems
	}
	if !asked.Asks() {
		return nil, schemas.Problems{{File: o.call, Message: "it holds facts, and no call", Expected: `"action" with "params", "calls" or "result"`}}
	}
	if o.facts == "" {
		return asked, nil
	}
	more, problems := a.readSupposition(o.facts)
	switch {
	case len(problems) > 0:
		return nil, problems
	case more.Asks():
		return nil, schemas.Problems{{File: o.facts, Message: "it asks about a call of its own", Expected: `"facts" alone`}}
	case asked.SupposesFacts():
		return nil, schemas.Problems{{File: o.facts, Message: "the call's file has facts already", Expected: "facts in one of the two files"}}
	}
	asked.TakeFacts(more)
	return asked, nil
}

// maxStdin is more than a file may have, so that one which is too long is refused as such.
const maxStdin = 4 << 20

// stdinName is how problems name what was not read from a file.
const stdinName = "stdin"

func (a *app) readSupposition(file string) (*schemas.Supposition, schemas.Problems) {
	if file != stdinName {
		return schemas.LoadSupposition(file)
	}
	text, err := io.ReadAll(io.LimitReader(a.stdin, maxStdin))
	if err != nil {
		return nil, schemas.Problems{{File: stdinName, Message: "reading: " + err.Error()}}
	}
	return schemas.ParseSupposition(stdinName, text)
}

// besideStudy is a path that a study names, seen from here.
func besideStudy(study *schemas.LoadedStudy, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(study.Path), name)
}

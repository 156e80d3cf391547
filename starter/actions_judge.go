package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/repeatability"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/starter/follow"
)

// judgeOptions are the flags of what judges executions.
type judgeOptions struct {
	store              string
	relative, absolute float64
}

func (o *judgeOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	f.Float64Var(&o.relative, "relative", 1e-6, "largest relative difference `R` that counts as rounding and not as scatter")
	f.Float64Var(&o.absolute, "absolute", 0, "largest absolute difference `A` that does, for numbers near zero")
}

func newActionsJudgeCommand(a *app) *cobra.Command {
	var o judgeOptions
	c := &cobra.Command{
		Use: "judge RUN", Short: "Say again what a run of actions run showed",
		Long: `Say from the record what the executions of an earlier "actions run" show, as that
command did at its end. Nothing is executed.`,
		Example: "  starter actions judge @last --relative 1e-4",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runActionsJudge(c.Context(), a, args[0], o) },
	}
	o.addFlags(c)
	return c
}

func runActionsJudge(ctx context.Context, a *app, id string, o judgeOptions) error {
	c, l, err := a.find(ctx, id, o.store)
	if err != nil {
		return err
	}
	defer c.close()
	s, err := l.store()
	if err != nil {
		return err
	}
	account, err := c.follower(l.ID, s).Read(ctx, func(follow.Event) {})
	if err != nil {
		return err
	}
	if account.Open() {
		return fmt.Errorf("run %q is still open; go on with it by: %s resume %s", l.ID, a.program(), l.ID)
	}
	return c.judge(ctx, account.End, s, o)
}

// repeated is what the executions of one action show.
type repeated struct {
	Run          string                   `json:"run"`
	Action       string                   `json:"action"`
	Spec         canon.Digest             `json:"spec"`
	Binding      canon.Digest             `json:"binding"`
	Executions   int                      `json:"executions"`
	Completed    int                      `json:"completed"`
	Failures     []failureCount           `json:"failures"`           // of those that did not complete
	Retried      int                      `json:"retried"`            // attempts that failed before one completed
	Refused      []follow.Refusal         `json:"refused,omitempty"`  // by a gate: nothing ran
	Seed         *uint64                  `json:"seed,omitempty"`     // that all of them had
	Varied       bool                     `json:"varied,omitempty"`   // each had a seed of its own
	Environments []canon.Digest           `json:"environments"`       // in which they ran
	Isolation    []string                 `json:"isolation"`          // under which they ran
	Findings     []repeatability.Finding  `json:"findings"`           // none from fewer than two that completed
	TooStrong    int                      `json:"too_strong"`         // findings that more was declared of
	TooWeak      int                      `json:"too_weak"`           // and less
	Proposed     *schemas.Reproducibility `json:"proposed,omitempty"` // to declare instead, if anything
	Again        string                   `json:"-"`                  // the command that shows it
}

func (repeated) MessageType() string { return "repeatability" }

// failureCount is how many executions ended in one way.
type failureCount struct {
	Type    string `json:"type"`
	Count   int    `json:"count"`
	Message string `json:"message,omitempty"` // of the first
}

// judge says what the calls of a run's first step show, and ends with the code for it.
func (c *connection) judge(ctx context.Context, end *follow.End, s store.Store, o judgeOptions) error {
	l, err := c.locate(ctx, end.Run, "")
	if err != nil {
		return err
	}
	step, err := follow.Contents{Store: s}.Step(ctx, l.Record, end.Head, 1)
	if err != nil {
		return err
	}
	m, err := judged(ctx, s, l, step, o)
	if err != nil {
		return err
	}
	m.Again = fmt.Sprintf("%s show %s", c.program(), l.ID)
	c.printer.Print(*m)
	switch {
	case len(m.Refused) > 0:
		return &codedError{code: exitRefused}
	case m.Completed == 0:
		return &codedError{code: exitNoResult}
	case m.TooStrong > 0 || m.Completed < m.Executions:
		return &codedError{code: exitError}
	}
	return nil
}

// judged reads what a step's calls left, which must be of one action and the same parameters.
func judged(ctx context.Context, s store.Store, l *located, step *follow.Step, o judgeOptions) (*repeated, error) {
	for _, call := range step.Calls {
		if call.Action != step.Calls[0].Action || call.Params.Digest != step.Calls[0].Params.Digest {
			return nil, badUsage("run %q repeats no call: its first step has calls of %s and of %s, or with other parameters", l.ID, step.Calls[0].Action, call.Action)
		}
	}
	if len(step.Calls) == 0 {
		return nil, badUsage("run %q repeats no call: its first step has none", l.ID)
	}
	study, bound, err := pinnedAction(ctx, s, l.Record, step.Calls[0].Action)
	if err != nil {
		return nil, err
	}
	m := &repeated{
		Run: l.ID, Action: bound.ID(), Spec: bound.Spec, Binding: bound.Binding, Executions: len(step.Calls),
		Failures: []failureCount{}, Environments: []canon.Digest{}, Isolation: []string{}, Findings: []repeatability.Finding{},
	}
	m.Varied = bound.Action.Seeded && study.Seeds != schemas.SeedsShared && m.Executions > 1
	if bound.Action.Seeded && study.Seeds == schemas.SeedsShared {
		m.Seed = &study.Seed
	}
	var outputs []repeatability.Output
	for _, call := range step.Calls {
		if out, ok := m.count(call); ok {
			outputs = append(outputs, out)
		}
	}
	if err := readTexts(ctx, s, outputs); err != nil {
		return nil, err
	}
	findings, err := repeatability.Judge(bound.Action, outputs, repeatability.Bounds{Relative: o.relative, Absolute: o.absolute})
	if err != nil {
		return nil, err
	}
	m.conclude(bound.Action.Reproducibility, findings)
	return m, nil
}

// count adds one call, and returns what it left if it completed.
func (m *repeated) count(call follow.StepCall) (out repeatability.Output, completed bool) {
	if call.Status == record.CallRefused {
		for _, v := range call.Verdicts {
			if v.Decision == string(schemas.Refused) && len(m.Refused) == 0 {
				m.Refused = append(m.Refused, follow.Refusal{Gate: v.Gate, Rule: v.Rule, Reason: v.Reason})
			}
		}
		return out, false
	}
	last := follow.StepAttempt{}
	for i, at := range call.Attempts {
		if last = at; i < len(call.Attempts)-1 && at.Status == record.AttemptFailed {
			m.Retried++
		}
		if !at.Environment.IsZero() && !slices.Contains(m.Environments, at.Environment) {
			m.Environments = append(m.Environments, at.Environment)
		}
		if at.Isolation != "" && !slices.Contains(m.Isolation, at.Isolation) {
			m.Isolation = append(m.Isolation, at.Isolation)
		}
	}
	if call.Status != record.CallCompleted {
		m.failed(call.Status, last)
		return out, false
	}
	m.Completed++
	out.Value = last.OutputValue.Value
	for _, a := range last.Artifacts {
		out.Artifacts = append(out.Artifacts, repeatability.Artifact{Name: a.Name, Digest: a.Digest})
	}
	return out, true
}

func (m *repeated) failed(status record.CallStatus, last follow.StepAttempt) {
	f := failureCount{Type: string(status), Count: 1}
	if last.Error != nil {
		f.Type = last.Error.Type
	}
	if last.Failure != nil {
		f.Message = last.Failure.Message
	}
	if i := slices.IndexFunc(m.Failures, func(o failureCount) bool { return o.Type == f.Type }); i >= 0 {
		m.Failures[i].Count++
		return
	}
	m.Failures = append(m.Failures, f)
}

// conclude sums the findings up.
func (m *repeated) conclude(declared schemas.Reproducibility, findings []repeatability.Finding) {
	if m.Varied {
		findings = repeatability.WithoutDeclaration(findings)
	}
	m.Findings = append(m.Findings, findings...)
	for _, f := range findings {
		switch f.Judgement {
		case repeatability.TooStrong:
			m.TooStrong++
		case repeatability.TooWeak:
			m.TooWeak++
		}
	}
	if m.TooStrong+m.TooWeak > 0 {
		r := repeatability.Propose(declared, findings)
		m.Proposed = &r
	}
}

// pinnedAction is an action as a run pins it, and the run's study.
func pinnedAction(ctx context.Context, s store.Store, run canon.Digest, id string) (*schemas.Study, *schemas.Bound, error) {
	var r record.Run
	if err := record.Load(ctx, s, run, &r); err != nil {
		return nil, nil, err
	}
	raw, err := store.Read(ctx, s, r.Study, record.MaxContent)
	if err != nil {
		return nil, nil, err
	}
	study, err := schemas.ReadStudy(raw)
	if err != nil {
		return nil, nil, err
	}
	for _, pin := range r.Actions {
		if pin.Name+"@"+pin.Version != id {
			continue
		}
		spec, err := store.Read(ctx, s, pin.Spec, record.MaxContent)
		if err != nil {
			return nil, nil, err
		}
		all := pin.Bindings
		if len(all) == 0 {
			all = []canon.Digest{pin.Binding}
		}
		bindings := make([][]byte, len(all))
		for i, d := range all {
			if bindings[i], err = store.Read(ctx, s, d, record.MaxContent); err != nil {
				return nil, nil, err
			}
		}
		b, err := schemas.ReadBound(spec, bindings[0], bindings[1:]...)
		return &study.Study, b, err
	}
	return nil, nil, fmt.Errorf("the run pins no action %q", id)
}

// longestText is the size from which an artifact's numbers are not compared one by one.
const longestText = 16 << 20

// readTexts reads the artifacts that differ between executions, where they are text:
// of those that don't, the digests say all.
func readTexts(ctx context.Context, s store.Store, outputs []repeatability.Output) error {
	digests := map[string]map[canon.Digest]bool{}
	for _, o := range outputs {
		for _, a := range o.Artifacts {
			if digests[a.Name] == nil {
				digests[a.Name] = map[canon.Digest]bool{}
			}
			digests[a.Name][a.Digest] = true
		}
	}
	for _, o := range outputs {
		for i, a := range o.Artifacts {
			if len(digests[a.Name]) < 2 {
				continue
			}
			b, err := store.Read(ctx, s, a.Digest, longestText)
			if err != nil {
				return fmt.Errorf("reading artifact %q: %w", a.Name, err)
			}
			if len(b) < longestText && utf8.Valid(b) && !bytes.ContainsRune(b, 0) {
				o.Artifacts[i].Text = b
			}
		}
	}
	return nil
}

// yamlLines spells a reproducibility block as people write it in an action file.
func yamlLines(r schemas.Reproducibility) []string {
	lines := []string{"reproducibility:", "  default: " + string(r.Default)}
	for _, part := range []struct {
		name   string
		grades map[string]schemas.Grade
	}{{"fields", r.Fields}, {"artifacts", r.Artifacts}} {
		if len(part.grades) == 0 {
			continue
		}
		lines = append(lines, "  "+part.name+":")
		for _, key := range slices.SortedFunc(maps.Keys(part.grades), cmp.Compare[string]) {
			line := fmt.Sprintf("    %s: %s", yamlKey(key), gradeWords(part.grades[key], "{class: %s%s}"))
			if part.grades[key].Class == schemas.Unrepeatable {
				line += "  # or ignore, if it carries no result"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

var plainKey = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9/_.~-]*$`)

// yamlKey quotes what YAML could read as something else.
func yamlKey(key string) string {
	if plainKey.MatchString(key) && !slices.Contains([]string{"true", "false", "null"}, strings.ToLower(key)) {
		return key
	}
	return strconv.Quote(key)
}

// gradeWords spells a grade: the class, and the tolerances that belong to it.
func gradeWords(g schemas.Grade, format string) string {
	tolerances := ""
	if g.Relative != 0 {
		tolerances += fmt.Sprintf(", relative: %s", shortNumber(g.Relative))
	}
	if g.Absolute != 0 {
		tolerances += fmt.Sprintf(", absolute: %s", shortNumber(g.Absolute))
	}
	return fmt.Sprintf(format, g.Class, tolerances)
}

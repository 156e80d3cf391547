package scripted

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"rlam/internal/canon"
)

// modelPrefix begins every model name, so that no record can take a script for a model.
const modelPrefix = "scripted/"

// Scenario is a script, checked and ready to be played. Its format is in the
// package's documentation.
type Scenario struct {
	model       string
	fingerprint string
	rules       []rule
}

// Model is the name that requests must ask for.
func (s *Scenario) Model() string { return s.model }

// Fingerprint is the system_fingerprint of answers: it names the scenario's bytes.
func (s *Scenario) Fingerprint() string { return s.fingerprint }

// rule is what to answer, and when.
type rule struct {
	Name  string `yaml:"name"`
	When  when   `yaml:"when"`
	Reply *reply `yaml:"reply"`
	Fault *fault `yaml:"fault"`
}

// title is how errors call the i-th rule.
func (r *rule) title(i int) string {
	if r.Name == "" {
		return fmt.Sprintf("rule %d", i+1)
	}
	return fmt.Sprintf("rule %d (%s)", i+1, r.Name)
}

type when struct {
	Turn *int       `yaml:"turn"`
	Last conditions `yaml:"last"`
	Any  conditions `yaml:"any"`
}

func (w *when) empty() bool { return w.Turn == nil && len(w.Last) == 0 && len(w.Any) == 0 }

type reply struct {
	Text          *string   `yaml:"text"`
	Calls         []call    `yaml:"calls"`
	Finish        yaml.Node `yaml:"finish"`
	GiveUp        *string   `yaml:"give_up"`
	AnsweredModel string    `yaml:"answered_model"`
	Fingerprint   string    `yaml:"fingerprint"`
	FinishReason  string    `yaml:"finish_reason"`
	Usage         *usage    `yaml:"usage"`

	finish *template // of Finish; nil without
}

type usage struct {
	PromptTokens     int `yaml:"prompt_tokens"`
	CachedTokens     int `yaml:"cached_tokens"` // of the prompt
	CompletionTokens int `yaml:"completion_tokens"`
}

type call struct {
	ID        string    `yaml:"id"`
	Action    string    `yaml:"action"`
	Why       string    `yaml:"why"`
	Params    yaml.Node `yaml:"params"`
	Arguments *string   `yaml:"arguments"`

	params *template // of Params; an empty object without
}

// Load reads a scenario. Every error names a line.
func Load(data []byte) (*Scenario, error) {
	var file struct {
		Model yaml.Node   `yaml:"model"`
		Rules []yaml.Node `yaml:"rules"`
	}
	if err := yaml.Load(data, &file, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("reading scenario: %w", err)
	}
	s := &Scenario{fingerprint: "scripted-" + canon.Sum(data).Short()}
	line := max(file.Model.Line, 1)
	switch name, ok := strings.CutPrefix(file.Model.Value, modelPrefix); {
	case !ok || name == "":
		return nil, fmt.Errorf("reading scenario: line %d: model %q: want %q and a name", line, file.Model.Value, modelPrefix)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, fmt.Errorf("reading scenario: line %d: model %q: want printable ASCII without spaces", line, file.Model.Value)
	}
	s.model = file.Model.Value
	if len(file.Rules) == 0 {
		return nil, fmt.Errorf("reading scenario %q: line %d: no rules", s.model, line)
	}
	s.rules = make([]rule, len(file.Rules))
	for i := range file.Rules {
		r := &s.rules[i]
		if err := loadRule(&file.Rules[i], r); err != nil {
			return nil, fmt.Errorf("reading scenario %q: %s: %w", s.model, r.title(i), err)
		}
		if i < len(s.rules)-1 && r.alwaysAnswers() {
			return nil, fmt.Errorf("reading scenario %q: line %d: rule %d is never reached: %s has no conditions",
				s.model, file.Rules[i+1].Line, i+2, r.title(i))
		}
	}
	return s, nil
}

// alwaysAnswers says whether no rule after r is ever asked.
func (r *rule) alwaysAnswers() bool {
	return r.When.empty() && (r.Reply != nil || r.Fault.Times == 0)
}

func loadRule(n *yaml.Node, r *rule) error {
	if err := n.Load(r, yaml.WithKnownFields()); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		// Conditions and values know their own line, which is nearer.
		if located := (*lineError)(nil); errors.As(err, &located) {
			return err
		}
		return at(n, err)
	}
	return nil
}

func (r *rule) check() error {
	if r.When.Turn != nil && *r.When.Turn < 0 {
		return fmt.Errorf("turn %d is negative", *r.When.Turn)
	}
	if err := errors.Join(r.When.Last.compile(), r.When.Any.compile()); err != nil {
		return err
	}
	if r.Fault != nil {
		if err := r.Fault.check(); err != nil {
			return fmt.Errorf("fault: %w", err)
		}
	}
	if r.Reply == nil {
		if r.Fault == nil || !r.Fault.needsNoReply() {
			return errors.New("there is no reply")
		}
		if r.Fault.TruncateBody != nil && r.Fault.answers() == "" {
			return errors.New("fault: truncate_body has nothing to cut without a reply")
		}
		return nil
	}
	if err := r.Reply.compile(); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}

// compile checks r and readies its templates.
func (r *reply) compile() error {
	var err error
	if r.Finish.Kind != 0 {
		if r.finish, err = compile(&r.Finish); err != nil {
			return fmt.Errorf("finish: %w", err)
		}
	}
	if r.Text == nil && len(r.Calls) == 0 && r.finish == nil && r.GiveUp == nil {
		return errors.New("want text, calls, finish or give_up")
	}
	if u := r.Usage; u != nil && (u.PromptTokens < 0 || u.CompletionTokens < 0) {
		return errors.New("usage: tokens are negative")
	}
	for i := range r.Calls {
		c := &r.Calls[i]
		if c.Action == "" {
			return fmt.Errorf("call %d: there is no action", i+1)
		}
		if c.Arguments != nil && (c.ID != "" || c.Why != "" || c.Params.Kind != 0) {
			return fmt.Errorf("call %d: arguments stand for id, why and params: give the one or the others", i+1)
		}
		if c.Params.Kind == 0 {
			c.params = &template{parts: []part{{text: []byte("{}")}}}
			continue
		}
		if c.params, err = compile(&c.Params); err != nil {
			return fmt.Errorf("call %d: params: %w", i+1, err)
		}
	}
	return nil
}

// lineError is an error with the line it is about.
type lineError struct {
	line int
	err  error
}

func at(n *yaml.Node, err error) error { return &lineError{n.Line, err} }

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

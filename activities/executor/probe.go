package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"rlam/internal/canon"
	"rlam/schemas"
)

const (
	probeTimeout = 30 * time.Second
	maxProbe     = 64 << 10 // bytes that a probe may print
)

// Probe is what a command of the binding said of the program's environment.
type Probe struct {
	Output string `json:"output,omitempty"`
	Failed string `json:"failed,omitempty"` // why there is no output
}

// probeName is a probe's command line as people write it: arguments that hold more than
// a word are in quotes.
func probeName(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		if words[i] = arg; arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return unicode.IsSpace(r) || r == '"' }) {
			words[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(words, " ")
}

// prober runs the probes of bindings, and remembers what they said as long as the worker
// lives: the identity of the environment is asked for with every attempt. What was
// installed or removed meanwhile is seen after the worker's next start. A probe that
// failed is asked again.
type prober struct {
	run func(ctx context.Context, t Task, argv []string) (string, error)

	mu   sync.Mutex // held while a probe runs, so that it runs once
	said map[canon.Digest]string
}

// probes are what t's binding has probed, by command line. The error is a *Failure if one
// failed.
func (p *prober) probes(ctx context.Context, t Task, program *Program) (map[string]Probe, error) {
	all := make(map[string]Probe)
	var failure error
	for _, argv := range commandOf(t.Binding).Probe {
		var probe Probe
		var err error
		if probe.Output, err = p.ask(ctx, t, argv, program); err != nil {
			probe.Failed = err.Error()
			failure = errors.Join(failure, &Failure{Type: TypeProbeFailed, Message: fmt.Sprintf(
				"the probe %q, which describes the program's environment, failed: %v; make it work on this machine, or take it out of the action's probe", probeName(argv), err)})
		}
		all[probeName(argv)] = probe
	}
	return all, failure
}

// ask runs one probe, unless it was run for the same program and variables before.
func (p *prober) ask(ctx context.Context, t Task, argv []string, program *Program) (string, error) {
	parts := []string{fmt.Sprintf("%q %q %t %d", argv, t.Isolation, t.Network, t.Memory)}
	if program != nil {
		parts = append(parts, program.Path, program.Digest.String())
	}
	variables := environ(Task{Binding: t.Binding, CPUs: t.CPUs}, "", "", "")
	key := canon.Key("rlam.probe.v1", append(parts, variables...)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if text, ok := p.said[key]; ok {
		return text, nil
	}
	text, err := p.run(ctx, t, argv)
	if err != nil {
		return "", err
	}
	if p.said == nil {
		p.said = make(map[canon.Digest]string)
	}
	p.said[key] = text
	return text, nil
}

// probeTask is a probe as a task: with the variables of t's binding and kept apart like
// t, and with nothing else of t.
func probeTask(t Task, argv []string, dir string) Task {
	cmd := t.Binding.Command
	return Task{
		Call: "probe", Attempt: 1, Action: t.Action, Params: []byte("{}"), Dir: dir, Timeout: probeTimeout, CPUs: t.CPUs,
		Isolation: t.Isolation, Network: t.Network, Memory: t.Memory, FileSize: t.FileSize,
		Binding: schemas.Binding{Command: &schemas.Command{Argv: argv, Env: cmd.Env, Pass: cmd.Pass, Stdout: "probe"}},
	}
}

// whyProbeFailed is a failed probe's failure in one line.
func whyProbeFailed(err error) error {
	f := (*Failure)(nil)
	if !errors.As(err, &f) {
		return err
	}
	if f.Stderr == "" {
		return errors.New(f.Message)
	}
	return fmt.Errorf("%s: %s", f.Message, head(strings.ReplaceAll(f.Stderr, "\n", " "), 300))
}

// small is a store for what a probe prints, and refuses what is large.
type small struct{ Memory }

// Put keeps what r gives, up to the limit.
func (s *small) Put(ctx context.Context, r io.Reader) (canon.Digest, int64, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxProbe+1))
	if err != nil {
		return canon.Digest{}, 0, err
	}
	if len(b) > maxProbe {
		return canon.Digest{}, 0, fmt.Errorf("it printed more than %d bytes", maxProbe)
	}
	return s.Memory.Put(ctx, bytes.NewReader(b))
}

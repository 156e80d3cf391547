package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"rlam/activities/executor/web"
	"rlam/schemas"
)

// Config is what a worker's executors need. The zero value of each member but Blobs is
// the default that stands beside it.
type Config struct {
	Blobs    Blobs         // required
	Builtins []Builtin     // none
	Path     string        // programs are looked up here, and get it as PATH; "/usr/local/bin:/usr/bin:/bin"
	MaxLog   int64         // bytes of an attempt's log that are kept; 64 MiB
	Grace    time.Duration // how long a handler may take to return when cancelled; 5 s
	// AllowAddresses are HOST:PORT of services that requests may reach though their
	// addresses aren't public: an instrument, a service of one's own. None.
	AllowAddresses []string

	// Isolation is the least for every command; "process" where this system has it, else "none".
	Isolation schemas.Isolation
	Readable  []string // files and folders that a sandbox shows besides the system, by absolute paths
	Hidden    []string // folders that no sandbox shows, such as the store
}

const standardPath = "/usr/local/bin:/usr/bin:/bin"

// Set is a worker's executors, and an Executor that passes each task and handle to the
// one whose it is.
type Set struct {
	builtin *builtins // requests and remote tools too
	command commander
	prober  prober
	tool    adopting // tools of servers that are started
	path    string
	walls   walls
	blobs   Blobs
	allow   []string
}

// New checks c and makes the executors.
func New(c Config) (*Set, error) {
	if c.Blobs == nil {
		return nil, errors.New("making executors: no store for blobs")
	}
	c.Path = cmp.Or(c.Path, standardPath)
	c.MaxLog = cmp.Or(c.MaxLog, 64<<20)
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	if err := web.CheckAllowed(c.AllowAddresses); err != nil {
		return nil, fmt.Errorf("making executors: %w", err)
	}
	if err := checkWalls(c); err != nil {
		return nil, err
	}
	handlers := make(map[string]Builtin, len(c.Builtins))
	for _, b := range c.Builtins {
		if b.Name == "" || b.run == nil {
			return nil, fmt.Errorf("making executors: builtin %q has no name or no handler", b.Name)
		}
		if _, twice := handlers[b.Name]; twice {
			return nil, fmt.Errorf("making executors: builtin %q is there twice", b.Name)
		}
		handlers[b.Name] = b
	}
	command, b := newCommands(c), newBuiltins(handlers, c)
	return &Set{
		builtin: b, command: command, prober: prober{run: command.probe}, tool: newToolServers(b),
		path: c.Path, walls: newWalls(c), blobs: c.Blobs, allow: c.AllowAddresses,
	}, nil
}

// Has says whether this worker can carry b out.
func (s *Set) Has(b schemas.Binding) bool {
	_, err := s.forBinding(b)
	return err == nil
}

type adopting interface {
	Executor
	Adopter
}

// commander is what runs programs.
type commander interface {
	adopting
	probe(ctx context.Context, t Task, argv []string) (output string, err error)
}

func (s *Set) forBinding(b schemas.Binding) (adopting, error) {
	switch {
	case b.HTTP != nil, b.MCP != nil && b.MCP.URL != "":
		return s.builtin, nil
	case b.MCP != nil && commandsRun:
		return s.tool, nil
	case b.MCP != nil:
		return nil, fmt.Errorf("a server that is started: %w", ErrNoBinding)
	case b.Command != nil && b.Builtin == "":
		if commandsRun {
			return s.command, nil
		}
		return nil, fmt.Errorf("a command: %w", ErrNoBinding)
	case b.Command == nil && s.builtin.has(b.Builtin):
		return s.builtin, nil
	}
	return nil, fmt.Errorf("builtin %q: %w", b.Builtin, ErrNoBinding)
}

func (s *Set) forHandle(h Handle) (adopting, error) {
	switch h.Kind {
	case kindBuiltin:
		return s.builtin, nil
	case kindCommand:
		return s.command, nil
	case kindTool:
		return s.tool, nil
	}
	return nil, fmt.Errorf("a handle of kind %q: %w", h.Kind, ErrNoBinding)
}

// Start begins t with the executor of its binding. See [Executor].
func (s *Set) Start(ctx context.Context, t Task) (Handle, error) {
	e, err := s.forBinding(t.Binding)
	if err != nil {
		return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
	}
	if t.Binding.Command != nil && len(t.Binding.Command.Probe) > 0 {
		// Nothing runs in an environment that can't be told.
		if _, err := s.describe(ctx, t); err != nil {
			return Handle{}, fmt.Errorf("starting call %q: %w", t.Call, err)
		}
	}
	return e.Start(ctx, t)
}

// Wait waits for the end of h's work. See [Executor].
func (s *Set) Wait(ctx context.Context, h Handle) error {
	e, err := s.forHandle(h)
	if err != nil {
		return fmt.Errorf("waiting for execution %q: %w", h.ID, err)
	}
	return e.Wait(ctx, h)
}

// Collect returns what came of h's work. See [Executor].
func (s *Set) Collect(ctx context.Context, h Handle) (Result, error) {
	e, err := s.forHandle(h)
	if err != nil {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, err)
	}
	return e.Collect(ctx, h)
}

// Cancel ends h's work. See [Executor].
func (s *Set) Cancel(ctx context.Context, h Handle) error {
	e, err := s.forHandle(h)
	if err != nil {
		return fmt.Errorf("cancelling execution %q: %w", h.ID, err)
	}
	return e.Cancel(ctx, h)
}

// Adopt says whether h's work is alive and t may take it over. See [Adopter].
func (s *Set) Adopt(ctx context.Context, h Handle, t Task) (bool, error) {
	e, err := s.forHandle(h)
	if err != nil {
		return false, fmt.Errorf("adopting execution %q: %w", h.ID, err)
	}
	return e.Adopt(ctx, h, t)
}

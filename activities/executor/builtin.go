package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"rlam/activities/executor/web"
	"rlam/internal/canon"
)

// maxBuiltinLog bounds a handler's log, which is held in memory: it reports steps, not data.
const maxBuiltinLog = 1 << 20

var (
	errCancelled = errors.New("cancelled")
	errTimeout   = errors.New("out of time")
)

// builtins runs handlers in goroutines of the worker.
type builtins struct {
	handlers map[string]Builtin
	blobs    Blobs
	web      web.Client
	path     string // where programs of tool servers are looked up
	walls    walls  // around tool servers
	grace    time.Duration
	running  running[*handling]
}

func newBuiltins(handlers map[string]Builtin, c Config) *builtins {
	return &builtins{handlers: handlers, blobs: c.Blobs, web: web.Client{Allow: c.AllowAddresses}, path: c.Path, walls: newWalls(c), grace: c.Grace}
}

// handling is a handler at work. What follows done is set before done is closed.
type handling struct {
	attempt *attempt
	cancel  context.CancelCauseFunc
	done    chan struct{}
	output  json.RawMessage
	failure *Failure
}

func (b *builtins) has(name string) bool {
	_, ok := b.handlers[name]
	return ok
}

func (b *builtins) Start(ctx context.Context, t Task) (Handle, error) {
	handler, ok := b.handler(t)
	if !ok {
		return Handle{}, fmt.Errorf("starting builtin %q: %w", t.Binding.Builtin, ErrNoBinding)
	}
	return b.begin(ctx, t, handler)
}

// handler is what carries t out in this process.
func (b *builtins) handler(t Task) (Builtin, bool) {
	switch {
	case t.Binding.HTTP != nil:
		return b.request(t), true
	case t.Binding.MCP != nil && t.Binding.MCP.URL != "":
		return b.remoteTool(t), true
	}
	h, ok := b.handlers[t.Binding.Builtin]
	return h, ok
}

// begin has a handler carry t out.
func (b *builtins) begin(ctx context.Context, t Task, handler Builtin) (Handle, error) {
	params, err := canon.Transform(t.Params)
	if err != nil {
		return Handle{}, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	h, err := newHandle(kindBuiltin, os.Getpid())
	if err != nil {
		return Handle{}, fmt.Errorf("starting %q: %w", t.Action, err)
	}
	if t.ID != "" {
		h.ID = t.ID
	}
	a := &attempt{blobs: t.blobs(b.blobs), seed: t.Seed, named: digestsIn(params)}
	a.progress.follow(t.Progress)
	work := context.WithValue(context.WithoutCancel(ctx), attemptKey{}, a)
	work, cancel := context.WithCancelCause(work)
	stop := context.CancelFunc(func() {})
	if t.Timeout > 0 {
		work, stop = context.WithTimeoutCause(work, t.Timeout, errTimeout)
	}
	w := &handling{attempt: a, cancel: cancel, done: make(chan struct{})}
	b.running.add(h.ID, w)
	go func() {
		defer close(w.done)
		defer stop()
		defer cancel(nil)
		w.output, w.failure = b.supervise(work, handler, params)
		a.close()
	}()
	return h, nil
}

// answer is how a handler came back.
type answer struct {
	output  json.RawMessage
	failure *Failure
	typed   bool // the failure's type was given by the handler, or is that of a panic
}

// supervise runs the handler in a goroutine of its own, because only that can be left
// behind when the handler doesn't return.
func (b *builtins) supervise(ctx context.Context, handler Builtin, params json.RawMessage) (json.RawMessage, *Failure) {
	answers := make(chan answer, 1)
	go call(ctx, handler, params, answers)
	select {
	case a := <-answers:
		return settle(ctx, a)
	case <-ctx.Done():
	}
	grace := time.NewTimer(b.grace)
	defer grace.Stop()
	select {
	case a := <-answers:
		return settle(ctx, a)
	case <-grace.C:
		return nil, &Failure{
			Type:    TypeAbandoned,
			Message: fmt.Sprintf("handler %q did not return within %v of being told to stop, and may still be running", handler.Name, b.grace),
			Causes:  []string{context.Cause(ctx).Error()},
		}
	}
}

// call runs the handler and answers, even where the handler panics or ends the
// goroutine. An error is read while a panic is still caught: its methods are the
// handler's code too.
func call(ctx context.Context, handler Builtin, params json.RawMessage, answers chan<- answer) {
	var a answer
	returned := false
	defer func() {
		p := recover()
		if returned {
			answers <- a
			return
		}
		message := fmt.Sprint(p)
		if p == nil {
			message = "the handler ended its goroutine"
		}
		if at, err := attemptOf(ctx); err == nil {
			at.note(fmt.Sprintf("panic: %s\n%s", message, debug.Stack()))
		}
		f := &Failure{Type: TypePanic, Message: message}
		if err, ok := p.(error); ok {
			f.Causes = causes(err)
		}
		answers <- answer{failure: f.complete(nil), typed: true}
	}()
	output, err := handler.run(ctx, params)
	if err != nil {
		a = answer{failure: asFailure(err), typed: errors.As(err, new(*Failure))}
		if a.typed && !handler.own && !mayClaim(a.failure.Type) {
			a.failure.Causes = append(a.failure.Causes, notClaimable(a.failure.Type))
			a.failure.Type = TypeActionFailed
		}
	} else {
		a.output = output
	}
	returned = true
}

// settle turns an answer into an output or a failure. An output that came after the end
// of ctx is still an output: the work was done.
func settle(ctx context.Context, a answer) (json.RawMessage, *Failure) {
	why := context.Cause(ctx)
	if a.failure == nil || a.typed || why == nil {
		return a.output, a.failure
	}
	a.failure.Type = TypeCancelled
	if errors.Is(why, errTimeout) {
		a.failure.Type = TypeTimeout
	}
	a.failure.Message = fmt.Sprintf("%v: %s", why, a.failure.Message)
	return nil, a.failure.complete(nil)
}

func (b *builtins) Wait(ctx context.Context, h Handle) error {
	w, ok := b.running.get(h.ID)
	if !ok {
		return fmt.Errorf("waiting for execution %q: %w", h.ID, ErrLost)
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *builtins) Collect(ctx context.Context, h Handle) (Result, error) {
	if err := b.Wait(ctx, h); err != nil {
		return Result{}, err
	}
	w, ok := b.running.take(h.ID)
	if !ok {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, ErrLost)
	}
	artifacts, text := w.attempt.leavings()
	log, err := putLog(ctx, b.blobs, strings.NewReader(text), int64(len(text)))
	if err != nil {
		return Result{}, fmt.Errorf("keeping the log of execution %q: %w", h.ID, err)
	}
	if w.failure != nil {
		w.failure.Artifacts, w.failure.Log = artifacts, log
		return Result{}, w.failure
	}
	return Result{Output: w.output, Artifacts: artifacts, Log: log}, nil
}

func (b *builtins) Cancel(ctx context.Context, h Handle) error {
	if w, ok := b.running.get(h.ID); ok {
		w.cancel(errCancelled)
		return b.Wait(ctx, h)
	}
	switch lost, err := gone(h); {
	case err != nil:
		return fmt.Errorf("cancelling execution %q: %w", h.ID, err)
	case lost || h.PID == os.Getpid():
		return nil
	}
	return fmt.Errorf("cancelling execution %q inside process %d, which is alive: %w", h.ID, h.PID, ErrElsewhere)
}

func (b *builtins) Adopt(_ context.Context, h Handle, t Task) (bool, error) {
	if w, ok := b.running.get(h.ID); ok {
		w.attempt.progress.follow(t.Progress)
		return true, nil
	}
	if _, err := beyondReach(h); err != nil {
		return false, fmt.Errorf("adopting execution %q: %w", h.ID, err)
	}
	return false, nil
}

// attempt is what the authors' API acts on.
type attempt struct {
	blobs    Blobs
	seed     *uint64
	progress teller

	mu        sync.Mutex
	named     map[canon.Digest]bool // by the parameters, or saved
	artifacts []Artifact
	log       strings.Builder
	unlogged  int // bytes beyond maxBuiltinLog
	closed    bool
}

var errOver = errors.New("the attempt is over")

func (a *attempt) mayOpen(d canon.Digest) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.named[d]
}

func (a *attempt) keep(x Artifact) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errOver
	}
	if slices.ContainsFunc(a.artifacts, func(y Artifact) bool { return y.Name == x.Name }) {
		return errors.New("the attempt saved that name before")
	}
	a.artifacts = append(a.artifacts, x)
	a.named[x.Digest] = true
	return nil
}

// report logs a message and tells whoever watches.
func (a *attempt) report(message string) {
	if a.note(message) {
		a.progress.tell(message)
	}
}

// note logs a message; false if the attempt is over.
func (a *attempt) note(message string) bool { return a.write(message + "\n") }

// write logs text; false if the attempt is over.
func (a *attempt) write(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	if a.log.Len()+len(text) <= maxBuiltinLog {
		a.log.WriteString(text)
	} else {
		a.unlogged += len(text)
	}
	return true
}

// close makes the attempt deaf to a handler that was left behind.
func (a *attempt) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

func (a *attempt) leavings() ([]Artifact, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.artifacts, func(x, y Artifact) int { return strings.Compare(x.Name, y.Name) })
	text := a.log.String()
	if a.unlogged > 0 {
		text += notKept(int64(a.unlogged))
	}
	return a.artifacts, text
}

// checkArtifactName refuses a name that could not be a file of a bundle everywhere.
func checkArtifactName(name string) error {
	switch {
	case len(name) > 255:
		return errors.New("the name is longer than 255 bytes")
	case !filepath.IsLocal(filepath.FromSlash(name)) || filepath.ToSlash(filepath.Clean(name)) != name || name == ".":
		return errors.New("the name is no clean relative path")
	case strings.ContainsFunc(name, isControl) || strings.ContainsRune(name, '\\'):
		return errors.New("the name has a control character or a backslash")
	}
	return nil
}

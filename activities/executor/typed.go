package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"

	"rlam/internal/canon"
)

// Builtin is a handler in Go under the name that bindings use. Make one with [Typed].
type Builtin struct {
	Name string
	own  bool // the engine's: it may give failure types that an action may not
	run  func(ctx context.Context, params json.RawMessage) (json.RawMessage, error)
}

// Typed makes a handler of a function.
//
// The parameters are decoded strictly: a member that In doesn't have, or has in another
// case, fails the attempt as rlam.InvalidParams. The output is encoded by the same
// rules, so a nil slice is [] and a nil map {}; an Out that is no JSON, such as one with
// a NaN, fails the attempt as rlam.InvalidOutput. Both directions go through bytes:
// the handler shares no memory with the engine.
//
// An error that [Fail] made keeps its type; any other is an rlam.ActionFailed. A panic
// is an rlam.Panic, with its stack in the log; a panic in a goroutine that the handler
// started ends the worker, as nobody can recover it. The handler returns soon after its
// context ends; one that doesn't is reported as rlam.Abandoned.
func Typed[In, Out any](name string, fn func(context.Context, In) (Out, error)) Builtin {
	return Builtin{Name: name, run: func(ctx context.Context, params json.RawMessage) (json.RawMessage, error) {
		var in In
		if err := jsonv2.Unmarshal(params, &in, jsonv2.RejectUnknownMembers(true)); err != nil {
			return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters of %q: %v", name, err)}
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		b, err := encode(out)
		if err != nil {
			return nil, &Failure{Type: TypeInvalidOutput, Message: fmt.Sprintf("writing the output of %q: %v", name, err)}
		}
		return b, nil
	}}
}

// encode is v's canonical JSON, nil slices and maps being empty.
func encode(v any) (json.RawMessage, error) {
	b, err := jsonv2.Marshal(v)
	if err != nil {
		return nil, err
	}
	return canon.Transform(b)
}

// Open reads an artifact by its handle, "sha256:…". It opens what the parameters name,
// at whatever depth, and what the attempt itself saved: a handler that could read more
// would have inputs that no record shows.
func Open(ctx context.Context, handle string) (io.ReadCloser, error) {
	a, err := attemptOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening artifact %q: %w", handle, err)
	}
	d, err := canon.Parse(handle)
	if err != nil {
		return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("opening an artifact: %v", err)}
	}
	if !a.mayOpen(d) {
		return nil, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("opening artifact %q: the parameters don't name it", handle)}
	}
	r, err := a.blobs.Get(ctx, d)
	if f := (*Failure)(nil); errors.As(err, &f) {
		return nil, f // says by itself what it is about
	}
	if err != nil {
		return nil, fmt.Errorf("opening artifact %q: %w", handle, err)
	}
	return r, nil
}

// Save keeps data as an artifact of the attempt and returns its handle, "sha256:…".
// The name is a relative slash-separated path, used once in an attempt. What was saved
// is kept when the handler fails later.
func Save(ctx context.Context, name, mediaType string, data []byte) (handle string, err error) {
	a, err := attemptOf(ctx)
	if err != nil {
		return "", fmt.Errorf("saving artifact %q: %w", name, err)
	}
	if err := checkArtifactName(name); err != nil {
		return "", fmt.Errorf("saving artifact %q: %w", name, err)
	}
	d, size, err := a.blobs.Put(ctx, bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("saving artifact %q: %w", name, err)
	}
	if err := a.keep(Artifact{Name: name, Digest: d, Size: size, MediaType: mediaType}); err != nil {
		return "", fmt.Errorf("saving artifact %q: %w", name, err)
	}
	return d.String(), nil
}

// Seed is the seed of the attempt's call; false if the action isn't seeded. Every
// attempt of a call has the same.
func Seed(ctx context.Context) (uint64, bool) {
	a, err := attemptOf(ctx)
	if err != nil || a.seed == nil {
		return 0, false
	}
	return *a.seed, true
}

// Fail is an error with a stable type of the action's own, such as "rlam.NotConverged".
// It is what the workflow's retries and the planner go by, so it is part of the action's
// contract. partial, unless nil, is what the handler had so far, and stays on record.
// Types that only the engine gives, and those not spelled like "lab.OutOfRange", become
// rlam.ActionFailed.
func Fail(typ, message string, partial any) error {
	f := &Failure{Type: typ, Message: message}
	if !mayClaim(typ) {
		f.Type = TypeActionFailed
		f.Causes = append(f.Causes, notClaimable(typ))
	}
	if partial != nil {
		b, err := encode(partial)
		if err != nil {
			f.Causes = append(f.Causes, fmt.Sprintf("partial output is lost: %v", err))
		}
		f.Partial = b
	}
	return f.complete(nil)
}

// Progress reports how far the handler is. The message goes into the attempt's log, and
// to whoever watches.
func Progress(ctx context.Context, message string) {
	if a, err := attemptOf(ctx); err == nil {
		a.report(message)
	}
}

var errNoAttempt = errors.New("the context is not that of an attempt")

type attemptKey struct{}

func attemptOf(ctx context.Context) (*attempt, error) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return nil, errNoAttempt
	}
	return a, nil
}

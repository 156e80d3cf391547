//go:build linux || darwin

package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Collect returns what came of a program that has ended. See [Executor].
func (c *commands) Collect(ctx context.Context, h Handle) (Result, error) {
	if err := c.Wait(ctx, h); err != nil {
		return Result{}, err
	}
	e, ok := c.running.take(h.ID)
	if !ok {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, ErrLost)
	}
	r, err := e.collect(ctx, c.blobs)
	if f := (*Failure)(nil); err != nil && !errors.As(err, &f) {
		return Result{}, fmt.Errorf("collecting execution %q: %w", h.ID, err)
	}
	return r, err
}

// collect reads what the program left. What is found stands in a failure too.
func (e *execution) collect(ctx context.Context, blobs Blobs) (Result, error) {
	e.out.flush()
	e.err.flush()
	log, err := e.log.store(ctx, blobs)
	for _, stream := range slices.Sorted(maps.Keys(e.kept)) {
		err = errors.Join(err, e.kept[stream].err, e.kept[stream].file.Close())
	}
	if err = errors.Join(e.trouble, err); err != nil {
		return Result{}, err
	}
	o, err := openOutputs(filepath.Join(e.handle.Dir, work), blobs, digestsIn(e.params))
	if err != nil {
		return Result{}, err
	}
	defer o.close()
	wrong := e.readings.finish(o)
	failed := e.failure(o)
	output, err := e.output(ctx, o, failed != nil)
	unsound := (*Failure)(nil)
	for _, err := range []error{wrong, err} {
		if err != nil && !errors.As(err, &unsound) {
			return Result{}, err
		}
	}
	if failed == nil && unsound == nil {
		return Result{Output: output, Artifacts: o.artifacts(), Log: log}, nil
	}
	switch {
	case failed == nil:
		failed = unsound
	case unsound != nil && (!e.task.Binding.Command.Plain() || o.has("result.json")):
		failed.Causes = append(failed.Causes, "partial output is lost: "+unsound.Message)
	}
	failed.Partial, failed.Artifacts, failed.Log, failed.Stderr = output, o.artifacts(), log, e.stderr.text()
	return Result{}, failed.complete(nil)
}

// output is what the action's output is made of: what result.json holds, what the
// binding's result tells of, and the handles of what out names. Of a program that
// failed it is what there is.
func (e *execution) output(ctx context.Context, o *outputs, failed bool) ([]byte, error) {
	cmd := e.task.Binding.Command
	returns, err := readMarks(e.task.Returns)
	if err != nil {
		return nil, err
	}
	if cmd.Plain() {
		value, err := o.written(ctx, returns)
		if err != nil {
			return nil, err
		}
		return canon.Marshal(value)
	}
	made, err := e.artifacts(ctx, o, failed)
	if err != nil {
		return nil, err
	}
	members, err := e.members(ctx, o, returns, failed)
	if err != nil {
		return nil, err
	}
	made.name(members, returns)
	if failed && len(members) == 0 {
		return nil, nil
	}
	return canon.Marshal(members)
}

// members are the output's, handles of out apart.
func (e *execution) members(ctx context.Context, o *outputs, returns marks, failed bool) (map[string]any, error) {
	cmd := e.task.Binding.Command
	if cmd.Result == nil && o.has("result.json") {
		value, err := o.written(ctx, returns)
		if err != nil {
			return nil, err
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, invalid("reading result.json: it is no object, to which the handles of out could be added")
		}
		return object, nil
	}
	x := extractor{outputs: o, readings: e.readings, returns: returns, streams: make(map[string]string)}
	for stream, k := range e.kept {
		x.streams[stream] = k.file.Name()
	}
	members := make(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(cmd.Result)) {
		value, err := x.member(name, cmd.Result[name])
		switch f := (*Failure)(nil); {
		case err != nil && failed && errors.As(err, &f):
		case err != nil:
			return nil, err
		case value != nil:
			members[name] = value
		}
	}
	return members, nil
}

// artifacts collects stdout and what out names.
func (e *execution) artifacts(ctx context.Context, o *outputs, failed bool) (gathered, error) {
	cmd := e.task.Binding.Command
	made, err := o.gather(ctx, cmd, failed)
	if err != nil || cmd.Stdout == "" {
		return made, err
	}
	a, err := e.kept[schemas.Stdout].store(ctx, o.blobs, cmd.Stdout)
	if err != nil {
		return nil, err
	}
	handle, err := o.keep(a)
	made[cmd.Stdout] = []string{handle}
	return made, err
}

// failure is what the program's end, and what it wrote about it, say; nil if they say
// nothing bad.
func (e *execution) failure(o *outputs) *Failure {
	status, _ := e.cmd.ProcessState.Sys().(syscall.WaitStatus)
	f := &Failure{}
	if status.Signaled() {
		f.Signal = signalName(status.Signal())
	} else {
		code := status.ExitStatus()
		f.Exit = &code
	}
	if why := e.stopped.Load(); why != nil {
		f.Type, f.Message = why.typ, why.message
		return f
	}
	if e.unborn && f.Signal == "" {
		f.Type, f.Message = TypeNotStarted, "the sandbox could not execute the program: "+strings.TrimSpace(e.stderr.text())
		return f
	}
	told, err := o.error()
	if f.Signal == "" && told == nil && err == nil {
		if rule := e.readings.failed(*f.Exit); rule != nil {
			rule.Message = withoutSecrets(rule.Message, e.secrets)
			rule.Exit, rule.Causes = f.Exit, []string{fmt.Sprintf("the program exited with status %d", *f.Exit)}
			return rule
		}
	}
	switch {
	case f.Signal != "":
		f.Type, f.Message = TypeSignalled, fmt.Sprintf("the program was ended by %s", f.Signal)
	case *f.Exit != 0:
		f.Type, f.Message = TypeExitStatus, e.fence.exited(*f.Exit)
	case err != nil:
		f.Type, f.Message = TypeInvalidOutput, err.Error()
		return f
	case told == nil:
		return nil
	default: // status 0, and yet it wrote of a failure: that is believed
		f.Type, f.Message = TypeActionFailed, "the program wrote error.json"
	}
	switch {
	case err != nil:
		f.Causes = append(f.Causes, err.Error())
	case told != nil && mayClaim(told.Type):
		told.Message = withoutSecrets(told.Message, e.secrets)
		f.Causes = append(f.Causes, f.Message)
		f.Type, f.Message = told.Type, told.Message
	case told != nil:
		f.Causes = append(f.Causes, withoutSecrets(told.Message, e.secrets), notClaimable(told.Type))
	}
	return f
}

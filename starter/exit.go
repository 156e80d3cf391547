package main

import (
	"context"
	"errors"
	"fmt"

	"rlam/internal/devserver"
	"rlam/schemas"
	"rlam/starter/follow"
	"rlam/worker/host"
)

// Exit codes of all commands. 2 is left to Go's panics.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 3
	exitNotFound    = 10
	exitDiverged    = 11
	exitUnverified  = 12
	exitRefused     = 13
	exitNoResult    = 14
	exitInterrupted = 130
)

const exitHelp = `Exit codes:
    0  done
    1  error
    3  bad usage, or a bad file
   10  there is no such run
   11  a replay diverged from its history
   12  verification failed
   13  a gate refused what the command asked for
   14  the run ended without a result, or with a partial one; or a member of an
       ensemble did not complete
  130  interrupted`

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// codedError ends a command with a code. Without an error in it, all has been said.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

func badUsage(format string, args ...any) error {
	return &codedError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode is the code that a command's error ends it with.
func exitCode(ctx context.Context, err error) int {
	var coded *codedError
	var problems schemas.Problems
	var taken *host.TakenError
	var unknown *unknownRunError
	var foreign *foreignError
	var untrusted *host.UntrustedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.As(err, &problems), errors.As(err, &taken), errors.As(err, &foreign), errors.As(err, &untrusted):
		return exitUsage
	case errors.As(err, &unknown), errors.Is(err, devserver.ErrNotRunning):
		return exitNotFound
	}
	return exitError
}

// ended is the error that a run's end means to a command that was to have its result.
func ended(end *follow.End) error {
	if end.Completed() {
		return nil
	}
	return &codedError{code: exitNoResult}
}

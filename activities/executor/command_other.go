//go:build !linux && !darwin

package executor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
)

// commandsRun says that this platform has no command executor: a program and all that
// it starts can't be ended for certain here.
const commandsRun = false

type noCommands struct{}

func newCommands(Config) commander { return noCommands{} }

func (noCommands) Start(context.Context, Task) (Handle, error)       { return Handle{}, ErrNoBinding }
func (noCommands) Wait(context.Context, Handle) error                { return ErrLost }
func (noCommands) Collect(context.Context, Handle) (Result, error)   { return Result{}, ErrLost }
func (noCommands) Cancel(context.Context, Handle) error              { return ErrElsewhere }
func (noCommands) Adopt(context.Context, Handle, Task) (bool, error) { return false, nil }

func (noCommands) probe(context.Context, Task, []string) (string, error) {
	return "", errors.ErrUnsupported
}

// startOf knows this process only.
func startOf(pid int) (string, error) {
	if pid == os.Getpid() {
		return "", nil
	}
	return "", errors.ErrUnsupported
}

func boot() string { return runtime.GOOS }

func links(os.FileInfo) uint64 { return 1 }

func kernel() string { return "" }

func memory() uint64 { return 0 }

func newToolServers(*builtins) adopting { return noCommands{} }

func (*builtins) serve(context.Context, Task, json.RawMessage, exchange) error { return ErrNoBinding }

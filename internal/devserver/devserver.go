// Package devserver finds a Temporal server for a person who has only Go, and
// starts one when there is none.
//
// [Find] takes the first of these that applies:
//
//  1. a configured address ([Options].Address, TEMPORAL_ADDRESS, or the profile
//     that Temporal's own tools read): it is dialled, and nothing is started;
//  2. the server that an earlier command started below the same home;
//  3. a new one: the official development server as a process of its own,
//     which goes on after the command that started it. Where its program comes
//     from is told at [Program].
//
// # State
//
// Everything that a started server needs to come back after a crash or a
// reboot, with its runs, under the same address, lies in <home>/temporal:
//
//	server.json   which process it is, its address, UI, program and version
//	temporal.db   the SQLite database
//	temporal.log  what the server writes (one older file is kept, temporal.log.1)
//	lock          held by a command that starts or stops the server
//	database.lock held by the server itself for as long as it lives
//
// server.json identifies the process by its id and its start time, because ids
// are given out again. A process that isn't the recorded one is never signalled.
// The ports are chosen once and kept while they are free, so that links to
// Temporal UI stay valid.
//
// The server listens on 127.0.0.1 without authentication, as Temporal's
// development server does: whoever may open sockets on the machine may use it.
// This package does not set up a production cluster.
package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"go.temporal.io/api/enums/v1"
)

// ErrNotRunning is returned by [Running] when no server runs below the home.
var ErrNotRunning = errors.New("no Temporal server is running")

// Options say which server is wanted. The zero value is the server of the
// environment, or the shared one below [Home].
type Options struct {
	// Address is the host:port of a server that runs already. It overrides
	// TEMPORAL_ADDRESS and the profile; their other settings (namespace, TLS,
	// key) still hold.
	Address string

	// Home is the directory below which a started server keeps its state. By
	// default it is [Home].
	Home string

	// SearchAttributes are registered in the default namespace of a started
	// server before it is handed out. A configured server is left alone: see
	// [MissingSearchAttributes] and [RegisterSearchAttributes].
	SearchAttributes map[string]enums.IndexedValueType

	// Settings are values of the dynamic configuration of a started server, each
	// KEY=VALUE, beyond those that it always gets. A server that runs already
	// keeps the settings it was started with.
	Settings []string

	// Progress gets a line for a person about each thing that takes time. By
	// default there are none.
	Progress io.Writer
}

// Find returns a server that answers: the configured one, the running one, or
// one that it starts. Commands that call it at the same time get the same one.
func Find(ctx context.Context, o Options) (*Server, error) {
	configured, err := configuredServer(ctx, o)
	if err != nil || configured != nil {
		return configured, err
	}
	return findLocal(ctx, o, false)
}

// StartPrivate starts a server for the caller alone, or takes back up the one
// whose state lies below [Options].Home, which must be named. The environment's
// address is not looked at. On Linux the server dies with the calling process.
// It is meant for tests; end it with [Server.Stop].
func StartPrivate(ctx context.Context, o Options) (*Server, error) {
	if o.Home == "" {
		return nil, errors.New("starting a private Temporal server: no home directory is named")
	}
	return findLocal(ctx, o, true)
}

// Running returns the server that a command started below home ("" is [Home]),
// whether or not it answers; [Server.Status] tells. It starts nothing. Without
// a running server the error is [ErrNotRunning].
func Running(home string) (*Server, error) {
	d, err := stateBelow(home)
	if err != nil {
		return nil, err
	}
	rec, err := d.read()
	if err != nil {
		return nil, err
	}
	if !rec.alive() {
		return nil, fmt.Errorf("%w below %q", ErrNotRunning, d.home)
	}
	return newServer(d, rec), nil
}

// Kept says whether a command has ever started a server below home ("" is [Home]), so that
// there are runs of it.
func Kept(home string) (bool, error) {
	d, err := stateBelow(home)
	if err != nil {
		return false, err
	}
	_, err = os.Stat(d.recordFile())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Home is where R-LAM keeps what must outlive a command: $RLAM_HOME, else
// $XDG_DATA_HOME/rlam, else ~/.local/share/rlam (%LocalAppData%\rlam on
// Windows). It need not exist.
func Home() (string, error) {
	if home := os.Getenv("RLAM_HOME"); home != "" {
		return filepath.Abs(home)
	}
	// The XDG specification says that a relative path is to be ignored.
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "rlam"), nil
	}
	if runtime.GOOS == "windows" {
		local, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a home for R-LAM (set RLAM_HOME): %w", err)
		}
		return filepath.Join(local, "rlam"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding a home for R-LAM (set RLAM_HOME): %w", err)
	}
	return filepath.Join(home, ".local", "share", "rlam"), nil
}

// note writes one line for a person. What becomes of it changes nothing.
func (o Options) note(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}

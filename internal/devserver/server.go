package devserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.temporal.io/sdk/client"
)

// stopLimit is how long a server may take to end by itself before it is killed.
const stopLimit = 10 * time.Second

// pollInterval is how often a condition is asked for again.
const pollInterval = 25 * time.Millisecond

// Server is a Temporal server that can be used. Its fields are to be read;
// [Server.Restart] and [Server.Stop] change them and must not run beside
// anything that reads them.
type Server struct {
	Address string // host:port of the frontend
	UI      string // URL of Temporal UI; empty when it isn't known
	Version string // of the server, such as 1.29.1; empty when it isn't known
	PID     int    // 0 for a configured server, and once it was stopped
	Log     string // path of the log; empty for a configured server

	options client.Options
	local   *local // nil for a configured server
}

// local is what a started server has beyond a configured one.
type local struct {
	state   state
	record  record
	start   Options // what it was asked for with, for Restart
	private bool
}

func newServer(d state, rec record) *Server {
	s := &Server{Log: d.log(), local: &local{state: d}}
	s.set(rec)
	return s
}

func (s *Server) set(rec record) {
	s.Address, s.UI, s.Version, s.PID = rec.Address, rec.UI, rec.Version, rec.PID
	s.options = client.Options{HostPort: rec.Address, Namespace: client.DefaultNamespace}
	s.local.record = rec
}

// Local says whether the server was started by this package, now or earlier.
func (s *Server) Local() bool { return s.local != nil }

// ClientOptions returns what a client needs to reach the server: address,
// namespace and, for a configured one, TLS and credentials. Converters,
// interceptors and a logger are for the caller to add.
func (s *Server) ClientOptions() client.Options { return s.options }

// RunURL is where Temporal UI shows a run's history, or "" when the UI's address
// isn't known.
func (s *Server) RunURL(workflowID, runID string) string {
	if s.UI == "" {
		return ""
	}
	return s.UI + "/namespaces/" + url.PathEscape(s.options.Namespace) +
		"/workflows/" + url.PathEscape(workflowID) + "/" + url.PathEscape(runID) + "/history"
}

// Status is what can be said of a server at one moment.
type Status struct {
	Running      bool      `json:"running"` // its process lives; for a configured server, it answers
	Healthy      bool      `json:"healthy"` // it answers and says that it serves
	Problem      string    `json:"problem,omitempty"`
	Address      string    `json:"address"`
	UI           string    `json:"ui,omitempty"`
	Version      string    `json:"version,omitempty"`
	PID          int       `json:"pid,omitempty"`
	Started      time.Time `json:"started,omitzero"`
	Database     string    `json:"database,omitempty"`
	DatabaseSize int64     `json:"database_size,omitempty"` // bytes, with the write-ahead log
	Log          string    `json:"log,omitempty"`
}

// Status asks the server how it is. That it doesn't answer is a status and no
// error.
func (s *Server) Status(ctx context.Context) Status {
	st := Status{Address: s.Address, UI: s.UI, Version: s.Version, PID: s.PID, Log: s.Log}
	err := health(ctx, s.options)
	st.Healthy = err == nil
	if err != nil {
		st.Problem = err.Error()
	}
	if s.local == nil {
		st.Running = st.Healthy
		return st
	}
	st.Running = s.local.record.alive()
	st.Healthy = st.Healthy && st.Running
	st.Started = s.local.record.Started
	st.Database = s.local.state.database()
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(st.Database + suffix); err == nil {
			st.DatabaseSize += info.Size()
		}
	}
	return st
}

// Stop ends the server, also when another command started it: it is asked to,
// and after ten seconds or the end of ctx it is killed. The database survives
// both. A server that has ended already is no error; a configured one is not
// ours to stop.
func (s *Server) Stop(ctx context.Context) error {
	if s.local == nil {
		return fmt.Errorf("stopping the Temporal server at %q: it was not started by R-LAM", s.Address)
	}
	unlock, err := s.local.state.lock(ctx, func() {})
	if err != nil {
		return fmt.Errorf("stopping the Temporal server: %w", err)
	}
	defer unlock()
	return s.stopLocked(ctx)
}

// stopLocked stops the server that is on record now, which need not be the
// process that s was found with.
func (s *Server) stopLocked(ctx context.Context) error {
	rec, err := s.local.state.read()
	if err != nil {
		return fmt.Errorf("stopping the Temporal server: %w", err)
	}
	if err := rec.end(ctx, stopLimit); err != nil {
		return err
	}
	rec.PID, rec.Start = 0, ""
	if err := s.local.state.write(rec); err != nil {
		return err
	}
	s.set(rec)
	return nil
}

// end asks the process to end and kills it when it doesn't. It returns once the
// process is gone.
func (r record) end(ctx context.Context, limit time.Duration) error {
	if !r.alive() {
		return nil
	}
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("stopping the Temporal server (process %d): %w", r.PID, err)
	}
	defer func() { _ = p.Release() }()
	// FindProcess may have caught an id that was given out again since the first
	// look; where it holds on to the process, this second look settles it.
	if !r.alive() {
		return nil
	}
	if err := interrupt(p); err == nil {
		asked, cancel := context.WithTimeout(ctx, limit)
		gone := poll(asked, func() bool { return !r.alive() })
		cancel()
		if gone == nil {
			return nil
		}
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing the Temporal server (process %d): %w", r.PID, err)
	}
	// The caller's context may be over by now, and a killed process goes at once.
	killed, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := poll(killed, func() bool { return !r.alive() }); err != nil {
		return fmt.Errorf("waiting for the killed Temporal server (process %d): %w", r.PID, err)
	}
	return nil
}

// Restart stops the server if it still runs and starts it again with its
// database and, while they are free, its ports.
func (s *Server) Restart(ctx context.Context) error {
	if s.local == nil {
		return fmt.Errorf("restarting the Temporal server at %q: it was not started by R-LAM", s.Address)
	}
	unlock, err := s.local.state.lock(ctx, func() {})
	if err != nil {
		return fmt.Errorf("restarting the Temporal server: %w", err)
	}
	defer unlock()
	if err := s.stopLocked(ctx); err != nil {
		return err
	}
	rec, err := launch(ctx, s.local.state, s.local.start, s.local.private)
	if err != nil {
		return err
	}
	s.set(rec)
	return nil
}

// poll asks until the condition holds or the context is over.
func poll(ctx context.Context, holds func() bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

package devserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockRetry is how often a command that waits for a lock asks for it again.
const lockRetry = 100 * time.Millisecond

// state is the directory of one started server.
type state struct {
	home string
	dir  string
}

// record is server.json.
type record struct {
	PID     int       `json:"pid"`     // 0 once the server was stopped
	Start   string    `json:"start"`   // the process's start, as processStart spells it
	Started time.Time `json:"started"` // the same, for a person
	Address string    `json:"address"` // host:port of the frontend
	UI      string    `json:"ui"`      // URL of Temporal UI
	Program string    `json:"program"` // path of the program
	Version string    `json:"version"` // of the Temporal server, such as 1.29.1
}

// stateBelow names the state below home and makes nothing.
func stateBelow(home string) (state, error) {
	if home == "" {
		var err error
		if home, err = Home(); err != nil {
			return state{}, err
		}
	}
	abs, err := filepath.Abs(home)
	if err != nil {
		return state{}, fmt.Errorf("locating the home directory %q: %w", home, err)
	}
	return state{home: abs, dir: filepath.Join(abs, "temporal")}, nil
}

// make makes the directory, closed to other users: the database holds what the
// runs held.
func (d state) make() error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("making the server's directory %q: %w", d.dir, err)
	}
	return nil
}

func (d state) recordFile() string   { return filepath.Join(d.dir, "server.json") }
func (d state) database() string     { return filepath.Join(d.dir, "temporal.db") }
func (d state) databaseLock() string { return filepath.Join(d.dir, "database.lock") }
func (d state) log() string          { return filepath.Join(d.dir, "temporal.log") }

// read returns the zero record when there is none, and when it can't be read as
// one: it says nothing then that a new start would not find out.
func (d state) read() (record, error) {
	raw, err := os.ReadFile(d.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("reading the server's record: %w", err)
	}
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return record{}, nil
	}
	return rec, nil
}

// write replaces the record in one step, since others read it without a lock.
func (d state) write(rec record) error {
	raw, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the server's record: %w", err)
	}
	tmp := d.recordFile() + ".new"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the server's record: %w", err)
	}
	if err := os.Rename(tmp, d.recordFile()); err != nil {
		return fmt.Errorf("writing the server's record: %w", err)
	}
	return nil
}

// alive says whether the recorded process is the one that runs under its id.
func (r record) alive() bool {
	if r.PID <= 0 || r.Start == "" {
		return false
	}
	start, err := processStart(r.PID)
	return err == nil && start == r.Start
}

// lock keeps other commands from starting or stopping this server. The returned
// function gives it back.
func (d state) lock(ctx context.Context, waiting func()) (func(), error) {
	return lockFile(ctx, filepath.Join(d.dir, "lock"), waiting)
}

// lockFile takes an exclusive lock, and calls waiting once if another has it.
func lockFile(ctx context.Context, path string, waiting func()) (func(), error) {
	lock := flock.New(path)
	ok, err := lock.TryLock()
	if err == nil && !ok {
		waiting()
		_, err = lock.TryLockContext(ctx, lockRetry)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

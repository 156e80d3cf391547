package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	host = "127.0.0.1"

	// startLimit bounds the time from the start of the process until the server
	// serves: about 2 s on an idle machine, much more on a busy one.
	startLimit = 90 * time.Second

	// shareLimit bounds how long a running server may take to say that it is
	// well, before it is looked at more closely.
	shareLimit = 3 * time.Second

	// releaseLimit is how long the kernel may take to give back the ports and
	// the lock of a server that has just been killed.
	releaseLimit = 2 * time.Second

	// startTries: a port may be taken between its choice and the server's bind.
	startTries = 3

	// logLimit is the size in bytes from which a start puts the log aside.
	logLimit = 8 << 20

	// Ports are taken from below the range that Linux (32768) and macOS (49152)
	// give to outgoing connections, so that they are free at the next start too.
	lowestPort, highestPort = 20000, 31999
)

// settings make the development server three to eight times as fast. By default
// a shard's queues dispatch 20 tasks a second after a burst
// (history.transferProcessorMaxPollRPS), and this server has one shard.
// Synchronous stays full: a run must survive the loss of power.
var settings = []string{
	"--dynamic-config-value", "history.transferProcessorMaxPollRPS=5000",
	"--dynamic-config-value", "history.timerProcessorMaxPollRPS=5000",
	"--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=5000",
	"--dynamic-config-value", "matching.forwarderMaxRatePerSecond=10000",
	"--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
	"--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
	"--dynamic-config-value", "system.enableActivityEagerExecution=true",
	// So that a search attribute can be used as soon as it is listed.
	"--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true",
	"--sqlite-pragma", "journal_mode=wal",
	"--sqlite-pragma", "synchronous=full",
}

// findLocal shares the server that runs below the home, or starts it.
func findLocal(ctx context.Context, o Options, private bool) (*Server, error) {
	d, err := stateBelow(o.Home)
	if err != nil {
		return nil, err
	}
	if err := d.make(); err != nil {
		return nil, err
	}
	rec, err := d.read()
	if err != nil {
		return nil, err
	}
	if !rec.alive() || !rec.serves(ctx, shareLimit) {
		if rec, err = findLocked(ctx, d, o, private); err != nil {
			return nil, err
		}
	}
	s := newServer(d, rec)
	s.local.start, s.local.private = o, private
	if err := prepare(ctx, s.options, o.SearchAttributes); err != nil {
		return nil, err
	}
	return s, nil
}

// findLocked looks again with the lock held: whoever had it may just have
// started the server, or have died while it did.
func findLocked(ctx context.Context, d state, o Options, private bool) (record, error) {
	unlock, err := d.lock(ctx, func() { o.note("waiting for another command that is starting the Temporal server") })
	if err != nil {
		return record{}, fmt.Errorf("starting a Temporal server: %w", err)
	}
	defer unlock()
	rec, err := d.read()
	if err != nil {
		return record{}, err
	}
	if rec.alive() {
		if rec.serves(ctx, startLimit) {
			return rec, nil
		}
		if err := ctx.Err(); err != nil {
			return record{}, fmt.Errorf("waiting for the Temporal server at %q: %w", rec.Address, err)
		}
		o.note("the Temporal server (process %d) does not answer; starting it again", rec.PID)
		if err := rec.end(ctx, stopLimit); err != nil {
			return record{}, err
		}
	}
	return launch(ctx, d, o, private)
}

// launch starts the server and returns once it serves. The lock must be held.
func launch(ctx context.Context, d state, o Options, private bool) (record, error) {
	old, err := d.read()
	if err != nil {
		return record{}, err
	}
	program, err := findProgram(ctx, o, Program{Path: old.Program, Version: old.Version})
	if err != nil {
		return record{}, err
	}
	if _, err := os.Stat(d.database()); err == nil && old.Version != "" && series(old.Version) != series(program.Version) {
		// The SQLite schema has no migrations. Mostly it needs none, so going on
		// is the better guess; what follows must be understood, though.
		o.note("the database was last used by Temporal server %s and is now opened by %s, which can't upgrade it", old.Version, program.Version)
	}
	o.note("starting Temporal server %s", program.Version)
	rec := record{Program: program.Path, Version: program.Version}
	frontend, ui := port(old.Address), port(strings.TrimPrefix(old.UI, "http://"))
	for try := 1; ; try++ {
		if frontend, err = choosePort(ctx, frontend, 0); err != nil {
			return record{}, err
		}
		if ui, err = choosePort(ctx, ui, frontend); err != nil {
			return record{}, err
		}
		rec.Address = net.JoinHostPort(host, strconv.Itoa(frontend))
		rec.UI = "http://" + net.JoinHostPort(host, strconv.Itoa(ui))
		started, err := rec.spawn(ctx, d, o, private)
		if err == nil {
			o.note("Temporal server %s runs; Temporal UI: %s", started.Version, started.UI)
			return started, nil
		}
		if !errors.Is(err, errEnded) || try == startTries || ctx.Err() != nil {
			return record{}, fmt.Errorf("starting Temporal server %s (%s): %w", program.Version, program.Path, err)
		}
	}
}

// errEnded says that the process came to its end before it served.
var errEnded = errors.New("it ended before it served")

// spawn starts the process and waits until it serves. A process that doesn't is
// gone when it returns.
func (r record) spawn(ctx context.Context, d state, o Options, private bool) (record, error) {
	hold, err := holdDatabase(ctx, d.databaseLock())
	if err != nil {
		return record{}, err
	}
	if hold != nil {
		// The child has a descriptor of its own, and keeps the lock by it.
		defer hold.Close()
	}
	log, err := d.openLog()
	if err != nil {
		return record{}, err
	}
	defer log.Close()

	cmd := exec.Command(r.Program, r.args(d, o)...)
	cmd.Dir = d.dir
	cmd.Env = withoutTemporal(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	if hold != nil {
		cmd.ExtraFiles = []*os.File{hold}
	}
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return record{}, fmt.Errorf("opening the server's log: %w", err)
	}
	exited, err := startProcess(cmd, private)
	if err != nil {
		return record{}, err
	}
	r.PID, r.Started = cmd.Process.Pid, time.Now().UTC().Truncate(time.Second)
	if r.Start, err = processStart(r.PID); err != nil {
		// Only a process that has ended already has no start.
		<-exited
		return record{}, fmt.Errorf("%w\n%s", errEnded, d.logSince(before))
	}
	// On record at once: if this command dies now, the next one finds the server.
	if err := d.write(r); err != nil {
		return record{}, errors.Join(err, r.end(ctx, 0))
	}
	waiting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !r.serves(waiting, shareLimit) {
		select {
		case <-exited:
			return record{}, fmt.Errorf("%w\n%s", errEnded, d.logSince(before))
		case <-waiting.Done():
			err := fmt.Errorf("waiting for it to serve: %w\n%s", waiting.Err(), d.logSince(before))
			return record{}, errors.Join(err, r.end(ctx, stopLimit))
		case <-tick.C:
		}
	}
	return r, nil
}

// args is the command line. The attributes are given here as well because a new
// database has them then from its first moment.
func (r record) args(d state, o Options) []string {
	args := []string{
		"server", "start-dev",
		"--ip", host,
		"--port", strconv.Itoa(port(r.Address)),
		"--ui-port", strconv.Itoa(port(strings.TrimPrefix(r.UI, "http://"))),
		"--db-filename", d.database(),
		"--log-level", "warn",
	}
	for name, kind := range o.SearchAttributes {
		args = append(args, "--search-attribute", name+"="+kind.String())
	}
	args = append(args, settings...)
	for _, s := range o.Settings {
		args = append(args, "--dynamic-config-value", s)
	}
	return args
}

// openLog opens the log for appending, and puts a big one aside.
func (d state) openLog() (*os.File, error) {
	if info, err := os.Stat(d.log()); err == nil && info.Size() > logLimit {
		if err := os.Rename(d.log(), d.log()+".1"); err != nil {
			return nil, fmt.Errorf("putting the server's log aside: %w", err)
		}
	}
	f, err := os.OpenFile(d.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the server's log: %w", err)
	}
	return f, nil
}

// logSince returns what the log got after the offset, at most its last 2 KiB.
func (d state) logSince(offset int64) string {
	raw, err := os.ReadFile(d.log())
	if err != nil || offset > int64(len(raw)) {
		return fmt.Sprintf("(see its log, %q)", d.log())
	}
	tail := raw[offset:]
	tail = tail[max(0, len(tail)-2048):]
	return fmt.Sprintf("its log, %q, ends:\n%s", d.log(), strings.TrimSpace(string(tail)))
}

// choosePort returns the preferred port if it is free, or comes free at once,
// and else another that is.
func choosePort(ctx context.Context, preferred, taken int) (int, error) {
	if preferred != 0 && preferred != taken {
		soon, cancel := context.WithTimeout(ctx, releaseLimit)
		defer cancel()
		if poll(soon, func() bool { return portFree(preferred) }) == nil {
			return preferred, nil
		}
	}
	for range 100 {
		p := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if p != taken && portFree(p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("choosing a port: none of 100 between %d and %d was free", lowestPort, highestPort)
}

func portFree(p int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// port is the port of a host:port, or 0.
func port(address string) int {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(p)
	return n
}

// withoutTemporal drops the variables that configure Temporal's clients, which
// the server's program would read too.
func withoutTemporal(env []string) []string {
	var kept []string
	for _, e := range env {
		if !strings.HasPrefix(e, "TEMPORAL_") {
			kept = append(kept, e)
		}
	}
	return kept
}

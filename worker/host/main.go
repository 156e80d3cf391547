package host

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"go.temporal.io/sdk/log"
	"golang.org/x/term"

	"rlam/activities/executor"
	"rlam/internal/devserver"
	"rlam/schemas"
)

// Exit codes of a worker, as far as they are not the starter's to add to.
const (
	exitError = 1
	exitUsage = 3
)

const usage = `Serve R-LAM's workflows and activities until SIGINT or SIGTERM.

Usage: %s [flags]

%s
Environment:
  RLAM_STORE        folder of the store, unless --store says it
  RLAM_HOME         where R-LAM keeps what outlives a command
  RLAM_CPUS         processors for attempts, unless --cpus says it
  RLAM_MEMORY       memory for actions that declare some, unless --memory says it
  RLAM_LOG          most that is kept of an attempt's log, unless --max-log says it
  RLAM_ISOLATION    least isolation of commands, unless --isolation says it
  RLAM_READABLE     what a sandbox shows besides the system, a list as in PATH
  RLAM_SECRET_NAME  what {secret.NAME} stands for in actions; it is never recorded
  RLAM_ALLOW_ADDRESS  as --allow-address, divided by commas
  OPENAI_API_KEY    key of the model server
  OPENAI_BASE_URL   an OpenAI-compatible server, for studies that name none
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_...,
  TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE, as Temporal's own tools read them.
  Without an address, the server that the starter keeps below RLAM_HOME is used.

On a signal the worker takes no more work, gives running attempts a moment, hands
back what it can't finish, and ends. A second signal ends it at once.

Exit codes: 0 stopped by a signal, 1 error, 3 bad configuration.
`

// Main is a worker's main function: the one that ships, and yours.
//
//	func main() { host.Main(executor.Typed("spectrum.peaks", findPeaks)) }
//
// It reads flags and environment (see --help), serves until it is told to stop, and
// ends the process. On a bad configuration it ends at once, with a sentence.
func Main(actions ...executor.Builtin) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal kills
	code := run(ctx, os.Args, os.Getenv, os.Stderr, actions)
	stop()
	os.Exit(code)
}

// workerFlags are what a worker is told on its command line.
type workerFlags struct {
	address, store, queue, identity string
	allow                           []string
	parallel                        int
	room                            Room
	walls                           Walls
	stop                            time.Duration
}

// errUsage says that the flags were wrong, or only asked for help.
var errUsage = errors.New("bad usage")

func parseFlags(args []string, getenv func(string) string, stderr io.Writer) (workerFlags, error) {
	var f workerFlags
	set := flag.NewFlagSet(filepath.Base(args[0]), flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.address, "address", "", "`HOST:PORT` of the Temporal server, instead of the configured one")
	set.StringVar(&f.store, "store", getenv("RLAM_STORE"), "`FOLDER` of the store")
	set.StringVar(&f.queue, "task-queue", "", "`NAME` of the task queue; by default that of the store and the actions")
	set.StringVar(&f.identity, "identity", "", "`NAME` of this worker in histories; PID@HOST by default")
	set.IntVar(&f.parallel, "parallel", 0, "bound on planner turns and attempts at once; 1,000 by default")
	var err error
	if f.room, err = ReadRoom(getenv); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", set.Name(), err)
		return f, errUsage
	}
	set.IntVar(&f.room.CPUs, "cpus", f.room.CPUs, "`N` processors for attempts, of which a program takes one unless its action declares more; by default all that the worker may use")
	setSize(set, &f.room.Memory, "memory", "memory for the actions that declare some, a `SIZE` such as 8GiB; by default all that the worker may use")
	setSize(set, &f.room.Log, "max-log", "the first `SIZE` of what an attempt logs is kept, and the rest counted; 64MiB by default")
	f.walls = ReadWalls(getenv)
	set.Func("isolation", "least `LEVEL` of isolation of every command: none, process or sandbox; process by default on Linux", func(level string) error {
		f.walls.Least = schemas.Isolation(level)
		return nil
	})
	set.Func("readable", "`PATH` that a sandbox shows besides the system (repeatable)", func(path string) (err error) {
		path, err = filepath.Abs(path)
		f.walls.Readable = append(f.walls.Readable, path)
		return err
	})
	f.allow = AllowedAddresses(getenv(AllowVariable))
	set.Func("allow-address", "`HOST:PORT` that actions may reach though its address isn't public (repeatable)", func(v string) error {
		f.allow = append(f.allow, v)
		return nil
	})
	set.DurationVar(&f.stop, "stop-timeout", 10*time.Second, "how long running attempts may take to end")
	set.Usage = func() { fmt.Fprintf(stderr, usage, set.Name(), flagText(set)) }
	switch err := set.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return f, err
	case err != nil:
		return f, errUsage // the flag package has said what
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "%s takes no arguments, and was given %q\n", set.Name(), set.Arg(0))
		return f, errUsage
	}
	if f.parallel < 0 || f.stop < 0 || f.room.CPUs < 0 {
		fmt.Fprintf(stderr, "%s: --parallel, --cpus and --stop-timeout can't be negative\n", set.Name())
		return f, errUsage
	}
	return f, nil
}

// setSize adds a flag for a number of bytes.
func setSize(set *flag.FlagSet, to *schemas.Size, name, what string) {
	set.Func(name, what, func(text string) (err error) {
		*to, err = schemas.ParseSize(text)
		return err
	})
}

func flagText(set *flag.FlagSet) string {
	text := "Flags:\n"
	set.VisitAll(func(f *flag.Flag) {
		name, what := flag.UnquoteUsage(f)
		text += fmt.Sprintf("  --%-23s %s\n", f.Name+" "+name, what)
	})
	return text
}

// run is Main, up to the exit.
func run(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer, actions []executor.Builtin) int {
	f, err := parseFlags(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	logger := newLogger(stderr)
	h, code, err := assemble(ctx, f, getenv, logger, actions)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(args[0]), err)
		return code
	}
	defer h.close()
	logger.Info("serving", "task_queue", h.TaskQueue, "store", h.Store.Dir(), "server", h.address)
	if err := h.Run(ctx); err != nil {
		logger.Error("stopped", "error", err)
		return exitError
	}
	logger.Info("stopped")
	return 0
}

type assembled struct {
	*Host
	address string
	close   func()
}

// assemble makes the worker of a configuration, and says with which code to end if it is bad.
func assemble(ctx context.Context, f workerFlags, getenv func(string) string, logger *slog.Logger, actions []executor.Builtin) (*assembled, int, error) {
	if f.store == "" {
		return nil, exitUsage, errors.New("no store: name its folder with --store or RLAM_STORE (the starter's is the folder store below RLAM_HOME)")
	}
	server, err := Reach(ctx, devserver.Options{Address: f.address})
	switch {
	case errors.Is(err, devserver.ErrNotRunning):
		return nil, exitUsage, errors.New("no Temporal server: set TEMPORAL_ADDRESS or --address, or start one with: starter dev")
	case err != nil:
		return nil, exitUsage, err
	}
	o := server.ClientOptions()
	o.Logger = log.NewStructuredLogger(logger)
	c, err := Dial(ctx, o)
	if err != nil {
		return nil, exitError, err
	}
	h, err := New(Config{
		Client: c, Store: f.store, TaskQueue: f.queue, Actions: actions, Identity: f.identity,
		BaseURL: getenv("OPENAI_BASE_URL"), Key: getenv("OPENAI_API_KEY"),
		Parallel: f.parallel, StopTimeout: f.stop, Walls: f.walls, AllowAddresses: f.allow, Room: f.room,
	})
	if err != nil {
		c.Close()
		return nil, exitUsage, err
	}
	return &assembled{Host: h, address: server.Address, close: c.Close}, 0, nil
}

// newLogger writes text for a person and JSON for a collector of logs.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

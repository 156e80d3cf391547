package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/devserver"
	"rlam/schemas"
)

// app is a command's surroundings. A test gives it others than the process has.
type app struct {
	args           []string // with the program's name first
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	json    bool
	printer printer // of data
	words   printer // of what is said while a command works
	ran     bool    // the usage was right, and the command itself began
}

const about = `R-LAM lets a language model drive a scientific workflow while every decision,
execution, failure and artifact stays on a record.

A study (a YAML file) says what is to be found out, from which data, and which
actions may be used for it. A run of it is a Temporal workflow: it survives
crashes, and what was recorded is never done twice. Where no Temporal server is
configured (TEMPORAL_ADDRESS, or Temporal's profile), a development server is
started and shared by all commands; its data lie below RLAM_HOME.

RUN is a run's id, or @last for the newest in the store.`

const environmentHelp = `Environment:
  RLAM_HOME         what outlives a command; ~/.local/share/rlam by default
  RLAM_STORE        folder of records and artifacts; RLAM_HOME/store by default
  RLAM_SECRET_NAME  what {secret.NAME} stands for in actions; never recorded
  RLAM_ALLOW_ADDRESS  HOST:PORT,... that actions may reach, though not public
  RLAM_ISOLATION, RLAM_READABLE, RLAM_CPUS, RLAM_MEMORY
                    for the worker within, as worker --help tells
  OPENAI_API_KEY    key of the model server
  OPENAI_BASE_URL   an OpenAI-compatible server, for studies that name none
  TEMPORAL_...      a Temporal server, as Temporal's own tools are told of it
  NO_COLOR          no colours`

// main runs one command line and returns its exit code.
func (a *app) main(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.args[1:])
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	c, err := root.ExecuteContextC(ctx)
	if err != nil && !a.ran {
		named := func(text string) string { return a.program() + strings.TrimPrefix(text, root.Name()) }
		err = &codedError{exitUsage, fmt.Errorf("%w\nUsage: %s\nSee: %s --help", err, named(c.UseLine()), named(c.CommandPath()))}
	}
	code := exitCode(ctx, err)
	a.say(code, err)
	return code
}

// root is the command that all others hang from.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "starter", Short: "Run scientific workflows that a model plans, with every step on record",
		Long: about + "\n\n" + environmentHelp + "\n\n" + exitHelp,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { a.begin() },
		RunE:             func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", defaultWidth)))
	fitHelp(root)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, a line for each message")
	root.AddCommand(
		newRunCommand(a),
		newEnsembleCommand(a),
		newResumeCommand(a),
		newForkCommand(a),
		newResetCommand(a),
		newShowCommand(a),
		newResultCommand(a),
		newCancelCommand(a),
		newListCommand(a),
		newDevCommand(a),
		newCheckCommand(a),
		newActionsCommand(a),
		newEnvironmentCommand(a),
		newVersionCommand(a),
		newServeCommand(a),
		newAuditCommand(a),
		newReproduceCommand(a),
		newExportCommand(a),
		newImportCommand(a),
		newKeygenCommand(a),
		newVerifyCommand(a),
		newReplayCommand(a),
		newDiffCommand(a),
		newWhyCommand(a),
		newLineageCommand(a),
		newAncestryCommand(a),
		newRevealCommand(a),
	)
	nameOperands(root)
	return root
}

// begin is what every command does first.
func (a *app) begin() {
	a.ran = true
	if a.json {
		p := &jsonPrinter{w: a.stdout}
		a.printer, a.words = p, p
		return
	}
	a.printer = newTextPrinter(a.stdout, a.getenv)
	a.words = newTextPrinter(a.stderr, a.getenv)
}

// say reports the error that ended a command.
func (a *app) say(code int, err error) {
	var silent *codedError
	if err == nil || errors.As(err, &silent) && silent.err == nil {
		return
	}
	m := exitMessage{Code: code, Message: err.Error()}
	errors.As(err, &m.Problems)
	if a.json {
		(&jsonPrinter{w: a.stderr}).Print(m)
		return
	}
	newTextPrinter(a.stderr, a.getenv).Print(m)
}

// exitMessage is why a command ended with a code other than 0. It goes to stderr.
type exitMessage struct {
	Code     int              `json:"code"`
	Message  string           `json:"message"`
	Problems schemas.Problems `json:"problems,omitempty"`
}

func (exitMessage) MessageType() string { return "exit_error" }

// program is how this program is spelled in commands to try next.
func (a *app) program() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(filepath.ToSlash(exe), "/go-build") && strings.Contains(filepath.ToSlash(exe), "/exe/") {
		return "go run ./starter"
	}
	return "starter"
}

// home is where R-LAM keeps what outlives a command.
func (a *app) home() (string, error) {
	if home := a.getenv("RLAM_HOME"); home != "" {
		return filepath.Abs(home)
	}
	return devserver.Home()
}

// storeDir is the store's folder: the flag's, the environment's, or the one below home.
func (a *app) storeDir(flag string) (string, error) {
	if flag == "" {
		flag = a.getenv("RLAM_STORE")
	}
	if flag != "" {
		return filepath.Abs(flag)
	}
	home, err := a.home()
	return filepath.Join(home, "store"), err
}

// notef says one line to a person.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

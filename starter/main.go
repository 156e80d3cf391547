// Starter is R-LAM's command line: it starts studies, follows them, and shows what
// they left on record. See starter --help, and starter COMMAND --help.
//
// Each command has a file of its own, exit codes are in exit.go, and what a command
// says goes through a printer (printer.go): one writes text for people, one JSON
// lines. stdout carries data (a result, a listing, JSON); what is said to people while
// a command works goes to stderr.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(start()) }

// start gives a command the process's own streams, arguments, environment and signals.
func start() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals // whoever asks twice means it
		os.Exit(exitInterrupted)
	}()
	a := &app{args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	return a.main(ctx)
}

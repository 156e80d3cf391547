package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"rlam/provenance/diff"
)

// diffOptions are the flags of diff.
type diffOptions struct {
	store string
	html  string
}

func newDiffCommand(a *app) *cobra.Command {
	var o diffOptions
	c := &cobra.Command{
		Use: "diff A B", Short: "Say in what two runs differ, why, and where they part",
		Long: `Say in what two runs differ, why, and where they part: by code, data, model,
prompt, policy, limits, seed and plan that they were given, by what was proposed,
where it ran, and what came of it. Nothing is executed.

A run and its fork, and forks of one run, are compared from where they part. Calls
are aligned by action, parameters, name and id, so that one more call is one
difference. Numbers are told with their relative difference, and differences that
an action declares (a tolerance, a class that varies) are marked as such.

A and B are runs, or bundles: a file that starter export wrote.

The exit code is 0 whether they differ or not; with --json, "same" says it.`,
		Example: "  starter diff mgh09-h2x7q mgh09-w4k2p\n  starter diff A B --html comparison.html",
		Args:    cobra.ExactArgs(2),
		RunE:    func(c *cobra.Command, args []string) error { return runDiff(c.Context(), a, args[0], args[1], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which the runs are looked for")
	c.Flags().StringVar(&o.html, "html", "", "write the comparison to `FILE` too, as a page with both side by side")
	return c
}

// diffMessage is in what two runs differ.
type diffMessage struct{ *diff.Diff }

func (diffMessage) MessageType() string { return "diff" }

func runDiff(ctx context.Context, a *app, one, other string, o diffOptions) error {
	if err := checkNew(o.html); err != nil {
		return err
	}
	x, err := a.gather(ctx, one, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	y, err := a.gather(ctx, other, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	d, err := diff.Runs(ctx, &x.Run, &y.Run)
	if err != nil {
		return err
	}
	if o.html != "" {
		if err := writePage(o.html, func(w io.Writer) error { return diff.WriteHTML(w, d) }); err != nil {
			return err
		}
	}
	a.printer.Print(diffMessage{d})
	return nil
}

// checkNew refuses a file for a page that is there, before anything is done for its sake.
func checkNew(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Lstat(file); err == nil {
		return thereAlready(file)
	}
	return nil
}

func thereAlready(file string) error {
	return badUsage("writing %q: the file is there already; name another, or remove it", file)
}

// writePage writes a page to a file that isn't there yet.
func writePage(file string, write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return thereAlready(file)
	}
	if err != nil {
		return fmt.Errorf("writing a page: %w", err)
	}
	_, err = page.WriteTo(f)
	return errors.Join(err, f.Close())
}

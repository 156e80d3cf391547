package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rlam/provenance"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/export/page"
	"rlam/provenance/export/prov"
	"rlam/provenance/export/svg"
	"rlam/provenance/export/trace"
	"rlam/schemas"
	"rlam/worker/host"
)

// bundleOptions are the flags of export that a bundle alone has.
type bundleOptions struct {
	maxSize  string
	withhold []string
	key      string
	unsigned bool
}

var bundleFormat = exportFormat{
	name: "bundle", suffix: ".zip", binary: true, about: "all of it, signed, for who will check, look at or fork it",
	flags: func(c *cobra.Command, o *exportOptions) {
		c.Flags().StringVar(&o.bundle.maxSize, "max-size", "1GiB", "of bundle: leave out files larger than `SIZE`")
		c.Flags().StringArrayVar(&o.bundle.withhold, "withhold", nil,
			"of bundle: leave out `WHAT`: prompts, params, outputs, artifact:NAME, CALL/params/path or CALL/output/path; may be repeated")
		c.Flags().StringVar(&o.bundle.key, "key", "", "of bundle: private key to sign with, in `FILE`; else keygen's")
		c.Flags().BoolVar(&o.bundle.unsigned, "unsigned", false, "of bundle: do not sign it")
	},
	write: writeBundle,
}

// retellings are the files of a bundle that tell its run in forms that other programs, and
// people without any, read.
var retellings = []bundle.Extra{
	{Path: "trace.json", About: "the run as a graph, in our own form", MediaType: "application/json", Write: func(_ context.Context, w io.Writer, run *export.Run) error {
		return trace.Write(w, run, nil)
	}},
	{Path: "prov.json", About: "the run as W3C PROV", MediaType: "application/json", Write: prov.Write},
	{Path: "run.svg", About: "a drawing of the run", MediaType: "image/svg+xml", Write: func(ctx context.Context, w io.Writer, run *export.Run) error {
		return svg.Write(ctx, w, run, svg.Options{})
	}},
}

func writeBundle(ctx context.Context, w io.Writer, e *evidence, o exportOptions) error {
	max, err := schemas.ParseSize(o.bundle.maxSize)
	if err != nil {
		return badUsage("--max-size: %w", err)
	}
	b := bundle.Options{
		MaxSize: int64(max), Withhold: o.bundle.withhold, Engine: "rlam " + host.Version, Retell: retell, Describe: describeBundle,
	}
	var shown page.Options
	b.Extras = append(b.Extras, retellings...)
	b.Extras = append(b.Extras, bundle.Extra{
		Path: "run.html", About: "the run as a page to look at, offline", MediaType: "text/html",
		Write: func(ctx context.Context, w io.Writer, run *export.Run) error {
			replayed, err := e.replayed(ctx)
			if err != nil {
				return err
			}
			m, err := run.Trace.Measure(ctx, run.Store, replayed) // of what the bundle has
			if err != nil {
				return err
			}
			shown.Metrics = &m
			return page.Write(ctx, w, run, shown)
		},
	})
	if !o.bundle.unsigned {
		key, err := o.app.signingKey(o.bundle.key)
		if err != nil {
			return err
		}
		shown.Signature = &page.Signature{KeyID: key.Public().ID.String()}
		b.CheckSignature = attest.Commands(key.Public().Type)
		b.Sign = func(ctx context.Context, tagManifest []byte, run *export.Run, withheld int) (map[string][]byte, error) {
			facts, err := attest.FactsOf(run, withheld, "rlam "+host.Version)
			if err != nil {
				return nil, err
			}
			return attest.Sign(ctx, key, tagManifest, facts)
		}
	}
	written, err := bundle.Write(ctx, w, &e.Run, b)
	var selector *bundle.SelectorError
	var leak *bundle.LeakError
	switch {
	case errors.As(err, &selector), errors.As(err, &leak):
		return &codedError{exitUsage, err}
	case err != nil:
		return err
	}
	o.app.saidAbsent(written.Absent)
	if e.Trace.Status == "open" {
		o.app.notef("Run %q has not ended: the bundle has what it did so far.", e.Trace.ID)
	}
	return nil
}

// retell builds the trace of a run again, from the histories and the store that it has now.
func retell(ctx context.Context, run *export.Run) (*provenance.Trace, error) {
	histories := map[string][]byte{}
	for _, h := range run.Histories {
		histories[h.RunID] = h.Protobuf
	}
	e, err := retold(ctx, histories, run.Store)
	if err != nil {
		return nil, err
	}
	return e.Trace, nil
}

// saidAbsent says what a bundle doesn't hold, in a line for each reason.
func (a *app) saidAbsent(absent []bundle.Absent) {
	for _, why := range []bundle.Why{bundle.Withheld, bundle.TooLarge, bundle.Reference, bundle.Missing, bundle.Spoilt} {
		n, first := 0, ""
		for _, x := range absent {
			if x.Why != why {
				continue
			}
			if n++; n == 1 {
				first = absentName(x)
			}
		}
		switch {
		case n == 1:
			a.notef("Not in the bundle: %s: %s.", first, why.Text())
		case n > 1:
			a.notef("Not in the bundle: %s and %d more (%s).", first, n-1, why)
		}
	}
}

func absentName(x bundle.Absent) string {
	s := string(x.Role)
	if x.Call != "" {
		s += " of " + x.Call
	}
	if x.Name != "" {
		s += fmt.Sprintf(" %q", x.Name)
	}
	return s
}

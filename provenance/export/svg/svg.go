// Package svg draws the trace graph of a run as one SVG file, without scripts and without
// anything from elsewhere: for a paper, a README, or a page that shows it inline.
//
// Time goes down. Each step of the run is a band; in it stand, from left to right, the
// planner's turn, the calls with their attempts, and the data that they had and made.
// What was done is a rectangle, data is a pill, an artifact has a folded corner. Lines on
// the right lead from data to the parameters that were taken from it; a dashed one is of
// data that the planner typed instead of referring to it. A run of more rows than
// [Options.Rows] is collapsed: a row a step, or a few steps a row.
//
// Every group has its node's id as data-id, for a page to find it, and a title with what
// the drawing has no room for. Colours follow prefers-color-scheme.
package svg

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"rlam/provenance/export"
)

// Options say how a run is drawn.
type Options struct {
	// Rows is how many rows are drawn before steps are collapsed; 0 is 250.
	Rows int
}

const defaultRows = 250

// Write draws a run. The same run gives the same bytes.
func Write(ctx context.Context, w io.Writer, run *export.Run, o Options) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("drawing run %q: %w", run.Trace.ID, context.Cause(ctx))
	}
	if o.Rows <= 0 {
		o.Rows = defaultRows
	}
	bands := outline(run.Trace.Graph)
	rows := 0
	for _, b := range bands {
		rows += b.rows()
	}
	p := place(bands)
	if rows > o.Rows {
		p = collapse(bands, o.Rows)
	}
	p.join(run.Trace.Graph)
	out := bufio.NewWriter(w)
	(&drawing{w: out, placed: p}).draw(run.Trace)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("drawing run %q: %w", run.Trace.ID, err)
	}
	return nil
}

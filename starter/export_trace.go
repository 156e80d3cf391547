package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"rlam/provenance"
	"rlam/provenance/export/trace"
)

var traceFormat = exportFormat{
	name: "trace", suffix: ".trace.json", about: "the trace graph, as JSON; --metrics adds those of audit",
	flags: func(c *cobra.Command, o *exportOptions) {
		c.Flags().BoolVar(&o.metrics, "metrics", false, "of trace: replay the run, read its outputs again, and count")
	},
	write: func(ctx context.Context, w io.Writer, e *evidence, o exportOptions) error {
		var metrics *provenance.Metrics
		if o.metrics {
			m, err := e.measure(ctx)
			if err != nil {
				return err
			}
			metrics = &m
		}
		return trace.Write(w, &e.Run, metrics)
	},
}

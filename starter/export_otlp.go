package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"rlam/provenance/export/otlp"
)

var otlpFormat = exportFormat{
	name: "otlp", suffix: ".otlp.json", about: "OpenTelemetry traces with the GenAI conventions " + otlp.Conventions + "; --content adds what was said",
	flags: func(c *cobra.Command, o *exportOptions) {
		c.Flags().BoolVar(&o.content, "content", false, "of otlp: with messages, arguments and results")
	},
	write: func(ctx context.Context, w io.Writer, e *evidence, o exportOptions) error {
		return otlp.Write(ctx, w, &e.Run, otlp.Options{Content: o.content})
	},
}

package main

import (
	"context"
	"io"

	"rlam/provenance/export/svg"
)

var svgFormat = exportFormat{
	name: "svg", suffix: ".svg", about: "a drawing of the run: what was done, and where data went",
	write: func(ctx context.Context, w io.Writer, e *evidence, _ exportOptions) error {
		return svg.Write(ctx, w, &e.Run, svg.Options{})
	},
}

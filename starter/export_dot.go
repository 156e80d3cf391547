package main

import (
	"context"
	"io"

	"rlam/provenance/export/dot"
)

var dotFormat = exportFormat{
	name: "dot", suffix: ".dot", also: ".gv", about: "the graph for Graphviz",
	write: func(ctx context.Context, w io.Writer, e *evidence, _ exportOptions) error {
		return dot.Write(ctx, w, &e.Run)
	},
}

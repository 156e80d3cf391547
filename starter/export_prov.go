package main

import (
	"context"
	"io"

	"rlam/provenance/export/prov"
)

var provFormat = exportFormat{
	name: "prov", suffix: ".prov.json", about: "PROV-JSON, for programs that read W3C provenance",
	write: func(ctx context.Context, w io.Writer, e *evidence, _ exportOptions) error {
		return prov.Write(ctx, w, &e.Run)
	},
}

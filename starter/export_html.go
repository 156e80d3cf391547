package main

import (
	"context"
	"io"

	"rlam/provenance/export/page"
)

var htmlFormat = exportFormat{
	name: "html", suffix: ".html", also: ".htm", about: "one offline page for a reviewer: what happened, every content by a click",
	write: func(ctx context.Context, w io.Writer, e *evidence, _ exportOptions) error {
		o := page.Options{}
		if e.Trace.Run != nil {
			m, err := e.measure(ctx)
			if err != nil {
				return err
			}
			o.Metrics = &m
		}
		return page.Write(ctx, w, &e.Run, o)
	},
}

// Package page writes a run as one HTML file for a reviewer: it opens from a folder,
// offline, and asks for nothing. Without scripts it shows verdict, result, findings, the
// tree of steps with its timeline, and a drawing; with them, every content by a click,
// search, the graph of data and of process, and what produced a thing or depends on it.
//
// Nothing that a model, a program or a file said can run there. All of it is either text
// that html/template escaped, or stands in a JSON element whose values scripts put on the
// page as text nodes; images are shown as images alone. The page's policy (see [Shell])
// holds even where that should fail.
//
//	assets/base.css  colours, type, the parts that other documents share
//	assets/run.css   tree, timeline, panel, graph
//	assets/*.js      plain scripts, each for one purpose, that share one scope
//	vendor/          cytoscape and dagre, as published: tools/page-libraries.sh
package page

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"rlam/internal/canon"
	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/export/svg"
)

// Options say what the page shows besides the run, and how much of it. The zero value is
// a page without metrics, of the default limits.
type Options struct {
	Metrics   *provenance.Metrics // nil where they weren't computed
	Signature *Signature          // nil where nothing signs the page

	ContentLimit int   // bytes of a text that is shown; the rest is said to be there. 64 KiB if 0
	ImageLimit   int64 // bytes of an image that stands in the page. 1 MiB if 0
	PageLimit    int64 // bytes of all contents together. 64 MiB if 0
}

// Signature says what signs the page. The page can't check that itself, and says so.
type Signature struct {
	KeyID string // of the key
}

//go:embed page.tmpl
var templates embed.FS

var bodyTemplate = template.Must(template.New("page.tmpl").Funcs(template.FuncMap{"line": line}).ParseFS(templates, "page.tmpl"))

// scripts run in this order.
var scripts = []string{
	"cytoscape.min.js", "dagre.min.js",
	"data.js", "view.js", "tree.js", "panel.js", "lineage.js", "search.js", "layout.js", "graph.js", "keys.js", "start.js",
}

// Write writes the page of a run. What can't be read of it is said on the page; the error
// is of the writing, or of a context that is done.
func Write(ctx context.Context, w io.Writer, run *export.Run, o Options) error {
	o.ContentLimit = cmp.Or(o.ContentLimit, 64<<10)
	o.ImageLimit = cmp.Or(o.ImageLimit, 1<<20)
	o.PageLimit = cmp.Or(o.PageLimit, 64<<20)
	b := &builder{
		run: run, o: o, index: map[string]int{}, proposals: map[string]proposed{},
		reader: &reader{run: run, o: o, all: map[canon.Digest]*content{}, answers: map[canon.Digest]answered{}, left: o.PageLimit},
	}
	if err := b.build(ctx); err != nil {
		return fmt.Errorf("writing the page of run %q: %w", run.Trace.ID, err)
	}
	var drawn, body bytes.Buffer
	if err := svg.Write(ctx, &drawn, run, svg.Options{}); err != nil {
		return fmt.Errorf("writing the page of run %q: %w", run.Trace.ID, err)
	}
	if err := bodyTemplate.Execute(&body, b.view(drawn.Bytes())); err != nil {
		return fmt.Errorf("writing the page of run %q: %w", run.Trace.ID, err)
	}
	s := Shell{
		Title: line(b.title(), 200) + " · " + visible(run.Trace.ID), Styles: []string{"base.css", "run.css"}, Early: []string{"early.js"}, Scripts: scripts,
		Data: pageData{Things: b.things, Edges: b.edges, Contents: b.reader.all}, Body: body.String(),
	}
	if err := s.Write(w); err != nil {
		return fmt.Errorf("writing the page of run %q: %w", run.Trace.ID, err)
	}
	return nil
}

// pageData is what scripts read.
type pageData struct {
	Things   []*thing                  `json:"things"`
	Edges    []edge                    `json:"edges"`
	Contents map[canon.Digest]*content `json:"contents"`
}

// drawing is the SVG as an image's address: as an image it runs nothing and loads nothing.
func drawing(document []byte) template.URL {
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(document)) // #nosec: base64 of our own
}

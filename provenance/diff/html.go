package diff

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"rlam/internal/quantity"
	"rlam/provenance/export/page"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"distance": func(n *Numbers) string { return n.String() },
	"steps":    func(n int) string { return quantity.Of(n, "step") },
}).Parse(pageText))

// WriteHTML writes a page with both runs side by side: one file, without scripts, that
// loads nothing. What models and tools wrote is text in it.
func WriteHTML(w io.Writer, d *Diff) error {
	title := d.A.ID + " and " + d.B.ID
	var body strings.Builder
	if err := pageTemplate.Execute(&body, struct {
		*Diff
		Title string
	}{d, title}); err != nil {
		return fmt.Errorf("writing the comparison of %q and %q as a page: %w", d.A.ID, d.B.ID, err)
	}
	return page.Shell{Title: title, Styles: []string{"base.css", "diff.css"}, Body: body.String()}.Write(w)
}

// String says how far numbers are apart.
func (n *Numbers) String() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	if n.Of > 1 {
		fmt.Fprintf(&b, "%d of %d numbers, ", n.Differ, n.Of)
	}
	fmt.Fprintf(&b, "%.3g apart, %.2g relative", n.Absolute, n.Relative)
	return b.String()
}

package diff

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"distance": func(n *Numbers) string { return n.String() },
	"style":    func() template.CSS { return template.CSS(pageStyle) }, //nolint:gosec // a file of this package
	"policy": func() string {
		sum := sha256.Sum256([]byte(pageStyle))
		return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", base64.StdEncoding.EncodeToString(sum[:]))
	},
}).Parse(pageText))

// WriteHTML writes a page with both runs side by side: one file, without scripts, that
// loads nothing. What models and tools wrote is text in it.
func WriteHTML(w io.Writer, d *Diff) error {
	if err := page.Execute(w, d); err != nil {
		return fmt.Errorf("writing the comparison of %q and %q as a page: %w", d.A.ID, d.B.ID, err)
	}
	return nil
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

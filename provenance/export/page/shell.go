package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

//go:embed assets vendor
var files embed.FS

// Shell is a page of one file that runs offline: a body, and the styles, scripts and data
// that go with it. Its Content-Security-Policy lets through the page's own styles and
// scripts by their hashes, images that stand in the page, and nothing else: no request
// can be made, no form sent, no handler or style attribute obeyed, and where the browser
// knows Trusted Types no text be parsed as HTML.
//
// Other documents of R-LAM have the same style by naming base.css first.
type Shell struct {
	Title   string
	Styles  []string // files of this package: "base.css"
	Early   []string // likewise, run before there is a body: "early.js"
	Scripts []string // likewise, run in this order when the body is there: "data.js"
	// Data is written as JSON into the element #data, which scripts read. It is escaped so
	// that nothing in it can end the element. nil leaves the element out.
	Data any
	// Body is HTML, as a template of html/template or [encoding/json] of text has made it:
	// whatever in it came from a run is escaped already.
	Body string
}

// Write writes the page.
func (s Shell) Write(w io.Writer) error {
	out := &writer{w: w}
	var styles, scripts []string
	for _, name := range s.Styles {
		styles = append(styles, asset("assets/"+name))
	}
	for _, name := range append(slices.Clone(s.Early), s.Scripts...) {
		scripts = append(scripts, asset(folder(name)+name))
	}
	policy := strings.Join([]string{
		"default-src 'none'", "script-src " + hashes(scripts), "style-src " + hashes(styles), "img-src data:",
		"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
	out.text("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	out.text("<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy + "\">\n")
	out.text("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n")
	out.text("<title>" + html.EscapeString(s.Title) + "</title>\n")
	for i, style := range styles {
		// cytoscape adds a style sheet of its own unless there is one of this name, and the
		// policy would refuse that.
		id := ""
		if i == 0 {
			id = " id=\"__________cytoscape_stylesheet\""
		}
		out.text("<style" + id + ">" + style + "</style>\n")
	}
	for _, script := range scripts[:len(s.Early)] {
		out.text("<script>" + script + "</script>\n")
	}
	out.text("</head>\n<body>\n" + s.Body + "\n")
	if s.Data != nil {
		out.text("<script type=\"application/json\" id=\"data\">")
		out.data(s.Data)
		out.text("</script>\n")
	}
	for _, script := range scripts[len(s.Early):] {
		out.text("<script>" + script + "</script>\n")
	}
	out.text("</body>\n</html>\n")
	return out.err
}

// folder is where a script stands: libraries end with .min.js.
func folder(name string) string {
	if strings.HasSuffix(name, ".min.js") {
		return "vendor/"
	}
	return "assets/"
}

// asset is an embedded file as a browser will hash it: with line feeds alone, whatever a
// checkout has made of them, and without the name of a source map, which would be asked for.
func asset(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("page: %v", err)) // a name in this package's own code
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	if at := strings.LastIndex(text, "\n//# sourceMappingURL="); at >= 0 {
		text = text[:at+1]
	}
	return text
}

// hashes names inline parts as a policy does: by the SHA-256 of their text.
func hashes(parts []string) string {
	if len(parts) == 0 {
		return "'none'"
	}
	var all []string
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		all = append(all, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return strings.Join(all, " ")
}

// writer keeps its first error.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, s)
	}
}

// data writes JSON that is safe inside a script element: encoding/json escapes <, >, &,
// U+2028 and U+2029.
func (w *writer) data(v any) {
	if w.err == nil {
		w.err = json.NewEncoder(w.w).Encode(v)
	}
}

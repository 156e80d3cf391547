package reproduce

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"rlam/provenance/export/page"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) },
}).Parse(pageText))

// pageCount is how many calls have a verdict, on the page.
type pageCount struct {
	Verdict Verdict
	N       int
	Means   string
}

// pageCall is a call on the page.
type pageCall struct {
	CallReport
	Style string
}

// means says what a verdict means, to who has never seen one.
var means = map[Verdict]string{
	Confirmed:       "The same bytes, or the same failure.",
	WithinTolerance: "The same as far as its class promises.",
	NotReexecutable: "Not executed again, or that decided nothing.",
	DriftedInputs:   "Another outcome, from other parameters.",
	Refuted:         "Another outcome than its class promises.",
}

var pageStyles = map[Verdict]string{Confirmed: "good", WithinTolerance: "good", NotReexecutable: "dim", DriftedInputs: "warn", Refuted: "bad"}

// Sentence says in words what the report comes to.
func (r *Report) Sentence() string {
	switch {
	case r.First != "" && len(r.Affects) > 0:
		return fmt.Sprintf("Refuted, first at call %s. What rests on it: %s.", r.First, strings.Join(r.Affects, ", "))
	case r.First != "":
		return fmt.Sprintf("Refuted, first at call %s.", r.First)
	case r.Count(DriftedInputs) > 0:
		return "Nothing speaks against the record. Calls whose parameters came from outputs that vary, as these may, gave other outcomes."
	case r.Count(NotReexecutable) > 0:
		return "Nothing speaks against the record, and not all of it was put to the test."
	}
	return "The record holds: every call that was executed came out again."
}

// WriteHTML writes a report as one page that opens offline. What models and tools wrote is
// text in it.
func WriteHTML(w io.Writer, r *Report) error {
	title := "Reproduction of " + r.Run
	data := struct {
		*Report
		Title    string
		Sentence string
		Holds    bool
		Counts   []pageCount
		Calls    []pageCall
	}{Report: r, Title: title, Sentence: r.Sentence(), Holds: r.Holds()}
	for _, v := range Verdicts() {
		data.Counts = append(data.Counts, pageCount{v, r.Count(v), means[v]})
	}
	for _, c := range r.Calls {
		style := pageStyles[c.Verdict]
		if c.Idle {
			style = "dim"
		}
		data.Calls = append(data.Calls, pageCall{c, style})
	}
	var body strings.Builder
	if err := pageTemplate.Execute(&body, data); err != nil {
		return fmt.Errorf("writing the reproduction of %q as a page: %w", r.Run, err)
	}
	return page.Shell{Title: title, Styles: []string{"base.css", "reproduce.css"}, Body: body.String()}.Write(w)
}

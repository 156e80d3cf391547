package ensemble

import (
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"rlam/provenance/export/page"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"plain":     func(value json.RawMessage) string { return Plain(string(value)) },
	"plainText": Plain, "label": Label, "who": Who, "sequence": Sequence,
	"level": func(name string, p Planned) pageLevel { return pageLevel{p, name, p.Distinct > 1} },
}).Parse(pageText))

// pageLevel is one of the two ways to tell plans apart.
type pageLevel struct {
	Planned
	Name string
	Open bool
}

// largestDrawing is how many bytes an SVG in the page has; a larger one is shown as a PNG.
const largestDrawing = 400 << 10

// How many figures the page has, and groups of each field.
const (
	pageFigures = 60
	pageGroups  = 60
)

// pageData is a report as the page shows it.
type pageData struct {
	*Report
	Title        string
	Numeric      []pageNumber
	Words        []pageWords
	Pictures     []pagePicture
	MorePictures int
	Least        int
}

// pageNumber is a numeric field: a row for all members, and one for each group.
type pageNumber struct {
	Rows  []pageRow
	Notes string
}

type pageRow struct {
	Name, Unit string
	Group      bool
	Cells      []string
}

// pageWords is a field whose values are no numbers.
type pageWords struct {
	Name      string
	Agreement string
	Lacking   int
	Values    []Count
	More      int
	Groups    []string
}

type pagePicture struct {
	Title, Alt string
	Address    template.URL
}

// WriteHTML writes the report as one page that opens offline. What models and tools wrote is
// text in it.
func (r *Report) WriteHTML(w io.Writer) error {
	d := pageData{Report: r, Title: strings.TrimSpace("Ensemble " + r.Ensemble), Least: LeastResampled}
	for _, f := range r.Fields {
		if f.Numbers != nil {
			d.Numeric = append(d.Numeric, r.pageNumber(f))
		}
		if f.Values != nil {
			d.Words = append(d.Words, r.pageWords(f))
		}
	}
	figures := r.Figures()
	d.MorePictures = max(0, len(figures)-pageFigures)
	for _, f := range figures[:len(figures)-d.MorePictures] {
		picture, err := f.picture()
		if err != nil {
			return fmt.Errorf("writing the page of ensemble %q: %w", r.Ensemble, err)
		}
		d.Pictures = append(d.Pictures, picture)
	}
	var body strings.Builder
	if err := pageTemplate.Execute(&body, d); err != nil {
		return fmt.Errorf("writing the page of ensemble %q: %w", r.Ensemble, err)
	}
	return page.Shell{Title: d.Title, Styles: []string{"base.css", "reproduce.css", "ensemble.css"}, Body: body.String()}.Write(w)
}

// picture is a figure as an image's address: as an image it runs nothing and loads nothing.
func (f Figure) picture() (pagePicture, error) {
	data, err := f.Render("svg")
	mediaType := "image/svg+xml"
	if err == nil && len(data) > largestDrawing {
		data, err = f.Render("png")
		mediaType = "image/png"
	}
	address := template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data)) // #nosec: base64 of our own
	return pagePicture{f.Title, "plot of " + f.Title, address}, err
}

func (r *Report) pageNumber(f Field) pageNumber {
	p := pageNumber{Rows: []pageRow{{f.Name(), f.Unit, false, f.Numbers.cells(f.Numbers)}}, Notes: f.notes()}
	if f.Numbers.Distinct == 1 && f.Values == nil {
		return p // the groups have nothing to add
	}
	for i, g := range f.Groups {
		if i == pageGroups {
			p.Notes = strings.TrimPrefix(fmt.Sprintf("%s; %d more groups stand in the JSON", p.Notes, len(f.Groups)-i), "; ")
			break
		}
		p.Rows = append(p.Rows, pageRow{r.GroupLabel(i), "", true, g.Numbers.cells(f.Numbers)})
	}
	return p
}

// cells are the numbers of a row, with the digits of the whole.
func (n *Numbers) cells(whole *Numbers) []string {
	if n == nil {
		return append([]string{"0"}, strings.Split(strings.Repeat("–", 12), "")...)
	}
	short := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return Short(*v)
	}
	between := func(i *Interval) string {
		if i == nil {
			return "–"
		}
		return whole.Spell(i.Low) + " … " + whole.Spell(i.High)
	}
	cells := []string{fmt.Sprint(n.N), whole.Spell(n.Mean), short(n.SD), short(n.SE), between(n.Student), between(n.Bootstrap)}
	q := n.Quantiles
	for _, v := range []float64{q.Min, q.P2, q.P25, q.Median, q.P75, q.P97, q.Max} {
		cells = append(cells, whole.Spell(v))
	}
	return cells
}

// notes are what the table of numbers has no column for.
func (f Field) notes() string {
	var notes []string
	add := func(n int, words string) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf("%d %s", n, words))
		}
	}
	n := f.Numbers
	if n.Without != "" {
		notes = append(notes, n.Without)
	}
	if n.Bootstrap != nil && n.Bootstrap.Method == "percentile" {
		notes = append(notes, "the bootstrap interval is between percentiles")
	}
	for _, u := range n.Unbounded {
		add(u.N, "× "+u.Value+", not counted")
	}
	if f.Values != nil {
		add(f.Values.N, "without a number: see below")
	}
	add(f.Lacking, "results without it")
	return strings.Join(notes, "; ")
}

func (r *Report) pageWords(f Field) pageWords {
	p := pageWords{Name: f.Name(), Agreement: f.Agreed(f.Values), Lacking: f.Lacking, Values: f.Values.Values, More: f.Values.More}
	if f.Values.Distinct == 1 {
		return p
	}
	for i, g := range f.Groups {
		if i == pageGroups {
			p.Groups = append(p.Groups, fmt.Sprintf("%d more groups stand in the JSON", len(f.Groups)-i))
			break
		}
		words := "none"
		if g.Values != nil {
			words = f.Agreed(g.Values)
		}
		p.Groups = append(p.Groups, cmp.Or(r.GroupLabel(i), "all")+": "+words)
	}
	return p
}

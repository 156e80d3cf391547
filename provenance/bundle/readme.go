package bundle

import (
	"bytes"
	_ "embed"
	"strings"
	"text/template"
)

//go:embed readme.tmpl
var readmeText string

var readmeTemplate = template.Must(template.New("README.md").Parse(readmeText))

// readme adds what a person reads first: what this is, and how to check it.
func (p *packing) readme() error {
	var b bytes.Buffer
	err := readmeTemplate.Execute(&b, map[string]any{
		"Run": p.index.Run, "Engine": p.o.Engine, "Absent": p.index.Absent, "Withheld": p.countWithheld(),
		"Folder": p.top, "Signature": strings.Join(p.o.CheckSignature, "\n"), "Redacted": len(p.with.redacted) > 0,
		"Extras": p.o.Extras, "Crate": p.o.Describe != nil,
	})
	if err != nil {
		return err
	}
	_, err = p.include(ReadmeFile, "it names the run", inMemory(b.Bytes()))
	return err
}

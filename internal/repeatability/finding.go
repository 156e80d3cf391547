package repeatability

import (
	"rlam/internal/canon"
	"rlam/schemas"
)

// Output is what one execution that completed left.
type Output struct {
	Value     []byte // JSON
	Artifacts []Artifact
}

// Artifact is a file that an execution left. Text is its content if that is text; nil
// if it isn't, or wasn't read, and then only digests are compared.
type Artifact struct {
	Name   string
	Digest canon.Digest
	Text   []byte
}

// Judgement compares what was declared with what was seen.
type Judgement string

// The judgements.
const (
	Fits      Judgement = "fits"
	TooStrong Judgement = "too_strong" // more was declared than the executions bear out
	TooWeak   Judgement = "too_weak"   // the executions agree better than was declared
)

// Finding is what the executions show of one field or one artifact.
type Finding struct {
	Field    *string       `json:"field,omitempty"`    // a JSON pointer into the output
	Artifact string        `json:"artifact,omitempty"` // or the name of an artifact
	Class    schemas.Class `json:"class"`              // the strongest that was borne out
	In       int           `json:"in"`                 // how many of the executions have it
	Distinct int           `json:"distinct"`           // different values among them
	Numbers  int           `json:"numbers"`            // how many numbers it holds in each
	Spread   *Spread       `json:"spread,omitempty"`   // of those that differ
	Mean     *float64      `json:"mean,omitempty"`     // of a single number that differs
	SD       *float64      `json:"sd,omitempty"`       // its standard deviation

	Declared  schemas.Grade `json:"declared"`
	Judgement Judgement     `json:"judgement"`
	Proposed  schemas.Grade `json:"proposed"` // to declare instead; as declared if that fits
}

// Name is the finding's field or artifact.
func (f Finding) Name() string {
	switch {
	case f.Field == nil:
		return f.Artifact
	case *f.Field == "":
		return "the whole output"
	}
	return *f.Field
}

// Judge says what the outputs show of an action, field by field and then artifact by
// artifact, each in alphabetical order. It needs at least two outputs: one shows nothing.
func Judge(a schemas.Action, outputs []Output, noise Bounds) ([]Finding, error) {
	if len(outputs) < 2 {
		return nil, nil
	}
	fields, err := fieldsOf(a, outputs)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, pointer := range sorted(fields) {
		declared := DeclaredField(a.Reproducibility, pointer)
		f := fields[pointer].judge(len(outputs), noise, declared)
		f.Field = &pointer
		all = append(all, f)
	}
	artifacts := artifactsOf(outputs)
	for _, name := range sorted(artifacts) {
		declared := DeclaredArtifact(a.Reproducibility, name)
		f := artifacts[name].judge(len(outputs), noise, declared)
		f.Artifact = name
		all = append(all, f)
	}
	return all, nil
}

// within widens what counts as noise to a tolerance that somebody declared.
func within(noise Bounds, declared schemas.Grade) Bounds {
	if declared.Class != schemas.Tolerance {
		return noise
	}
	return Bounds{max(noise.Relative, declared.Relative), max(noise.Absolute, declared.Absolute)}
}

// rank orders the classes that promise something, the strongest first.
var rank = map[schemas.Class]int{schemas.Bitwise: 0, schemas.Tolerance: 1, schemas.Statistical: 2, schemas.Unrepeatable: 3}

// against judges a finding by what was declared. beyond says that numbers differ by more
// than a declared tolerance.
func (f Finding) against(declared schemas.Grade, beyond bool) Finding {
	f.Declared, f.Judgement = declared, Fits
	switch {
	case declared.Class == schemas.Ignore:
		// Nothing was promised that agreement or difference could break.
	case rank[f.Class] > rank[declared.Class], beyond:
		f.Judgement = TooStrong
	case rank[f.Class] < rank[declared.Class]:
		f.Judgement = TooWeak
	}
	if f.Judgement == Fits {
		f.Proposed = declared
	}
	return f
}

// WithoutDeclaration is findings of executions that were meant to differ, as those with
// seeds of their own are: what was declared is no promise about them.
func WithoutDeclaration(findings []Finding) []Finding {
	out := make([]Finding, len(findings))
	for i, f := range findings {
		f.Judgement, f.Proposed = Fits, f.Declared
		out[i] = f
	}
	return out
}

package repeatability

import (
	"path"
	"strings"

	"rlam/schemas"
)

// DeclaredField is what an action declares for a field: under the longest pointer that
// leads to the field or to what holds it, or else by default.
func DeclaredField(r schemas.Reproducibility, pointer string) schemas.Grade {
	for at := pointer; ; at = at[:strings.LastIndexByte(at, '/')] {
		if g, ok := r.Fields[at]; ok {
			return g
		}
		if at == "" {
			return schemas.Grade{Class: r.Default}
		}
	}
}

// DeclaredArtifact is what an action declares for an artifact: by its name, by the first
// pattern in alphabetical order that matches it, or else by default.
func DeclaredArtifact(r schemas.Reproducibility, name string) schemas.Grade {
	if g, ok := r.Artifacts[literally(name)]; ok {
		return g
	}
	for _, pattern := range sorted(r.Artifacts) {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return r.Artifacts[pattern]
		}
	}
	return schemas.Grade{Class: r.Default}
}

var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// literally is a pattern that matches one name only.
func literally(name string) string { return literal.Replace(name) }

// Propose is what to declare after findings: everything that fits as it was declared,
// and the rest as it was seen. Of the classes that need no tolerance the most frequent
// becomes the default.
func Propose(declared schemas.Reproducibility, findings []Finding) schemas.Reproducibility {
	seen := map[schemas.Class]int{}
	for _, f := range findings {
		seen[f.Proposed.Class]++
	}
	r := schemas.Reproducibility{Default: declared.Default, Fields: map[string]schemas.Grade{}, Artifacts: map[string]schemas.Grade{}}
	most := 0
	for _, class := range []schemas.Class{schemas.Bitwise, schemas.Statistical, schemas.Unrepeatable, schemas.Ignore} {
		if seen[class] > most {
			r.Default, most = class, seen[class]
		}
	}
	if most == 0 && len(findings) > 0 {
		r.Default = schemas.Bitwise
	}
	for pointer, g := range declared.Fields {
		r.Fields[pointer] = g // of a field that these calls didn't give, perhaps
	}
	for pattern, g := range declared.Artifacts {
		r.Artifacts[pattern] = g
	}
	for _, f := range findings {
		if f.Field != nil {
			delete(r.Fields, *f.Field)
			if DeclaredField(r, *f.Field) != f.Proposed {
				r.Fields[*f.Field] = f.Proposed
			}
			continue
		}
		delete(r.Artifacts, literally(f.Artifact))
		if DeclaredArtifact(r, f.Artifact) != f.Proposed {
			r.Artifacts[literally(f.Artifact)] = f.Proposed
		}
	}
	return r
}

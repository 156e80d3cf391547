package repeatability

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// artifactsOf are the samples of each artifact, by name.
func artifactsOf(outputs []Output) map[string]samples {
	all := map[string]samples{}
	for _, o := range outputs {
		for _, a := range o.Artifacts {
			all[a.Name] = append(all[a.Name], a.sample())
		}
	}
	return all
}

// printed is a decimal number as programs print it. Words that contain digits, such as
// names and digests, are text.
var printed = regexp.MustCompile(`[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?`)

// sample takes a text apart into its numbers and what stands between them. Bytes that
// are no text have a form of their own, so that any difference is one of form.
func (a Artifact) sample() sample {
	s := sample{digest: a.Digest}
	if a.Text == nil {
		s.form = a.Digest.String()
		return s
	}
	var form strings.Builder
	text, from := string(a.Text), 0
	for _, at := range printed.FindAllStringIndex(text, -1) {
		if inWord(text, at[0], at[1]) {
			continue
		}
		v, err := strconv.ParseFloat(strings.Map(fortran, text[at[0]:at[1]]), 64)
		if err != nil || math.IsInf(v, 0) {
			continue
		}
		s.numbers = append(s.numbers, v)
		form.WriteString(text[from:at[0]])
		form.WriteString(mark)
		from = at[1]
	}
	form.WriteString(text[from:])
	s.form = form.String()
	return s
}

// inWord says whether letters adjoin text[from:to].
func inWord(text string, from, to int) bool {
	return from > 0 && letter(text[from-1]) || to < len(text) && letter(text[to])
}

func letter(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

// fortran spells the exponent of a double in Fortran, 1.5D-3, as others do.
func fortran(r rune) rune {
	if r == 'd' || r == 'D' {
		return 'e'
	}
	return r
}

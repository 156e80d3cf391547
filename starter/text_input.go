package main

import (
	"cmp"
	"fmt"
	"strings"

	"rlam/internal/record"
)

// input says what a run starts from, and what is to be known of where it comes from.
func (p *textPrinter) input(in record.Input) {
	p.block(p.dim.Render("input")+" ", strings.Join(inputWords(in), "; "), unstyled)
	if in.Path != "" {
		p.printf("      %s\n", printable(short(in.Path))) // not broken: people copy it
	}
}

func inputWords(in record.Input) []string {
	facts := fmt.Sprintf("%s: %s, %s", in.Name, size(in.Size), briefString(in.Digest.String()))
	if in.Unseen {
		facts = fmt.Sprintf("%s: %s, never seen by R-LAM", in.Name, briefString(in.Digest.String()))
	}
	words := []string{facts}
	switch in.Keep {
	case record.KeepReference:
		words = append(words, "kept by reference")
	case record.KeepDigest:
		words = append(words, "only its digest is kept")
	}
	if f := in.From; f != nil {
		of := cmp.Or(f.Output, "the result")
		from := fmt.Sprintf("%s of run %s", of, f.ID)
		if f.Ended != "" {
			from += fmt.Sprintf(", partial: that run ended as %s", f.Ended)
		}
		words = append(words, from)
	}
	if g := in.Given; g != nil {
		given := "given, made before R-LAM: " + g.Source
		if g.Citation != "" {
			given += " (" + g.Citation + ")"
		}
		words = append(words, given)
	}
	return words
}

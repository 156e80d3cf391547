package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance/graph"
)

// revealOptions are the flags of reveal.
type revealOptions struct {
	store string
	out   string
}

func newRevealCommand(a *app) *cobra.Command {
	var o revealOptions
	c := &cobra.Command{
		Use: "reveal RUN WHAT -o FILE", Short: "Write a content that a bundle withholds, to show it later",
		Long: `Write a content that a bundle withholds, to show it later. Whoever has the
bundle checks the file against what the bundle's records commit to:
starter verify run.zip --reveal FILE.

WHAT is one of
  CALL/params, CALL/output  of a call, such as 4.1/output
  STEP/prompt, STEP/answer  of a planner's turn
  result                    of the run
  artifact:NAME             or artifact:CALL/NAME
  sha256:...                anything that the run names by its digest

A content is written as its record commits to it, {"salt": ..., "value": ...}.`,
		Example: "  starter reveal @last 4.1/output -o output.json",
		Args:    cobra.ExactArgs(2),
		RunE:    func(c *cobra.Command, args []string) error { return runReveal(c.Context(), a, args[0], args[1], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().StringVarP(&o.out, "output", "o", "", "`FILE` to write; - is stdout")
	return c
}

// writtenContent is a content that was written to be shown.
type writtenContent struct {
	Run    string       `json:"run"`
	What   string       `json:"what"`
	Digest canon.Digest `json:"digest"`
	File   string       `json:"file"`
	Bytes  int64        `json:"bytes"`
}

func (writtenContent) MessageType() string { return "content" }

func runReveal(ctx context.Context, a *app, id, what string, o revealOptions) error {
	if o.out == "" {
		return badUsage("revealing %q: name the file to write with -o; - is stdout", what)
	}
	e, err := a.gather(ctx, id, gatherOptions{store: o.store})
	if err != nil {
		return err
	}
	d, err := chooseContent(e.Trace.Graph, what)
	if err != nil {
		return err
	}
	m := writtenContent{Run: e.Trace.ID, What: what, Digest: d, File: o.out}
	if o.out == "-" {
		_, err = copyBlob(ctx, a.stdout, e.Store, d)
		return err
	}
	m.Bytes, _, err = writeWhole(o.out, func(w io.Writer) error {
		_, err := copyBlob(ctx, w, e.Store, d)
		return err
	})
	if err != nil {
		return err
	}
	a.printer.Print(m)
	return nil
}

func copyBlob(ctx context.Context, w io.Writer, s store.Store, d canon.Digest) (int64, error) {
	r, err := s.Get(ctx, d)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", d, err)
	}
	defer r.Close()
	return io.Copy(w, r)
}

// chooseContent finds the digest of what a person asked for.
func chooseContent(g *graph.Graph, what string) (canon.Digest, error) {
	if d, err := canon.Parse(what); err == nil {
		return d, nil
	}
	if name, ok := strings.CutPrefix(what, "artifact:"); ok {
		return chooseArtifact(g, name)
	}
	id := what
	if of, kind, ok := strings.Cut(what, "/"); ok {
		id = kind + ":" + of
	}
	var found canon.Digest
	for _, n := range g.Nodes {
		if (n.ID == id || strings.HasPrefix(n.ID, id+"#")) && n.Kind == graph.Value {
			found = n.Digest // of several attempts the last
		}
	}
	if found.IsZero() {
		return found, badUsage("the run has no %q: want CALL/params, CALL/output, STEP/prompt, STEP/answer, result, artifact:NAME or a digest", what)
	}
	return found, nil
}

func chooseArtifact(g *graph.Graph, name string) (canon.Digest, error) {
	var found []graph.Node
	call, file, qualified := strings.Cut(name, "/")
	for _, n := range g.Nodes {
		if n.Kind == graph.Artifact && (n.Name == name || qualified && n.Call == call && n.Name == file) {
			found = append(found, *n)
		}
	}
	for _, n := range found {
		if n.Digest != found[0].Digest {
			return canon.Digest{}, badUsage("several artifacts are called %q, and differ: write artifact:CALL/NAME, such as artifact:%s/%s", name, n.Call, n.Name)
		}
	}
	if len(found) == 0 {
		return canon.Digest{}, badUsage("the run has no artifact %q", name)
	}
	return found[0].Digest, nil
}

// content writes where a content was written to.
func (p *textPrinter) content(m writtenContent) {
	p.pairs("file", m.File, "digest", m.Digest.String(), "size", size(m.Bytes))
}

package main

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/store"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/worker/host"
)

// importOptions are the flags of import.
type importOptions struct{ store string }

func newImportCommand(a *app) *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use: "import FILE", Short: "Take the run in a bundle into the store",
		Long: `Take the run in a bundle into the store, to be shown, replayed, exported and forked
as if it had been run here. FILE is a bundle that export has written, or the folder
that came of unpacking one.

Nothing is executed. Every file is checked against the bundle's manifests before
anything is taken in; whether its signature is by somebody you trust, verify tells.
What a bundle says about how its actions are carried out is not trusted: no program
that it names runs, unless fork or reproduce is told so with --trust, or reproduce
is given actions of your own.

To import a bundle again changes nothing.`,
		Example: "  starter import run.zip\n  starter show @last",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runImport(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	return c
}

// importedMessage is a run that was taken in.
type importedMessage struct {
	*bundle.Imported
	Store  string   `json:"store"`
	Keys   []string `json:"keys"`    // ids of the keys that the signature names; nobody checked it
	Absent int      `json:"absent"`  // how much of what the run names the bundle hadn't got
	Same   int      `json:"same_id"` // how many other runs of the store have the id
	Next   []string `json:"next"`    // commands to try
}

func (importedMessage) MessageType() string { return "imported" }

func runImport(ctx context.Context, a *app, file string, o importOptions) error {
	dir, err := a.storeDir(o.store)
	if err != nil {
		return err
	}
	s, err := store.OpenFolder(dir)
	if err != nil {
		return err
	}
	done, keys, err := takeIn(ctx, file, s)
	if err != nil {
		return err
	}
	m := importedMessage{Imported: done, Store: dir, Absent: len(done.Absent), Keys: keys}
	if m.Same, err = namesakes(ctx, s, done); err != nil {
		return err
	}
	name := done.ID
	if m.Same > 0 {
		name = done.Run.String()
	}
	for _, verb := range []string{"show", "audit"} {
		m.Next = append(m.Next, a.program()+" "+verb+" "+name)
	}
	a.printer.Print(m)
	a.saidAbsent(done.Absent)
	return nil
}

// takeIn imports a bundle, and says which keys its signature names.
func takeIn(ctx context.Context, file string, s store.Store) (*bundle.Imported, []string, error) {
	b, err := bundle.Open(ctx, file, bundle.Limits{})
	if err != nil {
		return nil, nil, &codedError{exitUsage, err}
	}
	defer b.Close()
	done, err := bundle.Import(ctx, b, s)
	var damaged *bundle.DamagedError
	if errors.As(err, &damaged) {
		return nil, nil, &codedError{exitUnverified, err}
	}
	return done, keysOf(b), err
}

// keysOf are the ids of the keys that a bundle's signature names.
func keysOf(b *bundle.Bundle) []string {
	signed, _, err := b.Signature()
	if err != nil || signed[attest.EnvelopeFile] == nil {
		return []string{}
	}
	e, err := attest.ReadEnvelope(signed[attest.EnvelopeFile])
	if err != nil {
		return []string{}
	}
	return e.KeyIDs()
}

// namesakes counts the runs of a store that have the id of one that was imported.
func namesakes(ctx context.Context, s store.Store, done *bundle.Imported) (int, error) {
	runs, err := host.Runs(ctx, s)
	n := 0
	for _, r := range runs {
		if r.Record.ID == done.ID && r.Digest != done.Run {
			n++
		}
	}
	return n, err
}

// imported writes what was taken in.
func (p *textPrinter) imported(m importedMessage) {
	if m.Own {
		p.printf("%s was run with this store: there is nothing to import.\n", m.ID)
		return
	}
	p.pairs("run", m.ID, "record", m.Run.String(), "holds", count(m.Blobs, "blob")+", "+size(m.Bytes), "signed by", cmp.Or(strings.Join(m.Keys, " "), "nobody"))
	if len(m.Keys) > 0 {
		p.block("", "So it says: starter verify checks the signature.", p.dim)
	}
	if m.Same > 0 {
		p.block("! ", "Another run of the store has the same id; name this one by the digest of its record.", unstyled)
	}
	for _, next := range m.Next {
		p.printf("  %s\n", next)
	}
}

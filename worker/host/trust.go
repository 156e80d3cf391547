package host

import (
	"context"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/bundle"
)

// Trust says by what right the bindings of a run are executed.
type Trust struct {
	Bundles bool // whoever made the bundle that a run came in is trusted
	Own     bool // the caller has given actions of their own, in the place of the run's
}

// UntrustedError says that a run's bindings came with a bundle, and nobody trusts it.
type UntrustedError struct{ ID string }

func (e *UntrustedError) Error() string {
	return fmt.Sprintf("run %q was imported, and its bundle says which programs are to be run: look at them with starter show, and then say --trust, or give your own actions where the command takes them", e.ID)
}

// CheckTrust is asked by whoever is about to execute what a run's record pins: it refuses
// the bindings of a run that was imported, unless t says otherwise. Nothing is to be
// begun after it refused.
func CheckTrust(ctx context.Context, s store.Store, run ListedRun, t Trust) error {
	if t.Bundles || t.Own {
		return nil
	}
	mark, err := bundle.ReadMark(ctx, s, run.Digest)
	if err != nil || mark == nil {
		return err
	}
	return &UntrustedError{ID: run.Record.ID}
}

// CheckLineageTrust is [CheckTrust] of a run and of all that it continues, by its newest
// record: a fork executes what the run it was forked from pins.
func CheckLineageTrust(ctx context.Context, s store.Store, head canon.Digest, t Trust) error {
	links, err := record.Lineage(ctx, s, head)
	if err != nil {
		return err
	}
	for _, l := range links {
		if run, is := l.Record.(*record.Run); is {
			if err := CheckTrust(ctx, s, ListedRun{Digest: l.Digest, Record: run}, t); err != nil {
				return err
			}
		}
	}
	return nil
}

package bundle

import (
	"context"
	"fmt"

	"rlam/internal/canon"
	"rlam/provenance/export"
)

// Named finds everything that a run names by digest, with what it was in the run, whether
// the run's store has it or not: what should be in a bundle, or be listed as left out. Each
// is reported as it is found, once; of those behind it Named remembers a few bytes, and the
// path of what isn't named by its digest. What only a missing content names isn't found.
func Named(ctx context.Context, run *export.Run, report func(Blob)) error {
	g := newGathering(ctx, run)
	g.report, g.known, g.keys = report, canon.NewSet(), canon.NewSet()
	if err := g.all(); err != nil {
		return fmt.Errorf("finding what run %q names: %w", run.Trace.ID, err)
	}
	return nil
}

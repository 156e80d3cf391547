package bundle

import (
	"context"
	"fmt"

	"rlam/provenance/export"
)

// Named finds everything that a run names by digest, with what it was in the run, whether
// the run's store has it or not: what should be in a bundle, or be listed as left out.
// What only a missing content names isn't found.
func Named(ctx context.Context, run *export.Run) ([]Blob, error) {
	g, err := gather(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("finding what run %q names: %w", run.Trace.ID, err)
	}
	named := make([]Blob, 0, len(g.order))
	for _, it := range g.order {
		named = append(named, it.Blob)
	}
	return named, nil
}

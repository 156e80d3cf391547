package host

import (
	"context"
	"fmt"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// ListedRun is a run that a store lists.
type ListedRun struct {
	Digest canon.Digest // of its record
	Record *record.Run
}

// Runs reads the records of the runs that a store lists, the newest first.
func Runs(ctx context.Context, s store.Store) ([]ListedRun, error) {
	var keys []string
	for key, err := range s.List(ctx, record.RunPrefix) {
		if err != nil {
			return nil, fmt.Errorf("listing the runs of the store: %w", err)
		}
		keys = append(keys, key)
	}
	slices.Reverse(keys)
	runs := make([]ListedRun, 0, len(keys))
	for _, key := range keys {
		value, err := s.Entry(ctx, key)
		if err != nil {
			return nil, err
		}
		d, err := canon.Parse(string(value))
		if err != nil {
			return nil, fmt.Errorf("reading entry %q of the store: %w", key, err)
		}
		var r record.Run
		if err := record.Load(ctx, s, d, &r); err != nil {
			return nil, err
		}
		runs = append(runs, ListedRun{Digest: d, Record: &r})
	}
	return runs, nil
}

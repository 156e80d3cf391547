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
	runs := []ListedRun{}
	err := eachListed(ctx, s, record.RunPrefix, func(d canon.Digest) error {
		r := &record.Run{}
		runs = append(runs, ListedRun{Digest: d, Record: r})
		return record.Load(ctx, s, d, r)
	})
	return runs, err
}

// eachListed visits the records that entries with a prefix list, the newest first.
func eachListed(ctx context.Context, s store.Store, prefix string, visit func(canon.Digest) error) error {
	var keys []string
	for key, err := range s.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("listing the %s of the store: %w", prefix[:len(prefix)-1], err)
		}
		keys = append(keys, key)
	}
	slices.Reverse(keys)
	for _, key := range keys {
		value, err := s.Entry(ctx, key)
		if err != nil {
			return err
		}
		d, err := canon.Parse(string(value))
		if err != nil {
			return fmt.Errorf("reading entry %q of the store: %w", key, err)
		}
		if err := visit(d); err != nil {
			return err
		}
	}
	return nil
}

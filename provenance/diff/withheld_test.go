package diff_test

import (
	"context"
	"io"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance/export"
)

// without is a store that withholds one content.
type without struct {
	store.Store
	withheld canon.Digest
}

func (s without) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if d == s.withheld {
		return nil, export.ErrWithheld
	}
	return s.Store.Get(ctx, d)
}
